//! Rows into files, by date.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use relstore_cdc::bucket::{Bucket, layout};
use relstore_model::schema::Cell;
use relstore_model::{Error, LogicalType, Namespace, Result, Row, Table, Timestamp, Value};

use super::OVERFLOW;
use crate::archive::table_path;
use crate::parquet_file;
use crate::types::{ColumnBuilder, field};

/// Below this many rows a day, files are by month: a file has to be worth opening.
const ROWS_PER_DAY_MIN: usize = 4096;
/// A file is read whole, so it stays small enough for that.
const ROWS_PER_FILE_MAX: usize = 128 << 10;

/// A file of evicted rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsFile {
    /// Where it lies, from the bucket's root.
    pub path: String,
    /// Its date partition.
    pub dt: String,
    /// The rowids of its rows, ascending.
    pub rowids: Vec<i64>,
    /// Its size.
    pub bytes: u64,
}

/// Writes `rows` (rowid and stored cells, in the order of the rowids) of a table into the bucket. The date of a row is that of its first
/// timestamp column, and `now` where the table has none; files are by day, or by month where days are small.
///
/// # Errors
/// `Unavailable` by the bucket. Files that were written before it failed are nobody's, and harmless.
pub async fn write(bucket: &Bucket, ns: &Namespace, table: &Table, rows: Vec<(i64, Row)>, now: Timestamp) -> Result<Vec<RowsFile>> {
    let dated = table.stored_columns().position(|c| matches!(c.logical, LogicalType::Timestamp | LogicalType::TimestampMs));
    let date = |row: &Row| -> String {
        let micros = dated.and_then(|at| moment(table, at, row)).unwrap_or(now);
        micros.to_iso_millis().get(..10).unwrap_or("1970-01-01").to_owned()
    };
    let mut by_date: BTreeMap<String, Vec<(i64, Row)>> = BTreeMap::new();
    let count = rows.len();
    for row in rows {
        by_date.entry(date(&row.1)).or_default().push(row);
    }
    if count < by_date.len() * ROWS_PER_DAY_MIN {
        let days = std::mem::take(&mut by_date);
        for (day, rows) in days {
            by_date.entry(format!("{}-01", &day[..7])).or_default().extend(rows);
        }
    }
    let folder = table_path(&table.name);
    let folder = folder.strip_prefix("lake/").unwrap_or(&folder);
    let mut files = Vec::new();
    for (dt, mut rows) in by_date {
        rows.sort_unstable_by_key(|(rowid, _)| *rowid);
        for rows in rows.chunks(ROWS_PER_FILE_MAX) {
            let id = uuid::Uuid::new_v4().simple();
            let path = format!("{}/rows/{folder}/dt={dt}/{id}.parquet", layout::store_prefix(ns));
            let bytes = encode(table, rows)?;
            let size = bytes.len() as u64;
            bucket.put_new(&path, bytes.into()).await?;
            files.push(RowsFile { path, dt: dt.clone(), rowids: rows.iter().map(|(rowid, _)| *rowid).collect(), bytes: size });
        }
    }
    Ok(files)
}

fn moment(table: &Table, at: usize, row: &Row) -> Option<Timestamp> {
    let logical = table.stored_columns().nth(at)?.logical;
    let Some(Value::Integer(n)) = row.get(at) else { return None };
    n.checked_mul(if logical == LogicalType::Timestamp { 1_000_000 } else { 1_000 }).map(Timestamp::from_micros)
}

fn encode(table: &Table, rows: &[(i64, Row)]) -> Result<Vec<u8>> {
    let mut overflow = StringBuilder::new();
    let mut misfits: Vec<BTreeMap<i32, Cell>> = vec![BTreeMap::new(); rows.len()];
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    for (at, column) in table.stored_columns().enumerate() {
        let mut builder = ColumnBuilder::new(column.logical, rows.len());
        for ((_, row), misfits) in rows.iter().zip(&mut misfits) {
            let cell = row.get(at).unwrap_or(&Value::Null);
            // A whole number in a column of floats would come back as a float.
            let is_exact = !(column.logical == LogicalType::Real && matches!(cell, Value::Integer(_)));
            let fits = if is_exact {
                builder.push(cell.as_ref())
            } else {
                builder.push_nulls(1);
                false
            };
            if !fits && let Some(cell) = Cell::from_value(cell.clone()) {
                misfits.insert(column.id.0, cell);
            }
        }
        arrays.push(builder.finish());
        fields.push(field(column));
    }
    for misfits in &misfits {
        let json = serde_json::to_string(misfits).map_err(|e| Error::internal("cells cannot be written").with_source(e))?;
        overflow.append_option((!misfits.is_empty()).then_some(json));
    }
    fields.push(Field::new(OVERFLOW, DataType::Utf8, true));
    arrays.push(Arc::new(overflow.finish()));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|e| Error::internal("evicted rows do not fit their columns").with("table", &table.name).with_source(e))?;
    parquet_file::encode(&batch)
}
