//! A query that is kept prepared under a number answers as the same text does when it is prepared anew, whatever happened to the store since.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{script, store};
use relstore_engine::{Database, Settings};
use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};
use relstore_testkit::ManualClock;
use std::sync::Arc;

fn held(db: &Database, statement: (u64, &str), params: &[ValueRef<'_>]) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    db.execute_held(statement, params, &mut |row| {
        rows.push(row.iter().map(|cell| cell.to_value()).collect());
        Ok(())
    })?;
    Ok(rows)
}

const ALL: (u64, &str) = (1, "SELECT * FROM t ORDER BY id");

#[test]
fn every_kind_of_cell_comes_and_goes_as_it_is() {
    let s = store();
    let cells = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Real(-0.5),
        Value::Real(f64::INFINITY),
        Value::from(""),
        Value::from("tschüß \u{0} 🦀"),
        Value::Blob(Vec::new()),
        Value::Blob(vec![0; 100_000]),
    ];
    for _ in 0..3 {
        for cell in &cells {
            let rows = held(&s.db, (1, "SELECT ?1, typeof(?1), ?1"), &[cell.as_ref()]).unwrap();
            let anew = s.db.query("SELECT ?1, typeof(?1), ?1", std::slice::from_ref(cell)).unwrap().rows;
            assert_eq!((&rows, &rows[0][0]), (&anew, cell));
        }
    }
}

#[test]
fn rows_of_more_cells_than_the_buffer_has_come_whole() {
    let s = store();
    let columns: Vec<String> = (0..500).map(|i| format!("{i} + ?1")).collect();
    let sql = format!("SELECT {}", columns.join(", "));
    for n in 0..3 {
        let rows = held(&s.db, (1, &sql), &[ValueRef::Integer(n)]).unwrap();
        assert_eq!(rows, [(0..500).map(|i| Value::Integer(i + n)).collect::<Vec<_>>()]);
    }
}

#[test]
fn a_changed_shape_is_seen_and_a_table_that_is_gone_is_named() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)"]);
    assert_eq!(held(&s.db, ALL, &[]).unwrap(), [[Value::Integer(1)]]);
    script(&s.db, &["ALTER TABLE t ADD COLUMN a DEFAULT 'x'", "INSERT INTO t VALUES(2, 'y')"]);
    let rows = held(&s.db, ALL, &[]).unwrap();
    assert_eq!(rows, [[Value::Integer(1), Value::from("x")], [Value::Integer(2), Value::from("y")]]);
    script(&s.db, &["ALTER TABLE t RENAME TO tt"]);
    let error = held(&s.db, ALL, &[]).unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::NotFound, Some("did you mean tt?")), "{error:?}");
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
    assert!(held(&s.db, ALL, &[]).unwrap().is_empty());
}

#[test]
fn what_is_wrong_with_it_is_said_as_ever() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1), (2)"]);
    for _ in 0..2 {
        assert_eq!(held(&s.db, (2, "SELECT ?1"), &[]).unwrap_err().kind(), ErrorKind::Invalid, "no parameter");
        assert_eq!(held(&s.db, (2, "SELECT ?1"), &[ValueRef::Integer(1)]).unwrap(), [[Value::Integer(1)]]);
        assert_eq!(held(&s.db, (3, "SELEKT 1"), &[]).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(held(&s.db, (4, "SELECT 1; SELECT 2"), &[]).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(held(&s.db, (5, "SELECT * FROM _rs_missing"), &[]).unwrap_err().kind(), ErrorKind::NotFound);
        let error = held(&s.db, (6, "SELECT abs(id - 9223372036854775807 - id) FROM t"), &[]);
        assert!(error.is_ok(), "{error:?}");
        let error = held(&s.db, (7, "SELECT abs(-9223372036854775807 - id) FROM t"), &[]).unwrap_err();
        assert!(error.to_string().contains("integer overflow"), "{error:?}");
    }
}

#[test]
fn one_that_writes_is_a_transaction_and_one_whose_handler_fails_can_be_run_again() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
    let insert = (2, "INSERT INTO t VALUES(?) RETURNING id * 10");
    for id in 1..4 {
        assert_eq!(held(&s.db, insert, &[ValueRef::Integer(id)]).unwrap(), [[Value::Integer(id * 10)]]);
    }
    for _ in 0..3 {
        let stopped = s.db.execute_held(ALL, &[], &mut |_| Err(Error::invalid("enough")));
        assert_eq!(stopped.unwrap_err().message(), "enough");
        let db = std::panic::AssertUnwindSafe(&s.db);
        let panicked = std::panic::catch_unwind(move || db.execute_held(ALL, &[], &mut |_| panic!("in the handler")).map(|_| ()));
        assert!(panicked.is_err());
        assert_eq!(held(&s.db, ALL, &[]).unwrap().len(), 3);
    }
    // One that was stopped half way holds no snapshot: the log can be taken into the file, and what is written is seen.
    script(&s.db, &["INSERT INTO t VALUES(9)"]);
    assert_eq!(held(&s.db, ALL, &[]).unwrap().len(), 4);
}

#[test]
fn no_more_are_kept_than_the_settings_allow() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { statements_cached: 4, ..Settings::default() };
    let db = Database::open(&dir.path().join("store.db"), settings, Arc::new(ManualClock::new(1_000_000, 1))).unwrap();
    for round in 0..3 {
        for n in 1..=20_u32 {
            let sql = format!("SELECT {n}, ?1");
            let rows = held(&db, (u64::from(n), &sql), &[ValueRef::Integer(round)]).unwrap();
            assert_eq!(rows, [[Value::Integer(i64::from(n)), Value::Integer(round)]]);
        }
    }
}
