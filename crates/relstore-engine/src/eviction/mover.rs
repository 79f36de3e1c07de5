//! The mover's side: rows out of a table, files in, and tables whole again.

use relstore_model::change::codec::unpack;
use relstore_model::identifier::quote;
use relstore_model::{Change, Error, ErrorKind, Lsn, Result, Table, Value, ValueRef};

use super::definition::{ColdTable, Reference, describe};
use super::load::{bump_generation, load};
use super::source::{ColdSource, Evicted, NewColdFile};
use super::tier::integer;
use crate::database::Database;
use crate::log;
use crate::sqlite::{Connection, cell, from_sqlite};
use crate::writer::Writer;
use std::collections::HashSet;
use std::sync::Arc;

/// How much of the log is looked at at once.
const LOG_BYTES: usize = 4 << 20;

impl Database {
    /// Sets where evicted rows are read from. Without it, a statement that needs a cold row fails with `Unavailable`.
    pub fn set_cold_source(&self, source: Arc<dyn ColdSource>) {
        self.tier().set_source(source);
    }

    /// Whether rows of `table` can be evicted. The first form takes a table with an `INTEGER PRIMARY KEY` that no foreign key references,
    /// that no view, trigger or virtual table names, and that has no generated column, no `AUTOINCREMENT`, no `ON CONFLICT` clause, and no
    /// unique index that is partial or on an expression; no trigger may name its parents, and none of them may say `ON CONFLICT REPLACE`.
    ///
    /// # Errors
    /// `Unsupported` if they cannot, saying why; `NotFound` if there is no such table.
    pub fn can_evict(&self, table: &str) -> Result<()> {
        let schema = self.schema();
        let table = schema.table(table)?;
        self.with_reader(|reader| describe(&reader.connection, &schema, table)).map(|_| ())
    }

