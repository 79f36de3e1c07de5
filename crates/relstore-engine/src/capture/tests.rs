//! What no statement of a user's can bring about: a hook that fails, a write past the API, a log row too large.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use relstore_model::change::codec::unpack;
use relstore_model::{Change, Error, ErrorKind, Lsn, Result, Value};
use relstore_testkit::ManualClock;
use rusqlite::ffi;

use super::*;
use crate::{Database, Settings, Transaction};

thread_local! {
    /// After how many more calls of SQLite's the capture panics; negative: never.
    static CALLS_TO_PANIC: Cell<i64> = const { Cell::new(-1) };
}

/// Called inside every callback.
pub(super) fn panic_if_asked() {
    let left = CALLS_TO_PANIC.get();
    CALLS_TO_PANIC.set(left - 1);
    assert!(left != 0, "asked to");
}

fn open() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(&dir.path().join("s.db"), Settings::default(), Arc::new(ManualClock::new(0, 1))).unwrap();
    for sql in ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, zeroblob(10))"] {
        db.execute(sql, &[]).unwrap();
    }
    (dir, db)
}

/// The rows, and the letters of the log.
fn seen(db: &Database) -> (Vec<relstore_model::Row>, String) {
    let letter = |c: &Change| if let Change::Row(row) = c { row.op.letter() } else { "S" };
    let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    let letters = commits.iter().flat_map(|c| unpack(&c.packed).unwrap()).map(|c| letter(&c)).collect();
    (db.query("SELECT id, v FROM t ORDER BY id", &[]).unwrap().rows, letters)
}

/// The transaction is refused, leaves no trace, and the store works on.
fn check_refused(db: &Database, kind: ErrorKind, why: &str, body: impl FnOnce(&Transaction<'_>) -> Result<()>) {
    let before = (seen(db), db.high_water());
    let error = db.transaction(|tx| body(tx)).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(why), "{error}");
    assert_eq!((seen(db), db.high_water()), before);
    db.execute("INSERT INTO t(v) VALUES('after')", &[]).unwrap();
    let after = seen(db);
    assert_eq!(after.0.len(), before.0.0.len() + 1);
    assert_eq!(after.1, before.0.1 + "c");
}

#[test]
fn a_capture_that_panics_fails_the_commit() {
    let (_dir, db) = open();
    // The first callbacks are the participant's on enlisting; then come savepoints and the hook, and COMMIT's.
    for calls in 0..8 {
        check_refused(&db, ErrorKind::Internal, "panicked", |tx| {
            CALLS_TO_PANIC.set(calls);
            tx.execute("INSERT INTO t(v) VALUES(2), (3)", &[])?;
            tx.transaction(|tx| tx.execute("UPDATE t SET v=4", &[]).map(|_| ()))?;
            tx.transaction(|tx| tx.execute("UPDATE t SET v=5", &[]).map(|_| ()))
        });
        assert!(CALLS_TO_PANIC.get() < 0);
    }
}

#[test]
fn an_incremental_blob_write_fails_the_commit() {
    let (_dir, db) = open();
    check_refused(&db, ErrorKind::Internal, "blob write", |tx| {
        tx.execute("INSERT INTO t(v) VALUES('beside')", &[])?;
        // SAFETY: the connection is open, and the blob is closed before it.
        unsafe {
            let handle = tx.writer().connection.inner.handle();
            let mut blob = std::ptr::null_mut();
            let code = ffi::sqlite3_blob_open(handle, c"main".as_ptr(), c"t".as_ptr(), c"v".as_ptr(), 1, 1, &raw mut blob);
            assert_eq!(code, ffi::SQLITE_OK);
            assert_eq!(ffi::sqlite3_blob_write(blob, b"hey".as_ptr().cast::<c_void>(), 3, 0), ffi::SQLITE_OK);
            ffi::sqlite3_blob_close(blob);
        }
        Ok(())
    });
}

#[test]
fn a_transaction_larger_than_a_log_row_is_refused() {
    let (_dir, db) = open();
    db.write(|writer| {
        writer.capture().with(|s| s.packed_bytes_max = 10_000);
        Ok::<_, Error>(())
    })
    .unwrap();
    check_refused(&db, ErrorKind::Invalid, "more than one commit can hold", |tx| {
        for _ in 0..100 {
            tx.execute("INSERT INTO t(v) VALUES(?)", &[Value::Blob(vec![7; 1000])])?;
        }
        assert!(tx.writer().capture().with(|s| s.packed.capacity()) < 20_000, "what is refused is not kept");
        Ok(())
    });
    // What is undone does not count, as long as it fits.
    db.transaction(|tx| {
        for _ in 0..100 {
            let undone: Result<()> = tx.transaction(|tx| {
                tx.execute("INSERT INTO t(v) VALUES(?)", &[Value::Blob(vec![7; 5000])])?;
                Err(Error::invalid("no"))
            });
            undone.unwrap_err();
        }
        tx.execute("INSERT INTO t(v) VALUES(?)", &[Value::Blob(vec![7; 5000])]).map(|_| ())
    })
    .unwrap();
    check_refused(&db, ErrorKind::Invalid, "more than one commit can hold", |tx| {
        tx.execute("CREATE TABLE u AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT i FROM n", &[])?;
        Ok(())
    });
}

#[test]
fn a_log_row_that_sqlite_refuses_fails_the_commit() {
    let (_dir, db) = open();
    db.write(|writer| {
        writer.capture().with(|s| s.packed_bytes_max = usize::MAX);
        writer.connection.inner.set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 20_000).unwrap();
        Ok::<_, Error>(())
    })
    .unwrap();
    check_refused(&db, ErrorKind::Invalid, "too big", |tx| {
        for _ in 0..30 {
            tx.execute("INSERT INTO t(v) VALUES(?)", &[Value::Blob(vec![7; 1000])])?;
        }
        Ok(())
    });
}

#[test]
fn a_savepoint_older_than_the_capture_is_undone_too() {
    let (_dir, db) = open();
    db.write(|writer| {
        let run = |sql: &str| writer.internally(|c| c.execute(sql, &[])).map(|_| ());
        // As if the participant were enlisted late: its part in the transaction ends, and begins again inside a savepoint.
        run("/*rs*/ ROLLBACK")?;
        writer.capture().clear();
        run("/*rs*/ BEGIN IMMEDIATE")?;
        run("/*rs*/ SAVEPOINT a")?;
        writer.capture().run(Step::Enlist)?;
        run("INSERT INTO t VALUES(2, 'x')")?;
        run("/*rs*/ SAVEPOINT b")?;
        run("INSERT INTO t VALUES(3, 'x')")?;
        run("/*rs*/ ROLLBACK TO b")?;
        run("INSERT INTO t VALUES(4, 'x')")?;
        assert_eq!(writer.capture().count(), 2);
        run("/*rs*/ ROLLBACK TO a")?;
        assert_eq!(writer.capture().count(), 0);
        run("INSERT INTO t VALUES(5, 'x')")
    })
    .unwrap();
    let (rows, letters) = seen(&db);
    assert_eq!((rows.len(), letters.as_str()), (2, "Scc"));
}
