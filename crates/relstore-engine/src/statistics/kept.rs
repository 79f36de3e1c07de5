//! Statistics as they lie in the hot file, in `_rs_statistics`, and how far they have come.

use relstore_model::{ColumnId, Error, Lsn, Result, Row, TableId, Value};

use super::extreme::Extreme;
use super::sketch::Sketch;
use super::tally::{ColumnTally, TableTally, Tallies};
use crate::sqlite::Connection;

/// The key of `_rs_meta` that says up to which change the statistics are.
const WATERMARK: &str = "statistics_lsn";

/// The position up to which statistics are kept.
pub(crate) fn watermark(connection: &Connection) -> Result<Lsn> {
    let rows = connection.query("/*rs*/ SELECT value FROM main._rs_meta WHERE key=?", &[Value::from(WATERMARK)])?;
    rows.first().map_or(Ok(Lsn::ZERO), |row| lsn(row, 0))
}

/// What is kept.
pub(crate) fn load(connection: &Connection) -> Result<Tallies> {
    const ALL: &str = "/*rs*/ SELECT table_id, column_id, lsn, count, bytes, digest, sketch, min, min_is_exact, max, max_is_exact \
        FROM main._rs_statistics ORDER BY table_id, column_id";
    let mut tallies = Tallies { lsn: watermark(connection)?, ..Tallies::default() };
    for row in connection.query(ALL, &[])? {
        let id = TableId(u32::try_from(number(&row, 0)?).map_err(|_| unreadable())?);
        if number(&row, 1)? == 0 {
            let tally = TableTally { rows: number(&row, 3)?, digest: digest(&row, 5)?, columns: Vec::new(), lsn: lsn(&row, 2)? };
            tallies.tables.insert(id, tally);
            continue;
        }
        let column = ColumnTally {
            nulls: number(&row, 3)?,
            bytes: number(&row, 4)?,
            digest: digest(&row, 5)?,
            sketch: match row.get(6) {
                Some(Value::Blob(bytes)) => Sketch::from_bytes(bytes)?,
                _ => return Err(unreadable()),
            },
            min: extreme(&row, 7)?,
            max: extreme(&row, 9)?,
        };
        let column_id = ColumnId(i32::try_from(number(&row, 1)?).map_err(|_| unreadable())?);
        tallies.tables.get_mut(&id).ok_or_else(unreadable)?.columns.push((column_id, column));
    }
    Ok(tallies)
}

/// Keeps the tallies and how far they have come, in one transaction of their own or the one that is open.
pub(crate) fn store(connection: &Connection, tallies: &Tallies) -> Result<()> {
    connection.execute("/*rs*/ DELETE FROM main._rs_statistics", &[])?;
    for (id, table) in &tallies.tables {
        store_table(connection, *id, table)?;
    }
    let params = [Value::from(WATERMARK), Value::Integer(tallies.lsn.as_i64())];
    connection.execute("/*rs*/ INSERT OR REPLACE INTO main._rs_meta(key, value) VALUES(?, ?)", &params).map(|_| ())
}

fn store_table(connection: &Connection, id: TableId, table: &TableTally) -> Result<()> {
    const PUT: &str = "/*rs*/ INSERT INTO main._rs_statistics(table_id, column_id, lsn, count, bytes, digest, sketch, min, min_is_exact, \
        max, max_is_exact) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let head = |column: i32| [Value::from(i64::from(id.0)), Value::from(i64::from(column)), Value::Integer(table.lsn.as_i64())];
    let put = |head: [Value; 3], rest: [Value; 8]| connection.execute(PUT, &head.into_iter().chain(rest).collect::<Vec<_>>()).map(|_| ());
    let bytes = table.columns.iter().map(|(_, c)| c.bytes).sum::<u64>();
    let digest = |n: u128| Value::Blob(n.to_le_bytes().to_vec());
    let none = || [Value::Null, Value::Null, Value::Null, Value::Null];
    let [a, b, c, d] = none();
    put(head(0), [count(table.rows), count(bytes), digest(table.digest), Value::Blob(Vec::new()), a, b, c, d])?;
    for (column_id, column) in &table.columns {
        let [a, b] = cells(column.min.as_ref());
        let [c, d] = cells(column.max.as_ref());
        let sketch = Value::Blob(column.sketch.to_bytes());
        put(head(column_id.0), [count(column.nulls), count(column.bytes), digest(column.digest), sketch, a, b, c, d])?;
    }
    Ok(())
}

fn count(n: u64) -> Value {
    Value::Integer(n as i64)
}

fn cells(extreme: Option<&Extreme>) -> [Value; 2] {
    extreme.map_or([Value::Null, Value::Null], |e| [e.value.clone(), Value::from(e.is_exact)])
}

fn extreme(row: &Row, at: usize) -> Result<Option<Extreme>> {
    match (row.get(at), row.get(at + 1)) {
        (Some(Value::Null), _) => Ok(None),
        (Some(value), Some(Value::Integer(is_exact))) => Ok(Some(Extreme { value: value.clone(), is_exact: *is_exact == 1 })),
        _ => Err(unreadable()),
    }
}

fn number(row: &Row, at: usize) -> Result<u64> {
    match row.get(at) {
        Some(Value::Integer(n)) => Ok(*n as u64),
        _ => Err(unreadable()),
    }
}

fn lsn(row: &Row, at: usize) -> Result<Lsn> {
    match row.get(at) {
        Some(Value::Integer(n)) => Lsn::from_i64(*n),
        _ => Err(unreadable()),
    }
}

fn digest(row: &Row, at: usize) -> Result<u128> {
    match row.get(at) {
        Some(Value::Blob(b)) => b.as_slice().try_into().map(u128::from_le_bytes).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> Error {
    Error::corrupt("the statistics of the store cannot be read")
}
