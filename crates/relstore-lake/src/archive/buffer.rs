//! The rows that wait for one file: one partition of one history table, as Arrow columns under construction.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, Int64Builder, ListArray, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use relstore_model::change::codec::RowRef;
use relstore_model::{Lsn, Namespace, Result, ValueRef};

use super::binding::{Binding, BoundColumn};
use super::overflow::{Misfit, to_json};
use super::schema::{WantedColumn, system};
use crate::error::from_arrow;
use crate::types::ColumnBuilder;

/// What history says of a change beside the row.
#[derive(Clone, Copy)]
pub(super) struct RowMeta<'a> {
    pub(super) ns: &'a Namespace,
    pub(super) lsn: Lsn,
    pub(super) op: &'static str,
    pub(super) micros: i64,
    pub(super) txid: &'a str,
    pub(super) schema_version: u32,
    pub(super) rowid: Option<i64>,
}

/// The rows of one partition, in the order they came: store by store, each by LSN.
pub(super) struct PartitionBuffer {
    pub(super) bucket: i32,
    pub(super) day: i32,
    rows: usize,
    binding: u64,
    /// Where each store's rows begin.
    runs: Vec<(usize, Namespace)>,
    lsns: Vec<i64>,
    ops: Vec<&'static str>,
    micros: Vec<i64>,
    txids: StringBuilder,
    schema_versions: Vec<i32>,
    rowids: Int64Builder,
    changed: Changed,
    misfits: Vec<(usize, usize, Misfit)>,
    columns: Vec<ColumnBuilder>,
}

impl PartitionBuffer {
    pub(super) fn new(bucket: i32, day: i32) -> Self {
        Self {
            bucket,
            day,
            rows: 0,
            binding: 0,
            runs: Vec::new(),
            lsns: Vec::new(),
            ops: Vec::new(),
            micros: Vec::new(),
            txids: StringBuilder::new(),
            schema_versions: Vec::new(),
            rowids: Int64Builder::new(),
            changed: Changed::default(),
            misfits: Vec::new(),
            columns: Vec::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Readies the columns for rows of `binding`.
    #[inline]
    pub(super) fn bind(&mut self, binding: &Binding, planned: &[WantedColumn]) {
        if self.binding != binding.id {
            self.binding = binding.id;
            self.pad(planned);
            for column in &binding.columns {
                self.columns[column.planned].read_as(column.logical);
            }
        }
    }

    /// Appends NULLs where a column was not named by the rows so far.
    fn pad(&mut self, planned: &[WantedColumn]) {
        for column in &planned[self.columns.len()..] {
            self.columns.push(ColumnBuilder::new(column.logical, 0));
        }
        for column in &mut self.columns {
            column.push_nulls(self.rows - column.len());
        }
    }

    /// Appends a row of the table it was last bound to. `changed` is given for an update.
    #[inline]
    pub(super) fn push(&mut self, meta: &RowMeta<'_>, columns: &[BoundColumn], cells: &[ValueRef<'_>], changed: Option<&RowRef<'_>>) {
        for (column, cell) in columns.iter().zip(cells) {
            self.put(column, *cell);
        }
        for column in columns.iter().skip(cells.len()) {
            self.put(column, column.initial.as_ref());
        }
        if self.runs.last().is_none_or(|(_, ns)| ns != meta.ns) {
            self.runs.push((self.rows, meta.ns.clone()));
        }
        self.lsns.push(meta.lsn.as_i64());
        self.ops.push(meta.op);
        self.micros.push(meta.micros);
        self.txids.append_value(meta.txid);
        self.schema_versions.push(i32::try_from(meta.schema_version).unwrap_or(i32::MAX));
        self.rowids.append_option(meta.rowid);
        if let Some(row) = changed {
            self.changed.push(self.rows, (0..columns.len()).filter(|at| row.is_changed(*at)).map(|at| columns[at].planned as i32));
        }
        self.rows += 1;
    }

    #[inline]
    fn put(&mut self, column: &BoundColumn, cell: ValueRef<'_>) {
        if !self.columns[column.planned].push(cell)
            && let Some(misfit) = Misfit::new(cell)
        {
            self.misfits.push((self.rows, column.planned, misfit));
        }
    }

    /// The columns as `schema` has them, rows in the order they came. `ids` are the field ids of the planned columns.
    ///
    /// # Errors
    /// `Internal` if they do not fit the schema.
    pub(super) fn finish(mut self, table: &str, schema: &SchemaRef, planned: &[WantedColumn], ids: &[i32]) -> Result<Finished> {
        self.pad(planned);
        let mut columns: BTreeMap<i32, ArrayRef> = ids.iter().copied().zip(self.columns.iter_mut().map(ColumnBuilder::finish)).collect();
        let rows = self.rows;
        let ends = self.runs.iter().skip(1).map(|(start, _)| *start).chain([rows]);
        let runs: Vec<(usize, usize)> = self.runs.iter().map(|(start, _)| *start).zip(ends).collect();
        let mut ns = StringBuilder::new();
        for ((_, name), (start, end)) in self.runs.iter().zip(&runs) {
            (*start..*end).for_each(|_| ns.append_value(name.as_str()));
        }
        let ns: ArrayRef = Arc::new(ns.finish());
        let ops: ArrayRef = Arc::new(StringArray::from_iter_values(&self.ops));
        let overflow = overflow(&self.misfits, ids, rows);
        let mut arrays = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let id = field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok()).unwrap_or_default();
            arrays.push(match field.name().as_str() {
                system::NS => ns.clone(),
                system::LSN => Arc::new(Int64Array::from(std::mem::take(&mut self.lsns))),
                system::OP => ops.clone(),
                system::TS => Arc::new(TimestampMicrosecondArray::from(std::mem::take(&mut self.micros)).with_timezone("+00:00")),
                system::TXID => Arc::new(self.txids.finish()),
                system::SCHEMA_VERSION => Arc::new(Int32Array::from(std::mem::take(&mut self.schema_versions))),
                system::ROWID => Arc::new(self.rowids.finish()),
                system::CHANGED => self.changed.finish(field.data_type(), ids, rows).map_err(|e| from_arrow(e, table))?,
                system::OVERFLOW => overflow.clone(),
                // A column that another archiver has added meanwhile.
                _ => columns.remove(&id).unwrap_or_else(|| new_null_array(field.data_type(), rows)),
            });
        }
        let batch = arrow::array::RecordBatch::try_new(schema.clone(), arrays).map_err(|e| from_arrow(e, table))?;
        Ok(Finished { bucket: self.bucket, day: self.day, batch, runs })
    }
}

