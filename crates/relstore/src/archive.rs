//! From the log to history: ship every store, ingest once, move the cursors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use relstore_cdc::sink::{SegmentSink, Sink};
use relstore_cdc::{Pump, Shipped};
use relstore_lake::{IngestInput, Lake};
use relstore_model::{Error, Lsn, Namespace, Result};
use serde::Serialize;

use crate::RelationalStore;

/// The cursor of the archive: everything up to there is in history.
pub(crate) const ARCHIVE_CURSOR: &str = "archive";
/// The writer's epoch in segment names. A second writer of a store would take the next one; in one folder the lock forbids a second.
const EPOCH: u64 = 1;

/// What an archive run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArchiveReport {
    /// By store: everything up to here is in history.
    pub watermarks: BTreeMap<Namespace, Lsn>,
    /// Rows written into history.
    pub rows: u64,
    /// The same by table.
    pub tables: BTreeMap<String, u64>,
    /// Segments written.
    pub segments: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Changes in them.
    pub changes: u64,
    /// Stores that another process has open: theirs may be behind.
    pub busy: Vec<Namespace>,
    /// Stores whose log was trimmed before they were ever archived, so that they cannot be.
    pub trimmed: Vec<Namespace>,
    /// Time for shipping.
    pub ship_seconds: f64,
    /// Time for history.
    pub ingest_seconds: f64,
}

/// Whether the bucket and the log together still have every change. A store without consumers drops the oldest of its log when that is full, and one
/// with consumers what all of them have passed.
pub(crate) async fn reaches_back(store: &RelationalStore, lake: &Lake) -> Result<bool> {
    let (ns, db) = (store.namespace(), store.database());
    let (range, shipped) = (db.log_range()?, db.cursor(SegmentSink::CURSOR)?);
    // A crash may have left a segment that the cursor does not know of.
    Ok(range.first <= shipped.next() || range.first <= segment_sink(lake, ns).recover(shipped).await?.next())
}

async fn refuse_a_hole(store: &RelationalStore, lake: &Lake) -> Result<()> {
    if reaches_back(store, lake).await? {
        return Ok(());
    }
    let range = store.database().log_range()?;
    let error = Error::not_found("the log was trimmed before the store was archived, so its history would have a hole");
    Err(error.with("ns", store.namespace()).with("log_first_lsn", range.first).with_hint(
        "copy its rows into a new store whose log is held for the archive (archive: true in TypeScript, log_held_for in Rust), and archive that one",
    ))
}

/// Ships one store's log into the bucket.
pub(crate) async fn ship(store: &Arc<RelationalStore>, lake: &Lake) -> Result<Shipped> {
    refuse_a_hole(store, lake).await?;
    let ns = store.namespace().clone();
    if store.is_remote() {
        // Its own pump has shipped it, or is about to.
        let (store, lsn) = (Arc::clone(store), store.high_water());
        let waited = tokio::task::spawn_blocking(move || store.wait_for_bucket(lsn)).await;
        waited.map_err(|e| Error::internal("waiting for the bucket failed").with_source(e))??;
        return Ok(Shipped { watermark: lsn, ..Shipped::default() });
    }
    Pump::new(Arc::clone(store.database()), ns.clone(), Box::new(segment_sink(lake, &ns))).run_until_caught_up().await
}

/// Where the segments of the store `ns` go.
pub(crate) fn segment_sink(lake: &Lake, ns: &Namespace) -> SegmentSink {
    SegmentSink::new(lake.bucket().clone(), ns.clone(), EPOCH)
}

/// Ships the stores, and brings history up to them.
pub(crate) async fn archive(lake: &Lake, stores: &[Arc<RelationalStore>]) -> Result<ArchiveReport> {
    let mut report = ArchiveReport::default();
    let begun = Instant::now();
    let mut input = Vec::with_capacity(stores.len());
    let mut shipped_to = BTreeMap::new();
    for store in stores {
        let shipped = ship(store, lake).await?;
        report.segments += shipped.batches;
        report.segment_bytes += shipped.bytes;
        report.changes += shipped.changes;
        let ns = store.namespace().clone();
        let after = store.database().cursor(ARCHIVE_CURSOR)?;
        report.watermarks.insert(ns.clone(), after);
        if after < shipped.watermark {
            input.push(IngestInput { ns: ns.clone(), after });
        }
        shipped_to.insert(ns, shipped.watermark);
    }
    report.ship_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let ingested = lake.ingest(&input).await?;
    report.ingest_seconds = begun.elapsed().as_secs_f64();
    (report.rows, report.tables) = (ingested.rows, ingested.tables);
    for store in stores {
        let ns = store.namespace();
        let Some(archived) = ingested.offsets.get(ns) else { continue };
        let shipped = shipped_to.get(ns).copied().unwrap_or(Lsn::ZERO);
        assert!(*archived <= shipped && shipped <= store.high_water(), "archived ≤ shipped ≤ committed");
        store.database().advance_cursor(ARCHIVE_CURSOR, *archived)?;
        store.database().trim_log()?;
        report.watermarks.insert(ns.clone(), *archived);
    }
    Ok(report)
}
