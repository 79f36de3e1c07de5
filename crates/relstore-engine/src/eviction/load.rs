//! Reading what is cold from the hot file.

use std::sync::Arc;

use relstore_model::{Error, Result, Schema, TableId, Value};

use super::definition::describe;
use super::source::ColdFile;
use super::tier::{Cold, integer, text};
use crate::sqlite::Connection;

/// How often the set of cold files has changed, as the file says it. A store that never evicted says 0, and its file may have no list.
pub(crate) fn generation_in_file(connection: &Connection) -> Result<i64> {
    let rows = connection.query("/*rs*/ SELECT value FROM main._rs_meta WHERE key='cold_generation'", &[])?;
    rows.first().map_or(Ok(0), |row| integer(row, 0))
}

/// Counts one change of the set of cold files, in the open transaction.
pub(super) fn bump_generation(connection: &Connection) -> Result<()> {
    const BUMP: &str = "/*rs*/ INSERT INTO main._rs_meta(key, value) VALUES('cold_generation', 1) \
        ON CONFLICT(key) DO UPDATE SET value=value+1";
    connection.execute(BUMP, &[]).map(|_| ())
}

/// What is cold, in the snapshot that the connection reads. The tables' temp objects must not be in its way.
pub(crate) fn load(connection: &Connection, schema: &Schema) -> Result<Arc<Cold>> {
    if generation_in_file(connection)? == 0 {
        return Ok(Arc::default());
    }
    let mut cold = Cold::default();
    let mut files = files(connection)?;
    files.sort_by_key(|f| (f.table, f.id));
    for group in files.chunk_by(|a, b| a.table == b.table) {
        let id = group[0].table;
        let table = schema.by_id(id).ok_or_else(|| Error::corrupt("evicted rows of a table that does not exist").with("table_id", id.0))?;
        let known = describe(connection, schema, table).map_err(|e| {
            Error::corrupt("a table with evicted rows was changed by a program that cannot know of them")
                .with("table", &table.name)
                .with_source(e)
        })?;
        cold.tables.push(known.with_files(group.to_vec()));
    }
    Ok(Arc::new(cold))
}

fn files(connection: &Connection) -> Result<Vec<ColdFile>> {
    const FILES: &str = "/*rs*/ SELECT id, table_id, path, dt, rows, rowid_min, rowid_max FROM main._rs_cold_file";
    let file = |row: &Vec<Value>| {
        Ok(ColdFile {
            id: integer(row, 0)?,
            table: TableId(u32::try_from(integer(row, 1)?).map_err(|_| Error::corrupt("a table id out of range"))?),
            path: text(row, 2)?,
            dt: text(row, 3)?,
            rows: integer(row, 4)?.unsigned_abs(),
            rowid_min: integer(row, 5)?,
            rowid_max: integer(row, 6)?,
        })
    };
    connection.query(FILES, &[])?.iter().map(file).collect()
}
