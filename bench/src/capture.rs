//! What capture costs: the same statements on the engine and on bare rusqlite with the same settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use relstore::SystemClock;
use relstore::engine::{Database, Settings};
use relstore::model::{Error, Result, Value};

use crate::flights::{CREATE, INSERT};
use crate::{Line, side_by_side};

const ROWS_PER_COMMIT: usize = 1000;
const SINGLE_COMMITS: usize = 20_000;

fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))
}

fn ours(rows: &[Vec<Value>], per_commit: usize) -> Result<f64> {
    let dir = folder()?;
    let db = Database::open(&dir.path().join("store.db"), Settings::default(), Arc::new(SystemClock))?;
    db.execute(CREATE, &[])?;
    let begun = Instant::now();
    for chunk in rows.chunks(per_commit) {
        db.transaction(|tx| {
            for row in chunk {
                tx.execute_each(INSERT, row, &mut |_| Ok(()))?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(rows.len() as f64 / begun.elapsed().as_secs_f64())
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

fn bare_file(path: &Path, rows: &[Vec<Value>], per_commit: usize) -> rusqlite::Result<f64> {
    let db = rusqlite::Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY",
    )?;
    db.execute_batch(CREATE)?;
    let begun = Instant::now();
    for chunk in rows.chunks(per_commit) {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for row in chunk {
            db.prepare_cached(INSERT)?.execute(rusqlite::params_from_iter(row.iter().map(Bound)))?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(rows.len() as f64 / begun.elapsed().as_secs_f64())
}

/// The same on bare rusqlite: no capture, no log.
pub(crate) fn bare(rows: &[Vec<Value>], per_commit: usize) -> Result<f64> {
    let dir = folder()?;
    bare_file(&dir.path().join("bare.db"), rows, per_commit).map_err(|e| Error::internal("bare SQLite failed").with_source(e))
}

/// Rows in commits of a thousand.
pub(crate) fn bulk_insert(rows: &[Vec<Value>], rounds: usize) -> Result<Line> {
    let (ours, theirs) = side_by_side(rounds, || ours(rows, ROWS_PER_COMMIT), || bare(rows, ROWS_PER_COMMIT))?;
    let note = format!("{ROWS_PER_COMMIT} rows a commit");
    Ok(Line { what: "bulk insert, capture on", unit: "rows/s", ours, peer: "rusqlite", theirs, note })
}

/// Rows in commits of their own.
pub(crate) fn one_row_commits(rows: &[Vec<Value>], rounds: usize) -> Result<Line> {
    let rows = &rows[..rows.len().min(SINGLE_COMMITS)];
    let (ours, theirs) = side_by_side(rounds, || ours(rows, 1), || bare(rows, 1))?;
    Ok(Line { what: "one-row commits, capture on", unit: "commits/s", ours, peer: "rusqlite", theirs, note: "synchronous=NORMAL".into() })
}
