//! The WAL is taken into the file beside the writers, and a store may be closed at any moment of that.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{assert_log_is_true, open, script, store};
use relstore_engine::{Database, Durability, Settings, SteadyReader};
use relstore_model::Value;
use relstore_testkit::disk::{Call, Disk, Failure, Fault, Part};
use relstore_testkit::{ManualClock, Rng, seeds};

/// A frame of the WAL.
const FRAME_BYTES: u64 = 24 + 4096;
/// A writer that has made so many waits until they are taken in.
const FRAMES_FAR_TOO_MANY: u64 = 4000;
/// Readers are waited for for a moment. On a busy machine one may sleep through it, and is waited for again when there are twice as many.
const FRAMES_MAX: u64 = 4 * FRAMES_FAR_TOO_MANY;

fn wal_bytes(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("store.db-wal")).map_or(0, |m| m.len())
}

fn insert(db: &Database, text: &str) {
    db.execute("INSERT INTO t(text) VALUES(?)", &[Value::from(text)]).unwrap();
}

#[test]
fn under_writes_that_never_pause_it_is_begun_anew_again_and_again() {
    // Each makes some frames: many times the bound in all.
    for (durability, count) in [(Durability::Normal, 20_000), (Durability::Full, 6_000)] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { durability, ..Settings::default() };
        let db = Database::open(&dir.path().join("store.db"), settings, Arc::new(ManualClock::new(1_000_000, 1))).unwrap();
        script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"]);
        let text = "x".repeat(3000);
        let begun = std::time::Instant::now();
        let (is_over, written, largest) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        insert(&db, &text);
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    // As one goes, the other has come: somebody reads all the time.
                    while !is_over.load(Ordering::Relaxed) {
                        db.query("SELECT sum(length(text)) FROM (SELECT text FROM t LIMIT 200)", &[]).unwrap();
                    }
                });
            }
            while written.load(Ordering::Relaxed) < count {
                largest.fetch_max(wal_bytes(dir.path()), Ordering::Relaxed);
                std::thread::yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let frames = largest.load(Ordering::Relaxed) / FRAME_BYTES;
        eprintln!("{durability:?}: {frames} frames at the most, {:?}", begun.elapsed());
        assert!(frames <= FRAMES_MAX, "{durability:?}: {frames} frames");
        assert_log_is_true(&db);
    }
}

#[test]
fn a_snapshot_that_stays_open_holds_it_and_no_longer() {
    let s = store();
    let db = Arc::new(s.db);
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"]);
    let text = "x".repeat(3000);
    let mut reader = SteadyReader::new(Arc::clone(&db), std::time::Duration::from_secs(60)).unwrap();
    while !reader.is_kept() {
        reader.attempt((1, "SELECT count(*) FROM t"), &[], false, &mut |_| Ok(())).unwrap();
    }
    for _ in 0..3000 {
        insert(&db, &text);
    }
    let held = wal_bytes(s.dir.path());
    assert!(held / FRAME_BYTES > 2 * FRAMES_FAR_TOO_MANY, "{held}: it grows, because somebody reads what it began with");
    reader.rest();
    // Begun anew, the file is as large as it was, and is written from its beginning.
    for _ in 0..3000 {
        insert(&db, &text);
    }
    let after = wal_bytes(s.dir.path());
    assert!(after <= held + 2 * FRAMES_FAR_TOO_MANY * FRAME_BYTES, "{held}, then {after}");
}

#[test]
fn a_store_that_is_closed_in_the_middle_of_it_is_whole() {
    for seed in seeds(4) {
        let mut rng = Rng::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let text = "x".repeat(3000);
        let mut count = 0;
        script(&open(&dir), &["CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"]);
        for _ in 0..8 {
            let db = open(&dir);
            for _ in 0..300 + rng.below(200) {
                insert(&db, &text);
                count += 1;
            }
            drop(db);
            assert_eq!(wal_bytes(dir.path()), 0, "RELSTORE_SEED={seed}: nobody has it open any more");
            // Whoever comes next can have it at once: nobody else holds its files.
            let plain = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
            let sound: String = plain.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            let found: i64 = plain.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!((sound.as_str(), found), ("ok", count), "RELSTORE_SEED={seed}");
        }
        assert_log_is_true(&open(&dir));
    }
}

#[test]
fn a_thread_that_must_not_wait_for_it_is_told_so() {
    let s = store();
    let db = Arc::new(s.db);
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"]);
    let count = || db.try_transaction(|tx| tx.execute("INSERT INTO t(text) VALUES('y')", &[]).map(|outcome| outcome.changes)).unwrap();
    assert_eq!(count(), Some(1));
    // One commit that is far ahead by itself.
    let mut rows = (0..6000).map(|_| vec![Value::from("x".repeat(3000))]);
    db.transaction(|tx| tx.execute_many("INSERT INTO t(text) VALUES(?)", &mut rows)).unwrap();
    assert!(count().is_none() && db.try_begin().unwrap().is_none());
    db.catch_up().unwrap();
    assert_eq!(count(), Some(1));
    assert!(db.try_begin().unwrap().is_some());
    assert_log_is_true(&db);
}

#[test]
fn where_the_thread_cannot_open_the_file_the_writer_does_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::attach(dir.path());
    let db = open(&dir);
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"]);
    // As where the process has no file left to open: what is open goes on.
    disk.fail(Fault { call: Call::Open, part: Part::Any, nth: 1, failure: Failure::CannotOpen, lasts: true });
    let text = "x".repeat(3000);
    let mut largest = 0;
    for _ in 0..6000 {
        insert(&db, &text);
        largest = largest.max(wal_bytes(dir.path()));
    }
    assert!(disk.heal() > 0, "the thread tried");
    // Every second time it is the writer that takes it in, and nobody reads.
    assert!(largest / FRAME_BYTES < FRAMES_MAX, "{} frames", largest / FRAME_BYTES);
    assert_log_is_true(&db);
}
