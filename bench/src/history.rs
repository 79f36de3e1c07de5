//! The archive and the restore, each against the least that has to be done: encoding the same rows as Parquet, inserting them into SQLite.

use std::time::Instant;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use relstore::model::{Error, Namespace, Result, Value};
use relstore::{At, Fleet};

use crate::flights::{CREATE, INSERT};
use crate::{Line, capture, median};

/// Both, each round on a new installation.
pub(crate) async fn archive_and_restore(rows: &[Vec<Value>], rounds: usize) -> Result<Vec<Line>> {
    let ns = Namespace::new("bench")?;
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut note = String::new();
    for _ in 0..rounds {
        let dir = tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))?;
        let fleet = Fleet::create(&dir.path().join("fleet")).await?;
        let store = fleet.store(&ns)?;
        store.sql(CREATE, &[])?;
        for chunk in rows.chunks(10_000) {
            store.transaction(|tx| chunk.iter().try_for_each(|row| tx.sql(INSERT, row).map(|_| ())))?;
        }
        let per_second = |n: u64, seconds: f64| n as f64 / seconds;
        let report = fleet.archive().await?;
        rates[0].push(per_second(report.rows, report.ship_seconds + report.ingest_seconds));
        note = format!("{:.1} B a change in segments", report.segment_bytes as f64 / report.changes as f64);
        let batches = history_rows(&dir.path().join("fleet")).await?;
        rates[1].push(encode(&batches)?);
        let begun = Instant::now();
        let restored = fleet.restore(&ns, At::Lsn(store.high_water()), &dir.path().join("restored")).await?;
        rates[2].push(per_second(restored.rows, begun.elapsed().as_secs_f64()));
        rates[3].push(capture::bare(rows, rows.len())?);
    }
    let [archive, parquet, restore, bare] = rates.map(median);
    Ok(vec![
        Line {
            what: "archive: log to Iceberg",
            unit: "rows/s",
            ours: archive,
            peer: "Parquet encoding alone, 1 thread",
            theirs: parquet,
            note,
        },
        Line {
            what: "restore into a new folder",
            unit: "rows/s",
            ours: restore,
            peer: "rusqlite, one transaction",
            theirs: bare,
            note: "with log, checks and the rename".into(),
        },
    ])
}

/// The history of the flights as Arrow, already in memory.
async fn history_rows(dir: &std::path::Path) -> Result<Vec<RecordBatch>> {
    let bucket = relstore_bucket(dir)?;
    let lake = relstore_lake::Lake::open(bucket, &dir.join("catalog.db"))?;
    let table = lake.load("flights").await?;
    let failed = |e: iceberg::Error| Error::internal("the history cannot be read").with_source(e);
    let scan = table.scan().select_all().build().map_err(failed)?;
    scan.to_arrow().await.map_err(failed)?.try_collect().await.map_err(failed)
}

fn relstore_bucket(dir: &std::path::Path) -> Result<relstore_cdc::bucket::Bucket> {
    relstore_cdc::bucket::Bucket::local(&dir.join("bucket"))
}

/// Rows a second of nothing but Parquet with zstd 1.
fn encode(batches: &[RecordBatch]) -> Result<f64> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let failed = |e: parquet::errors::ParquetError| Error::internal("Parquet failed").with_source(e);
    let level = ZstdLevel::try_new(1).map_err(failed)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let Some(first) = batches.first() else { return Err(Error::internal("no history")) };
    let begun = Instant::now();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, first.schema(), Some(properties)).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}
