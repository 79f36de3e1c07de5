//! What is no change of the store's rows is not in the log, and what would go past the log is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, check, check_together, letters, script, store};
use relstore_engine::sqlite::Connection;
use relstore_model::{ErrorKind, Value};

#[test]
fn shadow_tables_and_statistics_are_no_changes() {
    let setup = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "CREATE INDEX i ON t(v)"];
    check(&setup, &["ANALYZE", "INSERT INTO t VALUES('a', 1)", "REINDEX"], "c");
}

#[test]
fn the_tables_of_a_full_text_index_are_no_changes() {
    let setup = ["CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"];
    let run = [
        "INSERT INTO docs VALUES('hello world')",
        "INSERT INTO t VALUES(1,1)",
        "DELETE FROM docs WHERE rowid=1",
        "INSERT INTO docs(docs) VALUES('optimize')",
        "DROP TABLE docs",
    ];
    check(&setup, &run, "c");
    // Its own writes come at COMMIT, after the changes that are the user's.
    check_together(&setup, &run, "c");
}

/// SQLite takes a table for a part of the index because of its name, and lets nobody write it while the index is there.
#[test]
fn a_table_that_has_the_name_of_a_part_of_an_index_stays_the_users() {
    const INDEX: &str = "CREATE VIRTUAL TABLE docs USING fts5(body, content='docs_content')";
    let store = store();
    script(&store.db, &["CREATE TABLE docs_content(id INTEGER PRIMARY KEY, body)", "INSERT INTO docs_content VALUES(1,'x')"]);
    script(&store.db, &[INDEX, "CREATE TABLE u(id)", "DROP TABLE docs"]);
    drop(store.db);
    let db = common::open(&store.dir);
    script(&db, &["DELETE FROM docs_content"]);
    assert_eq!(letters(&db), "ScSd", "it was never taken for a table that is gone");
    assert_log_is_true(&db);
    check(&[INDEX], &["CREATE TABLE docs_content(id, body)"], "");
}

#[test]
fn an_index_kept_by_triggers_is_no_change_beside_the_rows() {
    let setup = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, body)",
        "CREATE VIRTUAL TABLE docs USING fts5(body, content='t', content_rowid='id')",
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO docs(rowid, body) VALUES(NEW.id, NEW.body); END",
    ];
    check(&setup, &["INSERT INTO t VALUES(1,'hello'),(2,'world')"], "cc");
}

#[test]
fn the_numbers_of_autoincrement_are_no_changes() {
    let setup = ["CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v)"];
    check(
        &setup,
        &["INSERT INTO t(v) VALUES(1)", "DELETE FROM t", "INSERT INTO t(v) VALUES(2)", "UPDATE sqlite_sequence SET seq=9"],
        "cdc",
    );
}

#[test]
fn a_file_that_was_vacuumed_is_the_same_store() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('a',1),('b',2)", "DELETE FROM t WHERE id='a'"]);
    let error = store.db.execute("VACUUM", &[]).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Internal);
    let (letters_before, path) = (letters(&store.db), store.db.path().to_owned());
    drop(store.db);
    Connection::open(&path).unwrap().execute_batch("VACUUM").unwrap();
    let db = common::open(&store.dir);
    assert_eq!(letters(&db), letters_before);
    assert_log_is_true(&db);
}

#[test]
fn another_file_is_not_attached() {
    let store = store();
    for sql in ["ATTACH ':memory:' AS x", "ATTACH DATABASE 'other.db' AS x", "DETACH x"] {
        let error = store.db.transaction(|tx| tx.execute(sql, &[])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}");
        assert!(error.hint().is_some_and(|h| h.contains("open the other file as a store of its own")), "{error}");
    }
}

#[test]
fn text_is_utf_8() {
    let store = store();
    assert_eq!(store.db.query("PRAGMA encoding", &[]).unwrap().rows, [[Value::from("UTF-8")]]);
    assert_eq!(store.db.execute("PRAGMA encoding='UTF-16'", &[]).unwrap_err().kind(), ErrorKind::Unsupported);
}

/// The log row is one more insert of the same connection, and so is what the engine keeps of a change of shape.
#[test]
fn the_log_is_not_seen_in_what_sqlite_counts() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v)"]);
    assert_eq!(store.db.execute("INSERT INTO t VALUES(41,1),(42,2)", &[]).unwrap().last_insert_rowid, 42);
    let counts = "SELECT last_insert_rowid(), changes()";
    let last = |sql: &str| store.db.execute(sql, &[]).unwrap().last_insert_rowid;
    assert_eq!((last("UPDATE t SET v=3"), last("CREATE TABLE u(id INTEGER PRIMARY KEY)"), last("DELETE FROM t WHERE id=41")), (42, 42, 42));
    store
        .db
        .transaction(|tx| {
            assert_eq!(tx.execute("SELECT last_insert_rowid()", &[])?.rows, [[Value::Integer(42)]]);
            assert_eq!(tx.execute("INSERT INTO t VALUES(7,7),(8,8),(9,9)", &[])?.changes, 3);
            assert_eq!(tx.execute(counts, &[])?.rows, [[Value::Integer(9), Value::Integer(3)]]);
            tx.transaction(|tx| tx.execute("UPDATE t SET v=0 WHERE id<9", &[]))?;
            assert_eq!(tx.execute(counts, &[])?.rows, [[Value::Integer(9), Value::Integer(2)]]);
            tx.execute("ALTER TABLE t ADD COLUMN w", &[])?;
            assert_eq!(tx.execute("SELECT last_insert_rowid()", &[])?.rows, [[Value::Integer(9)]]);
            Ok::<_, relstore_model::Error>(())
        })
        .unwrap();
}
