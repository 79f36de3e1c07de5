//! The newest version of every key up to the target, over history and the segments after it.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use relstore_cdc::bucket::{Bucket, layout};
use relstore_model::change::codec::{ChangeRef, put_cell};
use relstore_model::segment::Segment;
use relstore_model::{Error, LogicalType, Lsn, Namespace, Op, Result, Row, Schema, Table, TableId, Value, ValueRef};

use super::schemas::Schemas;
use crate::Lake;
use crate::archive::{overflow_cells, system};
use crate::types::cell_at;

/// Where a version of a row lies.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a batch from history.
    Batch { batch: usize, row: usize },
    /// Among the rows from segments.
    Owned(usize),
    /// Nowhere: it was deleted.
    Gone,
}

/// The newest version of one key so far.
#[derive(Clone, Copy, Debug)]
struct Newest {
    lsn: i64,
    place: Place,
}

/// A batch from history, and how its columns are found.
struct HistoryBatch {
    batch: RecordBatch,
    name: String,
    versions: Vec<i32>,
}

/// The fold of one store.
pub(super) struct Fold<'a> {
    schemas: &'a Schemas,
    tables: BTreeMap<TableId, HashMap<Vec<u8>, Newest>>,
    batches: Vec<HistoryBatch>,
    owned: Vec<(Option<i64>, Row)>,
    /// By history table: the position up to which it has the store's changes.
    archived: HashMap<String, Lsn>,
}

impl<'a> Fold<'a> {
    pub(super) fn new(schemas: &'a Schemas) -> Self {
        let tables = schemas.at_target().tables.iter().map(|t| (t.id, HashMap::new())).collect();
        Self { schemas, tables, batches: Vec::new(), owned: Vec::new(), archived: HashMap::new() }
    }

    /// Folds in what history has up to `target`.
    pub(super) async fn read_history(&mut self, lake: &Lake, ns: &Namespace, target: Lsn) -> Result<()> {
        let names: HashSet<String> = self.schemas.table_names().into_iter().map(str::to_lowercase).collect();
        for table in lake.tables().await? {
            let Some(offset) = table.offsets.get(ns).filter(|_| names.contains(&table.name.to_lowercase())) else { continue };
            self.archived.insert(table.name.to_lowercase(), *offset);
            let mut batches = Vec::new();
            lake.scan_rows(&table.name, ns, target, |batch| {
                batches.push(batch);
                Ok(())
            })
            .await?;
            for batch in batches {
                self.fold_batch(&table.name, batch)?;
            }
        }
        Ok(())
    }

    fn fold_batch(&mut self, name: &str, batch: RecordBatch) -> Result<()> {
        let lsns = system_column(&batch, system::LSN)?.as_primitive::<Int64Type>().clone();
        let ops = system_column(&batch, system::OP)?.as_string::<i32>().clone();
        let rowids = system_column(&batch, system::ROWID)?.as_primitive::<Int64Type>().clone();
        let versions = system_column(&batch, system::SCHEMA_VERSION)?.as_primitive::<Int32Type>().values().to_vec();
        let at = self.batches.len();
        let mut reading: Option<(i32, TableId, Layout)> = None;
        for (row, version) in versions.iter().copied().enumerate() {
            if reading.as_ref().is_none_or(|(v, _, _)| *v != version) {
                let schema = self.schemas.version(version as u32)?;
                let Some(table) = schema.by_name(name) else {
                    return Err(Error::corrupt("a row of a table that its schema lacks")
                        .with("table", name)
                        .with("schema_version", version));
                };
                reading = Some((version, table.id, Layout::new(table, self.schemas.at_target(), &batch)));
            }
            let Some((_, id, layout)) = &reading else { continue };
            let Some(newest) = self.tables.get_mut(id) else { continue };
            let rowid = (!rowids.is_null(row)).then(|| rowids.value(row));
            let key = layout.key(&batch, row, rowid)?;
            let place = if ops.value(row) == Op::Delete.letter() { Place::Gone } else { Place::Batch { batch: at, row } };
            put(newest, key, Newest { lsn: lsns.value(row), place });
        }
        self.batches.push(HistoryBatch { batch, name: name.to_owned(), versions });
        Ok(())
    }

