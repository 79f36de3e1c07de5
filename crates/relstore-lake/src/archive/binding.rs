//! One store's changes on their way into the buffers of history tables.

use std::collections::HashMap;

use iceberg::spec::{Datum, PrimitiveLiteral, Transform};
use iceberg::transform::create_transform_function;
use relstore_model::change::codec::{ChangeRef, RowRef};
use relstore_model::{
    Change, Column, ColumnId, Commit, Error, LogicalType, Lsn, Namespace, Op, Result, Schema, SchemaChange, Table, TableId, Value,
};

use super::buffer::RowMeta;
use super::log::Source;
use super::plan::Plans;
use super::schema::NS_BUCKETS;
use crate::error::from_iceberg;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How the rows of one table of one schema version go into its history table.
pub(super) struct Binding {
    /// Told apart from every other binding, so that a buffer notices a new one.
    pub(super) id: u64,
    plan: usize,
    pub(super) columns: Vec<BoundColumn>,
    /// The places of the key's cells in a row.
    key: Vec<usize>,
    /// The history table holds this store's changes up to here already.
    skip: Lsn,
    /// The partition of the last row: its day and its buffer.
    partition: Option<(i32, usize)>,
}

/// Where a cell goes.
pub(super) struct BoundColumn {
    /// The planned position of the column.
    pub(super) planned: usize,
    /// What its cells mean to this store.
    pub(super) logical: LogicalType,
    /// The cell of rows that are older than the column.
    pub(super) initial: Value,
}

/// How far one store's log was taken.
pub(super) struct Cursor {
    pub(super) ns: Namespace,
    /// The last position taken.
    pub(super) lsn: Lsn,
    bucket: i32,
    schema_version: Option<u32>,
    bindings: HashMap<TableId, Binding>,
    schema_binding: Option<Binding>,
    /// Of the commit that begins at this position.
    txid: (Lsn, String),
    next_binding: u64,
}

impl Cursor {
    /// A cursor behind `after`. `first_binding` is larger than all ids that other cursors of the same plans have given.
    ///
    /// # Errors
    /// `Internal` if Iceberg cannot tell the store's bucket.
    pub(super) fn new(ns: Namespace, after: Lsn, first_binding: u64) -> Result<Self> {
        let transform = create_transform_function(&Transform::Bucket(NS_BUCKETS)).map_err(|e| from_iceberg(e, "_ns"))?;
        let bucket = transform.transform_literal_result(&Datum::string(ns.as_str())).map_err(|e| from_iceberg(e, "_ns"))?;
        let PrimitiveLiteral::Int(bucket) = *bucket.literal() else {
            return Err(Error::internal("a bucket is no number").with("ns", &ns));
        };
        Ok(Self {
            ns,
            lsn: after,
            bucket,
            schema_version: None,
            bindings: HashMap::new(),
            schema_binding: None,
            txid: (Lsn::ZERO, String::new()),
            next_binding: first_binding,
        })
    }

    /// The smallest id that no binding has.
    pub(super) fn next_binding(&self) -> u64 {
        self.next_binding
    }

    /// Takes the changes of a segment that were not taken yet.
    ///
    /// # Errors
    /// `Corrupt`, naming the segment, if it cannot be read; `Incompatible` if a table does not fit its history.
    pub(super) fn take(&mut self, plans: &mut Plans, source: &Source, bytes: &[u8]) -> Result<()> {
        let segment = source.decode(bytes)?;
        let after = self.lsn;
        segment
            .each_change(|commit, lsn, schema, change| {
                if lsn <= after || lsn > source.lsn_last {
                    return Ok(());
                }
                if self.txid.0 != commit.lsn_first {
                    self.txid = (commit.lsn_first, commit.txid(&self.ns).to_string());
                    plans.bytes += commit.packed.len();
                }
                match change {
                    ChangeRef::Row(row) => self.take_row(plans, commit, lsn, schema, row),
                    ChangeRef::Schema(_) => match change.to_change()? {
                        Change::Schema(change) => self.take_schema(plans, commit, lsn, &change),
                        Change::Row(_) => Ok(()),
                    },
                }
            })
            .map_err(|e| e.with("segment", &source.path))?;
        self.lsn = after.max(source.lsn_last);
        Ok(())
    }

    fn take_row(&mut self, plans: &mut Plans, commit: &Commit, lsn: Lsn, schema: &Schema, row: &RowRef<'_>) -> Result<()> {
        if self.schema_version != Some(schema.version) {
            self.bindings.clear();
            self.schema_version = Some(schema.version);
        }
        if !self.bindings.contains_key(&row.table) {
            let binding = self.bind(plans, schema, row.table, lsn)?;
            self.bindings.insert(row.table, binding);
        }
        let binding = self.bindings.get_mut(&row.table).expect("it was bound just above");
        if lsn <= binding.skip {
            return Ok(());
        }
        let cells = row.image();
        if cells.len() > binding.columns.len() {
            return Err(Error::corrupt("a row has more cells than its table has columns")
                .with("ns", &self.ns)
                .with("lsn", lsn)
                .with("table", &plans.tables[binding.plan].name));
        }
        let meta = RowMeta {
            ns: &self.ns,
            lsn,
            op: row.op.letter(),
            micros: commit.timestamp.micros(),
            txid: &self.txid.1,
            schema_version: schema.version,
            rowid: row.rowid,
        };
        let changed = (row.op == Op::Update).then_some(row);
        if changed.is_some() && binding.key.iter().any(|at| row.is_changed(*at)) {
            // Two keys under one position: without the row that ends the old one, it would seem to live on.
            let ended = RowMeta { op: Op::Delete.letter(), ..meta };
            put(plans, self.bucket, binding, &ended, |buffer, columns| buffer.push(&ended, columns, row.before, None));
        }
        put(plans, self.bucket, binding, &meta, |buffer, columns| buffer.push(&meta, columns, cells, changed));
        Ok(())
    }

