//! Files back into rows, for the engine.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use relstore_cdc::bucket::Bucket;
use relstore_engine::{ColdFile, ColdRows, ColdSource, Database};
use relstore_model::{Error, LogicalType, Result, Value, ValueRef};

use super::OVERFLOW;
use crate::archive::overflow_cells;
use crate::error::from_arrow;
use crate::parquet_file;

/// Bytes of decoded files that are kept.
const CACHE_BYTES: usize = 256 << 20;

/// Reads evicted rows from a bucket. Files never change, so what was decoded once is kept while there is room.
pub struct ParquetRows {
    bucket: Bucket,
    cache: Mutex<Cache>,
    /// The store's tables, for what the columns of a file mean.
    schema: Box<dyn Fn() -> Arc<relstore_model::Schema> + Send + Sync>,
}

#[derive(Default)]
struct Cache {
    files: HashMap<String, Arc<File>>,
    /// The order they came in: the oldest goes first.
    order: VecDeque<String>,
    bytes: usize,
}

impl ParquetRows {
    /// The rows of the store `db` that lie in `bucket`.
    #[must_use]
    pub fn new(bucket: Bucket, db: std::sync::Weak<Database>) -> Self {
        let schema = move || db.upgrade().map(|db| db.schema()).unwrap_or_default();
        Self { bucket, cache: Mutex::default(), schema: Box::new(schema) }
    }

    /// The bytes of a file. The engine is synchronous and may be called from within a runtime, so a bucket that is not a folder is asked
    /// on a thread of its own.
    fn fetch(&self, path: &str) -> Result<Bytes> {
        if let Some(root) = self.bucket.local_root() {
            return std::fs::read(root.join(path)).map(Bytes::from).map_err(|e| {
                Error::unavailable("a file of evicted rows cannot be read")
                    .with("path", path)
                    .with_hint("check that the bucket's folder is whole and can be read")
                    .with_source(e)
            });
        }
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| Error::unavailable("no runtime can be started").with_source(e))?.block_on(self.bucket.get(path))
        };
        std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| Err(Error::internal("reading evicted rows panicked")))
    }
}

impl ColdSource for ParquetRows {
    fn read(&self, file: &ColdFile) -> Result<Arc<dyn ColdRows>> {
        if let Some(known) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).files.get(&file.path) {
            return Ok(Arc::clone(known) as Arc<dyn ColdRows>);
        }
        let schema = (self.schema)();
        let table =
            schema.by_id(file.table).ok_or_else(|| Error::corrupt("evicted rows of a table that is gone").with("path", &file.path))?;
        let decoded = Arc::new(File::decode(&file.path, self.fetch(&file.path)?, table)?);
        if decoded.rowids.len() as u64 != file.rows {
            return Err(Error::corrupt("a file of evicted rows has another number of rows")
                .with("path", &file.path)
                .with("rows", decoded.rowids.len())
                .with("wanted", file.rows));
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.keep(&file.path, &decoded);
        Ok(decoded)
    }
}

impl Cache {
    fn keep(&mut self, path: &str, file: &Arc<File>) {
        if self.files.insert(path.to_owned(), Arc::clone(file)).is_none() {
            self.order.push_back(path.to_owned());
            self.bytes += file.bytes;
        }
        while self.bytes > CACHE_BYTES
            && let Some(oldest) = self.order.pop_front()
            && let Some(gone) = self.files.remove(&oldest)
        {
            self.bytes -= gone.bytes;
        }
    }
}

/// A decoded file.
struct File {
    rowids: Vec<i64>,
    batch: RecordBatch,
    /// What the cells of each column mean.
    logical: Vec<LogicalType>,
    overflow: HashMap<(usize, usize), Value>,
    bytes: usize,
}

impl File {
    fn decode(path: &str, bytes: Bytes, table: &relstore_model::Table) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("a file of evicted rows {what}")).with("path", path);
        let batches = parquet_file::decode(path, bytes)?;
        let first = batches.first().ok_or_else(|| corrupt("is empty"))?;
        let batch = concat_batches(&first.schema(), &batches).map_err(|e| from_arrow(e, &table.name))?;
        let columns: Vec<_> = table.stored_columns().collect();
        let is_the_table =
            batch.num_columns() == columns.len() + 1 && columns.iter().zip(batch.schema().fields()).all(|(c, f)| c.name == *f.name());
        if !is_the_table {
            return Err(corrupt("has other columns than its table").with("table", &table.name));
        }
        let alias = table.rowid_alias().ok_or_else(|| corrupt("is of a table without an integer key"))?;
        let alias = table.columns[..alias].iter().filter(|c| !c.is_virtual).count();
        let keys = batch.column(alias).as_primitive_opt::<Int64Type>().ok_or_else(|| corrupt("has a key of another type"))?;
        let rowids = keys.values().to_vec();
        let mut overflow = HashMap::new();
        let misfits = batch.column_by_name(OVERFLOW).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(|| corrupt("lacks _overflow"))?;
        for row in (0..batch.num_rows()).filter(|row| misfits.is_valid(*row)) {
            for (id, value) in overflow_cells(misfits.value(row))? {
                if let Some(at) = columns.iter().position(|c| c.id.0 == id) {
                    overflow.insert((row, at), value);
                }
            }
        }
        let logical = columns.iter().map(|c| c.logical).collect();
        let bytes = batch.get_array_memory_size();
        Ok(Self { rowids, batch, logical, overflow, bytes })
    }
}

impl ColdRows for File {
    fn len(&self) -> usize {
        self.rowids.len()
    }

    fn rowid(&self, row: usize) -> i64 {
        self.rowids[row]
    }

    fn cell(&self, row: usize, column: usize) -> ValueRef<'_> {
        let array = self.batch.column(column);
        // What stands in the column of a cell that did not fit is not that cell.
        if !self.overflow.is_empty()
            && let Some(cell) = self.overflow.get(&(row, column))
        {
            return cell.as_ref();
        }
        if array.is_null(row) {
            return ValueRef::Null;
        }
        match array.data_type() {
            DataType::Int64 => ValueRef::Integer(array.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => ValueRef::Real(array.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => ValueRef::Integer(i64::from(array.as_boolean().value(row))),
            DataType::Timestamp(_, _) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let micros_per_unit = if self.logical[column] == LogicalType::Timestamp { 1_000_000 } else { 1_000 };
                ValueRef::Integer(micros.div_euclid(micros_per_unit))
            }
            DataType::Utf8 => ValueRef::Text(array.as_string::<i32>().value(row).as_bytes()),
            DataType::LargeBinary => ValueRef::Blob(array.as_binary::<i64>().value(row)),
            _ => ValueRef::Null,
        }
    }
}
