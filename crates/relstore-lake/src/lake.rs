//! The lake of one bucket: its history tables and their catalog.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataRef};
use iceberg::table::Table;
use iceberg::{NamespaceIdent, Runtime, TableIdent};
use relstore_cdc::bucket::Bucket;
use relstore_model::{Error, Result};

use crate::catalog::{HistoryCatalog, NAMESPACE, SqliteCatalog};
use crate::error::from_iceberg;
use crate::storage;

/// The history of all stores in one bucket. It may be shared between tasks; several processes may open the same one.
#[derive(Debug)]
pub struct Lake {
    pub(crate) bucket: Bucket,
    pub(crate) catalog: Arc<dyn HistoryCatalog>,
    io: FileIO,
    /// By table: the metadata last read and where it lay. Metadata alone, because a `Table` is bound to the runtime it was opened on.
    read: Mutex<HashMap<String, (String, TableMetadataRef)>>,
}

impl Lake {
    /// Opens the history in `bucket` whose catalog is the SQLite file `catalog_path`; both are made if they are not there.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be opened or made; `Corrupt` if it is no SQLite file.
    pub fn open(bucket: Bucket, catalog_path: &Path) -> Result<Self> {
        let catalog = SqliteCatalog::open(catalog_path, &bucket)?;
        Ok(Self::with_catalog(bucket, Arc::new(catalog)))
    }

    /// The history in `bucket` by any catalog.
    #[must_use]
    pub fn with_catalog(bucket: Bucket, catalog: Arc<dyn HistoryCatalog>) -> Self {
        let io = storage::file_io(&bucket);
        Self { bucket, catalog, io, read: Mutex::default() }
    }

    /// The bucket it lies in.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The catalog, for readers that want Iceberg's own interface.
    #[must_use]
    pub fn catalog(&self) -> &Arc<dyn HistoryCatalog> {
        &self.catalog
    }

    /// Every history table as it is now, by name.
    pub(crate) async fn load_all(&self) -> Result<Vec<Table>> {
        let pointers = self.catalog.pointers().await.map_err(|e| from_iceberg(e, NAMESPACE))?;
        let loads = pointers.into_iter().map(|(name, location)| self.load_at(name, location));
        futures::future::try_join_all(loads).await
    }

    async fn load_at(&self, name: String, location: String) -> Result<Table> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&name).filter(|(at, _)| *at == location).cloned();
        let metadata = match known {
            Some((_, metadata)) => metadata,
            None => {
                let metadata = TableMetadata::read_from(&self.io, &location).await.map_err(|e| from_iceberg(e, &name))?;
                let metadata = Arc::new(metadata);
                let entry = (location.clone(), metadata.clone());
                self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), entry);
                metadata
            }
        };
        let build = || {
            let table = Table::builder().file_io(self.io.clone()).identifier(ident(&name)).metadata(metadata);
            table.metadata_location(location).runtime(Runtime::try_current()?).build()
        };
        build().map_err(|e| from_iceberg(e, &name))
    }

    /// The history of the logical table `name`, whatever its case, at its newest snapshot. It is bound to the tokio runtime of the
    /// caller: scan it on that one.
    ///
    /// # Errors
    /// `NotFound` if nothing of such a table was archived yet, with the nearest name; `Unavailable` if the catalog or the bucket cannot
    /// be read.
    pub async fn load(&self, name: &str) -> Result<Table> {
        let pointers = self.catalog.pointers().await.map_err(|e| from_iceberg(e, name))?;
        let names: Vec<String> = pointers.iter().map(|(name, _)| name.clone()).collect();
        match pointers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((name, location)) => self.load_at(name, location).await,
            None => {
                let error = Error::not_found("no history of such a table").with("table", name);
                Err(match relstore_model::identifier::nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => error.with_hint(format!("did you mean {near}?")),
                    None => error.with_hint("archive the store first: relstore archive run"),
                })
            }
        }
    }
}

/// The catalog's name of a history table.
pub(crate) fn ident(name: &str) -> TableIdent {
    TableIdent::new(NamespaceIdent::new(NAMESPACE.to_owned()), name.to_owned())
}
