//! Statements that come at the same time are committed together, and each has the outcome of running alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::{assert_log_is_true, script};
use relstore_engine::{Database, Durability, Settings};
use relstore_model::{Error, ErrorKind, Lsn, Value};
use relstore_testkit::ManualClock;

fn open(dir: &Path, durability: Durability) -> Database {
    let settings = Settings { durability, ..Settings::default() };
    Database::open(&dir.join("store.db"), settings, Arc::new(ManualClock::new(1_000_000, 1))).unwrap()
}

/// Holds the writer until all `callers` are waiting for it, so that they are one group; gives their outcomes in the order of the callers.
fn together(db: &Database, callers: usize, statement: impl Fn(usize) -> String + Sync) -> Vec<Result<u64, Error>> {
    let outcomes: Vec<Mutex<Option<Result<u64, Error>>>> = (0..callers).map(|_| Mutex::new(None)).collect();
    let begun = Barrier::new(callers + 1);
    thread::scope(|scope| {
        for (i, outcome) in outcomes.iter().enumerate() {
            let (begun, statement) = (&begun, &statement);
            scope.spawn(move || {
                begun.wait();
                *outcome.lock().unwrap() = Some(db.execute(&statement(i), &[]).map(|o| o.changes));
            });
        }
        db.transaction(|_| {
            begun.wait();
            while db.waiting_count() < callers {
                thread::yield_now();
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    });
    outcomes.into_iter().map(|o| o.into_inner().unwrap().unwrap()).collect()
}

const TABLES: &[&str] = &[
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE CHECK(v<>'bad'))",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
];

fn check(durability: Durability) {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), durability);
    script(&db, TABLES);
    let heard: Arc<Mutex<Vec<Lsn>>> = Arc::default();
    let hears = Arc::clone(&heard);
    let _listening = db.on_commit(move |lsn| hears.lock().unwrap().push(lsn));

    // Plain inserts, some of which break a constraint: those alone are refused.
    let before = db.high_water().get();
    let outcomes = together(&db, 40, |i| match i % 4 {
        3 => format!("INSERT INTO t VALUES({i}, 'bad')"),
        _ => format!("INSERT INTO t VALUES({i}, {i})"),
    });
    for (i, outcome) in outcomes.iter().enumerate() {
        match i % 4 {
            3 => assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Constraint),
            _ => assert_eq!(*outcome.as_ref().unwrap(), 1),
        }
    }
    assert_eq!(db.high_water().get(), before + 30);
    let commits = db.commits_after(Lsn::new(before), usize::MAX).unwrap();
    assert_eq!(commits.iter().map(|c| c.count).collect::<Vec<_>>(), [1; 30], "each is a commit of its own in the log");

    // One that leaves a part of itself when it fails, one that breaks a deferred key, one that ends the transaction, one that changes the
    // shape: the others do not notice.
    let outcomes = together(&db, 6, |i| {
        match i {
            0 => "INSERT OR FAIL INTO t VALUES(100, 100), (101, 'bad'), (102, 102)",
            1 => "INSERT INTO c VALUES(1, 12345)",
            2 => "INSERT OR ROLLBACK INTO t VALUES(103, 'bad')",
            3 => "CREATE TABLE made(x)",
            4 => "INSERT INTO c VALUES(2, 0)",
            _ => "UPDATE t SET v=-v WHERE id<10 AND v>0",
        }
        .to_owned()
    });
    let kinds: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_err(|e| e.kind()).copied()).collect();
    let refused = Err(ErrorKind::Constraint);
    assert_eq!(kinds, [refused, refused, refused, Ok(0), Ok(1), Ok(7)]);
    assert_eq!(db.query("SELECT count(*) FROM t WHERE id>=100", &[]).unwrap().rows[0][0], Value::Integer(0));
    assert_log_is_true(&db);
    let heard = heard.lock().unwrap();
    assert!(heard.is_sorted() && heard.last() == Some(&db.high_water()), "{heard:?}");
}

#[test]
fn each_statement_of_a_group_has_its_own_outcome() {
    check(Durability::Normal);
    check(Durability::Full);
}

#[test]
fn many_threads_lose_nothing_and_count_right() {
    const THREADS: usize = 16;
    const EACH: usize = 60;
    for durability in [Durability::Normal, Durability::Full] {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path(), durability);
        script(&db, &["CREATE TABLE n(id INTEGER PRIMARY KEY, count INTEGER)", "INSERT INTO n VALUES(0, 0)", "CREATE TABLE r(by TEXT)"]);
        thread::scope(|scope| {
            for by in 0..THREADS {
                let db = &db;
                scope.spawn(move || {
                    for i in 0..EACH {
                        // Some take the writer for themselves, most share it.
                        if i % 7 == 0 {
                            db.transaction(|tx| tx.execute("UPDATE n SET count=count+1", &[])).unwrap();
                        } else {
                            assert_eq!(db.execute("UPDATE n SET count=count+1", &[]).unwrap().changes, 1);
                        }
                        let given = db.execute("INSERT INTO r VALUES(?) RETURNING by", &[Value::from(by.to_string())]).unwrap();
                        assert_eq!(given.rows, [[Value::from(by.to_string())]]);
                        // What was acknowledged is seen.
                        let rows = db.query("SELECT count(*) FROM r WHERE by=?", &[Value::from(by.to_string())]).unwrap().rows;
                        assert_eq!(rows[0][0], Value::Integer(i as i64 + 1));
                    }
                });
            }
        });
        let total = (THREADS * EACH) as i64;
        assert_eq!(db.query("SELECT count FROM n", &[]).unwrap().rows[0][0], Value::Integer(total));
        assert_eq!(db.high_water().get(), 3 + 2 * total as u64);
        assert_log_is_true(&db);
        drop(db);
        let db = open(dir.path(), durability);
        assert_eq!(db.high_water().get(), 3 + 2 * total as u64);
        assert_log_is_true(&db);
    }
}
