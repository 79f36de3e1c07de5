//! What the eviction tests share: a cold source in memory, and a mover.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use relstore_engine::{ColdFile, ColdRows, ColdSource, Database, NewColdFile, Settings};
use relstore_model::{Error, Lsn, Result, Row, Value, ValueRef};
use relstore_testkit::ManualClock;

/// Rows in memory.
pub struct MemoryRows(pub Vec<(i64, Row)>);

impl ColdRows for MemoryRows {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn rowid(&self, row: usize) -> i64 {
        self.0[row].0
    }

    fn cell(&self, row: usize, column: usize) -> ValueRef<'_> {
        self.0[row].1[column].as_ref()
    }
}

/// Files in memory, by path.
#[derive(Default)]
pub struct MemorySource {
    pub files: Mutex<HashMap<String, Arc<MemoryRows>>>,
    pub reads: AtomicU64,
}

impl ColdSource for MemorySource {
    fn read(&self, file: &ColdFile) -> Result<Arc<dyn ColdRows>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let files = self.files.lock().unwrap();
        let rows = files.get(&file.path).ok_or_else(|| Error::unavailable("no such file").with("path", &file.path))?;
        Ok(Arc::clone(rows) as Arc<dyn ColdRows>)
    }
}

/// A store whose rows can be evicted.
pub struct Tiered {
    pub db: Arc<Database>,
    pub source: Arc<MemorySource>,
    pub dir: tempfile::TempDir,
}

pub fn tiered(ddl: &[&str]) -> Tiered {
    let dir = tempfile::tempdir().unwrap();
    let source = Arc::new(MemorySource::default());
    let db = open(&dir, &source);
    for sql in ddl {
        db.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }
    Tiered { db: Arc::new(db), source, dir }
}

pub fn open(dir: &tempfile::TempDir, source: &Arc<MemorySource>) -> Database {
    let db = Database::open(&dir.path().join("store.db"), Settings::default(), Arc::new(ManualClock::new(1_000_000, 1))).unwrap();
    db.set_cold_source(Arc::clone(source) as Arc<dyn ColdSource>);
    db
}

impl Tiered {
    /// Evicts the rows for which `predicate` holds, and gives how many.
    pub fn evict(&self, table: &str, predicate: &str) -> Result<u64> {
        evict(&self.db, &self.source, table, |_| true, predicate)
    }

    /// Runs a statement.
    pub fn run(&self, sql: &str) -> Vec<Row> {
        self.db.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}")).rows
    }

    /// How many rows of the table are in the hot file.
    pub fn hot(&self, table: &str) -> i64 {
        // The file as it is, beside the engine.
        let plain = relstore_engine::sqlite::Connection::open_read_only(&self.dir.path().join("store.db")).unwrap();
        match plain.query(&format!("SELECT count(*) FROM {table}"), &[]).unwrap()[0][0] {
            Value::Integer(n) => n,
            ref other => panic!("{other:?}"),
        }
    }
}

/// As a mover does it: scan, write a file, commit.
pub fn evict(db: &Database, source: &MemorySource, table: &str, mut chosen: impl FnMut(i64) -> bool, predicate: &str) -> Result<u64> {
    let mut rows: Vec<(i64, Row)> = Vec::new();
    let snapshot = db.scan_for_eviction(table, predicate, &[], &mut |rowid, cells| {
        if chosen(rowid) {
            rows.push((rowid, cells.iter().map(|c| c.to_value()).collect()));
        }
        Ok(())
    })?;
    if rows.is_empty() {
        return Ok(0);
    }
    let file = put(source, table, rows);
    db.commit_eviction(table, &[file], snapshot, Lsn::MAX)
}

/// Writes a file.
pub fn put(source: &MemorySource, table: &str, rows: Vec<(i64, Row)>) -> NewColdFile {
    let mut files = source.files.lock().unwrap();
    let path = format!("{table}/{}", files.len());
    let rowids = rows.iter().map(|r| r.0).collect();
    files.insert(path.clone(), Arc::new(MemoryRows(rows)));
    NewColdFile { path, dt: "2026-11-22".into(), rowids }
}