    /// Reads the hot rows of `table` for which `predicate` holds (an SQL expression on its columns, with `params`), in the order of their
    /// rowids, from one snapshot, and gives each to `each`: the rowid, and the cells in the order of [`Table::stored_columns`]. Gives the
    /// last LSN of the snapshot, for [`Database::commit_eviction`].
    ///
    /// # Errors
    /// `Unsupported` or `NotFound` as [`Database::can_evict`]; `Invalid` if the predicate is wrong; whatever `each` gives.
    pub fn scan_for_eviction(
        &self,
        table: &str,
        predicate: &str,
        params: &[Value],
        each: &mut dyn FnMut(i64, &[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Lsn> {
        let schema = self.schema();
        let table = schema.table(table)?;
        self.with_reader(|reader| {
            reader.in_snapshot(|c| {
                let known = describe(c, &schema, table)?;
                let lsn = log::range(c)?.last;
                scan(c, table, &quote(&known.columns[known.alias]), predicate, params, each)?;
                Ok(lsn)
            })
        })
    }

    /// Takes rows out of `table` that lie in `files` now, and gives how many. The files must have exactly the rows that
    /// [`Database::scan_for_eviction`] gave, which returned `snapshot`; everything up to `archived` is in the history. It is no change:
    /// nothing is logged, and no answer differs afterwards.
    ///
    /// # Errors
    /// `Conflict` if one of the rows has changed since the snapshot: scan again. `Unsupported` as [`Database::can_evict`], and for a row
    /// that breaks a foreign key. `Invalid` if a file's rowids are not ascending. Nothing is evicted then.
    ///
    /// # Panics
    /// If `snapshot` is after `archived`: a row leaves the hot file only after its last change is in the history.
    pub fn commit_eviction(&self, table: &str, files: &[NewColdFile], snapshot: Lsn, archived: Lsn) -> Result<u64> {
        assert!(snapshot <= archived, "a row leaves the hot file only after its last change is archived");
        for file in files {
            if file.rowids.is_empty() || !file.rowids.is_sorted_by(|a, b| a < b) {
                return Err(Error::invalid("the rowids of an evicted file must be ascending, at least one").with("path", &file.path));
            }
        }
        self.write(|writer| writer.evict(table, files, snapshot))
    }

    /// Brings every evicted row of `table` back into the hot file and forgets its cold files, which the caller may then delete. It is no
    /// change: nothing is logged. A table without evicted rows is left as it is.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; as the cold source gives them.
    pub fn reload_all(&self, table: &str) -> Result<()> {
        let id = self.schema().table(table)?.id;
        self.write(|writer| writer.reload_tables(&[id]))
    }

    /// How many rows of `table` lie in the hot file.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; `Unavailable` or `Corrupt` by the disk.
    pub fn hot_rows(&self, table: &str) -> Result<u64> {
        let sql = format!("/*rs*/ SELECT count(*) FROM main.{}", quote(&self.schema().table(table)?.name));
        let rows = self.with_reader(|reader| reader.connection.query(&sql, &[]))?;
        rows.first().map_or(Ok(0), |row| integer(row, 0).map(i64::unsigned_abs))
    }

    /// How much of `table` is cold.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; `Unavailable` or `Corrupt` by the disk.
    pub fn evicted(&self, table: &str) -> Result<Evicted> {
        const COUNTS: &str = "/*rs*/ SELECT count(*), ifnull(sum(rows), 0), (SELECT count(*) FROM main._rs_reloaded WHERE table_id=?1) \
            FROM main._rs_cold_file WHERE table_id=?1";
        let id = self.schema().table(table)?.id;
        let rows = self.with_reader(|reader| reader.connection.query(COUNTS, &[Value::from(i64::from(id.0))]))?;
        let Some(row) = rows.first() else { return Ok(Evicted::default()) };
        let count = |column| integer(row, column).map(i64::unsigned_abs);
        Ok(Evicted { files: count(0)?, rows: count(1)?, reloaded: count(2)? })
    }
}

fn scan(
    connection: &Connection,
    table: &Table,
    id: &str,
    predicate: &str,
    params: &[Value],
    each: &mut dyn FnMut(i64, &[ValueRef<'_>]) -> Result<()>,
) -> Result<()> {
    let columns: Vec<String> = table.stored_columns().map(|c| quote(&c.name)).collect();
    let sql = format!("/*rs*/ SELECT {id}, {} FROM main.{} WHERE ({predicate}\n) ORDER BY {id}", columns.join(", "), quote(&table.name));
    let failed = |e: rusqlite::Error| from_sqlite(&e, &sql);
    let mut statement = connection.inner.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(crate::sqlite::Bound))).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let cells: Vec<ValueRef<'_>> =
            (1..=columns.len()).map(|i| row.get_ref(i).map(cell)).collect::<rusqlite::Result<_>>().map_err(failed)?;
        each(row.get(0).map_err(failed)?, &cells)?;
    }
    Ok(())
}

impl Writer {
    fn evict(&self, table: &str, files: &[NewColdFile], snapshot: Lsn) -> Result<u64> {
        let schema = self.schema();
        let table = schema.table(table)?;
        let evicted = self.quietly(|c| {
            let known = describe(c, &schema, table)?;
            let rowids: HashSet<i64> = files.iter().flat_map(|f| f.rowids.iter().copied()).collect();
            check_unchanged(c, &known, &rowids, snapshot)?;
            files.iter().try_fold(0, |sum, file| Ok(sum + take_out(c, &known, file)?))
        })?;
        if files.is_empty() {
            return Ok(0);
        }
        self.touch_tier();
        self.quietly(|c| {
            bump_generation(c)?;
            self.shadow().show(c, &load(c, &schema)?)
        })?;
        Ok(evicted)
    }
}

/// Refuses if a commit after `snapshot` touched one of the rows, or may have.
fn check_unchanged(connection: &Connection, table: &ColdTable, rowids: &HashSet<i64>, snapshot: Lsn) -> Result<()> {
    let conflict = |what: &str| {
        Error::new(ErrorKind::Conflict, what).with("table", &table.name).with("snapshot", snapshot).with_hint("scan the table again")
    };
    let is_theirs = |row: &Option<relstore_model::Row>| match row.as_ref().and_then(|r| r.get(table.alias)) {
        Some(Value::Integer(rowid)) => rowids.contains(rowid),
        _ => false,
    };
    let last = log::range(connection)?.last;
    let mut at = snapshot;
    while at < last {
        let commits = log::commits_after(connection, at, LOG_BYTES)?;
        if commits.first().is_none_or(|c| c.lsn_first != at.next()) {
            return Err(conflict("the log no longer says what changed since the snapshot"));
        }
        for commit in &commits {
            for change in unpack(&commit.packed)? {
                match change {
                    Change::Schema(_) => return Err(conflict("the schema has changed since the snapshot")),
                    Change::Row(row) if row.table == table.id && (is_theirs(&row.before) || is_theirs(&row.after)) => {
                        return Err(conflict("a row to be evicted has changed since the snapshot"));
                    }
                    Change::Row(_) => {}
                }
            }
            at = commit.lsn_last();
        }
    }
    Ok(())
}

/// Deletes the file's rows from the hot table and registers the file.
fn take_out(connection: &Connection, table: &ColdTable, file: &NewColdFile) -> Result<u64> {
    const REGISTER: &str = "/*rs*/ INSERT INTO main._rs_cold_file(id, table_id, path, dt, rows, rowid_min, rowid_max, lsn) \
        VALUES((SELECT ifnull(max(id), 0)+1 FROM main._rs_cold_file), ?, ?, ?, ?, ?, ?, (SELECT ifnull(max(lsn), 0) FROM main._rs_log))";
    const REVIVE: &str = "/*rs*/ DELETE FROM main._rs_reloaded WHERE table_id=? AND row=?";
    let (name, id) = (quote(&table.name), quote(&table.columns[table.alias]));
    let orphans: Vec<String> = table.references.iter().map(|r| orphan(table, r)).collect();
    let delete = format!("/*rs*/ DELETE FROM main.{name} WHERE {id}=?");
    let table_id = Value::from(i64::from(table.id.0));
    for rowid in &file.rowids {
        let row = Value::Integer(*rowid);
        for orphan in &orphans {
            if !connection.query(orphan, std::slice::from_ref(&row))?.is_empty() {
                return Err(Error::unsupported("a row that breaks a foreign key cannot be evicted")
                    .with("table", &table.name)
                    .with("rowid", rowid)
                    .with_hint("PRAGMA foreign_key_check shows such rows: mend them or leave them out"));
            }
        }
        if connection.execute(&delete, std::slice::from_ref(&row))? != 1 {
            return Err(Error::new(ErrorKind::Conflict, "a row to be evicted is not in the hot table")
                .with("table", &table.name)
                .with("rowid", rowid)
                .with_hint("scan the table again"));
        }
        // Its newest copy is the one in this file, and alive.
        connection.execute(REVIVE, &[table_id.clone(), row])?;
    }
    let ends = [file.rowids[0], file.rowids[file.rowids.len() - 1]].map(Value::Integer);
    let [min, max] = ends;
    let count = file.rowids.len() as u64;
    let params = [table_id, Value::from(file.path.as_str()), Value::from(file.dt.as_str()), Value::Integer(count as i64), min, max];
    connection.execute(REGISTER, &params)?;
    Ok(count)
}

/// Finds the row if its parent is missing: it could not come back. The `+` leaves the parent's affinity and collation to decide.
fn orphan(table: &ColdTable, reference: &Reference) -> String {
    let id = quote(&table.columns[table.alias]);
    let given: Vec<String> = reference.pairs.iter().map(|(child, _)| format!("c.{} IS NOT NULL", quote(child))).collect();
    let same: Vec<String> = reference.pairs.iter().map(|(child, key)| format!("p.{}=+c.{}", quote(key), quote(child))).collect();
    format!(
        "/*rs*/ SELECT 1 FROM main.{} AS c WHERE c.{id}=? AND {} AND NOT EXISTS (SELECT 1 FROM main.{} AS p WHERE {})",
        quote(&table.name),
        given.join(" AND "),
        quote(&reference.parent),
        same.join(" AND ")
    )
}