    fn take_schema(&mut self, plans: &mut Plans, commit: &Commit, lsn: Lsn, change: &SchemaChange) -> Result<()> {
        if self.schema_binding.is_none() {
            let plan = plans.schema_table();
            plans.tables[plan].primary_key = Some(Vec::new());
            let columns = schema_columns();
            self.schema_binding = Some(self.bind_columns(plans, plan, &columns)?);
        }
        let binding = self.schema_binding.as_mut().expect("it was bound just above");
        if lsn <= binding.skip {
            return Ok(());
        }
        let definition = serde_json::to_string(&change.schema).expect("a schema is plain data with string keys");
        let meta = RowMeta {
            ns: &self.ns,
            lsn,
            op: "s",
            micros: commit.timestamp.micros(),
            txid: &self.txid.1,
            schema_version: change.schema.version,
            rowid: None,
        };
        let cells = [Value::Text(definition), Value::Text(change.sql.clone())];
        let cells: Vec<_> = cells.iter().map(Value::as_ref).collect();
        put(plans, self.bucket, binding, &meta, |buffer, columns| buffer.push(&meta, columns, &cells, None));
        Ok(())
    }

    fn bind(&mut self, plans: &mut Plans, schema: &Schema, table: TableId, lsn: Lsn) -> Result<Binding> {
        let table: &Table = schema.by_id(table).ok_or_else(|| {
            Error::corrupt("a change is of a table that its schema lacks")
                .with("ns", &self.ns)
                .with("lsn", lsn)
                .with("table_id", table.0)
                .with("schema_version", schema.version)
        })?;
        let plan = plans.user_table(&table.name)?;
        let columns: Vec<Column> = table.stored_columns().cloned().collect();
        let mut binding = self.bind_columns(plans, plan, &columns)?;
        let stored = |at: &usize| table.columns[..*at].iter().filter(|c| !c.is_virtual).count();
        binding.key = table.primary_key.iter().filter(|at| table.columns.get(**at).is_some_and(|c| !c.is_virtual)).map(stored).collect();
        let planned = &mut plans.tables[plan];
        let key = table.primary_key.iter().filter_map(|at| table.columns.get(*at)).filter(|c| !c.is_virtual);
        let key: Vec<String> =
            key.filter_map(|c| planned.columns.iter().find(|p| p.name.eq_ignore_ascii_case(&c.name))).map(|p| p.name.clone()).collect();
        // The newest store to speak decides: a table that was made anew with another key is told apart by that one.
        planned.primary_key = Some(key);
        Ok(binding)
    }

    fn bind_columns(&mut self, plans: &mut Plans, plan: usize, columns: &[Column]) -> Result<Binding> {
        let planned = &mut plans.tables[plan];
        let bound = columns.iter().map(|column| {
            let initial = column.initial_default.as_ref().map_or(Value::Null, |cell| cell.to_value());
            Ok(BoundColumn { planned: planned.column(column)?, logical: column.logical, initial })
        });
        let columns = bound.collect::<Result<Vec<BoundColumn>>>()?;
        let distinct: std::collections::BTreeSet<usize> = columns.iter().map(|column| column.planned).collect();
        if distinct.len() != columns.len() {
            return Err(Error::corrupt("a table has two columns of one name").with("ns", &self.ns).with("table", &planned.name));
        }
        self.next_binding += 1;
        let skip = planned.base.get(&self.ns).copied().unwrap_or(Lsn::ZERO);
        Ok(Binding { id: self.next_binding, plan, columns, key: Vec::new(), skip, partition: None })
    }

    /// Forgets where rows went: the buffers were emptied.
    pub(super) fn unbind(&mut self) {
        for binding in self.bindings.values_mut().chain(&mut self.schema_binding) {
            binding.partition = None;
        }
    }
}

/// Finds the buffer of the row's partition and has the row put there.
fn put(
    plans: &mut Plans,
    bucket: i32,
    binding: &mut Binding,
    meta: &RowMeta<'_>,
    push: impl FnOnce(&mut super::buffer::PartitionBuffer, &[BoundColumn]),
) {
    let day = meta.micros.div_euclid(MICROS_PER_DAY) as i32;
    let plan = &mut plans.tables[binding.plan];
    let partition = match binding.partition {
        Some((known, partition)) if known == day => partition,
        _ => {
            if !plan.stores.contains(meta.ns) {
                plan.stores.insert(meta.ns.clone());
            }
            let partition = plan.partition(bucket, day);
            binding.partition = Some((day, partition));
            partition
        }
    };
    let (buffer, columns) = plan.buffer(partition);
    buffer.bind(binding, columns);
    push(buffer, &binding.columns);
    plans.rows += 1;
}

/// The columns of the table of schema changes, after the system's own.
fn schema_columns() -> [Column; 2] {
    let column = |id, name: &str, logical| Column {
        id: ColumnId(id),
        name: name.to_owned(),
        declared: "TEXT".to_owned(),
        logical,
        not_null: true,
        added_in: 0,
        is_virtual: false,
        is_computed: false,
        initial_default: None,
    };
    [column(ColumnId::FIRST.0, "definition", LogicalType::Json), column(ColumnId::FIRST.0 + 1, "sql", LogicalType::Text)]
}
