//! The rows of a view by date, and one date's rows as Parquet.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use relstore_model::change::codec::put_cell;
use relstore_model::{Error, LogicalType, Namespace, Result, Value, ValueRef};

use super::{NAMESPACE_COLUMN, PARTITION_COLUMN, ViewColumn};
use crate::parquet_file;
use crate::types::{ColumnBuilder, arrow_type};

/// The answers of all stores, by date.
#[derive(Default)]
pub(super) struct Answers {
    names: Vec<String>,
    /// By column: what its cells have been so far.
    kinds: Vec<Option<LogicalType>>,
    by_date: BTreeMap<String, Vec<Vec<Value>>>,
}

impl Answers {
    /// Takes the columns of one store's answer.
    pub(super) fn begin_store(&mut self, names: &[String]) -> Result<()> {
        if self.names.is_empty() {
            if !names.iter().any(|n| n == PARTITION_COLUMN) {
                return Err(Error::invalid("a view needs a column dt, the date of each row as text")
                    .with("columns", names.join(", "))
                    .with_hint("select a date AS dt, such as strftime('%Y-%m-%d', created_at, 'unixepoch') AS dt"));
            }
            self.names = std::iter::once(NAMESPACE_COLUMN.to_owned()).chain(names.iter().cloned()).collect();
            self.kinds = vec![None; self.names.len()];
        }
        if self.names[1..] != *names {
            return Err(Error::invalid("the view has other columns in another store").with("columns", names.join(", ")));
        }
        Ok(())
    }

    /// Takes one row.
    pub(super) fn push(&mut self, ns: &Namespace, names: &[String], cells: &[ValueRef<'_>]) -> Result<()> {
        let at = names.iter().position(|n| n == PARTITION_COLUMN).unwrap_or(0);
        let date = match cells.get(at).map(|c| c.to_value()) {
            Some(Value::Text(date)) if is_date(&date) => date,
            other => {
                return Err(Error::invalid("a row of the view has no date in dt")
                    .with("ns", ns)
                    .with("dt", format!("{other:?}"))
                    .with_hint("dt is text such as 2013-01-01, never NULL"));
            }
        };
        let row = std::iter::once(Value::from(ns.as_str())).chain(cells.iter().map(|c| c.to_value())).collect();
        self.by_date.entry(date).or_default().push(row);
        Ok(())
    }

    /// The columns: as before where `before` has them and they still fit, by their cells otherwise.
    pub(super) fn columns(&mut self, before: &[ViewColumn]) -> Vec<ViewColumn> {
        for row in self.by_date.values().flatten() {
            for (kind, cell) in self.kinds.iter_mut().zip(row) {
                *kind = joined(*kind, kind_of(cell));
            }
        }
        let known = |name: &str| before.iter().find(|c| c.name == name).map(|c| c.logical);
        let columns = self.names.iter().zip(&self.kinds);
        columns
            .map(|(name, kind)| ViewColumn { name: name.clone(), logical: joined(known(name), *kind).unwrap_or(LogicalType::Text) })
            .collect()
    }

    /// The rows of each date.
    pub(super) fn into_dates(self) -> BTreeMap<String, Vec<Vec<Value>>> {
        self.by_date
    }
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10 && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

fn kind_of(cell: &Value) -> Option<LogicalType> {
    match cell {
        Value::Null => None,
        Value::Integer(_) => Some(LogicalType::Integer),
        Value::Real(_) => Some(LogicalType::Real),
        Value::Text(_) => Some(LogicalType::Text),
        Value::Blob(_) => Some(LogicalType::Blob),
    }
}

/// The type that holds both: a column of a query has no declared type, so its cells say what it is.
fn joined(a: Option<LogicalType>, b: Option<LogicalType>) -> Option<LogicalType> {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(LogicalType::Integer | LogicalType::Real), Some(LogicalType::Integer | LogicalType::Real)) => Some(LogicalType::Real),
        _ => Some(LogicalType::Text),
    }
}

/// The checksum of a partition: its columns and its rows in order.
pub(super) fn checksum(columns: &[ViewColumn], rows: &[Vec<Value>]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for column in columns {
        hasher.update(format!("{}:{};", column.name, column.logical.name()).as_bytes());
    }
    let mut packed = Vec::new();
    for row in rows {
        packed.clear();
        row.iter().for_each(|cell| put_cell(&mut packed, cell.as_ref()));
        hasher.update(&packed);
    }
    hasher.finalize()
}

/// The rows as one Parquet file.
pub(super) fn encode(columns: &[ViewColumn], rows: &[Vec<Value>]) -> Result<Vec<u8>> {
    let schema = Arc::new(schema(columns));
    let arrays = columns.iter().enumerate().map(|(i, column)| {
        let mut builder = ColumnBuilder::new(column.logical, rows.len());
        for row in rows {
            match (column.logical, &row[i]) {
                // A column that mixes text with something else is text.
                (LogicalType::Text, cell @ (Value::Integer(_) | Value::Real(_) | Value::Blob(_))) => {
                    builder.push(ValueRef::Text(as_text(cell).as_bytes()))
                }
                (_, cell) => builder.push(cell.as_ref()),
            };
        }
        builder.finish()
    });
    let batch = RecordBatch::try_new(schema, arrays.collect())
        .map_err(|e| Error::internal("the rows of a view do not fit its columns").with_source(e))?;
    parquet_file::encode(&batch)
}

/// The Arrow schema of a view's files.
pub(super) fn schema(columns: &[ViewColumn]) -> Schema {
    Schema::new(columns.iter().map(|c| Field::new(&c.name, arrow_type(c.logical), true)).collect::<Vec<_>>())
}

fn as_text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => r.to_string(),
        Value::Text(t) => t.clone(),
        Value::Blob(b) => b.iter().map(|x| format!("{x:02x}")).collect(),
    }
}
