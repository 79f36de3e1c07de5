//! The store's schema with its lasting ids: read from SQLite, recognised against what was known, kept in the same file.

use relstore_model::schema::{Cell, TableShape};
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
    let (mut shapes, views) = shapes(connection, known)?;
    shapes.retain(|shape| !overlay.hides(&shape.name));
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

/// What SQLite says of the user's tables and views. Virtual tables and their shadow tables are not rows of the user's in their own right;
/// but SQLite takes for a shadow whatever has the name of one, also a table that was there before (`docs_content`, of an index `docs` that says
/// `content='docs_content'`). Such a one stays the user's if it is known.
///
/// SQLite is asked what a table promises only where its statements are not the known ones: a store opens no slower for it, and a table never
/// seems to have changed because more can be read out of the same statement than once could.
fn shapes(connection: &Connection, known: &Schema) -> Result<(Vec<TableShape>, Vec<String>)> {
    const TABLES: &str = "/*rs*/ SELECT l.name, l.wr, s.sql, l.type FROM pragma_table_list AS l JOIN main.sqlite_schema AS s \
        ON s.type='table' AND s.name=l.name WHERE l.schema='main' AND l.type IN ('table', 'shadow') ORDER BY s.rowid";
    const VIEWS: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema WHERE type='view' ORDER BY rowid";
    const DEPENDENTS: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema \
        WHERE type IN ('index','trigger') AND tbl_name=? AND sql IS NOT NULL ORDER BY rowid";
    let mut shapes = Vec::new();
    for row in connection.query(TABLES, &[])? {
        let [Value::Text(name), without_rowid, Value::Text(sql), kind] = row.as_slice() else { continue };
        if identifier::is_reserved(name) || (*kind != Value::from("table") && known.by_name(name).is_none()) {
            continue;
        }
        let (columns, primary_key) = columns(connection, name)?;
        let dependents = texts(connection.query(DEPENDENTS, &[Value::Text(name.clone())])?);
        let facts = match known.by_name(name).filter(|t| t.name == *name && t.sql == *sql && t.dependents == dependents) {
            Some(table) => table.facts.clone(),
            None => Some(facts::of_table(connection, name, sql, &columns)?),
        };
        shapes.push(TableShape {
            name: name.clone(),
            sql: sql.clone(),
            columns,
            primary_key,
            without_rowid: *without_rowid == Value::Integer(1),
            dependents,
            facts,
        });
    }
    Ok((shapes, texts(connection.query(VIEWS, &[])?)))
}

fn texts(rows: Vec<Row>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).filter_map(|v| if let Value::Text(t) = v { Some(t) } else { None }).collect()
}

/// The columns of a table without ids, and the positions of its key.
pub(crate) fn columns(connection: &Connection, table: &str) -> Result<(Vec<Column>, Vec<usize>)> {
    const COLUMNS: &str =
        "/*rs*/ SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?, 'main') WHERE hidden<>1 ORDER BY cid";
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    for row in connection.query(COLUMNS, &[Value::from(table)])? {
        let [Value::Text(name), Value::Text(declared), not_null, Value::Integer(pk), Value::Integer(hidden)] = row.as_slice() else {
            return Err(Error::internal("PRAGMA table_xinfo answers in another form").with("table", table));
        };
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
