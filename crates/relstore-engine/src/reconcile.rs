//! Logging what another program wrote: the difference between the state that follows from the log and the state that is there.
//!
//! Digests say which tables differ. If the log still holds a table's whole life, its rows as of the log are replayed and compared with those
//! that are there, and each difference is a change. If it does not, nobody knows any more which rows went: then the log says that the table
//! ended, and that another of the same name and shape began, whose rows were there already (`r`). Either way replaying the log gives
//! the state again.

use std::collections::HashMap;

use relstore_model::change::codec;
use relstore_model::{Lsn, Op, Result, Row, Schema, Table, TableId, Value, ValueRef};

use crate::database::Database;
use crate::statistics::{Hasher, each_hot_row, key_positions};
use crate::writer::Writer;
use crate::{catalog, log};

/// How much of the log is replayed at once.
const LOG_BYTES: usize = 4 << 20;

const OUTSIDE: &str = "/* changed outside of the store */";
const ADOPTED: &str = "/* adopted with its rows */";

/// What a reconciliation logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Whether the schema had changed.
    pub schema_changed: bool,
    /// The tables whose rows differed, by id.
    pub tables: Vec<ReconciledTable>,
    /// The position of the last change, of this or of an earlier commit.
    pub lsn: Lsn,
}

/// What was logged of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconciledTable {
    /// Its name.
    pub name: String,
    /// How many rows were logged as created; as read, if the table was replaced.
    pub created: u64,
    /// How many were logged as updated.
    pub updated: u64,
    /// How many were logged as deleted.
    pub deleted: u64,
    /// Whether the log no longer held the table's whole life, so that it is a new table from here on: with another id, and its rows read.
    pub replaced: bool,
}

impl Database {
    /// Whether the store may be written: no other program wrote to it, as far as is known. The tables are read if there is a suspicion.
    ///
    /// # Errors
    /// `Unavailable` if another program wrote to it, naming where, or if the handle reads only; as the disk and the cold source give them.
    pub fn verify(&self) -> Result<()> {
        let writer = self.lock_writer()?;
        if writer.is_trusted()? { Ok(()) } else { writer.verify() }
    }

    /// Logs what another program wrote to the store, in one commit, and lets it be written again. Nothing is logged where nothing differs.
    ///
    /// All tables are read, while writers wait. A table that differs has its rows as of the log in memory.
    ///
    /// # Errors
    /// `Unavailable` if the handle reads only; as the disk and the cold source give them. Nothing is logged then.
    pub fn reconcile(&self) -> Result<Reconciled> {
        let (report, committed) = {
            let writer = self.lock_writer()?;
            writer.begin_unchecked()?;
            // Sees what the other program did last, so that the next transaction does not find it again.
            let result = writer.is_trusted().and_then(|_| writer.reconcile());
            let mut report = result.inspect_err(|_| writer.rollback())?;
            let committed = writer.commit(None)?;
            writer.trust_again();
            report.lsn = committed.lsn;
            self.announce(&committed);
            (report, committed)
        };
        self.acknowledge(&committed)?;
        self.fold_statistics()?;
        Ok(report)
    }
}

impl Writer {
    /// Records a change of shape that another program made. The rows of a table that it dropped are deleted in the log first, as if it had
    /// been dropped here, if the log still knows them all.
    pub(crate) fn record_outside_ddl(&self) -> Result<()> {
        let known = self.schema();
        let evolved = self.internally(|c| catalog::evolved(c, &known))?;
        let is_gone = |table: &&Table| evolved.as_ref().is_some_and(|now| now.by_id(table.id).is_none());
        for table in known.tables.iter().filter(is_gone) {
            if let Some(rows) = self.rows_by_log(table)? {
                self.log_deleted(table, &rows.into_rows());
            }
        }
        self.record_ddl(if self.is_adopting() { ADOPTED } else { OUTSIDE })
    }