/// A partition's rows, still in the order they came.
pub(super) struct Finished {
    pub(super) bucket: i32,
    pub(super) day: i32,
    pub(super) batch: arrow::array::RecordBatch,
    /// Start and end of each store's rows.
    pub(super) runs: Vec<(usize, usize)>,
}

/// The changed columns of updates, by planned position until the ids are known.
#[derive(Default)]
struct Changed {
    /// For each update: its row, and where its columns end in `columns`.
    rows: Vec<(usize, i32)>,
    columns: Vec<i32>,
}

impl Changed {
    fn push(&mut self, row: usize, columns: impl Iterator<Item = i32>) {
        self.columns.extend(columns);
        self.rows.push((row, self.columns.len() as i32));
    }

    fn finish(&mut self, kind: &DataType, ids: &[i32], rows: usize) -> Result<ArrayRef, arrow::error::ArrowError> {
        let DataType::List(element) = kind else {
            return Err(arrow::error::ArrowError::SchemaError(format!("{kind} is no list")));
        };
        if self.rows.is_empty() {
            return Ok(new_null_array(kind, rows));
        }
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut valid = vec![false; rows];
        let mut end = 0;
        offsets.push(0);
        for (row, next) in &self.rows {
            offsets.resize(row + 1, end);
            end = *next;
            offsets.push(end);
            valid[*row] = true;
        }
        offsets.resize(rows + 1, end);
        let values = Int32Array::from_iter_values(self.columns.iter().map(|at| ids[*at as usize]));
        let list = ListArray::try_new(element.clone(), OffsetBuffer::new(offsets.into()), Arc::new(values), Some(NullBuffer::from(valid)))?;
        Ok(Arc::new(list))
    }
}

fn overflow(misfits: &[(usize, usize, Misfit)], ids: &[i32], rows: usize) -> ArrayRef {
    if misfits.is_empty() {
        return new_null_array(&DataType::Utf8, rows);
    }
    let mut builder = StringBuilder::new();
    for row in misfits.chunk_by(|a, b| a.0 == b.0) {
        (builder_len(&builder)..row[0].0).for_each(|_| builder.append_null());
        builder.append_value(to_json(&row.iter().map(|(_, column, misfit)| (ids[*column], misfit)).collect()));
    }
    (builder_len(&builder)..rows).for_each(|_| builder.append_null());
    Arc::new(builder.finish())
}

fn builder_len(builder: &StringBuilder) -> usize {
    arrow::array::ArrayBuilder::len(builder)
}
