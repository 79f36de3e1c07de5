//! The store's schema with its lasting ids: read from SQLite, recognised against what was known, kept in the same file.

use std::collections::HashMap;

use relstore_model::schema::{Cell, DefaultExpression, TableShape, literal};
use relstore_model::types::Affinity;
use relstore_model::{Column, ColumnId, Error, ErrorKind, LogicalType, Result, Row, Schema, Table, Value, identifier};

use crate::facts;
use crate::sqlite::Connection;

/// The tables that the engine keeps in the hot file.
///
/// `_rs_log.lsn` is the last LSN of the commit, `_rs_log.offset` how many bytes of changes were committed before it, ever. `_rs_outcome` has
/// what transactions gave that were given an id. `_rs_schema` has every schema version. `_rs_cursor` says how far each consumer has come,
/// whether it still owes its initial snapshot, and why it stopped. `_rs_cold_file` lists the files of evicted rows, `_rs_reloaded` the rows
/// among them that are hot again. `_rs_migration` has every migration that was applied, in that order, those that were taken back too.
/// `_rs_statistics` has a row a table (column 0, `count` its rows) and a row a column (`count` its NULLs), up to
/// the change that `_rs_meta` calls `statistics_lsn`.
pub(crate) const ENGINE_TABLES: &str = "
CREATE TABLE IF NOT EXISTS _rs_meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rs_log(
  lsn INTEGER PRIMARY KEY, count INTEGER NOT NULL, ts INTEGER NOT NULL, schema_version INTEGER NOT NULL, txid TEXT,
  offset INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_outcome(txid TEXT PRIMARY KEY, lsn INTEGER NOT NULL, ts INTEGER NOT NULL, outcome TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS _rs_outcome_ts ON _rs_outcome(ts);
CREATE TABLE IF NOT EXISTS _rs_schema(version INTEGER PRIMARY KEY, definition TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_cursor(
  name TEXT PRIMARY KEY, lsn INTEGER NOT NULL, snapshot_due INTEGER NOT NULL DEFAULT 0, parked TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rs_cold_file(
  id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, path TEXT NOT NULL, dt TEXT NOT NULL, rows INTEGER NOT NULL,
  rowid_min INTEGER NOT NULL, rowid_max INTEGER NOT NULL, lsn INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_reloaded(table_id INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY(table_id, row)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rs_migration(
  id INTEGER PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, hash TEXT, sql TEXT, applied_at INTEGER NOT NULL,
  lsn_before INTEGER NOT NULL, lsn_after INTEGER NOT NULL, schema_before INTEGER NOT NULL, schema_after INTEGER NOT NULL,
  rolled_back_at INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS _rs_statistics(
  table_id INTEGER NOT NULL, column_id INTEGER NOT NULL, lsn INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  digest BLOB NOT NULL, sketch BLOB NOT NULL, min ANY, min_is_exact INTEGER, max ANY, max_is_exact INTEGER,
  PRIMARY KEY(table_id, column_id)) STRICT, WITHOUT ROWID;
";

/// Whether all of the engine's tables are in the file. One look costs less than to prepare the statements that would make them.
pub(crate) fn has_engine_tables(connection: &Connection) -> Result<bool> {
    const OWN: &str = "/*rs*/ SELECT name FROM main.sqlite_schema WHERE name GLOB '_rs_*'";
    let there = connection.query(OWN, &[])?;
    let mut wanted = ENGINE_TABLES.split("IF NOT EXISTS ").skip(1).filter_map(|rest| rest.split(['(', ' ']).next());
    Ok(wanted.all(|name| there.iter().any(|row| matches!(row.first(), Some(Value::Text(n)) if n == name))))
}

/// The newest schema kept in the file; the empty one if there is none.
pub(crate) fn newest(connection: &Connection) -> Result<Schema> {
    let rows = connection.query("/*rs*/ SELECT definition FROM main._rs_schema ORDER BY version DESC LIMIT 1", &[])?;
    rows.first().map_or_else(|| Ok(Schema::default()), parse)
}

/// The version of the newest schema kept in the file.
pub(crate) fn newest_version(connection: &Connection) -> Result<u32> {
    let rows = connection.query("/*rs*/ SELECT ifnull(max(version), 0) FROM main._rs_schema", &[])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(version)) => u32::try_from(*version).map_err(|_| Error::corrupt("a schema version out of range")),
        _ => Err(Error::corrupt("a schema version in the store is no number")),
    }
}

/// The schemas of the versions below `version`, oldest first.
pub(crate) fn before_version(connection: &Connection, version: u32) -> Result<Vec<Schema>> {
    const BEFORE: &str = "/*rs*/ SELECT definition FROM main._rs_schema WHERE version<? ORDER BY version";
    let rows = connection.query(BEFORE, &[Value::from(i64::from(version))])?;
    let schemas: Vec<Schema> = rows.iter().map(parse).collect::<Result<_>>()?;
    match (1..version).find(|v| schemas.get(*v as usize - 1).is_none_or(|s| s.version != *v)) {
        None => Ok(schemas),
        Some(missing) => Err(Error::corrupt("a schema version is missing from the store").with("schema_version", missing)),
    }
}

/// The schema of this version.
pub(crate) fn at_version(connection: &Connection, version: u32) -> Result<Schema> {
    if version == 0 {
        return Ok(Schema::default());
    }
    let rows = connection.query("/*rs*/ SELECT definition FROM main._rs_schema WHERE version=?", &[Value::from(i64::from(version))])?;
    rows.first().map_or_else(|| Err(Error::corrupt("a schema version is missing from the store").with("schema_version", version)), parse)
}

/// Keeps a schema version, in the open transaction.
pub(crate) fn put(connection: &Connection, schema: &Schema) -> Result<()> {
    let params = [Value::from(i64::from(schema.version)), Value::Text(schema.to_json())];
    connection.execute("/*rs*/ INSERT INTO main._rs_schema(version, definition) VALUES(?, ?)", &params).map(|_| ())
}

/// The schema that statements make of an empty store: version 1, or the empty version 0 if they make nothing.
///
/// `sql` holds `CREATE` statements, and whatever else runs on an empty database, separated by semicolons. It is run in a database in memory and
/// touches no store. The ids in it are its own: to compare it with a store's schema, its tables are recognised by name
/// (`relstore_model::evolution`).
///
/// # Errors
/// `Invalid` if SQLite refuses a statement.
pub fn schema_of(sql: &str) -> Result<Schema> {
    let scratch = Connection::scratch()?;
    scratch.execute_batch(sql)?;
    Ok(evolved(&scratch, &Schema::default())?.unwrap_or_default())
}

fn parse(row: &Row) -> Result<Schema> {
    match row.first() {
        Some(Value::Text(json)) => Schema::from_json(json).and_then(facts::completed),
        _ => Err(Error::corrupt("a schema version in the store is not text")),
    }
}

/// The schema that follows `known`, if SQLite's differs from it.
pub(crate) fn evolved(connection: &Connection, known: &Schema) -> Result<Option<Schema>> {
    evolved_beside(connection, known, &Overlay::default())
}

/// Tables of a migration that are between two shapes: the schema has them as they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    /// Tables that are there and not in the schema yet.
    pub(crate) hidden: Vec<String>,
    /// Tables of the schema that lie under another name until they are replaced.
    pub(crate) away: Vec<Table>,
}

impl Overlay {
    /// Whether the table `name` is there and not in the schema.
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.hidden.iter().any(|h| h.eq_ignore_ascii_case(name))
    }
}

/// As [`evolved`], while a migration has tables between two shapes.
pub(crate) fn evolved_beside(connection: &Connection, known: &Schema, overlay: &Overlay) -> Result<Option<Schema>> {
    evolved_by(connection, known, overlay, false)
}

/// Whether SQLite's schema is another than `known`, which is not trusted to be what its statements say.
pub(crate) fn differs(connection: &Connection, known: &Schema) -> Result<bool> {
    evolved_by(connection, known, &Overlay::default(), true).map(|evolved| evolved.is_some())
}

fn evolved_by(connection: &Connection, known: &Schema, overlay: &Overlay, asks_all: bool) -> Result<Option<Schema>> {
    let (mut shapes, views) = shapes(connection, known, overlay, asks_all)?;
    shapes.extend(overlay.away.iter().map(|table| TableShape {
        name: table.name.clone(),
        sql: table.sql.clone(),
        columns: table.columns.clone(),
        primary_key: table.primary_key.clone(),
        without_rowid: table.without_rowid,
        dependents: table.dependents.clone(),
        facts: table.facts.clone(),
    }));
    let Some(mut schema) = known.evolved(shapes, views) else { return Ok(None) };
    for table in schema.tables.iter_mut().filter(|t| known.by_id(t.id).is_some()) {
        for at in 0..table.columns.len() {
            if table.columns[at].added_in == schema.version && !table.columns[at].is_virtual {
                table.columns[at].initial_default = initial_default(connection, table, at)?;
            }
        }
    }
    Ok(Some(schema))
}

/// The cell that rows from before the column have in it: its default, as SQLite reads it from such a row of a column of that type. (It is not
/// always what an insert of the default would keep: `1e300` in a TEXT column is.)
fn initial_default(connection: &Connection, table: &Table, at: usize) -> Result<Option<Cell>> {
    const DEFAULT: &str = "/*rs*/ SELECT x.dflt_value, l.strict FROM pragma_table_xinfo(?1, 'main') AS x \
        JOIN pragma_table_list AS l ON l.schema='main' AND l.name=?1 WHERE x.name=?2";
    let column = &table.columns[at];
    if let Some(cell) = table.facts.as_ref().and_then(|facts| plain_default(facts.columns.get(at)?.default.as_ref()?, &column.declared)) {
        return Ok(Some(cell));
    }
    let rows = connection.query(DEFAULT, &[Value::from(table.name.as_str()), Value::from(column.name.as_str())])?;
    let Some([Value::Text(default), is_strict]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
    let strict = if *is_strict == Value::Integer(1) { "STRICT" } else { "" };
    let scratch = Connection::scratch()?;
    scratch.execute_batch(&format!("CREATE TABLE x(a ANY) {strict}; INSERT INTO x VALUES(1)"))?;
    match scratch.execute(&format!("ALTER TABLE x ADD COLUMN c {} DEFAULT {default}", column.declared), &[]) {
        // A default that is no constant, or that its own column refuses, is let in only where there is no row to have it.
        Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::Constraint) => return Ok(None),
        result => result?,
    };
    let cells = scratch.query("SELECT c FROM x", &[])?;
    Ok(cells.into_iter().flatten().next().and_then(Cell::from_value))
}

/// The cell of a default that reads back as it is written, in a table of any kind: a string in a column of text, a whole number in one of whole
/// numbers. Whatever else is asked of SQLite.
fn plain_default(default: &DefaultExpression, declared: &str) -> Option<Cell> {
    // Nothing that SQLite could take for an expression.
    let is_plain = default.0.starts_with('\'') || default.0.strip_prefix('-').unwrap_or(&default.0).bytes().all(|b| b.is_ascii_digit());
    match (Affinity::of(declared), literal(&default.0).filter(|_| is_plain)?) {
        (Affinity::Text, value @ Value::Text(_)) | (Affinity::Integer, value @ Value::Integer(_)) => Cell::from_value(value),
        _ => None,
    }
}

/// What SQLite says of the user's tables and views. Virtual tables and their shadow tables are not rows of the user's in their own right;
/// but SQLite takes for a shadow whatever has the name of one, also a table that was there before (`docs_content`, of an index `docs` that says
/// `content='docs_content'`). Such a one stays the user's if it is known.
///
/// SQLite is asked what a table is only where its statements are not the known ones, unless `asks_all`: a store opens no slower for it, a change of
/// shape costs what it changes, and a table never seems to have changed because more can be read out of the same statement than once could.
/// Tables that `overlay` hides are left out.
fn shapes(connection: &Connection, known: &Schema, overlay: &Overlay, asks_all: bool) -> Result<(Vec<TableShape>, Vec<String>)> {
    const ALL: &str = "/*rs*/ SELECT type, name, tbl_name, sql FROM main.sqlite_schema \
        WHERE sql IS NOT NULL AND (type='view' OR tbl_name NOT GLOB '_rs_*') ORDER BY rowid";
    let (mut tables, mut views) = (Vec::new(), Vec::new());
    let mut dependents: HashMap<String, Vec<String>> = HashMap::new();
    for row in connection.query(ALL, &[])? {
        let Ok([Value::Text(kind), Value::Text(name), Value::Text(table), Value::Text(sql)]) = <[Value; 4]>::try_from(row) else {
            continue;
        };
        match kind.as_str() {
            "table" if !identifier::is_reserved(&name) && !overlay.hides(&name) => tables.push((name, sql)),
            "index" | "trigger" => dependents.entry(table).or_default().push(sql),
            "view" => views.push(sql),
            _ => {}
        }
    }
    let mut shapes = Vec::new();
    for (name, sql) in tables {
        let dependents = dependents.remove(&name).unwrap_or_default();
        let of_name = known.by_name(&name);
        let same = of_name.filter(|t| t.name == name && t.sql == sql);
        let (columns, primary_key, without_rowid) = match same.filter(|_| !asks_all) {
            Some(table) => {
                let read_again = |c: &Column| Column { logical: LogicalType::from_declared(&c.declared), ..c.clone() };
                (table.columns.iter().map(read_again).collect(), table.primary_key.clone(), table.without_rowid)
            }
            None => {
                let Some((is_table, without_rowid)) = listed(connection, &name)? else { continue };
                if !is_table && of_name.is_none() {
                    continue;
                }
                let (columns, primary_key) = columns(connection, &name)?;
                (columns, primary_key, without_rowid)
            }
        };
        let facts = match same.filter(|t| t.dependents == dependents) {
            Some(table) => table.facts.clone(),
            None => Some(facts::of_table(connection, &name, &sql, &columns)?),
        };
        shapes.push(TableShape { name, sql, columns, primary_key, without_rowid, dependents, facts });
    }
    Ok((shapes, views))
}

/// Whether a table is one by itself, not a shadow of a virtual one, and whether it has no rowid; `None` for a virtual table.
fn listed(connection: &Connection, table: &str) -> Result<Option<(bool, bool)>> {
    // schema, name, type, ncol, wr, strict
    let rows = connection.pragma("table_list", table)?;
    let Some(row) = rows.iter().find(|row| row.first() == Some(&Value::from("main"))) else { return Ok(None) };
    let is = |kind: &str| row.get(2) == Some(&Value::from(kind));
    Ok((is("table") || is("shadow")).then(|| (is("table"), row.get(4) == Some(&Value::Integer(1)))))
}

/// The columns of a table without ids, and the positions of its key.
pub(crate) fn columns(connection: &Connection, table: &str) -> Result<(Vec<Column>, Vec<usize>)> {
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    for row in connection.pragma("table_xinfo", table)? {
        let [_, Value::Text(name), Value::Text(declared), not_null, _, Value::Integer(pk), Value::Integer(hidden)] = row.as_slice() else {
            return Err(Error::internal("PRAGMA table_xinfo answers in another form").with("table", table));
        };
        if *hidden == 1 {
            continue;
        }
        if *pk > 0 {
            key.push((*pk, columns.len()));
        }
        columns.push(Column {
            id: ColumnId(0),
            name: name.clone(),
            declared: declared.clone(),
            logical: LogicalType::from_declared(declared),
            not_null: *not_null == Value::Integer(1),
            added_in: 0,
            is_virtual: *hidden == 2,
            is_computed: *hidden == 3,
            initial_default: None,
        });
    }
    key.sort_unstable();
    Ok((columns, key.into_iter().map(|(_, position)| position).collect()))
}