    fn log_deleted(&self, table: &Table, rows: &[(Option<i64>, Row)]) {
        self.capture().put(|packed| {
            for (rowid, row) in rows {
                codec::put_row(packed, Op::Delete, table.id, *rowid, cells(row).into_iter());
            }
            rows.len() as u64
        });
    }

    fn reconcile(&self) -> Result<Reconciled> {
        let before = self.schema();
        let mut tallies = self.tallies()?;
        self.record_outside_ddl()?;
        let after = self.schema();
        tallies.fold_schema(&before, &after, self.last_lsn().next());
        let mut report = Reconciled { schema_changed: before.version != after.version, ..Reconciled::default() };
        let mut replaced = Vec::new();
        for table in &after.tables {
            if table.id.0 > before.last_table_id {
                // Recorded with the schema.
                continue;
            }
            let scanned = self.scan(table)?;
            if tallies.tables.get(&table.id).is_some_and(|tally| tally.agrees(&scanned)) {
                continue;
            }
            self.reload_tables(&[table.id])?;
            match self.rows_by_log(table)? {
                Some(rows) => report.tables.push(self.log_difference(table, rows)?),
                None => {
                    replaced.push(table.id);
                    let name = table.name.clone();
                    report.tables.push(ReconciledTable { name, created: scanned.rows, replaced: true, ..ReconciledTable::default() });
                }
            }
        }
        if !replaced.is_empty() {
            self.replace(&after, &replaced)?;
        }
        Ok(report)
    }

    /// Says that the tables ended, and that others of the same names began.
    fn replace(&self, schema: &Schema, ids: &[TableId]) -> Result<()> {
        let mut without = schema.clone();
        without.version += 1;
        without.tables.retain(|t| !ids.contains(&t.id));
        self.record_schema(without, OUTSIDE)?;
        self.capture().set_created_as_read(true);
        let result = self.record_ddl(OUTSIDE);
        self.capture().set_created_as_read(false);
        result
    }

    /// The rows of a table as of the log, by key, if the log holds its whole life.
    fn rows_by_log(&self, table: &Table) -> Result<Option<Rows>> {
        let mut at = match self.internally(log::range)?.first {
            Lsn::ZERO => return Ok(None),
            first => Lsn::new(first.get() - 1),
        };
        let mut rows: Option<Rows> = None;
        let mut shape: Option<Table> = None;
        let mut is_first = true;
        while at < self.last_lsn() {
            for commit in self.internally(|c| log::commits_after(c, at, LOG_BYTES))? {
                at = commit.lsn_last();
                if std::mem::take(&mut is_first) {
                    let oldest = self.internally(|c| catalog::at_version(c, commit.schema_version))?;
                    if oldest.by_id(table.id).is_some() {
                        return Ok(None);
                    }
                }
                let mut reader = codec::Reader::new(&commit.packed);
                while let Some(change) = reader.next()? {
                    match change {
                        codec::ChangeRef::Row(row) if row.table == table.id => {
                            if let Some(rows) = &mut rows {
                                rows.apply(&row);
                            }
                        }
                        codec::ChangeRef::Row(_) => {}
                        codec::ChangeRef::Schema(_) => {
                            let relstore_model::Change::Schema(change) = change.to_change()? else { continue };
                            let now = change.schema.by_id(table.id).cloned();
                            rows = rows
                                .zip(now.as_ref())
                                .map(|(rows, now)| rows.in_shape(shape.as_ref(), now))
                                .or_else(|| now.as_ref().map(Rows::of));
                            shape = now;
                        }
                    }
                }
            }
        }
        // The other program may have changed its shape too.
        Ok(rows.map(|rows| rows.in_shape(shape.as_ref(), table)))
    }

