//! Transactions that their caller owns from call to call, and statements that one caller has committed together.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::sync::Arc;

use common::{assert_log_is_true, letters, script, state, store};
use relstore_engine::{Database, OwnedTransaction};
use relstore_model::{ErrorKind, Value};

fn shared() -> (Arc<Database>, tempfile::TempDir) {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)"]);
    (Arc::new(s.db), s.dir)
}

fn insert(tx: &OwnedTransaction, name: &str) -> relstore_model::Result<u64> {
    tx.transaction()?.execute("INSERT INTO t(name) VALUES(?)", &[Value::from(name)]).map(|outcome| outcome.changes)
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
    tx.transaction().and_then(|tx| tx.execute("ALTER TABLE t ADD COLUMN lost", &[])).unwrap();
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
    tx.transaction().and_then(|tx| tx.execute("CREATE TABLE lost(id)", &[])).unwrap();
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
    let clash = tx.transaction().and_then(|tx| tx.execute("INSERT OR ROLLBACK INTO t(name) VALUES('a')", &[]));
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
