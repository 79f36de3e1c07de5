//! The running statistics of tables: what each row change and each change of shape does to them.

use std::collections::BTreeMap;

use relstore_model::change::codec::{ChangeRef, Reader, RowRef};
use relstore_model::{Change, ColumnId, Commit, Error, Lsn, Op, Result, Schema, Table, TableId, Value, ValueRef};

use super::digest::{Hasher, KeyHash, key_positions};
use super::extreme::{End, Extreme, narrow, widen};
use super::sketch::Sketch;
use crate::affinity::is_real;

/// What is kept of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ColumnTally {
    pub(crate) nulls: u64,
    pub(crate) bytes: u64,
    pub(crate) min: Option<Extreme>,
    pub(crate) max: Option<Extreme>,
    pub(crate) sketch: Sketch,
    pub(crate) digest: u128,
}

/// What is kept of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TableTally {
    pub(crate) rows: u64,
    /// The sum of the rows' key hashes.
    pub(crate) digest: u128,
    /// The stored columns, in order.
    pub(crate) columns: Vec<(ColumnId, ColumnTally)>,
    /// Changes up to here are in, even if [`Tallies::lsn`] is less: the table was analyzed.
    pub(crate) lsn: Lsn,
}

/// The length of a cell's value as SQLite's records have it.
fn bytes(cell: ValueRef<'_>) -> u64 {
    match cell {
        ValueRef::Null | ValueRef::Integer(0 | 1) => 0,
        ValueRef::Integer(i) => match 65 - (i ^ (i >> 63)).leading_zeros() {
            ..=8 => 1,
            9..=16 => 2,
            17..=24 => 3,
            25..=32 => 4,
            33..=48 => 6,
            _ => 8,
        },
        ValueRef::Real(_) => 8,
        ValueRef::Text(b) | ValueRef::Blob(b) => b.len() as u64,
    }
}

/// A table's columns as the tally meets them.
#[derive(Debug)]
pub(crate) struct Shape {
    key: Vec<usize>,
    is_keyed_by_rowid: bool,
    /// Of each stored column: its initial default, and whether it holds whole numbers as floats.
    columns: Vec<(Value, bool)>,
}

impl Shape {
    pub(crate) fn of(table: &Table) -> Self {
        let default = |c: &relstore_model::Column| c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value());
        Self {
            key: key_positions(table),
            is_keyed_by_rowid: table.is_keyed_by_rowid(),
            columns: table.stored_columns().map(|c| (default(c), is_real(&c.declared))).collect(),
        }
    }

    /// The cell as the table has it. SQLite's hook gives the default of a REAL column as the integer it was written as, for rows from before
    /// the column.
    fn held<'a>(&self, at: usize, cell: ValueRef<'a>) -> ValueRef<'a> {
        match cell {
            ValueRef::Integer(i) if self.columns.get(at).is_some_and(|(_, is_real)| *is_real) => ValueRef::Real(i as f64),
            other => other,
        }
    }
}

impl ColumnTally {
    fn add(&mut self, hasher: &mut Hasher, cell: ValueRef<'_>) {
        if matches!(cell, ValueRef::Null) {
            self.nulls += 1;
            return;
        }
        self.bytes += bytes(cell);
        widen(&mut self.min, End::Least, cell);
        widen(&mut self.max, End::Greatest, cell);
        self.sketch.add(hasher.value(cell));
    }

    /// Takes a cell away; the table has `rows` rows before that.
    fn remove(&mut self, rows: u64, cell: ValueRef<'_>) {
        if matches!(cell, ValueRef::Null) {
            self.nulls = self.nulls.wrapping_sub(1);
            return;
        }
        self.bytes = self.bytes.wrapping_sub(bytes(cell));
        if rows.wrapping_sub(self.nulls) == 1 {
            // Where no value is left there is no bound either.
            (self.min, self.max) = (None, None);
            return;
        }
        narrow(&mut self.min, cell);
        narrow(&mut self.max, cell);
    }
}

impl TableTally {
    /// The tally of a table without rows.
    pub(crate) fn new(table: &Table) -> Self {
        let columns = table.stored_columns().map(|c| (c.id, ColumnTally::default())).collect();
        Self { columns, ..Self::default() }
    }

