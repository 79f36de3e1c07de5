//! Catalogs of history: names → the metadata file that is current.
//!
//! [`HistoryCatalog`] adds to iceberg's `Catalog` what its interface keeps to itself: creating a table whose field ids are ours, and
//! committing arbitrary updates under requirements. The pointer moves by compare-and-swap; a commit that lost the race changes nothing
//! and says `CatalogCommitConflicts`, retryable.

mod sqlite;

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use iceberg::{Catalog, TableIdent, TableRequirement, TableUpdate};

pub use sqlite::SqliteCatalog;

/// The catalog's own name, which a reader such as pyiceberg's `SqlCatalog` opens it by.
pub const CATALOG: &str = "relstore";

/// The Iceberg namespace of the history tables.
pub const NAMESPACE: &str = "history";

/// A catalog that takes our own commits.
#[async_trait]
pub trait HistoryCatalog: Catalog {
    /// The tables of [`NAMESPACE`] with their metadata locations, by name. One request, no file is read.
    ///
    /// # Errors
    /// As the catalog has them; `Unexpected` if it is away.
    async fn pointers(&self) -> iceberg::Result<Vec<(String, String)>>;

    /// Creates a table whose metadata is as given, ids and all.
    ///
    /// # Errors
    /// `TableAlreadyExists` if another writer was quicker.
    async fn create(&self, ident: &TableIdent, metadata: TableMetadata) -> iceberg::Result<Table>;

    /// Moves `base` on by `updates`, if the catalog still has `base` as current and `requirements` hold for it.
    ///
    /// # Errors
    /// `CatalogCommitConflicts`, retryable, if it has moved meanwhile: then nothing has changed. Of any other error the outcome is
    /// unknown: the commit may have happened.
    async fn commit(&self, base: &Table, requirements: Vec<TableRequirement>, updates: Vec<TableUpdate>) -> iceberg::Result<Table>;
}
