//! Parquet in memory, as views and evicted rows have it.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use relstore_model::{Error, Result};

/// One batch as a Parquet file, zstd level 1.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let write = || {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
        let mut out = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.close()?;
        Ok::<_, parquet::errors::ParquetError>(out)
    };
    write().map_err(|e| Error::internal("rows cannot be written as Parquet").with_source(e))
}

/// All batches of a Parquet file.
///
/// # Errors
/// `Corrupt`, naming `path`, if the bytes are no Parquet.
pub(crate) fn decode(path: &str, bytes: Bytes) -> Result<Vec<RecordBatch>> {
    let read = || {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(usize::from(u16::MAX)).build()?;
        reader.collect::<Result<Vec<_>, _>>().map_err(parquet::errors::ParquetError::from)
    };
    read().map_err(|e| Error::corrupt("a Parquet file cannot be read").with("path", path).with_source(e))
}
