//! The catalog of an installation that is a folder: a SQLite file in the layout of Iceberg's JDBC catalog.
//!
//! pyiceberg's `SqlCatalog("relstore", uri="sqlite:///…")` opens the same file, and so does every other reader of that layout. Between
//! processes SQLite's own locks decide; the pointer swap is one UPDATE whose count of rows says who won.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Result, Runtime, TableCommit, TableCreation, TableIdent,
    TableRequirement, TableUpdate,
};
use relstore_cdc::bucket::Bucket;
use relstore_engine::sqlite::Connection;
use relstore_model::{Row, Value};

use super::{CATALOG, HistoryCatalog, NAMESPACE};
use crate::error::to_iceberg;
use crate::storage;

/// The tables as pyiceberg and the Java JDBC catalog make them.
const LAYOUT: &str = "
    CREATE TABLE IF NOT EXISTS iceberg_tables (
        catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
        metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5) DEFAULT 'TABLE',
        PRIMARY KEY (catalog_name, table_namespace, table_name));
    CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
        catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
        property_value VARCHAR(1000) NOT NULL, PRIMARY KEY (catalog_name, namespace, property_key));";

/// Where one table is, in `iceberg_tables`.
const AT: &str = "catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3 AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)";

/// A catalog in a SQLite file; its tables lie in the bucket, below `lake/`.
pub struct SqliteCatalog {
    connection: Arc<Mutex<Connection>>,
    bucket: Bucket,
    io: FileIO,
}

impl std::fmt::Debug for SqliteCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteCatalog").field("bucket", &self.bucket.root_url()).finish_non_exhaustive()
    }
}

impl SqliteCatalog {
    /// Opens the catalog file, or makes it, with the namespace of history in it.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be opened; `Corrupt` if it is no SQLite file.
    pub fn open(path: &Path, bucket: &Bucket) -> relstore_model::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(LAYOUT).map_err(|e| e.with("path", path.display()))?;
        connection.execute(
            "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?1, ?2, 'exists', 'true')",
            &[CATALOG.into(), NAMESPACE.into()],
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), bucket: bucket.clone(), io: storage::file_io(bucket) })
    }

    /// Runs `work` where waiting for another process's lock does not hold up the runtime.
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> relstore_model::Result<T> + Send + 'static) -> Result<T> {
        let connection = self.connection.clone();
        let run = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(run).await {
            Ok(done) => done.map_err(to_iceberg),
            Err(e) => Err(Error::new(ErrorKind::Unexpected, "a catalog request was cut off").with_source(e)),
        }
    }

    async fn query(&self, sql: impl Into<String>, params: Vec<Value>) -> Result<Vec<Row>> {
        let sql = sql.into();
        self.with(move |c| c.query(&sql, &params)).await
    }

    async fn execute(&self, sql: impl Into<String>, params: Vec<Value>) -> Result<u64> {
        let sql = sql.into();
        self.with(move |c| c.execute(&sql, &params)).await
    }

    async fn pointer(&self, ident: &TableIdent) -> Result<Option<String>> {
        let rows = self.query(format!("SELECT metadata_location FROM iceberg_tables WHERE {AT}"), key(ident)).await?;
        Ok(rows.into_iter().next().and_then(|mut row| text(&mut row, 0)))
    }

    fn table(&self, ident: &TableIdent, metadata: TableMetadata, location: String) -> Result<Table> {
        Table::builder()
            .file_io(self.io.clone())
            .identifier(ident.clone())
            .metadata(metadata)
            .metadata_location(location)
            .runtime(Runtime::try_current()?)
            .build()
    }

    /// Writes the next metadata file and swaps the pointer from `base` to it.
    async fn swap(&self, base: &Table, metadata: TableMetadata) -> Result<Table> {
        let old = base.metadata_location_result()?.to_owned();
        let location = MetadataLocation::from_str(&old)?.with_next_version().with_new_metadata(&metadata);
        metadata.write_to(&self.io, &location).await?;
        let mut params = key(base.identifier());
        params.extend([Value::from(location.to_string()), Value::from(old.clone())]);
        let sql = format!(
            "UPDATE iceberg_tables SET metadata_location = ?4, previous_metadata_location = ?5 WHERE {AT} AND metadata_location = ?5"
        );
        if self.execute(sql, params).await? == 1 {
            return self.table(base.identifier(), metadata, location.to_string());
        }
        // The file is ours alone and nothing points at it; a leftover would only wait for gc.
        let _ = self.io.delete(location.to_string()).await;
        Err(Error::new(ErrorKind::CatalogCommitConflicts, "the table has moved on")
            .with_context("table", base.identifier().name())
            .with_retryable(true))
    }

    fn refuse<T>(&self, what: &str) -> Result<T> {
        Err(Error::new(ErrorKind::FeatureUnsupported, format!("{what} is not offered: history tables follow the stores' tables")))
    }
}