    /// Folds in what the segments have beyond history, up to `target`.
    pub(super) async fn read_segments(&mut self, bucket: &Bucket, ns: &Namespace, target: Lsn) -> Result<()> {
        let names = self.schemas.table_names();
        let archived = names.iter().map(|n| self.archived.get(&n.to_lowercase()).copied().unwrap_or(Lsn::ZERO)).min().unwrap_or(Lsn::ZERO);
        for object in bucket.list(&layout::log_prefix(ns)).await? {
            let Ok(name) = layout::parse_segment_path(&object.path) else { continue };
            if name.lsn_last <= archived || name.lsn_first > target {
                continue;
            }
            let segment = Segment::decode(&object.path, &bucket.get(&object.path).await?)?;
            segment.each_change(|_, lsn, schema, change| self.fold_change(lsn, target, schema, change))?;
        }
        Ok(())
    }

    fn fold_change(&mut self, lsn: Lsn, target: Lsn, schema: &Schema, change: &ChangeRef<'_>) -> Result<()> {
        let ChangeRef::Row(row) = change else { return Ok(()) };
        let Some(table) = schema.by_id(row.table) else { return Ok(()) };
        let archived = self.archived.get(&table.name.to_lowercase()).copied().unwrap_or(Lsn::ZERO);
        let Some(wanted) = self.schemas.at_target().by_id(row.table) else { return Ok(()) };
        if lsn > target || lsn <= archived {
            return Ok(());
        }
        let Some(newest) = self.tables.get_mut(&row.table) else { return Ok(()) };
        let cells = |image: &[ValueRef<'_>]| -> Row {
            let position = |id| table.stored_columns().position(|c| c.id == id);
            let cell = |c: &relstore_model::Column| match position(c.id).and_then(|i| image.get(i)) {
                Some(cell) => cell.to_value(),
                None => c.initial_default.as_ref().map_or(Value::Null, relstore_model::schema::Cell::to_value),
            };
            wanted.stored_columns().map(cell).collect()
        };
        if matches!(row.op, Op::Update | Op::Delete) {
            put(newest, key_of(wanted, row.rowid, &cells(row.before)), Newest { lsn: lsn.as_i64(), place: Place::Gone });
        }
        if row.op != Op::Delete {
            let image = cells(row.after);
            let key = key_of(wanted, row.rowid, &image);
            put(newest, key, Newest { lsn: lsn.as_i64(), place: Place::Owned(self.owned.len()) });
            self.owned.push((row.rowid, image));
        }
        Ok(())
    }

    /// Gives `each` the rows of a table as the target schema has them (rowid where it is the key, cells of the stored columns), in the
    /// order of integer keys, then as history keeps them.
    pub(super) fn each_row(&self, table: &Table, mut each: impl FnMut(Option<i64>, Row) -> Result<()>) -> Result<u64> {
        let Some(newest) = self.tables.get(&table.id) else { return Ok(0) };
        let mut places: Vec<(i64, Place)> = Vec::with_capacity(newest.len());
        for (key, newest) in newest {
            match newest.place {
                Place::Gone => {}
                place => places.push((integer_key(key), place)),
            }
        }
        places.sort_unstable_by_key(|(key, place)| match place {
            Place::Batch { batch, row } => (*key, *batch, *row),
            Place::Owned(i) => (*key, usize::MAX, *i),
            Place::Gone => (*key, 0, 0),
        });
        let mut layouts: HashMap<(usize, i32), Layout> = HashMap::new();
        for (_, place) in &places {
            match place {
                Place::Batch { batch, row } => {
                    let history = &self.batches[*batch];
                    let version = history.versions[*row];
                    let layout = match layouts.entry((*batch, version)) {
                        std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                        std::collections::hash_map::Entry::Vacant(slot) => {
                            let schema = self.schemas.version(version as u32)?;
                            let missing = || Error::corrupt("a row of a table that its schema lacks").with("table", &history.name);
                            let then = schema.by_name(&history.name).ok_or_else(missing)?;
                            slot.insert(Layout::new(then, self.schemas.at_target(), &history.batch))
                        }
                    };
                    let rowids = system_column(&history.batch, system::ROWID)?.as_primitive::<Int64Type>();
                    let rowid = (!rowids.is_null(*row)).then(|| rowids.value(*row));
                    each(rowid, layout.row(&history.batch, *row)?)?;
                }
                Place::Owned(i) => each(self.owned[*i].0, self.owned[*i].1.clone())?,
                Place::Gone => {}
            }
        }
        Ok(places.len() as u64)
    }
}

/// The later change wins. An update that moves a key is a row gone and a row come at one position, under two keys.
fn put(newest: &mut HashMap<Vec<u8>, Newest>, key: Vec<u8>, version: Newest) {
    match newest.entry(key) {
        std::collections::hash_map::Entry::Occupied(mut slot) if slot.get().lsn <= version.lsn => {
            slot.insert(version);
        }
        std::collections::hash_map::Entry::Occupied(_) => {}
        std::collections::hash_map::Entry::Vacant(slot) => {
            slot.insert(version);
        }
    }
}

