//! Queries that may take a moment, and share a snapshot while nothing is committed.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use common::{script, store};
use relstore_engine::{Attempted, Database, Durability, Settings, SteadyReader};
use relstore_model::{ErrorKind, Value, ValueRef};
use relstore_testkit::ManualClock;

/// Longer than anything here takes, on however busy a machine.
const LONG: Duration = Duration::from_secs(60);

fn shared() -> (Arc<Database>, tempfile::TempDir) {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)"]);
    (Arc::new(s.db), s.dir)
}

/// The one integer that a query gives.
fn integer(reader: &mut SteadyReader, held: (u64, &str)) -> i64 {
    let mut found = None;
    let attempted = reader.attempt(held, &[], false, &mut |row| {
        let ValueRef::Integer(i) = row[0] else { panic!("{row:?}") };
        found = Some(i);
        Ok(())
    });
    assert!(matches!(attempted.unwrap(), Attempted::Done(_)));
    found.unwrap()
}

const COUNT_T: (u64, &str) = (1, "SELECT count(*) FROM t");

/// Queries until one has left its snapshot open: each must come soon after the one before, which a busy machine may prevent.
fn keep(reader: &mut SteadyReader) -> i64 {
    loop {
        let count = integer(reader, COUNT_T);
        if reader.is_kept() {
            return count;
        }
    }
}

#[test]
fn a_snapshot_is_kept_until_something_is_committed() {
    let (db, _dir) = shared();
    let mut reader = SteadyReader::new(Arc::clone(&db), LONG).unwrap();
    for expected in 0..20 {
        assert_eq!(keep(&mut reader), expected);
        assert_eq!(integer(&mut reader, COUNT_T), expected, "the same snapshot");
        db.execute("INSERT INTO t(name) VALUES(?)", &[Value::from(format!("n{expected}"))]).unwrap();
        assert_eq!(integer(&mut reader, COUNT_T), expected + 1, "the commit before is seen");
    }
    reader.rest();
    assert!(!reader.is_kept());
    assert_eq!(integer(&mut reader, COUNT_T), 20);
}

#[test]
fn changes_of_shape_are_seen_too() {
    let (db, _dir) = shared();
    let mut reader = SteadyReader::new(Arc::clone(&db), LONG).unwrap();
    keep(&mut reader);
    script(&db, &["ALTER TABLE t ADD COLUMN n INTEGER NOT NULL DEFAULT 7", "INSERT INTO t(name) VALUES('a')"]);
    assert_eq!(integer(&mut reader, (2, "SELECT n FROM t")), 7);
    keep(&mut reader);
    script(&db, &["DROP TABLE t", "CREATE TABLE t(only TEXT)", "INSERT INTO t VALUES('x'),('y')"]);
    assert_eq!(integer(&mut reader, COUNT_T), 2, "a held statement is of the table that is there now");
    let mut columns = 0;
    reader
        .attempt((3, "SELECT * FROM t"), &[], false, &mut |row| {
            columns = row.len();
            Ok(())
        })
        .unwrap();
    assert_eq!(columns, 1);
}

#[test]
fn what_another_thread_was_told_is_committed_is_seen() {
    for durability in [Durability::Normal, Durability::Full] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { durability, ..Settings::default() };
        let clock = Arc::new(ManualClock::new(1_000_000, 1));
        let db = Arc::new(Database::open(&dir.path().join("store.db"), settings, clock).unwrap());
        script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
        let acknowledged = AtomicI64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=500 {
                    db.execute("INSERT INTO t VALUES(?)", &[Value::Integer(n)]).unwrap();
                    acknowledged.store(n, Ordering::SeqCst);
                }
            });
            let mut reader = SteadyReader::new(Arc::clone(&db), LONG).unwrap();
            let mut last = 0;
            while last < 500 {
                let before = acknowledged.load(Ordering::SeqCst);
                let seen = integer(&mut reader, COUNT_T);
                assert!(seen >= before && seen >= last, "{durability:?}: {seen} of {before}, after {last}");
                last = seen;
            }
        });
    }
}

#[test]
fn a_snapshot_that_was_ended_does_not_keep_the_wal() {
    let (db, dir) = shared();
    let mut reader = SteadyReader::new(Arc::clone(&db), LONG).unwrap();
    keep(&mut reader);
    let checkpoint = || {
        let busy = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
        busy.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    script(&db, &["INSERT INTO t(name) VALUES('a')"]);
    assert_eq!(checkpoint(), 1, "its frames are those of an open snapshot");
    reader.rest();
    assert_eq!(checkpoint(), 0);
    assert_eq!(integer(&mut reader, COUNT_T), 1);
}

/// A query that counts to its parameter, in one step of many instructions.
const COUNT: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<?) SELECT count(*) FROM c";

#[test]
fn a_query_that_takes_long_is_late_and_the_next_is_not_disturbed() {
    let (db, _dir) = shared();
    script(&db, &["INSERT INTO t(name) VALUES('a')"]);
    let mut reader = SteadyReader::new(Arc::clone(&db), Duration::from_millis(5)).unwrap();
    let mut attempt = |number: u64, sql: &str, params: &[ValueRef<'_>]| {
        let mut rows = 0;
        let attempted = reader.attempt((number, sql), params, false, &mut |_| {
            rows += 1;
            Ok(())
        });
        (attempted, rows)
    };
    for _ in 0..3 {
        let begun = Instant::now();
        let (attempted, _) = attempt(1, COUNT, &[ValueRef::Integer(1_000_000_000)]);
        assert!(matches!(attempted.unwrap(), Attempted::Late));
        assert!(begun.elapsed() < Duration::from_secs(5), "it would take minutes");
        for _ in 0..1000 {
            let (attempted, rows) = attempt(2, "SELECT name FROM t WHERE id=?", &[ValueRef::Integer(1)]);
            // On a machine that is busy with other things even this may be late; it is never an error, and never a wrong answer.
            match attempted.unwrap() {
                Attempted::Done(_) => assert_eq!(rows, 1),
                Attempted::Late => {}
                Attempted::Writes => panic!("it reads"),
            }
        }
    }
}

#[test]
fn what_is_no_query_is_not_run() {
    let (db, _dir) = shared();
    let mut reader = SteadyReader::new(Arc::clone(&db), LONG).unwrap();
    for _ in 0..2 {
        keep(&mut reader);
        for (number, sql) in [(11, "INSERT INTO t(name) VALUES('x')"), (12, "SELECT * FROM nowhere")] {
            let attempted = reader.attempt((number, sql), &[], false, &mut |_| Ok(())).unwrap();
            assert!(matches!(attempted, Attempted::Writes), "{sql}: the writer judges it");
        }
        assert_eq!(reader.attempt((13, "SELEC 1"), &[], false, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Invalid);
        let attempted = reader.attempt((14, "SELECT id, name FROM t"), &[], true, &mut |_| Ok(())).unwrap();
        let Attempted::Done(outcome) = attempted else { panic!("it reads") };
        assert_eq!(outcome.columns, ["id", "name"]);
        assert_eq!(integer(&mut reader, COUNT_T), 0);
    }
}
