//! Materialised views: a query of each store's own SQL, kept as date-partitioned Parquet.
//!
//! ```text
//! views/<view>/dt=<date>/<id>.parquet      immutable; the id is a checksum of the rows
//! views/<view>/manifest.json               which files are the view, and up to which LSN of each store
//! ```
//! A refresh runs the view's SQL in every store, so there is no second dialect and evicted rows count as they do everywhere; it writes
//! the partitions whose rows differ from those in the manifest, and swaps the manifest, so a reader sees the view before or after.
//! This form runs the whole query each time and spares the writing alone.

mod manifest;
mod partition;
mod refresh;

pub use manifest::{ViewColumn, ViewManifest, ViewPartition};
pub use refresh::{ViewReport, refresh};

use relstore_model::{Error, Result};
use serde::{Deserialize, Serialize};

/// The column that says which partition a row belongs to: a date as text, `2013-01-01`.
pub const PARTITION_COLUMN: &str = "dt";
/// The column that a view gets beside its own: the store the row comes from.
pub const NAMESPACE_COLUMN: &str = "_ns";

/// What a view is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewDefinition {
    /// Its name: letters, digits and `_`, beginning with no digit.
    pub name: String,
    /// A query in SQLite's SQL, run in each store. One of its columns is `dt`.
    pub sql: String,
}

impl ViewDefinition {
    /// A view `name` of `sql`.
    ///
    /// # Errors
    /// `Invalid` if the name could not be a table's name and a folder's.
    pub fn new(name: impl Into<String>, sql: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 128 || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_word) {
            return Err(Error::invalid("not the name of a view")
                .with("view", format!("{name:?}"))
                .with_hint("use letters, digits and _, with no digit first"));
        }
        Ok(Self { name, sql: sql.into() })
    }
}

/// The folder of a view in the bucket.
#[must_use]
pub fn view_prefix(name: &str) -> String {
    format!("views/{name}")
}
