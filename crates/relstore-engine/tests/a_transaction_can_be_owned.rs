//! Transactions that their caller owns from call to call, statements that one caller has committed together, and queries that may take a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{assert_log_is_true, letters, script, state, store};
use relstore_engine::{Attempted, Database, OwnedTransaction, Watchdog};
use relstore_model::{ErrorKind, Value, ValueRef};

fn shared() -> (Arc<Database>, tempfile::TempDir) {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)"]);
    (Arc::new(s.db), s.dir)
}

fn insert(tx: &OwnedTransaction, name: &str) -> relstore_model::Result<u64> {
    tx.execute_each("INSERT INTO t(name) VALUES(?)", &[Value::from(name)], &mut |_| Ok(())).map(|outcome| outcome.changes)
}

fn names(db: &Database) -> String {
    let rows = db.query("SELECT coalesce(group_concat(name, '' ORDER BY id), '') FROM t", &[]).unwrap().rows;
    let Value::Text(names) = &rows[0][0] else { panic!("no text") };
    names.clone()
}

#[test]
fn an_owned_transaction_moves_between_threads_and_commits_once() {
    let (db, _dir) = shared();
    let tx = db.begin().unwrap();
    insert(&tx, "a").unwrap();
    let tx = std::thread::spawn(move || {
        insert(&tx, "b").unwrap();
        tx
    })
    .join()
    .unwrap();
    assert_eq!(names(&db), "", "others do not see it");
    assert!(db.try_begin().unwrap().is_none(), "the writer is taken");
    let lsn = tx.commit().unwrap();
    assert_eq!((names(&db).as_str(), db.high_water()), ("ab", lsn));
    assert_eq!(letters(&db), "Scc");
    assert_log_is_true(&db);
}

#[test]
fn one_that_is_dropped_leaves_no_trace_and_gives_the_writer_back() {
    let (db, _dir) = shared();
    let before = state(&db);
    let tx = db.begin().unwrap();
    insert(&tx, "a").unwrap();
    tx.execute_each("ALTER TABLE t ADD COLUMN lost", &[], &mut |_| Ok(())).unwrap();
    assert_eq!(tx.schema().unwrap().table("t").unwrap().columns.len(), 3);
    let waiting = std::thread::spawn({
        let db = Arc::clone(&db);
        move || db.execute("INSERT INTO t(name) VALUES('w')", &[]).unwrap().changes
    });
    drop(tx);
    assert_eq!(waiting.join().unwrap(), 1, "who waited goes on");
    db.execute("DELETE FROM t", &[]).unwrap();
    assert_eq!((state(&db), db.schema().table("t").unwrap().columns.len()), (before, 2));
    assert_log_is_true(&db);
}

#[test]
fn savepoints_lie_in_one_another() {
    let (db, _dir) = shared();
    let mut tx = db.begin().unwrap();
    insert(&tx, "a").unwrap();
    let outer = tx.savepoint().unwrap();
    insert(&tx, "b").unwrap();
    let inner = tx.savepoint().unwrap();
    insert(&tx, "c").unwrap();
    tx.release(inner).unwrap();
    assert_eq!(tx.release(inner).unwrap_err().kind(), ErrorKind::Invalid, "it has ended");
    let other = tx.savepoint().unwrap();
    tx.execute_each("CREATE TABLE lost(id)", &[], &mut |_| Ok(())).unwrap();
    tx.roll_back_to(other).unwrap();
    assert!(tx.schema().unwrap().by_name("lost").is_none());
    insert(&tx, "d").unwrap();
    tx.roll_back_to(outer).unwrap();
    assert_eq!(tx.release(other).unwrap_err().kind(), ErrorKind::Invalid, "it ended with the outer one");
    insert(&tx, "e").unwrap();
    tx.commit().unwrap();
    assert_eq!(names(&db), "ae");
    assert_eq!(letters(&db), "Scc");
    assert_log_is_true(&db);
}

