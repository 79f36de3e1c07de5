//! A small lake to query: one history table in a temporary folder, written by appends.
#![allow(dead_code, clippy::unwrap_used, reason = "test support: each user takes what it needs, and a failure is the test's")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use datafusion::parquet::file::properties::WriterProperties;
use relstore_lake::iceberg::arrow::{RecordBatchPartitionSplitter, schema_to_arrow_schema};
use relstore_lake::iceberg::io::LocalFsStorageFactory;
use relstore_lake::iceberg::memory::{MEMORY_CATALOG_WAREHOUSE, MemoryCatalog, MemoryCatalogBuilder};
use relstore_lake::iceberg::spec::{DataFileFormat, ListType, NestedField, PrimitiveType, Schema, Transform, Type, UnboundPartitionSpec};
use relstore_lake::iceberg::table::Table;
use relstore_lake::iceberg::transaction::{AddColumn, ApplyTransactionAction, Transaction};
use relstore_lake::iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use relstore_lake::iceberg::writer::file_writer::ParquetWriterBuilder;
use relstore_lake::iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use relstore_lake::iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use relstore_lake::iceberg::writer::partitioning::PartitioningWriter;
use relstore_lake::iceberg::writer::partitioning::fanout_writer::FanoutWriter;
use relstore_lake::iceberg::{Catalog, CatalogBuilder, NamespaceIdent, TableCreation};

/// Midnight of 2013-01-01 in microseconds.
pub(crate) const T0: i64 = 1_356_998_400_000_000;

/// A catalog in a temporary folder that goes with it.
pub(crate) struct Lake {
    pub(crate) folder: tempfile::TempDir,
    catalog: MemoryCatalog,
    space: NamespaceIdent,
}

impl Lake {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = folder.path().to_str().unwrap().to_owned();
        let catalog = MemoryCatalogBuilder::default()
            .with_storage_factory(Arc::new(LocalFsStorageFactory))
            .load("test", HashMap::from([(MEMORY_CATALOG_WAREHOUSE.to_owned(), warehouse)]))
            .await
            .unwrap();
        let space = NamespaceIdent::new("history".to_owned());
        catalog.create_namespace(&space, HashMap::new()).await.unwrap();
        Self { folder, catalog, space }
    }

    /// An empty history table with these user's columns.
    pub(crate) async fn create(&self, name: &str, columns: &[(&str, PrimitiveType)]) -> Table {
        let meta = [
            ("_ns", PrimitiveType::String),
            ("_lsn", PrimitiveType::Long),
            ("_op", PrimitiveType::String),
            ("_ts", PrimitiveType::Timestamptz),
            ("_txid", PrimitiveType::String),
            ("_schema_version", PrimitiveType::Int),
        ];
        let mut fields = Vec::new();
        for (i, (column, kind)) in meta.into_iter().enumerate() {
            fields.push(Arc::new(NestedField::required(10_001 + i as i32, column, Type::Primitive(kind))));
        }
        fields.push(Arc::new(NestedField::optional(10_007, "_rowid", Type::Primitive(PrimitiveType::Long))));
        let item = NestedField::list_element(10_009, Type::Primitive(PrimitiveType::Int), true);
        fields.push(Arc::new(NestedField::optional(10_008, "_changed", Type::List(ListType::new(Arc::new(item))))));
        fields.push(Arc::new(NestedField::optional(10_010, "_overflow", Type::Primitive(PrimitiveType::String))));
        for (i, (column, kind)) in columns.iter().enumerate() {
            fields.push(Arc::new(NestedField::optional(1 + i as i32, *column, Type::Primitive(kind.clone()))));
        }
        let schema = Schema::builder().with_fields(fields).build().unwrap();
        let id = |n: &str| schema.field_id_by_name(n).unwrap();
        let spec = UnboundPartitionSpec::builder()
            .add_partition_field(id("_ns"), "ns_bucket", Transform::Bucket(16))
            .unwrap()
            .add_partition_field(id("_ts"), "ts_day", Transform::Day)
            .unwrap()
            .build();
        let creation = TableCreation::builder().name(name.to_owned()).schema(schema).partition_spec(spec).build();
        self.catalog.create_table(&self.space, creation).await.unwrap()
    }

    /// Appends rows; columns that `given` does not name are NULL.
    pub(crate) async fn append(&self, table: &Table, given: Vec<(&str, ArrayRef)>) -> Table {
        let batch = batch(table, given);
        let schema = table.metadata().current_schema().clone();
        let parquet = ParquetWriterBuilder::new(WriterProperties::default(), schema.clone());
        let names = DefaultFileNameGenerator::new(uuid::Uuid::new_v4().to_string(), None, DataFileFormat::Parquet);
        let place = DefaultLocationGenerator::new(table.metadata()).unwrap();
        let rolling = RollingFileWriterBuilder::new(parquet, 128 << 20, table.file_io().clone(), place, names);
        let mut writer = FanoutWriter::new(DataFileWriterBuilder::new(rolling));
        let spec = table.metadata().default_partition_spec().clone();
        let splitter = RecordBatchPartitionSplitter::try_new_with_computed_values(schema, spec).unwrap();
        for (key, part) in splitter.split(&batch).unwrap() {
            writer.write(key, part).await.unwrap();
        }
        let files = writer.close().await.unwrap();
        let transaction = Transaction::new(table);
        let transaction = transaction.fast_append().add_data_files(files).apply(transaction).unwrap();
        transaction.commit(&self.catalog).await.unwrap()
    }

    /// Adds a column that the files written before lack.
    pub(crate) async fn add_column(&self, table: &Table, name: &str, kind: PrimitiveType) -> Table {
        let transaction = Transaction::new(table);
        let action = transaction.update_schema().add_column(AddColumn::optional(name, Type::Primitive(kind)));
        action.apply(transaction).unwrap().commit(&self.catalog).await.unwrap()
    }
}

fn batch(table: &Table, given: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema = Arc::new(schema_to_arrow_schema(table.metadata().current_schema()).unwrap());
    let count = given[0].1.len();
    let given: HashMap<&str, ArrayRef> = given.into_iter().collect();
    let columns = schema.fields().iter().map(|f| match given.get(f.name().as_str()) {
        Some(column) => cast(column, f.data_type()).unwrap(),
        None => new_null_array(f.data_type(), count),
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}
