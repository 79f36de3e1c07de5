//! Stores without an engine: segments built by hand in a bucket, and history read back as rows.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use relstore_cdc::bucket::Bucket;
use relstore_cdc::bucket::layout::segment_path;
use relstore_lake::{IngestInput, IngestReport, Lake};
use relstore_model::change::codec;
use relstore_model::segment::Segment;
use relstore_model::{Column, ColumnId, Commit, LogicalType, Lsn, Namespace, Op, Schema, Table, TableId, Timestamp, Value, ValueRef};

pub(crate) const DAY: i64 = 86_400_000_000;
/// 2013-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_356_998_400_000_000;

pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) bucket: Bucket,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Bucket::local(&folder.path().join("bucket")).unwrap();
        Self { folder, bucket }
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::open(self.bucket.clone(), &self.folder.path().join("catalog.db")).unwrap()
    }

    pub(crate) fn catalog(&self) -> std::path::PathBuf {
        self.folder.path().join("catalog.db")
    }

    /// All objects below `prefix` that end in `suffix`.
    pub(crate) async fn objects(&self, prefix: &str, suffix: &str) -> Vec<String> {
        let all = self.bucket.list(prefix).await.unwrap().into_iter().map(|e| e.path);
        all.filter(|path| path.ends_with(suffix)).collect()
    }

    pub(crate) fn root(&self) -> &Path {
        self.bucket.local_root().unwrap()
    }
}

pub(crate) fn column(id: i32, name: &str, logical: LogicalType) -> Column {
    let declared = logical.name().to_uppercase();
    Column {
        id: ColumnId(id),
        name: name.into(),
        declared,
        logical,
        not_null: false,
        added_in: 1,
        is_virtual: false,
        is_computed: false,
        initial_default: None,
    }
}

pub(crate) fn table(id: u32, name: &str, columns: Vec<Column>, primary_key: Vec<usize>) -> Table {
    let next_column_id = ColumnId(101 + columns.len() as i32);
    Table {
        id: TableId(id),
        name: name.into(),
        columns,
        primary_key,
        without_rowid: false,
        sql: String::new(),
        dependents: vec![],
        next_column_id,
        facts: None,
    }
}

pub(crate) fn schema(version: u32, tables: Vec<Table>) -> Schema {
    Schema { version, tables, views: vec![], last_table_id: 9 }
}

/// `users(id INTEGER PRIMARY KEY, name TEXT, score REAL)` as table 1.
pub(crate) fn users() -> Table {
    let columns =
        vec![column(101, "id", LogicalType::Integer), column(102, "name", LogicalType::Text), column(103, "score", LogicalType::Real)];
    table(1, "users", columns, vec![0])
}

pub(crate) fn user(id: i64, name: &str, score: f64) -> Vec<Value> {
    vec![id.into(), name.into(), score.into()]
}

/// One store's log as it is written: commits gather, [`Store::ship`] makes a segment of them.
pub(crate) struct Store {
    pub(crate) ns: Namespace,
    pub(crate) schema: Schema,
    pub(crate) epoch: u64,
    pub(crate) next: Lsn,
    pub(crate) micros: i64,
    packed: Vec<u8>,
    count: u64,
    version: u32,
    commits: Vec<Commit>,
    schemas: BTreeMap<u32, Schema>,
}

impl Store {
    pub(crate) fn new(ns: &str, schema: Schema) -> Self {
        let version = schema.version;
        Self {
            ns: Namespace::new(ns).unwrap(),
            schemas: BTreeMap::from([(version, schema.clone())]),
            schema,
            epoch: 1,
            next: Lsn::new(1),
            micros: START,
            packed: vec![],
            count: 0,
            version,
            commits: vec![],
        }
    }

    pub(crate) fn insert(&mut self, table: u32, row: &[Value]) {
        codec::put_row(&mut self.packed, Op::Create, TableId(table), None, row.iter().map(Value::as_ref));
        self.count += 1;
    }