#[test]
fn a_statement_that_ends_the_transaction_is_noticed() {
    let (db, _dir) = shared();
    script(&db, &["INSERT INTO t(name) VALUES('a')"]);
    let tx = db.begin().unwrap();
    insert(&tx, "b").unwrap();
    let clash = tx.execute_each("INSERT OR ROLLBACK INTO t(name) VALUES('a')", &[], &mut |_| Ok(()));
    assert!(clash.is_err());
    assert_eq!(insert(&tx, "c").unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(tx.commit().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(names(&db), "a");
    script(&db, &["INSERT INTO t(name) VALUES('d')"]);
    assert_log_is_true(&db);
}

#[test]
fn statements_that_are_committed_together_have_their_own_outcomes() {
    let (db, _dir) = shared();
    let name = |name: &str| ("INSERT INTO t(name) VALUES(?) RETURNING id".to_owned(), vec![Value::from(name)]);
    let outcomes = db.execute_together(vec![name("a"), name("b"), name("a"), ("no SQL".to_owned(), vec![]), name("c")]);
    let told: Vec<String> =
        outcomes.iter().map(|o| o.as_ref().map_or_else(|e| e.kind().code().to_owned(), |o| format!("{:?}", o.rows))).collect();
    assert_eq!(told, ["[[Integer(1)]]", "[[Integer(2)]]", "Constraint", "Invalid", "[[Integer(3)]]"]);
    assert_eq!((names(&db).as_str(), letters(&db).as_str()), ("abc", "Sccc"));
    assert_log_is_true(&db);
}

/// A query that counts to `n`, in many rows or in one step of many instructions.
const COUNT: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<?) SELECT count(*) FROM c";

#[test]
fn a_query_that_takes_long_is_late_and_the_next_is_not_disturbed() {
    let (db, _dir) = shared();
    script(&db, &["INSERT INTO t(name) VALUES('a')"]);
    let watchdog = Watchdog::start(Duration::from_millis(5)).unwrap();
    let attempt = |number: u64, sql: &str, params: &[ValueRef<'_>]| {
        let mut rows = 0;
        let attempted = db.attempt_query((number, sql), params, false, &watchdog, &mut |_| {
            rows += 1;
            Ok(())
        });
        (attempted, rows)
    };
    let begun = Instant::now();
    let (attempted, _) = attempt(1, COUNT, &[ValueRef::Integer(1_000_000_000)]);
    assert!(matches!(attempted.unwrap(), Attempted::Late));
    assert!(begun.elapsed() < Duration::from_secs(5), "it would take minutes");
    for _ in 0..2000 {
        let (attempted, rows) = attempt(2, "SELECT name FROM t WHERE id=?", &[ValueRef::Integer(1)]);
        // On a machine that is busy with other things even this may be late; it is never an error, and never a wrong answer.
        match attempted.unwrap() {
            Attempted::Done(_) => assert_eq!(rows, 1),
            Attempted::Late => {}
            Attempted::Writes => panic!("it reads"),
        }
    }
}

#[test]
fn what_is_no_query_is_not_run() {
    let (db, _dir) = shared();
    let watchdog = Watchdog::start(Duration::from_secs(10)).unwrap();
    for (number, sql) in [(11, "INSERT INTO t(name) VALUES('x')"), (12, "SELECT * FROM nowhere")] {
        let attempted = db.attempt_query((number, sql), &[], false, &watchdog, &mut |_| Ok(())).unwrap();
        assert!(matches!(attempted, Attempted::Writes), "{sql}: the writer judges it");
    }
    assert_eq!(db.attempt_query((13, "SELEC 1"), &[], false, &watchdog, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Invalid);
    let Attempted::Done(outcome) = db.attempt_query((14, "SELECT id, name FROM t"), &[], true, &watchdog, &mut |_| Ok(())).unwrap() else {
        panic!("it reads")
    };
    assert_eq!((outcome.columns, names(&db).as_str()), (vec!["id".to_owned(), "name".to_owned()], ""));
}