    /// Logs the difference between `old` and the rows that are there: what went, what changed, what came.
    fn log_difference(&self, table: &Table, mut old: Rows) -> Result<ReconciledTable> {
        let mut report = ReconciledTable { name: table.name.clone(), ..ReconciledTable::default() };
        let (mut updated, mut created) = (Vec::new(), Vec::new());
        let put = |packed: &mut Vec<u8>, rowid, before: Option<&Row>, after: &[ValueRef<'_>]| match before {
            None => codec::put_row(packed, Op::Create, table.id, rowid, after.iter().copied()),
            Some(before) => codec::put_update(packed, table.id, rowid, &cells(before), after),
        };
        self.internally(|c| {
            each_hot_row(c, table, &mut |rowid, row| {
                match old.take(rowid, row) {
                    Taken::Same => {}
                    Taken::Other(before) => {
                        report.updated += 1;
                        put(&mut updated, rowid, Some(&before), row);
                    }
                    Taken::None => {
                        report.created += 1;
                        put(&mut created, rowid, None, row);
                    }
                }
                Ok(())
            })
        })?;
        let gone = old.into_rows();
        report.deleted = gone.len() as u64;
        self.log_deleted(table, &gone);
        self.capture().put(|packed| {
            packed.extend_from_slice(&updated);
            packed.extend_from_slice(&created);
            report.updated + report.created
        });
        Ok(report)
    }
}

fn cells(row: &Row) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::as_ref).collect()
}

fn is_same(a: &Row, b: &[ValueRef<'_>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.as_ref().same(*b))
}

/// The rows of one table by the hash of their keys. SQLite lets keys with NULLs be double.
#[derive(Debug)]
struct Rows {
    key: Vec<usize>,
    hasher: Hasher,
    rows: HashMap<u128, Vec<(Option<i64>, Row)>>,
}

/// What was known of a row that is there.
enum Taken {
    Same,
    Other(Row),
    None,
}

impl Rows {
    fn of(table: &Table) -> Self {
        Self { key: key_positions(table), hasher: Hasher::default(), rows: HashMap::new() }
    }

    fn into_rows(self) -> Vec<(Option<i64>, Row)> {
        self.rows.into_values().flatten().collect()
    }

    fn put(&mut self, rowid: Option<i64>, row: Row) {
        let key = self.hasher.key(&self.key, rowid, &cells(&row));
        self.rows.entry(key.0).or_default().push((rowid, row));
    }

    fn take(&mut self, rowid: Option<i64>, row: &[ValueRef<'_>]) -> Taken {
        let key = self.hasher.key(&self.key, rowid, row).0;
        let Some(known) = self.rows.get_mut(&key) else { return Taken::None };
        let same = known.iter().position(|(_, r)| is_same(r, row));
        let (_, before) = known.swap_remove(same.unwrap_or(0));
        if known.is_empty() {
            self.rows.remove(&key);
        }
        if same.is_some() { Taken::Same } else { Taken::Other(before) }
    }

    fn apply(&mut self, row: &codec::RowRef<'_>) {
        if !row.before.is_empty() {
            self.take(row.rowid, row.before);
        }
        if !row.after.is_empty() {
            self.put(row.rowid, row.after.iter().map(|c| c.to_value()).collect());
        }
    }

    /// The rows in another shape of their table: a column that was added has its initial default.
    fn in_shape(self, old: Option<&Table>, new: &Table) -> Self {
        let Some(old) = old else { return self };
        let ids: Vec<_> = old.stored_columns().map(|c| c.id).collect();
        if new.stored_columns().map(|c| c.id).eq(ids.iter().copied()) {
            return Self { key: key_positions(new), ..self };
        }
        let default = |c: &relstore_model::Column| c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value());
        let from: Vec<(Option<usize>, Value)> = new.stored_columns().map(|c| (ids.iter().position(|id| *id == c.id), default(c))).collect();
        let mut out = Self::of(new);
        for (rowid, row) in self.into_rows() {
            let row = from.iter().map(|(at, default)| at.and_then(|at| row.get(at)).unwrap_or(default).clone()).collect();
            out.put(rowid, row);
        }
        out
    }
}
