//! The store's schema with its lasting ids: read from SQLite, recognised against what was known, kept in the same file.

use relstore_model::schema::{Cell, TableShape};
use relstore_model::{Column, ColumnId, Error, LogicalType, Result, Row, Schema, Value, identifier};

use crate::sqlite::Connection;

/// The tables that the engine keeps in the hot file.
///
/// `_rs_log.lsn` is the last LSN of the commit, `_rs_log.offset` how many bytes of changes were committed before it, ever. `_rs_schema` has
/// every schema version. `_rs_cursor` says how far each consumer has come, whether it still owes its initial snapshot, and why it stopped.
/// `_rs_cold_file` lists the files of evicted rows, `_rs_reloaded` the rows among them that are hot again.
pub(crate) const ENGINE_TABLES: &str = "
CREATE TABLE IF NOT EXISTS _rs_meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rs_log(
  lsn INTEGER PRIMARY KEY, count INTEGER NOT NULL, ts INTEGER NOT NULL, schema_version INTEGER NOT NULL, offset INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_schema(version INTEGER PRIMARY KEY, definition TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_cursor(
  name TEXT PRIMARY KEY, lsn INTEGER NOT NULL, snapshot_due INTEGER NOT NULL DEFAULT 0, parked TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rs_cold_file(
  id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, path TEXT NOT NULL, dt TEXT NOT NULL, rows INTEGER NOT NULL,
  rowid_min INTEGER NOT NULL, rowid_max INTEGER NOT NULL, lsn INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _rs_reloaded(table_id INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY(table_id, row)) STRICT, WITHOUT ROWID;
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

fn parse(row: &Row) -> Result<Schema> {
    match row.first() {
        Some(Value::Text(json)) => Schema::from_json(json),
        _ => Err(Error::corrupt("a schema version in the store is not text")),
    }
}

/// The schema that follows `known`, if SQLite's differs from it.
pub(crate) fn evolved(connection: &Connection, known: &Schema) -> Result<Option<Schema>> {
    let (shapes, views) = shapes(connection)?;
    Ok(known.evolved(shapes, views))
}

/// What SQLite says of the user's tables and views. Virtual tables and their shadow tables are not rows of the user's in their own right.
fn shapes(connection: &Connection) -> Result<(Vec<TableShape>, Vec<String>)> {
    const TABLES: &str = "/*rs*/ SELECT l.name, l.wr, s.sql FROM pragma_table_list AS l JOIN main.sqlite_schema AS s \
        ON s.type='table' AND s.name=l.name WHERE l.schema='main' AND l.type='table' ORDER BY s.rowid";
    const VIEWS: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema WHERE type='view' ORDER BY rowid";
    const DEPENDENTS: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema \
        WHERE type IN ('index','trigger') AND tbl_name=? AND sql IS NOT NULL ORDER BY rowid";
    let mut shapes = Vec::new();
    for row in connection.query(TABLES, &[])? {
        let [Value::Text(name), without_rowid, Value::Text(sql)] = row.as_slice() else { continue };
        if identifier::is_reserved(name) {
            continue;
        }
        let (columns, primary_key) = columns(connection, name)?;
        let dependents = connection.query(DEPENDENTS, &[Value::Text(name.clone())])?;
        shapes.push(TableShape {
            name: name.clone(),
            sql: sql.clone(),
            columns,
            primary_key,
            without_rowid: *without_rowid == Value::Integer(1),
            dependents: texts(dependents),
        });
    }
    Ok((shapes, texts(connection.query(VIEWS, &[])?)))
}

fn texts(rows: Vec<Row>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).filter_map(|v| if let Value::Text(t) = v { Some(t) } else { None }).collect()
}

/// The columns of a table without ids, and the positions of its key.
fn columns(connection: &Connection, table: &str) -> Result<(Vec<Column>, Vec<usize>)> {
    const COLUMNS: &str =
        "/*rs*/ SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main') WHERE hidden<>1 ORDER BY cid";
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    for row in connection.query(COLUMNS, &[Value::from(table)])? {
        let [Value::Text(name), Value::Text(declared), not_null, default, Value::Integer(pk), Value::Integer(hidden)] = row.as_slice()
        else {
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
            initial_default: constant(connection, default),
        });
    }
    key.sort_unstable();
    Ok((columns, key.into_iter().map(|(_, position)| position).collect()))
}

/// The value of a default, if it is a constant: SQLite allows nothing else where rows exist already.
fn constant(connection: &Connection, default: &Value) -> Option<Cell> {
    let Value::Text(expression) = default else { return None };
    let rows = connection.query(&format!("/*rs*/ SELECT {expression}"), &[]).ok()?;
    rows.into_iter().next()?.into_iter().next().and_then(Cell::from_value)
}
