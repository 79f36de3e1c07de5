//! Asking for statistics, and keeping them up to date.

use relstore_model::identifier::quote;
use relstore_model::{Lsn, Result, Schema, Table, TableId, ValueRef};

use super::digest::Hasher;
use super::tally::{Shape, TableTally, Tallies};
use super::{ColumnStatistics, TableStatistics, kept};
use crate::database::Database;
use crate::sqlite::{Connection, cell, from_sqlite};
use crate::writer::Writer;
use crate::{catalog, log};

/// How much of the log is folded while writers wait.
const FOLD_BYTES: usize = 4 << 20;

impl Database {
    /// What is known of every table, by id, as of the last commit. The log since they were last asked for is read; it waits for nobody.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn statistics(&self) -> Result<Vec<TableStatistics>> {
        // Whoever is writing just now is not waited for: what is not kept is folded below, for this answer alone.
        while let Some(writer) = self.try_lock_writer() {
            if writer.fold_some()? {
                break;
            }
        }
        self.with_reader(|reader| {
            reader.in_snapshot(|c| {
                let tallies = folded(c)?;
                let schema = catalog::newest(c)?;
                Ok(schema.tables.iter().map(|table| describe(table, &tallies)).collect())
            })
        })
    }

    /// What is known of `table`, as of the last commit.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; `Unavailable` or `Corrupt` by the disk.
    pub fn table_statistics(&self, table: &str) -> Result<TableStatistics> {
        let id = self.schema().table(table)?.id;
        let gone = || relstore_model::Error::not_found("no such table").with("table", table);
        self.statistics()?.into_iter().find(|t| t.table == id).ok_or_else(gone)
    }

    /// Takes the log into the statistics that are kept, up to the last commit, and gives its position. Writers wait for some milliseconds at
    /// a time. [`Database::trim_log`] does it by itself; a store that is never trimmed need not.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn fold_statistics(&self) -> Result<Lsn> {
        loop {
            let writer = self.lock_writer()?;
            if writer.fold_some()? {
                return Ok(writer.last_lsn());
            }
        }
    }

    /// Reads the whole of `table` and counts anew: bounds become exact, values that went are distinct values no more. Writers are not held
    /// up, unless rows of the table are evicted or the statistics were taken further meanwhile.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; `Unavailable` if the handle reads only, or by the disk; as the cold source gives them.
    pub fn analyze(&self, table: &str) -> Result<TableStatistics> {
        self.fold_statistics()?;
        let id = self.schema().table(table)?.id;
        let renewed = if self.tier().is_empty() { self.with_reader(|reader| reader.in_snapshot(|c| renew(c, id)))? } else { None };
        {
            let writer = self.lock_writer()?;
            let schema = writer.schema();
            let known = schema.table(table)?;
            let mut tallies = writer.internally(kept::load)?;
            let tally = match renewed.filter(|t| t.lsn >= tallies.lsn && known.id == id) {
                Some(tally) => tally,
                None => {
                    tallies = writer.tallies()?;
                    let tally = tallies.tables.remove(&known.id).unwrap_or_else(|| TableTally::new(known));
                    let scanned = writer.scan(known)?;
                    if !tally.agrees(&scanned) {
                        // What the log does not say is not for the statistics to take in.
                        writer.trust().doubt();
                        writer.verify()?;
                    }
                    tally.renewed(scanned)
                }
            };
            tallies.tables.insert(known.id, tally);
            writer.keep(&tallies)?;
        }
        self.table_statistics(table)
    }

    /// Lets SQLite gather what its planner chooses indexes by (`PRAGMA optimize`), where it has become worth it. It is no change. Call it
    /// now and then: after much was written, and before a store is closed.
    ///
    /// # Errors
    /// `Unavailable` if the handle reads only, or by the disk.
    pub fn optimize(&self) -> Result<()> {
        // 0x10000: also tables that no statement of this connection has asked for, since the readers' connections are others.
        self.lock_writer()?.internally(|c| c.execute_batch("PRAGMA main.optimize=0x10002"))
    }
}

impl Writer {
    /// Keeps the tallies, in a transaction of their own.
    pub(crate) fn keep(&self, tallies: &Tallies) -> Result<()> {
        self.internally(|c| {
            c.execute("/*rs*/ BEGIN IMMEDIATE", &[])?;
            let result = kept::store(c, tallies).and_then(|()| c.execute("/*rs*/ COMMIT", &[]));
            if result.is_err() && !c.inner.is_autocommit() {
                // The first error is the one to tell.
                let _ = c.execute("/*rs*/ ROLLBACK", &[]);
            }
            result.map(|_| ())
        })
    }

    /// Takes some of the log into the statistics that are kept, and says whether that was all of it.
    pub(crate) fn fold_some(&self) -> Result<bool> {
        if self.internally(kept::watermark)? >= self.last_lsn() {
            return Ok(true);
        }
        let mut tallies = self.internally(kept::load)?;
        self.internally(|c| fold_chunk(c, &mut tallies))?;
        self.keep(&tallies)?;
        Ok(tallies.lsn >= self.last_lsn())
    }

    /// The tallies up to the last commit; they are kept if they had to be taken further.
    pub(crate) fn tallies(&self) -> Result<Tallies> {
        let mut tallies = self.internally(kept::load)?;
        let before = tallies.lsn;
        while tallies.lsn < self.last_lsn() {
            self.internally(|c| fold_chunk(c, &mut tallies))?;
        }
        if tallies.lsn != before && !self.is_open() {
            self.keep(&tallies)?;
        }
        Ok(tallies)
    }

