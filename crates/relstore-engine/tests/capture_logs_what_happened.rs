//! The log replayed into an empty store gives the store, whatever the statements were.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, letters, script, store};
use relstore_model::{ErrorKind, Value};

/// Runs each statement in a transaction of its own, failing or not, and checks the log against the tables.
fn check(setup: &[&str], statements: &[&str], wanted: &str) {
    let store = store();
    script(&store.db, setup);
    let before = letters(&store.db).len();
    for sql in statements {
        let _ = store.db.execute(sql, &[]);
    }
    assert_log_is_true(&store.db);
    assert_eq!(&letters(&store.db)[before..], wanted, "{statements:?}");
}

const UNIQUE: &[&str] = &["CREATE TABLE t(id TEXT PRIMARY KEY, u TEXT UNIQUE, v)", "INSERT INTO t VALUES('a','x',1),('b','y',2)"];
const FAMILY: &[&str] = &[
    "CREATE TABLE p(id TEXT PRIMARY KEY)",
    "CREATE TABLE c(id TEXT PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE n(id TEXT PRIMARY KEY, p REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE)",
    "INSERT INTO p VALUES('a'),('b')",
    "INSERT INTO c VALUES('1','a'),('2','a'),('3','b')",
    "INSERT INTO n VALUES('4','a')",
];

#[test]
fn a_replaced_row_is_deleted_first() {
    check(UNIQUE, &["INSERT OR REPLACE INTO t VALUES('a','y',9)"], "ddc");
    check(UNIQUE, &["UPDATE OR REPLACE t SET u='y' WHERE id='a'"], "du");
}

#[test]
fn an_upsert_is_an_insert_or_an_update() {
    check(UNIQUE, &["INSERT INTO t VALUES('a','x',5),('n','z',6) ON CONFLICT(id) DO UPDATE SET v=excluded.v"], "uc");
    check(UNIQUE, &["INSERT OR IGNORE INTO t VALUES('a','q',1),('m','m',3)"], "c");
}

#[test]
fn cascades_are_changes() {
    check(FAMILY, &["DELETE FROM p WHERE id='a'"], "dudd");
    check(FAMILY, &["UPDATE p SET id='z' WHERE id='b'"], "uu");
}

#[test]
fn keys_may_change() {
    check(UNIQUE, &["UPDATE t SET id='z' WHERE id='a'"], "u");
    check(&["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1,1),(2,2)"], &["UPDATE t SET id=id+10"], "uu");
    check(&["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1,2),(1,2)"], &["UPDATE t SET rowid=9 WHERE rowid=1"], "dc");
}

#[test]
fn tables_without_rowid_are_captured_in_column_order() {
    let setup = ["CREATE TABLE t(v, id TEXT PRIMARY KEY, w) WITHOUT ROWID", "INSERT INTO t VALUES(1,'a',2),(2,'b',3)"];
    let run = [
        "INSERT INTO t VALUES(7,'c',8)",
        "UPDATE t SET v=9,w=4 WHERE id='a'",
        "DELETE FROM t WHERE id='b'",
        "REPLACE INTO t VALUES(5,'a',6)",
    ];
    check(&setup, &run, "cuddc");
    check(&setup, &["UPDATE t SET id='z' WHERE id='a'"], "u");
}

#[test]
fn tables_without_a_key_are_known_by_rowid() {
    let setup = ["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1,2),(1,2)"];
    check(&setup, &["INSERT INTO t VALUES(3,4)", "DELETE FROM t WHERE rowid=1", "UPDATE t SET b=7 WHERE rowid=2"], "cdu");
    check(&["CREATE TABLE t(id TEXT PRIMARY KEY, v)"], &["INSERT INTO t VALUES(NULL, 1)"], "c");
}

#[test]
fn an_unqualified_delete_logs_every_row() {
    check(UNIQUE, &["DELETE FROM t"], "dd");
}

#[test]
fn a_statement_undone_half_way_logs_nothing() {
    let setup = ["CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "INSERT INTO t VALUES(9999, 500)"];
    let numbers = "INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<1000) SELECT i, i FROM c";
    check(&setup, &[&format!("INSERT {numbers}")], "");
    check(FAMILY, &["DELETE FROM p WHERE id IN ('a','b') AND (SELECT 1/0 FROM missing)"], "");
}

#[test]
fn or_fail_keeps_and_logs_the_rows_before_the_failure() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "INSERT INTO t VALUES(9999, 3)"]);
    let result: Result<(), relstore_model::Error> = store.db.transaction(|tx| {
        let e = tx.execute("INSERT OR FAIL INTO t VALUES(1,1),(2,2),(3,3),(4,4)", &[]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Constraint);
        Ok(())
    });
    result.unwrap();
    assert_eq!(letters(&store.db), "Sccc");
    assert_log_is_true(&store.db);
}

