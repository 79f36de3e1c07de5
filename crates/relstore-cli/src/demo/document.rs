//! The document that `relstore demo --json` prints: its keys are a contract.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use relstore::model::{Error, Namespace, Result};
use relstore::{Fleet, ViewReport};
use serde::Serialize;
use serde_json::Value as Json;

/// What the demo found.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    /// Rows inserted by the load, in all stores.
    pub(crate) rows_loaded: u64,
    pub(crate) stores: u64,
    /// Events that the subscribers were given, in all.
    pub(crate) events: u64,
    /// By store: the position of its last change.
    pub(crate) last_lsn: BTreeMap<Namespace, u64>,
    pub(crate) segments: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) iceberg: Iceberg,
    pub(crate) view: View,
    pub(crate) evicted_rows: u64,
    pub(crate) answers_equal_after_eviction: bool,
    pub(crate) restore: Restore,
    pub(crate) cross_store: CrossStore,
    pub(crate) seconds: Seconds,
}

/// The history tables. Paths are absolute.
#[derive(Debug, Serialize)]
pub(crate) struct Iceberg {
    pub(crate) catalog: PathBuf,
    pub(crate) tables: BTreeMap<String, HistoryEntry>,
}

/// One history table.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryEntry {
    pub(crate) rows: u64,
    pub(crate) snapshots: u64,
    pub(crate) metadata: String,
}

/// The view as it ends. Its files are relative to the bucket.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) partitions: u64,
    pub(crate) rows: u64,
    pub(crate) files: Vec<String>,
}

/// The restore to just before the accident.
#[derive(Debug, Serialize)]
pub(crate) struct Restore {
    pub(crate) lsn: u64,
    pub(crate) rows: u64,
    /// Whether every table of the restored store has the rows that the store had before the accident.
    pub(crate) equal: bool,
}

/// The query over all stores and its answer.
#[derive(Debug, Serialize)]
pub(crate) struct CrossStore {
    pub(crate) sql: String,
    pub(crate) rows: Vec<Json>,
}

/// What took how long.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Seconds {
    pub(crate) decode: f64,
    pub(crate) load: f64,
    pub(crate) typed: f64,
    pub(crate) archive: f64,
    pub(crate) view: f64,
    pub(crate) evict: f64,
    pub(crate) query: f64,
    pub(crate) restore: f64,
    pub(crate) total: f64,
}

impl Document {
    /// Whether every comparison of the demo went well.
    pub(crate) fn is_sound(&self) -> bool {
        self.answers_equal_after_eviction && self.restore.equal
    }
}

impl Iceberg {
    /// The history of a fleet as it is now.
    pub(crate) async fn of(fleet: &Fleet) -> Result<Self> {
        let path = fleet.catalog_path();
        let catalog = std::path::absolute(&path)
            .map_err(|e| Error::unavailable("the working directory is gone").with("path", path.display()).with_source(e))?;
        let entry = |table: relstore::HistoryTable| {
            let location = &table.metadata_location;
            let metadata = location.strip_prefix("file://").unwrap_or(location).to_owned();
            (table.name, HistoryEntry { rows: table.rows, snapshots: table.snapshots as u64, metadata })
        };
        Ok(Self { catalog, tables: fleet.history().await?.into_iter().map(entry).collect() })
    }
}

impl From<ViewReport> for View {
    fn from(report: ViewReport) -> Self {
        Self { name: report.name, partitions: report.partitions, rows: report.rows, files: report.files }
    }
}

/// Runs `work` and adds the time it took to `seconds`.
pub(crate) fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let value = work();
    let time = started.elapsed();
    *seconds += time.as_secs_f64();
    (value, time)
}

/// As [`timed`], for what waits.
pub(crate) async fn timed_async<T>(seconds: &mut f64, work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let value = work.await;
    let time = started.elapsed();
    *seconds += time.as_secs_f64();
    (value, time)
}