    /// Counts all rows of a table, hot and cold, as they are in the open transaction or, outside of one, now.
    pub(crate) fn scan(&self, table: &Table) -> Result<TableTally> {
        let is_cold = self.shadow().cold().tables.iter().any(|t| t.id == table.id);
        if !is_cold {
            return self.internally(|c| scan_hot(c, table, self.last_lsn()));
        }
        let was_open = self.is_open();
        if !was_open {
            self.begin_unchecked()?;
        }
        let mut tally = TableTally { lsn: self.last_lsn(), ..TableTally::new(table) };
        let (shape, mut hasher) = (Shape::of(table), Hasher::default());
        let result = self.run(&select(table, "", false), &[], &mut |cells| {
            tally.add_row(&shape, &mut hasher, None, cells);
            Ok(())
        });
        if !was_open {
            self.rollback();
        }
        result.map(|_| tally)
    }
}

/// The query for the stored cells of a table, its rowid before them if it is the key.
pub(crate) fn select(table: &Table, schema: &str, with_rowid: bool) -> String {
    let rowid = with_rowid.then(|| "rowid".to_owned());
    let columns: Vec<String> = rowid.into_iter().chain(table.stored_columns().map(|c| quote(&c.name))).collect();
    format!("SELECT {} FROM {schema}{}", columns.join(", "), quote(&table.name))
}

/// What is done with a row's rowid, if it is the key, and its stored cells.
pub(crate) type EachRow<'a> = &'a mut dyn FnMut(Option<i64>, &[ValueRef<'_>]) -> Result<()>;

/// Gives each hot row of a table: its rowid if it is the key, and its stored cells.
pub(crate) fn each_hot_row(c: &Connection, table: &Table, each: EachRow<'_>) -> Result<()> {
    let with_rowid = table.is_keyed_by_rowid();
    let sql = format!("/*rs*/ {}", select(table, "main.", with_rowid));
    let failed = |e: rusqlite::Error| from_sqlite(&e, &sql);
    let mut statement = c.inner.prepare(&sql).map_err(failed)?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let rowid = if with_rowid { Some(row.get(0).map_err(failed)?) } else { None };
        let cells = (usize::from(with_rowid)..columns).map(|i| row.get_ref(i).map(cell));
        each(rowid, &cells.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?)?;
    }
    Ok(())
}

pub(crate) fn scan_hot(connection: &Connection, table: &Table, lsn: Lsn) -> Result<TableTally> {
    let mut tally = TableTally { lsn, ..TableTally::new(table) };
    let (shape, mut hasher) = (Shape::of(table), Hasher::default());
    each_hot_row(connection, table, &mut |rowid, cells| {
        tally.add_row(&shape, &mut hasher, rowid, cells);
        Ok(())
    })?;
    Ok(tally)
}

/// The tallies up to the last commit of the connection's snapshot.
pub(crate) fn folded(connection: &Connection) -> Result<Tallies> {
    let mut tallies = kept::load(connection)?;
    let last = log::range(connection)?.last;
    while tallies.lsn < last {
        fold_chunk(connection, &mut tallies)?;
    }
    Ok(tallies)
}

/// The tally of a hot table with its bounds and sketches anew, as of the connection's snapshot. `None` if the table is gone, or is not what
/// the log says.
fn renew(connection: &Connection, id: TableId) -> Result<Option<TableTally>> {
    let mut tallies = folded(connection)?;
    let schema = catalog::newest(connection)?;
    let (Some(table), Some(tally)) = (schema.by_id(id), tallies.tables.remove(&id)) else { return Ok(None) };
    let scanned = scan_hot(connection, table, tallies.lsn)?;
    Ok(tally.agrees(&scanned).then(|| tally.renewed(scanned)))
}

/// Takes the next few commits of the log into account; there must be one.
fn fold_chunk(connection: &Connection, tallies: &mut Tallies) -> Result<()> {
    let commits = log::commits_after(connection, tallies.lsn, FOLD_BYTES)?;
    if commits.is_empty() {
        return Err(relstore_model::Error::corrupt("the end of the change log is missing").with("after", tallies.lsn));
    }
    let mut schema = Schema { version: u32::MAX, ..Schema::default() };
    for commit in &commits {
        if schema.version != commit.schema_version {
            schema = catalog::at_version(connection, commit.schema_version)?;
        }
        tallies.fold(commit, &mut schema)?;
    }
    Ok(())
}

fn describe(table: &Table, tallies: &Tallies) -> TableStatistics {
    let empty = TableTally::new(table);
    let tally = tallies.tables.get(&table.id).unwrap_or(&empty);
    let columns = table.stored_columns().map(|column| {
        let known = tally.columns.iter().find(|(id, _)| *id == column.id).map(|(_, c)| c.clone()).unwrap_or_default();
        ColumnStatistics {
            column: column.id,
            name: column.name.clone(),
            nulls: known.nulls,
            bytes: known.bytes,
            distinct: known.sketch.estimate().min(tally.rows.saturating_sub(known.nulls)),
            min: known.min,
            max: known.max,
        }
    });
    let columns: Vec<_> = columns.collect();
    let bytes = columns.iter().map(|c| c.bytes).sum();
    TableStatistics { table: table.id, name: table.name.clone(), rows: tally.rows, bytes, columns, lsn: tally.lsn.max(tallies.lsn) }
}