#[test]
fn triggers_of_the_users_own_are_captured_and_their_abort_is_not() {
    let setup = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE aud(n INTEGER PRIMARY KEY, id, v)",
        "CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT INTO aud(id,v) VALUES(NEW.id,NEW.v); END",
        "CREATE TRIGGER h AFTER INSERT ON t WHEN NEW.v<0 BEGIN SELECT RAISE(ABORT,'negative'); END",
        "INSERT INTO t VALUES(1,1)",
    ];
    check(&setup, &["UPDATE t SET v=2", "INSERT INTO t VALUES(2,2),(3,-1)"], "uc");
}

#[test]
fn generated_columns_are_kept_if_stored_and_computed_if_virtual() {
    let setup = [
        "CREATE TABLE t(id TEXT PRIMARY KEY, a INT, g INT AS (a*2) VIRTUAL, s INT AS (a*3) STORED, z INT)",
        "INSERT INTO t(id,a,z) VALUES('a',1,5)",
    ];
    check(&setup, &["INSERT INTO t(id,a,z) VALUES('b',2,6)", "UPDATE t SET a=10 WHERE id='a'", "DELETE FROM t WHERE id='b'"], "cud");
}

#[test]
fn a_change_of_shape_is_a_change_in_its_place() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('a',1),('b',2)"]);
    let run: Result<(), relstore_model::Error> = store.db.transaction(|tx| {
        tx.execute("UPDATE t SET v=7 WHERE id='a'", &[])?;
        tx.execute("ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'dd'", &[])?;
        tx.execute("UPDATE t SET v=8 WHERE id='a'", &[])?;
        tx.execute("ALTER TABLE t RENAME COLUMN v TO value", &[])?;
        tx.execute("DELETE FROM t WHERE id='b'", &[])?;
        tx.execute("CREATE TABLE copy AS SELECT * FROM t", &[]).map(|_| ())
    });
    run.unwrap();
    assert_eq!(letters(&store.db), "SccuSuSdSc");
    assert_log_is_true(&store.db);
    let schema = store.db.schema();
    assert_eq!(schema.version, 4);
    let ids: Vec<(&str, i32)> = schema.table("t").unwrap().columns.iter().map(|c| (c.name.as_str(), c.id.0)).collect();
    assert_eq!(ids, [("id", 101), ("value", 102), ("w", 103)]);
    assert_eq!(store.db.schema_at(1).unwrap().table("t").unwrap().columns.len(), 2);
}

#[test]
fn shadow_tables_and_statistics_are_no_changes() {
    let setup = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "CREATE INDEX i ON t(v)"];
    check(&setup, &["ANALYZE", "INSERT INTO t VALUES('a', 1)", "REINDEX"], "c");
}

#[test]
fn wide_rows_and_large_values_are_whole() {
    let columns: Vec<String> = (0..1_999).map(|i| format!("c{i}")).collect();
    let create = format!("CREATE TABLE t(id TEXT PRIMARY KEY,{})", columns.join(","));
    check(&[&create, "INSERT INTO t(id, c7) VALUES('a', 1)"], &["UPDATE t SET c0=1, c1998=2", "DELETE FROM t"], "ud");
    let store = store();
    script(&store.db, &["CREATE TABLE t(id TEXT PRIMARY KEY, v)"]);
    let blob: Vec<u8> = (0..3_000_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    store.db.execute("INSERT INTO t VALUES('big', ?)", &[Value::Blob(blob)]).unwrap();
    store.db.execute("UPDATE t SET v=CAST(v AS TEXT)", &[]).unwrap_or_default();
    store.db.execute("UPDATE t SET v=zeroblob(10)", &[]).unwrap();
    assert_log_is_true(&store.db);
}

#[test]
fn a_deferred_foreign_key_that_fails_at_commit_leaves_no_trace() {
    let store = store();
    script(
        &store.db,
        &["CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"],
    );
    let before = store.db.high_water();
    let error = store.db.execute("INSERT INTO c VALUES(1, 5)", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint);
    assert_eq!(store.db.high_water(), before);
    assert_log_is_true(&store.db);
    store.db.execute("INSERT INTO p VALUES(5)", &[]).unwrap();
    store.db.execute("INSERT INTO c VALUES(1, 5)", &[]).unwrap();
    assert_log_is_true(&store.db);
}
