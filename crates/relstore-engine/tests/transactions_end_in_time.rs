//! A transaction that is open for too long is rolled back and says so, and the store works on.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{assert_log_is_true, script};
use relstore_engine::{Database, Retry, Settings};
use relstore_model::{Error, ErrorKind, Value};
use relstore_testkit::ManualClock;

const TIMEOUT: Duration = Duration::from_millis(40);
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";

fn open(dir: &tempfile::TempDir) -> Database {
    let settings = Settings { transaction_timeout: Some(TIMEOUT), ..Settings::default() };
    let db = Database::open(&dir.path().join("store.db"), settings, Arc::new(ManualClock::new(1_000_000, 1))).unwrap();
    script(&db, &["CREATE TABLE t(x)", "INSERT INTO t VALUES(0)"]);
    db
}

fn check(db: &Database, body: impl Fn(&relstore_engine::Transaction<'_>) -> Result<(), Error>) {
    let begun = Instant::now();
    let error = db.transaction(|tx| {
        tx.execute("INSERT INTO t VALUES(1)", &[])?;
        body(tx)
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.message().contains("open for too long"), "{error}");
    assert!(begun.elapsed() >= TIMEOUT);
    assert_eq!(db.query("SELECT count(*) FROM t", &[]).unwrap().rows[0][0], Value::Integer(1));
    assert_log_is_true(db);
}

fn wait_over() {
    let begun = Instant::now();
    while begun.elapsed() <= TIMEOUT {
        std::thread::yield_now();
    }
}

#[test]
fn a_transaction_that_outlives_its_timeout_is_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    // A statement that runs on, one that writes meanwhile, one that begins too late, and a body that only dawdles.
    check(&db, |tx| tx.execute(ENDLESS, &[]).map(|_| ()));
    check(&db, |tx| tx.execute(&format!("INSERT INTO t {ENDLESS}"), &[]).map(|_| ()));
    check(&db, |tx| {
        wait_over();
        tx.execute("INSERT INTO t VALUES(2)", &[]).map(|_| ())
    });
    check(&db, |_| {
        wait_over();
        Ok(())
    });
    // One that swallows the error does not commit what is left.
    check(&db, |tx| {
        let _ = tx.execute(ENDLESS, &[]);
        Ok(())
    });
    // Reads on snapshots have limits of their own.
    db.transaction(|tx| tx.execute("DELETE FROM t", &[])).unwrap();
    assert_log_is_true(&db);
}

#[test]
fn a_retry_runs_the_transaction_again() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    let mut attempts = 0;
    Retry::default()
        .run(|| {
            attempts += 1;
            db.transaction(|tx| {
                tx.execute("INSERT INTO t VALUES(?)", &[Value::Integer(attempts)])?;
                if attempts == 1 {
                    wait_over();
                }
                Ok::<_, Error>(())
            })
        })
        .unwrap();
    assert_eq!(attempts, 2);
    assert_eq!(db.query("SELECT group_concat(x) FROM t", &[]).unwrap().rows[0][0], Value::from("0,2"));
}
