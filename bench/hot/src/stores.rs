//! What a store costs: to open, and to keep open; and what a subscriber costs its writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use relstore_cdc::Subscription;
use relstore_engine::{Database, Settings};
use relstore_model::event::Images;
use relstore_model::{Error, Lsn, Namespace, Result};

use crate::stopwatch::Stopwatch;
use crate::{median, ours, shop};

const STORES: usize = 200;
const ROWS: usize = 60_000;

fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))
}

/// Bytes of the process that are in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Prints how long a store takes to open and how much memory it has when it is idle.
pub(crate) fn report_opening() -> Result<()> {
    let dir = folder()?;
    let path = |i: usize| dir.path().join(i.to_string());
    for i in 0..STORES {
        std::fs::create_dir_all(path(i)).map_err(|e| Error::unavailable("no folder").with_source(e))?;
        let db = ours::open(&path(i), Settings::default())?;
        for table in shop::TABLES {
            db.execute(table, &[])?;
        }
        ours::many(&db, shop::INSERT_USER, &(0..100).map(shop::user).collect::<Vec<_>>(), 10)?;
    }
    let before = resident_bytes();
    let mut open: Vec<Database> = Vec::new();
    let mut millis = Vec::new();
    for i in 0..STORES {
        let begun = Instant::now();
        open.push(ours::open(&path(i), Settings::default())?);
        millis.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let each = (resident_bytes() - before) / STORES as u64 / 1024;
    println!("opening a store of 3 tables: {:.2} ms at the median of {STORES}; idle, it has {each} KiB", median(millis));
    drop(open);
    Ok(())
}

fn bulk(db: &Database) -> Result<f64> {
    let orders: Vec<_> = (0..ROWS).map(shop::order).collect();
    let begun = Stopwatch::start();
    ours::many(db, shop::INSERT_ORDER, &orders, shop::ROWS_PER_COMMIT)?;
    Ok(begun.rate(ROWS).cpu)
}

fn prepared(dir: &tempfile::TempDir) -> Result<Arc<Database>> {
    let db = ours::open(dir.path(), Settings::default())?;
    for table in shop::TABLES {
        db.execute(table, &[])?;
    }
    ours::many(&db, shop::INSERT_USER, &(0..shop::USERS).map(shop::user).collect::<Vec<_>>(), shop::USERS)?;
    Ok(Arc::new(db))
}

/// Prints what a subscriber costs the writer's thread.
pub(crate) fn report_subscriber(rounds: usize) -> Result<()> {
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let dir = folder()?;
        let alone = bulk(&*prepared(&dir)?)?;
        let dir = folder()?;
        let db = prepared(&dir)?;
        let seen = Arc::new(AtomicU64::new(0));
        let sees = Arc::clone(&seen);
        let subscription =
            Subscription::start(Arc::clone(&db), Namespace::new("bench")?, Lsn::ZERO, Images::Changed, move |events: &[_]| {
                sees.fetch_add(events.len() as u64, Ordering::Relaxed);
            })?;
        let beside = bulk(&db)?;
        subscription.wait_for(db.high_water())?;
        if seen.load(Ordering::Relaxed) != db.high_water().get() {
            return Err(Error::internal("the subscriber has not seen every change"));
        }
        ratios.push(beside / alone);
    }
    println!("a subscriber beside the writer: {:.1} % more CPU time of the writer's thread", (1.0 / median(ratios) - 1.0) * 100.0);
    Ok(())
}
