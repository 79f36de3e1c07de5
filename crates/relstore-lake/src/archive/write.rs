//! A partition's rows into Parquet files: sorted, split so that the processors share the work, and written whole.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use iceberg::spec::{DataFile, Literal, PartitionKey, Struct};
use iceberg::table::Table;
use iceberg::writer::file_writer::location_generator::{DefaultLocationGenerator, LocationGenerator};
use iceberg::writer::file_writer::{FileWriter, FileWriterBuilder, ParquetWriterBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use relstore_model::{Error, Result};
use uuid::Uuid;

use super::buffer::{Finished, PartitionBuffer};
use super::schema::{WantedColumn, system};
use crate::error::{from_arrow, from_iceberg};

/// Rows of a row group: enough for long runs of a column, few enough that one can be skipped.
const ROW_GROUP_ROWS_MAX: usize = 128 * 1024;

/// A partition is split only into files of at least so many rows: more files cost every reader.
const FILE_ROWS_MIN: usize = 64 * 1024;

/// What the files of one table have in common.
pub(super) struct Writer {
    table: Table,
    schema: SchemaRef,
    planned: Vec<WantedColumn>,
    ids: Vec<i32>,
    /// The columns that rows are sorted by within a store; then by LSN.
    key: Vec<String>,
    splits_max: usize,
}

impl Writer {
    /// A writer of rows of `planned` columns, whose field ids in `table` are `ids`. `key` names the sort columns. Large partitions are
    /// split into up to `splits_max` files.
    ///
    /// # Errors
    /// `Unsupported` if the table has columns that Arrow has no type for.
    pub(super) fn new(table: Table, planned: Vec<WantedColumn>, ids: Vec<i32>, key: Vec<String>, splits_max: usize) -> Result<Self> {
        let schema = iceberg::arrow::schema_to_arrow_schema(table.metadata().current_schema());
        let schema = Arc::new(schema.map_err(|e| from_iceberg(e, table.identifier().name()))?);
        let key = if key.is_empty() { vec![system::ROWID.to_owned()] } else { key };
        Ok(Self { table, schema, planned, ids, key, splits_max })
    }

    /// Sorts and writes one partition. The files are durable and nothing refers to them yet.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be written.
    pub(super) async fn write(self: Arc<Self>, buffer: PartitionBuffer) -> Result<Vec<DataFile>> {
        let this = self.clone();
        let (finished, order) = blocking(move || {
            let finished = buffer.finish(this.name(), &this.schema, &this.planned, &this.ids)?;
            let order = this.order(&finished)?;
            Ok((finished, order))
        })
        .await?;
        let (finished, order) = (Arc::new(finished), Arc::new(order));
        let rows = finished.batch.num_rows();
        let splits = (rows / FILE_ROWS_MIN).clamp(1, self.splits_max.max(1));
        let pieces = (0..splits).map(|i| {
            let (this, finished, order) = (self.clone(), finished.clone(), order.clone());
            let (start, end) = (rows * i / splits, rows * (i + 1) / splits);
            async move {
                let handle = tokio::runtime::Handle::current();
                // Encoding keeps a processor busy, which belongs on a thread of its own; the write at its end is awaited there.
                blocking(move || {
                    let batch = this.piece(&finished.batch, order.as_ref().as_ref(), start, end)?;
                    handle.block_on(this.encode(&finished, batch))
                })
                .await
            }
        });
        futures::future::try_join_all(pieces).await
    }

    fn name(&self) -> &str {
        self.table.identifier().name()
    }

    /// The rows `start..end` of the sorted order.
    fn piece(&self, batch: &RecordBatch, order: Option<&UInt32Array>, start: usize, end: usize) -> Result<RecordBatch> {
        let Some(order) = order else { return Ok(batch.slice(start, end - start)) };
        let order = order.slice(start, end - start);
        let columns = batch.columns().iter().map(|column| take(column, &order, None)).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(|e| from_arrow(e, self.name()))?;
        RecordBatch::try_new(batch.schema(), columns).map_err(|e| from_arrow(e, self.name()))
    }

    /// The order by store, key and LSN; `None` if the rows stand in it. They come by store and LSN, so a stable sort of each store's
    /// rows by key is enough.
    fn order(&self, finished: &Finished) -> Result<Option<UInt32Array>> {
        let columns: Vec<ArrayRef> = self.key.iter().filter_map(|name| finished.batch.column_by_name(name).cloned()).collect();
        let sorted = |compare: &dyn Fn(u32, u32) -> std::cmp::Ordering| {
            let mut order: Vec<u32> = (0..finished.batch.num_rows() as u32).collect();
            let mut moved = false;
            for (start, end) in &finished.runs {
                let run = &mut order[*start..*end];
                if !run.is_sorted_by(|a, b| compare(*a, *b).is_le()) {
                    run.sort_by(|a, b| compare(*a, *b));
                    moved = true;
                }
            }
            moved.then(|| UInt32Array::from(order))
        };
        if let [key] = columns.as_slice()
            && key.null_count() == 0
        {
            if *key.data_type() == DataType::Int64 {
                let values = key.as_primitive::<Int64Type>().values();
                return Ok(sorted(&|a, b| values[a as usize].cmp(&values[b as usize])));
            }
            if *key.data_type() == DataType::Utf8 {
                let values = key.as_string::<i32>();
                return Ok(sorted(&|a, b| values.value(a as usize).cmp(values.value(b as usize))));
            }
        }
        let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let converted = RowConverter::new(fields).and_then(|converter| converter.convert_columns(&columns));
        let rows = converted.map_err(|e| from_arrow(e, self.name()))?;
        Ok(sorted(&|a, b| rows.row(a as usize).cmp(&rows.row(b as usize))))
    }

    async fn encode(&self, finished: &Finished, batch: RecordBatch) -> Result<DataFile> {
        let metadata = self.table.metadata();
        let spec = metadata.default_partition_spec();
        let partition = Struct::from_iter([Some(Literal::int(finished.bucket)), Some(Literal::date(finished.day))]);
        let key = PartitionKey::new(spec.as_ref().clone(), metadata.current_schema().clone(), partition.clone());
        let write = async {
            let location = DefaultLocationGenerator::new(metadata)?.generate_location(Some(&key), &format!("{}.parquet", Uuid::new_v4()));
            let output = self.table.file_io().new_output(location)?;
            let mut writer = ParquetWriterBuilder::new(properties(&batch), metadata.current_schema().clone()).build(output).await?;
            writer.write(&batch).await?;
            writer.close().await
        };
        let mut files = write.await.map_err(|e| from_iceberg(e, self.name()))?;
        let file = files.pop().map(|mut file| file.partition(partition).partition_spec_id(spec.spec_id()).build());
        match (file, files.is_empty()) {
            (Some(Ok(file)), true) => Ok(file),
            _ => Err(Error::internal("a file of history was not written as one").with("table", self.name())),
        }
    }
}

fn properties(batch: &RecordBatch) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_created_by("relstore".to_owned());
    // Numbers that nearly all differ: their differences are short, and a dictionary of them would be thrown away.
    for column in [system::LSN, system::TS, system::ROWID] {
        let path = ColumnPath::from(column);
        builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    let txids = batch.column_by_name(system::TXID).map(|column| column.as_string::<i32>());
    if let Some(txids) = txids
        && many_values(txids)
    {
        let path = ColumnPath::from(system::TXID);
        builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BYTE_ARRAY);
    }
    builder.build()
}

/// Whether most of a sample of neighbours differ, as where every row is a transaction of its own.
fn many_values(array: &arrow::array::StringArray) -> bool {
    let sample = array.len().min(4096);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in 0..sample {
        *counts.entry(array.value(row)).or_default() += 1;
    }
    counts.len() * 2 > sample
}

/// Runs work that keeps a processor busy beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(Error::internal("the archive was cut off").with_source(e)),
    }
}
