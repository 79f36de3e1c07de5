//! Transactions: nested, rolled back, panicking, and the order of what they leave.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, letters, open, script, store};
use relstore_engine::{Database, Settings};
use relstore_model::{Error, ErrorKind, Lsn, Value};
use relstore_testkit::ManualClock;
use std::sync::Arc;

fn names(db: &Database) -> Vec<Value> {
    db.query("SELECT id FROM t ORDER BY id", &[]).unwrap().rows.into_iter().map(|mut r| r.remove(0)).collect()
}

fn texts(names: &[&str]) -> Vec<Value> {
    names.iter().map(|n| Value::from(*n)).collect()
}

#[test]
fn a_nested_transaction_that_fails_undoes_itself_alone() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)"]);
    let insert = |tx: &relstore_engine::Transaction<'_>, id: &str| tx.execute("INSERT INTO t VALUES(?)", &[Value::from(id)]).map(|_| ());
    s.db.transaction(|tx| {
        insert(tx, "a")?;
        let failed: Result<(), Error> = tx.transaction(|tx| {
            insert(tx, "b")?;
            tx.transaction(|tx| insert(tx, "c"))?;
            tx.execute("ALTER TABLE t ADD COLUMN lost", &[])?;
            Err(Error::invalid("changed my mind"))
        });
        assert_eq!(failed.unwrap_err().message(), "changed my mind");
        assert_eq!(tx.schema().table("t")?.columns.len(), 1);
        tx.transaction(|tx| insert(tx, "d"))?;
        assert_eq!(tx.execute("SELECT count(*) FROM t", &[])?.rows[0][0], Value::Integer(2), "it sees its own writes");
        assert_eq!(names(&s.db).len(), 0, "others do not");
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(names(&s.db), texts(&["a", "d"]));
    assert_eq!(letters(&s.db), "Scc");
    assert_log_is_true(&s.db);
}

#[test]
fn a_failed_or_panicking_transaction_leaves_no_trace() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)"]);
    let failed: Result<(), Error> = s.db.transaction(|tx| {
        tx.execute("INSERT INTO t VALUES('a')", &[])?;
        tx.execute("CREATE TABLE u(id)", &[])?;
        Err(Error::invalid("no"))
    });
    assert!(failed.is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<(), Error> = s.db.transaction(|tx| {
            tx.execute("INSERT INTO t VALUES('b')", &[])?;
            let _: Result<(), Error> = tx.transaction(|tx| {
                tx.execute("INSERT INTO t VALUES('c')", &[])?;
                panic!("in the body");
            });
            Ok(())
        });
    }));
    assert!(panicked.is_err());
    script(&s.db, &["INSERT INTO t VALUES('d')"]);
    assert_eq!(names(&s.db), texts(&["d"]));
    assert_eq!(s.db.high_water(), Lsn::new(2));
    assert_eq!(s.db.schema().tables.len(), 1);
    assert_log_is_true(&s.db);
}

