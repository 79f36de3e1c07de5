//! Tables whose rows stay hot, and evictions that come too late, each with the reason.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod eviction_support;

use eviction_support::{put, tiered};
use relstore_model::{ErrorKind, Lsn, Value};

fn refused(ddl: &[&str], reason: &str) {
    let t = tiered(ddl);
    let error = t.db.can_evict("t").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{ddl:?}");
    assert!(error.message().contains(reason), "{ddl:?}: {error:?}");
    assert_eq!(t.db.scan_for_eviction("t", "1", &[], &mut |_, _| Ok(())).unwrap_err().message(), error.message());
}

#[test]
fn a_table_is_refused_with_the_reason() {
    const T: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, x)";
    const P: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, x)";
    const CHILD: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, x REFERENCES p(id))";
    refused(&["CREATE TABLE t(id TEXT PRIMARY KEY)"], "no INTEGER PRIMARY KEY");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY DESC)"], "no INTEGER PRIMARY KEY");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY) WITHOUT ROWID"], "no INTEGER PRIMARY KEY");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)"], "AUTOINCREMENT");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x UNIQUE ON CONFLICT REPLACE)"], "ON CONFLICT");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x AS (id + 1))"], "generated");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x AS (id + 1) STORED)"], "generated");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY, oid TEXT)"], "hides the rowid");
    refused(&[T, "CREATE UNIQUE INDEX i ON t(x) WHERE x > 1"], "partial");
    refused(&[T, "CREATE UNIQUE INDEX i ON t(lower(x))"], "expression");
    refused(&[T, "CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES T)"], "table c references it");
    refused(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x REFERENCES t(id))"], "table t references it");
    refused(&[T, "CREATE VIEW v AS SELECT * FROM \"T\""], "view v names it");
    refused(&[T, P, "CREATE TRIGGER r AFTER INSERT ON p BEGIN DELETE FROM t; END"], "trigger r names it");
    refused(&[P, CHILD, "CREATE TABLE o(id)", "CREATE TRIGGER r AFTER INSERT ON o BEGIN DELETE FROM p; END"], "names its parent p");
    refused(&["CREATE TABLE p(id INTEGER PRIMARY KEY, x UNIQUE ON CONFLICT REPLACE)", CHILD], "ON CONFLICT REPLACE");
    refused(&[CHILD], "does not exist");
    let t = tiered(&[T, "CREATE INDEX i ON t(lower(x)) WHERE x > 1", "CREATE UNIQUE INDEX j ON t(x COLLATE NOCASE)"]);
    t.db.can_evict("T").unwrap();
    assert_eq!(t.db.can_evict("nope").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_row_that_changed_since_the_scan_stays() {
    let t = tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 1), (2, 2)"]);
    let snapshot = t.db.scan_for_eviction("t", "1", &[], &mut |_, _| Ok(())).unwrap();
    let file = put(&t.source, "t", vec![(1, vec![Value::Integer(1), Value::Integer(1)])]);
    t.run("UPDATE t SET x = 3 WHERE id = 2");
    t.run("INSERT INTO t VALUES (3, 3)");
    assert_eq!(t.db.commit_eviction("t", std::slice::from_ref(&file), snapshot, Lsn::MAX).unwrap(), 1, "another row's change is no matter");
    let again = t.db.commit_eviction("t", std::slice::from_ref(&file), snapshot, Lsn::MAX).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict, "the row is cold already");
    let snapshot = t.db.high_water();
    t.run("UPDATE t SET x = 9 WHERE id = 1");
    assert_eq!(t.db.commit_eviction("t", &[file], snapshot, Lsn::MAX).unwrap_err().kind(), ErrorKind::Conflict);
    let file = put(&t.source, "t", vec![(2, vec![Value::Integer(2), Value::Integer(3)])]);
    let snapshot = t.db.high_water();
    t.run("ALTER TABLE t ADD COLUMN y");
    assert_eq!(t.db.commit_eviction("t", &[file], snapshot, Lsn::MAX).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(t.run("SELECT id, x FROM t WHERE id = 1"), [[Value::Integer(1), Value::Integer(9)]]);
}

#[test]
#[should_panic(expected = "archived")]
fn a_row_whose_last_change_is_not_archived_stays() {
    let t = tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 1)"]);
    let file = put(&t.source, "t", vec![(1, vec![Value::Integer(1), Value::Integer(1)])]);
    let _ = t.db.commit_eviction("t", &[file], t.db.high_water(), Lsn::new(1));
}

#[test]
fn a_file_out_of_order_is_refused() {
    let t = tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 1), (2, 2)"]);
    let rows = vec![(2, vec![Value::Integer(2), Value::Null]), (1, vec![Value::Integer(1), Value::Null])];
    let file = put(&t.source, "t", rows);
    assert_eq!(t.db.commit_eviction("t", &[file], Lsn::ZERO, Lsn::ZERO).unwrap_err().kind(), ErrorKind::Invalid);
}