#[async_trait]
impl HistoryCatalog for SqliteCatalog {
    async fn pointers(&self) -> Result<Vec<(String, String)>> {
        let sql = "SELECT table_name, metadata_location FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2
            AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL) AND metadata_location IS NOT NULL ORDER BY table_name";
        let rows = self.query(sql, vec![CATALOG.into(), NAMESPACE.into()]).await?;
        Ok(rows.into_iter().filter_map(|mut row| Some((text(&mut row, 0)?, text(&mut row, 1)?))).collect())
    }

    async fn create(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<Table> {
        let location = MetadataLocation::new_with_metadata(metadata.location(), &metadata);
        metadata.write_to(&self.io, &location).await?;
        let mut params = key(ident);
        params.push(location.to_string().into());
        let sql = "INSERT OR IGNORE INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
            VALUES (?1, ?2, ?3, ?4, 'TABLE')";
        if self.execute(sql, params).await? == 1 {
            return self.table(ident, metadata, location.to_string());
        }
        let _ = self.io.delete(location.to_string()).await;
        Err(Error::new(ErrorKind::TableAlreadyExists, "the table exists already").with_context("table", ident.name()))
    }

    async fn commit(&self, base: &Table, requirements: Vec<TableRequirement>, updates: Vec<TableUpdate>) -> Result<Table> {
        for requirement in &requirements {
            requirement.check(Some(base.metadata()))?;
        }
        let mut builder = base.metadata().clone().into_builder(base.metadata_location().map(str::to_owned));
        for update in updates {
            builder = update.apply(builder)?;
        }
        let built = builder.build()?;
        let table = self.swap(base, built.metadata).await?;
        // `write.metadata.delete-after-commit.enabled`: these fell off the end of the metadata log. What fails here gc finds later.
        for expired in built.expired_metadata_logs {
            let _ = self.io.delete(&expired.metadata_file).await;
        }
        Ok(table)
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn list_namespaces(&self, parent: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        let sql = "SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1
            UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?1";
        let rows = self.query(sql, vec![CATALOG.into()]).await?;
        let names: BTreeSet<String> = rows.into_iter().filter_map(|mut row| text(&mut row, 0)).collect();
        let all = names.into_iter().map(|name| NamespaceIdent::from_strs(name.split('.'))).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().filter(|ns| ns.parent().as_ref() == parent).collect())
    }

    async fn create_namespace(&self, namespace: &NamespaceIdent, properties: HashMap<String, String>) -> Result<Namespace> {
        if self.namespace_exists(namespace).await? {
            return Err(Error::new(ErrorKind::NamespaceAlreadyExists, "the namespace exists already")
                .with_context("namespace", namespace.to_string()));
        }
        self.update_namespace(namespace, HashMap::from([("exists".to_owned(), "true".to_owned())])).await?;
        self.update_namespace(namespace, properties.clone()).await?;
        Ok(Namespace::with_properties(namespace.clone(), properties))
    }

    async fn get_namespace(&self, namespace: &NamespaceIdent) -> Result<Namespace> {
        if !self.namespace_exists(namespace).await? {
            return Err(Error::new(ErrorKind::NamespaceNotFound, "no such namespace").with_context("namespace", namespace.to_string()));
        }
        let sql = "SELECT property_key, property_value FROM iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2";
        let rows = self.query(sql, vec![CATALOG.into(), namespace.to_string().into()]).await?;
        let properties = rows.into_iter().filter_map(|mut row| Some((text(&mut row, 0)?, text(&mut row, 1)?))).collect();
        Ok(Namespace::with_properties(namespace.clone(), properties))
    }

    async fn namespace_exists(&self, namespace: &NamespaceIdent) -> Result<bool> {
        let sql = "SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2
            UNION ALL SELECT 1 FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2 LIMIT 1";
        Ok(!self.query(sql, vec![CATALOG.into(), namespace.to_string().into()]).await?.is_empty())
    }

    async fn update_namespace(&self, namespace: &NamespaceIdent, properties: HashMap<String, String>) -> Result<()> {
        for (name, value) in properties {
            let sql = "INSERT OR REPLACE INTO iceberg_namespace_properties VALUES (?1, ?2, ?3, ?4)";
            self.execute(sql, vec![CATALOG.into(), namespace.to_string().into(), name.into(), value.into()]).await?;
        }
        Ok(())
    }

    async fn drop_namespace(&self, namespace: &NamespaceIdent) -> Result<()> {
        if !self.list_tables(namespace).await?.is_empty() {
            return Err(
                Error::new(ErrorKind::PreconditionFailed, "the namespace holds tables").with_context("namespace", namespace.to_string())
            );
        }
        let sql = "DELETE FROM iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2";
        self.execute(sql, vec![CATALOG.into(), namespace.to_string().into()]).await?;
        Ok(())
    }

    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        let sql = "SELECT table_name FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2
            AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL) ORDER BY table_name";
        let rows = self.query(sql, vec![CATALOG.into(), namespace.to_string().into()]).await?;
        Ok(rows.into_iter().filter_map(|mut row| text(&mut row, 0)).map(|name| TableIdent::new(namespace.clone(), name)).collect())
    }

    async fn create_table(&self, namespace: &NamespaceIdent, mut creation: TableCreation) -> Result<Table> {
        let ident = TableIdent::new(namespace.clone(), creation.name.clone());
        let default = || storage::location(&self.bucket, &crate::archive::table_path(&creation.name));
        creation.location = Some(creation.location.clone().unwrap_or_else(default));
        self.create(&ident, TableMetadataBuilder::from_table_creation(creation)?.build()?.metadata).await
    }

    async fn load_table(&self, table: &TableIdent) -> Result<Table> {
        let Some(location) = self.pointer(table).await? else {
            return Err(Error::new(ErrorKind::TableNotFound, "no such table").with_context("table", table.to_string()));
        };
        let metadata = TableMetadata::read_from(&self.io, &location).await?;
        self.table(table, metadata, location)
    }

    async fn drop_table(&self, table: &TableIdent) -> Result<()> {
        match self.execute(format!("DELETE FROM iceberg_tables WHERE {AT}"), key(table)).await? {
            0 => Err(Error::new(ErrorKind::TableNotFound, "no such table").with_context("table", table.to_string())),
            _ => Ok(()),
        }
    }

    async fn purge_table(&self, table: &TableIdent) -> Result<()> {
        let loaded = self.load_table(table).await?;
        self.drop_table(table).await?;
        iceberg::drop_table_data(&loaded).await
    }

    async fn table_exists(&self, table: &TableIdent) -> Result<bool> {
        Ok(self.pointer(table).await?.is_some())
    }

    async fn rename_table(&self, _src: &TableIdent, _dest: &TableIdent) -> Result<()> {
        self.refuse("renaming a table")
    }

    async fn register_table(&self, _table: &TableIdent, _metadata_location: String) -> Result<Table> {
        self.refuse("registering a table")
    }

    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        let base = self.load_table(commit.identifier()).await?;
        // A requirement that fails on the newest state says so itself, and whether a retry can help.
        let next = commit.apply(base.clone())?;
        self.swap(&base, next.metadata().clone()).await
    }
}

fn key(ident: &TableIdent) -> Vec<Value> {
    vec![CATALOG.into(), ident.namespace().to_string().into(), ident.name().into()]
}

fn text(row: &mut Row, at: usize) -> Option<String> {
    match row.get_mut(at).map(|cell| std::mem::replace(cell, Value::Null)) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}