#[test]
fn a_statement_that_ends_the_transaction_says_so() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)", "INSERT INTO t VALUES('a')"]);
    let error =
        s.db.transaction(|tx| {
            tx.execute("INSERT INTO t VALUES('b')", &[])?;
            tx.execute("INSERT OR ROLLBACK INTO t VALUES('a')", &[]).unwrap_err();
            tx.execute("INSERT INTO t VALUES('c')", &[]).map(|_| ())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let ignored = s.db.transaction(|tx| {
        let _ = tx.execute("INSERT OR ROLLBACK INTO t VALUES('a')", &[]);
        Ok::<_, Error>(())
    });
    assert_eq!(ignored.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(names(&s.db), texts(&["a"]));
    script(&s.db, &["INSERT INTO t VALUES('z')"]);
    assert_log_is_true(&s.db);
}

#[test]
fn user_sql_cannot_drive_transactions_or_touch_the_engine() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)"]);
    for sql in [
        "BEGIN",
        "/*rs*/ COMMIT",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT x",
        "ATTACH ':memory:' AS x",
        "PRAGMA foreign_keys=OFF",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA writable_schema=ON",
        "DELETE FROM _rs_log",
        "UPDATE _rs_cursor SET lsn=1",
        "DROP TABLE _rs_log",
        "CREATE TABLE _rs_mine(x)",
        "DELETE FROM sqlite_schema",
        "CREATE TRIGGER _rs_x AFTER INSERT ON t BEGIN DELETE FROM _rs_log; END",
        "CREATE TEMP TRIGGER _RS_x AFTER INSERT ON t BEGIN DELETE FROM _rs_log; END",
    ] {
        let result = s.db.transaction(|tx| tx.execute(sql, &[]));
        assert!(result.is_err(), "{sql} was allowed");
        assert!(s.db.execute(sql, &[]).is_err(), "{sql} was allowed");
    }
    // A trigger of another name can be made, and fails when it fires.
    script(&s.db, &["CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM _rs_log; END"]);
    assert!(s.db.execute("INSERT INTO t VALUES('a')", &[]).is_err());
    script(&s.db, &["DROP TRIGGER x"]);
    assert_eq!(s.db.query("SELECT count(*) FROM _rs_log", &[]).unwrap().rows[0][0], Value::Integer(3), "reading is allowed");
    assert_log_is_true(&s.db);
}

#[test]
fn positions_are_gapless_and_times_never_decrease_even_when_the_clock_does() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(5_000_000, 1));
    let db = Database::open(&dir.path().join("s.db"), Settings::default(), clock.clone()).unwrap();
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1),(2),(3)"]);
    clock.set(1_000);
    script(&db, &["INSERT INTO t VALUES(4)", "DELETE FROM t WHERE id<3"]);
    drop(db);
    let db = Database::open(&dir.path().join("s.db"), Settings::default(), clock).unwrap();
    script(&db, &["INSERT INTO t VALUES(5)"]);
    let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    let ranges: Vec<(u64, u64)> = commits.iter().map(|c| (c.lsn_first.get(), c.lsn_last().get())).collect();
    assert_eq!(ranges, [(1, 1), (2, 4), (5, 5), (6, 7), (8, 8)]);
    assert!(commits.windows(2).all(|w| w[0].timestamp <= w[1].timestamp));
    assert_eq!(db.high_water(), Lsn::new(8));
}

#[test]
fn one_process_writes_and_others_read() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)", "INSERT INTO t VALUES('a')"]);
    let path = s.dir.path().join("store.db");
    let Err(error) = Database::open(&path, Settings::default(), Arc::new(ManualClock::new(0, 1))) else { panic!("opened twice") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert!(error.hint().is_some());
    let reader = Database::open_read_only(&path, Settings::default()).unwrap();
    assert_eq!(names(&reader), texts(&["a"]));
    assert_eq!(reader.execute("INSERT INTO t VALUES('b')", &[]).unwrap_err().kind(), ErrorKind::Unavailable);
    drop(reader);
    drop(s.db);
    assert!(!s.dir.path().join("store.db-wal").exists(), "the last to close leaves one file");
    assert_eq!(names(&open(&s.dir)), texts(&["a"]));
}

#[test]
fn a_change_of_shape_that_bypassed_the_engine_is_noticed_at_open() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)"]);
    drop(s.db);
    relstore_engine::sqlite::Connection::open(&s.dir.path().join("store.db")).unwrap().execute_batch("ALTER TABLE t ADD COLUMN x").unwrap();
    let db = open(&s.dir);
    assert_eq!((db.schema().version, letters(&db)), (2, "SS".to_owned()));
}