    /// Counts a row of a scan.
    pub(crate) fn add_row(&mut self, shape: &Shape, hasher: &mut Hasher, rowid: Option<i64>, cells: &[ValueRef<'_>]) {
        let key = hasher.key(&shape.key, rowid.filter(|_| shape.is_keyed_by_rowid), cells);
        self.rows += 1;
        self.digest = self.digest.wrapping_add(key.0);
        for (at, ((_, column), cell)) in self.columns.iter_mut().zip(cells).enumerate() {
            let cell = shape.held(at, *cell);
            column.add(hasher, cell);
            column.digest = column.digest.wrapping_add(weight(shape, hasher, key, at, cell));
        }
    }

    fn remove_row(&mut self, shape: &Shape, hasher: &mut Hasher, rowid: Option<i64>, cells: &[ValueRef<'_>]) {
        let key = hasher.key(&shape.key, rowid.filter(|_| shape.is_keyed_by_rowid), cells);
        let rows = self.rows;
        self.rows = rows.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(key.0);
        for (at, ((_, column), cell)) in self.columns.iter_mut().zip(cells).enumerate() {
            let cell = shape.held(at, *cell);
            column.remove(rows, cell);
            column.digest = column.digest.wrapping_sub(weight(shape, hasher, key, at, cell));
        }
    }

    fn update_row(&mut self, shape: &Shape, hasher: &mut Hasher, row: &RowRef<'_>) {
        let rowid = row.rowid.filter(|_| shape.is_keyed_by_rowid);
        let before = hasher.key(&shape.key, rowid, row.before);
        let after = hasher.key(&shape.key, rowid, row.after);
        self.digest = self.digest.wrapping_sub(before.0).wrapping_add(after.0);
        for (at, (_, column)) in self.columns.iter_mut().enumerate() {
            let (Some(old), Some(new)) = (row.before.get(at), row.after.get(at)) else { continue };
            let (old, new) = (shape.held(at, *old), shape.held(at, *new));
            if row.is_changed(at) {
                column.remove(self.rows, old);
                column.add(hasher, new);
            }
            if row.is_changed(at) || before != after {
                let gone = weight(shape, hasher, before, at, old);
                let come = weight(shape, hasher, after, at, new);
                column.digest = column.digest.wrapping_sub(gone).wrapping_add(come);
            }
        }
    }

    /// Whether both are of the same content: rows, keys and cells. Sketches and bounds may differ.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let digests = |t: &Self| t.columns.iter().map(|(id, c)| (*id, c.digest)).collect::<Vec<_>>();
        self.rows == other.rows && self.digest == other.digest && digests(self) == digests(other)
    }

    /// The same content, with bounds and sketches as a scan of it found them.
    pub(crate) fn renewed(mut self, scanned: Self) -> Self {
        for ((_, column), (_, new)) in self.columns.iter_mut().zip(scanned.columns) {
            (column.min, column.max, column.sketch) = (new.min, new.max, new.sketch);
        }
        Self { lsn: scanned.lsn, ..self }
    }

    fn evolve(&mut self, old: &Table, new: &Table) {
        let mut hasher = Hasher::default();
        if old.stored_columns().map(|c| c.id).eq(new.stored_columns().map(|c| c.id)) {
            return;
        }
        let mut before: BTreeMap<ColumnId, ColumnTally> = std::mem::take(&mut self.columns).into_iter().collect();
        let rows = self.rows;
        let mut added = |column: &relstore_model::Column| {
            let mut tally = ColumnTally::default();
            let default = column.initial_default.as_ref().map_or(Value::Null, |d| d.to_value());
            match default {
                Value::Null => tally.nulls = rows,
                _ if rows == 0 => {}
                value => {
                    tally.add(&mut hasher, value.as_ref());
                    tally.bytes *= rows;
                }
            }
            tally
        };
        self.columns = new.stored_columns().map(|c| (c.id, before.remove(&c.id).unwrap_or_else(|| added(c)))).collect();
    }
}

fn weight(shape: &Shape, hasher: &mut Hasher, key: KeyHash, at: usize, cell: ValueRef<'_>) -> u128 {
    let is_default = shape.columns.get(at).is_none_or(|(default, _)| default.as_ref().same(cell));
    if is_default { 0 } else { hasher.cell(key, cell) }
}

/// The tallies of all tables of a store, up to a position of its log.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) tables: BTreeMap<TableId, TableTally>,
    /// Changes up to here are in.
    pub(crate) lsn: Lsn,
    pub(super) shapes: BTreeMap<TableId, Shape>,
    pub(super) hasher: Hasher,
}

impl Tallies {
    /// Takes one commit into account: the one that follows. `schema` is the one in force at its first change; it becomes the one after it.
    pub(crate) fn fold(&mut self, commit: &Commit, schema: &mut Schema) -> Result<()> {
        if commit.lsn_first != self.lsn.next() {
            return Err(Error::corrupt("statistics cannot follow the log: it has a gap")
                .with("after", self.lsn)
                .with("next", commit.lsn_first));
        }
        let mut reader = Reader::new(&commit.packed);
        let mut lsn = self.lsn;
        while let Some(change) = reader.next()? {
            lsn = lsn.next();
            match &change {
                ChangeRef::Row(row) => self.fold_row(row, schema, lsn)?,
                ChangeRef::Schema(_) => {
                    if let Change::Schema(change) = change.to_change()? {
                        self.fold_schema(schema, &change.schema, lsn);
                        *schema = change.schema;
                    }
                }
            }
        }
        self.lsn = lsn;
        Ok(())
    }

    fn fold_row(&mut self, row: &RowRef<'_>, schema: &Schema, lsn: Lsn) -> Result<()> {
        let unknown =
            || Error::corrupt("the log has a row of a table that the schema has not").with("table_id", row.table.0).with("lsn", lsn);
        let table = schema.by_id(row.table).ok_or_else(unknown)?;
        let tally = self.tables.entry(row.table).or_insert_with(|| TableTally::new(table));
        if lsn <= tally.lsn {
            return Ok(());
        }
        let shape = self.shapes.entry(row.table).or_insert_with(|| Shape::of(table));
        match row.op {
            Op::Create | Op::Read => tally.add_row(shape, &mut self.hasher, row.rowid, row.after),
            Op::Delete => tally.remove_row(shape, &mut self.hasher, row.rowid, row.before),
            Op::Update => tally.update_row(shape, &mut self.hasher, row),
        }
        Ok(())
    }

    /// Takes a change of shape into account: a rename keeps, a drop removes, an added column has its default in every row.
    pub(crate) fn fold_schema(&mut self, old: &Schema, new: &Schema, lsn: Lsn) {
        self.shapes.clear();
        self.tables.retain(|id, _| new.by_id(*id).is_some());
        for table in &new.tables {
            match (self.tables.get_mut(&table.id), old.by_id(table.id)) {
                (Some(tally), Some(before)) if lsn > tally.lsn => tally.evolve(before, table),
                (Some(_), _) => {}
                (None, _) => {
                    self.tables.insert(table.id, TableTally::new(table));
                }
            }
        }
    }
}