    pub(crate) fn insert_with_rowid(&mut self, table: u32, rowid: i64, row: &[Value]) {
        codec::put_row(&mut self.packed, Op::Create, TableId(table), Some(rowid), row.iter().map(Value::as_ref));
        self.count += 1;
    }

    pub(crate) fn insert_cells(&mut self, table: u32, row: &[ValueRef<'_>]) {
        codec::put_row(&mut self.packed, Op::Create, TableId(table), None, row.iter().copied());
        self.count += 1;
    }

    pub(crate) fn update(&mut self, table: u32, before: &[Value], after: &[Value]) {
        let refs = |row: &[Value]| -> Vec<ValueRef<'static>> { row.iter().map(|v| Box::leak(Box::new(v.clone())).as_ref()).collect() };
        codec::put_update(&mut self.packed, TableId(table), None, &refs(before), &refs(after));
        self.count += 1;
    }

    pub(crate) fn delete(&mut self, table: u32, row: &[Value]) {
        codec::put_row(&mut self.packed, Op::Delete, TableId(table), None, row.iter().map(Value::as_ref));
        self.count += 1;
    }

    pub(crate) fn evolve(&mut self, schema: Schema, sql: &str) {
        codec::put_schema(&mut self.packed, &schema, sql);
        self.schema = schema;
        self.count += 1;
    }

    pub(crate) fn commit(&mut self) {
        let commit = Commit {
            lsn_first: self.next,
            count: self.count,
            timestamp: Timestamp::from_micros(self.micros),
            schema_version: self.version,
            txid: None,
            packed: std::mem::take(&mut self.packed),
        };
        self.next = commit.lsn_last().next();
        self.micros += 1_000;
        self.count = 0;
        self.version = self.schema.version;
        self.commits.push(commit);
    }

    /// Writes the commits so far as a segment and gives its path.
    pub(crate) async fn ship(&mut self, bucket: &Bucket) -> String {
        let commits = std::mem::take(&mut self.commits);
        let schemas = self.schemas.iter().filter(|(version, _)| commits.iter().any(|c| c.schema_version == **version));
        let schemas = schemas.map(|(version, schema)| (*version, schema.clone())).collect();
        self.schemas.insert(self.schema.version, self.schema.clone());
        let segment = Segment { namespace: self.ns.clone(), epoch: self.epoch, commits, schemas };
        let path = segment_path(&self.ns, self.epoch, segment.lsn_first(), segment.lsn_last());
        bucket.put_new(&path, segment.encode().into()).await.unwrap();
        path
    }
}

pub(crate) async fn ingest(lake: &Lake, stores: &[(&str, u64)]) -> relstore_model::Result<IngestReport> {
    let input: Vec<IngestInput> =
        stores.iter().map(|(ns, after)| IngestInput { ns: Namespace::new(*ns).unwrap(), after: Lsn::new(*after) }).collect();
    lake.ingest(&input).await
}

/// Every row of a history table as `column=value` texts of the columns asked for, by store and LSN.
pub(crate) async fn rows(lake: &Lake, table: &str, columns: &[&str]) -> Vec<String> {
    let table = lake.load(table).await.unwrap();
    let scan = table.scan().select_all().build().unwrap();
    let batches: Vec<RecordBatch> = scan.to_arrow().await.unwrap().try_collect().await.unwrap();
    let mut out = vec![];
    for batch in &batches {
        let ns = batch.column_by_name("_ns").unwrap().as_string::<i32>();
        let lsn = batch.column_by_name("_lsn").unwrap().as_primitive::<arrow::datatypes::Int64Type>();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|name| text(batch.column_by_name(name).unwrap(), row)).collect();
            out.push(((ns.value(row).to_owned(), lsn.value(row)), cells.join(" ")));
        }
    }
    out.sort();
    out.into_iter().map(|((ns, lsn), cells)| format!("{ns} {lsn} {cells}").trim_end().to_owned()).collect()
}

fn text(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "-".into();
    }
    if let Some(list) = array.as_list_opt::<i32>() {
        return format!("{:?}", list.value(row).as_primitive::<Int32Type>().values().to_vec());
    }
    arrow::util::display::array_value_to_string(array, row).unwrap()
}