#[test]
fn mistakes_are_shown_with_a_caret_or_the_nearest_name() {
    let s = store();
    script(&s.db, &["CREATE TABLE flights(id INTEGER PRIMARY KEY, carrier TEXT NOT NULL)"]);
    let e = s.db.query("SELECT *\nFROM flights WHER id=1", &[]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Invalid);
    assert!(e.to_string().contains("\n  FROM flights WHER id=1\n                    ^"), "{e}");
    let e = s.db.query("SELECT * FROM flihgts", &[]).unwrap_err();
    assert_eq!((e.kind(), e.hint()), (ErrorKind::NotFound, Some("did you mean flights?")));
    let e = s.db.query("SELECT carier FROM flights", &[]).unwrap_err();
    assert_eq!((e.kind(), e.hint()), (ErrorKind::NotFound, Some("did you mean carrier?")));
    let e = s.db.execute("INSERT INTO flights VALUES('x', 'UA')", &[]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Constraint);
    let e = s.db.execute("INSERT INTO flights VALUES(1)", &[]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Invalid);
    assert_eq!(s.db.query("INSERT INTO flights VALUES(1,'UA')", &[]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_log_is_trimmed_only_behind_every_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { log_retained_bytes: 0, ..Settings::default() };
    let db = Database::open(&dir.path().join("s.db"), settings, Arc::new(ManualClock::new(0, 1))).unwrap();
    script(
        &db,
        &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(2)", "INSERT INTO t VALUES(3)"],
    );
    assert_eq!(db.trim_log().unwrap(), 0, "without a cursor nothing is finished");
    db.advance_cursor("mail", Lsn::new(2)).unwrap();
    db.advance_cursor("segments", Lsn::new(4)).unwrap();
    // A cursor's move trims by itself once there is enough of it; asked for, it is trimmed at once, and there is no more then.
    assert_eq!((db.trim_log().unwrap(), db.log_range().unwrap().first, db.trim_log().unwrap()), (2, Lsn::new(3), 0));
    assert_eq!(db.commits_after(Lsn::ZERO, 1).unwrap_err().kind(), ErrorKind::NotFound);
    db.advance_cursor("mail", Lsn::new(4)).unwrap();
    db.trim_log().unwrap();
    assert_eq!(db.log_range().unwrap().first, Lsn::new(4), "the last commit stays: it is the high-water mark");
    drop(db);
    let db = Database::open(&dir.path().join("s.db"), Settings::default(), Arc::new(ManualClock::new(0, 1))).unwrap();
    assert_eq!(db.high_water(), Lsn::new(4));
}

#[test]
fn a_kept_statement_gives_the_columns_of_now() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)"]);
    let select = "SELECT * FROM t";
    assert_eq!(s.db.query(select, &[]).unwrap().columns, ["id"]);
    script(&s.db, &["ALTER TABLE t ADD COLUMN v DEFAULT 7"]);
    let now = s.db.query(select, &[]).unwrap();
    assert_eq!((now.columns.len(), now.rows), (2, vec![vec![Value::Integer(1), Value::Integer(7)]]));
    script(&s.db, &["DELETE FROM t", "ALTER TABLE t DROP COLUMN v"]);
    assert_eq!(s.db.query(select, &[]).unwrap().columns, ["id"], "without a row too");
}

#[test]
fn a_snapshot_that_panics_leaves_the_next_inserts_what_they_are() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id TEXT PRIMARY KEY)"]);
    let insert = |tx: &relstore_engine::Transaction<'_>, id: &str| tx.execute("INSERT INTO t VALUES(?)", &[Value::from(id)]).map(|_| ());
    s.db.transaction(|tx| tx.as_snapshot(|tx| insert(tx, "a"))).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<(), Error> = s.db.transaction(|tx| {
            tx.as_snapshot(|tx| {
                insert(tx, "b")?;
                panic!("in the snapshot");
            })
        });
    }));
    assert!(panicked.is_err());
    script(&s.db, &["INSERT INTO t VALUES('c')"]);
    assert_eq!(letters(&s.db), "Src");
}