fn key_of(table: &Table, rowid: Option<i64>, cells: &Row) -> Vec<u8> {
    let mut key = Vec::new();
    if table.is_keyed_by_rowid() {
        put_cell(&mut key, rowid.map_or(ValueRef::Null, ValueRef::Integer));
    }
    for position in &table.primary_key {
        let stored = table.columns[..*position].iter().filter(|c| !c.is_virtual).count();
        put_cell(&mut key, cells.get(stored).map_or(ValueRef::Null, Value::as_ref));
    }
    key
}

/// The number that a key of one integer is, to restore in the order of rowids; 0 for any other key.
fn integer_key(key: &[u8]) -> i64 {
    match key {
        [6] => 0,
        [7] => 1,
        [1, rest @ ..] => {
            let mut rest = rest;
            match relstore_model::change::codec::take_varint(&mut rest) {
                Some(n) if rest.is_empty() => (n >> 1) as i64 ^ -((n & 1) as i64),
                _ => 0,
            }
        }
        _ => 0,
    }
}

fn system_column<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b dyn Array> {
    batch.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| Error::corrupt("a history table lacks a column").with("column", name))
}

/// How the rows of one batch, written under one schema version, become rows of the target schema.
struct Layout {
    /// By stored column of the target: its place in the batch, its type when the row was written, its field id; or its initial default.
    columns: Vec<Source>,
    /// The places of the key's columns among the target's stored columns; `None` where the rowid is the key.
    key: Option<Vec<usize>>,
    overflow: Option<usize>,
}

enum Source {
    Column { at: usize, logical: LogicalType, field_id: i32 },
    Default(Value),
}

impl Layout {
    fn new(then: &Table, target: &Schema, batch: &RecordBatch) -> Self {
        // A table that is gone at the target is folded under its own shape and never asked for.
        let wanted = target.by_id(then.id).unwrap_or(then);
        let columns = wanted
            .stored_columns()
            .map(|column| {
                let written = then.columns.iter().find(|c| c.id == column.id && !c.is_virtual);
                let at = written.and_then(|c| batch.schema().fields().iter().position(|f| f.name().eq_ignore_ascii_case(&c.name)));
                match (written, at) {
                    (Some(written), Some(at)) => {
                        let field_id = batch.schema().field(at).metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok());
                        Source::Column { at, logical: written.logical, field_id: field_id.unwrap_or(-1) }
                    }
                    _ => Source::Default(column.initial_default.as_ref().map_or(Value::Null, relstore_model::schema::Cell::to_value)),
                }
            })
            .collect();
        let stored = |position: &usize| wanted.columns[..*position].iter().filter(|c| !c.is_virtual).count();
        let key = (!wanted.is_keyed_by_rowid()).then(|| wanted.primary_key.iter().map(stored).collect());
        let overflow = batch.schema().fields().iter().position(|f| f.name() == system::OVERFLOW);
        Self { columns, key, overflow }
    }

    fn overflow(&self, batch: &RecordBatch, row: usize) -> Result<BTreeMap<i32, Value>> {
        match self.overflow.map(|at| batch.column(at).as_string::<i32>()) {
            Some(column) if !column.is_null(row) => overflow_cells(column.value(row)),
            _ => Ok(BTreeMap::new()),
        }
    }

    fn cell(&self, batch: &RecordBatch, row: usize, column: usize, overflow: &BTreeMap<i32, Value>) -> Value {
        match &self.columns[column] {
            Source::Column { at, logical, field_id } => match overflow.get(field_id) {
                Some(cell) => cell.clone(),
                None => cell_at(batch.column(*at), *logical, row),
            },
            Source::Default(value) => value.clone(),
        }
    }

    fn row(&self, batch: &RecordBatch, row: usize) -> Result<Row> {
        let overflow = self.overflow(batch, row)?;
        Ok((0..self.columns.len()).map(|column| self.cell(batch, row, column, &overflow)).collect())
    }

    fn key(&self, batch: &RecordBatch, row: usize, rowid: Option<i64>) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        match &self.key {
            None => put_cell(&mut key, rowid.map_or(ValueRef::Null, ValueRef::Integer)),
            Some(columns) => {
                let overflow = self.overflow(batch, row)?;
                for column in columns {
                    put_cell(&mut key, self.cell(batch, row, *column, &overflow).as_ref());
                }
            }
        }
        Ok(key)
    }
}
