//! A plain SQLite file becomes a store: the same tables and rows, its schema version 1, its rows the beginning of the log.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::state;
use relstore_engine::{Database, Settings};
use relstore_model::change::codec::unpack;
use relstore_model::{Change, ErrorKind, Lsn, Op, Result};
use relstore_testkit::ManualClock;

fn plain(dir: &Path, sql: &str) -> PathBuf {
    let path = dir.join("plain.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA foreign_keys=OFF; {sql}")).unwrap();
    path
}

fn adopt(from: &Path, path: &Path) -> Result<relstore_engine::Adopted> {
    Database::adopt(from, path, &Settings::default(), Arc::new(ManualClock::new(1_000_000, 1)), &mut |_| {})
}

fn open(path: &Path) -> Database {
    Database::open(path, Settings::default(), Arc::new(ManualClock::new(2_000_000, 1))).unwrap()
}

#[test]
fn rows_shape_and_rowids_come_along_and_the_log_gives_them_again() {
    let dir = tempfile::tempdir().unwrap();
    let from = plain(
        dir.path(),
        "CREATE TABLE users(id TEXT PRIMARY KEY, name TEXT NOT NULL); CREATE INDEX by_name ON users(name);
         CREATE TABLE notes(body, about TEXT REFERENCES users(id) ON DELETE CASCADE);
         CREATE TABLE pairs(a INT, b INT, PRIMARY KEY(a, b)) WITHOUT ROWID;
         CREATE VIEW named AS SELECT name FROM users;
         INSERT INTO users VALUES('u1', 'Alice'), ('u2', 'Bob');
         INSERT INTO notes(rowid, body, about) VALUES(7, x'00ff', 'u1'), (9, NULL, 'u2');
         INSERT INTO pairs VALUES(1, 2), (1, 3);",
    );
    let path = dir.path().join("store.db");
    let adopted = adopt(&from, &path).unwrap();
    assert_eq!((adopted.tables, adopted.rows, adopted.lsn, adopted.findings.len()), (3, 6, Lsn::new(7), 0));
    let db = open(&path);
    assert_eq!((db.schema().version, db.high_water()), (1, Lsn::new(7)));
    let rowids = db.query("SELECT rowid FROM notes", &[]).unwrap().rows;
    assert_eq!(rowids, [[7_i64.into()], [9_i64.into()]]);
    let changes: Vec<Change> = db.commits_after(Lsn::ZERO, usize::MAX).unwrap().iter().flat_map(|c| unpack(&c.packed).unwrap()).collect();
    assert!(matches!(&changes[0], Change::Schema(_)));
    assert!(changes[1..].iter().all(|c| matches!(c, Change::Row(row) if row.op == Op::Read)), "{changes:?}");
    // It is a store like any other.
    db.execute("DELETE FROM users WHERE id='u1'", &[]).unwrap();
    assert_eq!(db.commits_after(Lsn::new(7), usize::MAX).unwrap()[0].count, 2, "the cascade is captured");
    assert!(db.check().unwrap().is_empty());
    assert_eq!(common::replayed(&db), state(&db));
    // The file it was made of is as it was.
    let left: i64 = rusqlite::Connection::open(&from).unwrap().query_row("SELECT count(*) FROM users", [], |r| r.get(0)).unwrap();
    assert_eq!(left, 2);
}

#[test]
fn a_large_file_comes_in_many_commits_under_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    let from = plain(
        dir.path(),
        "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);
         WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
         INSERT INTO t SELECT n, hex(randomblob(400)) FROM i;",
    );
    let path = dir.path().join("store.db");
    assert_eq!(adopt(&from, &path).unwrap().rows, 20_000);
    let db = open(&path);
    let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    assert!(commits.len() >= 3 && commits.iter().all(|c| c.packed.len() < 6 << 20), "{} commits", commits.len());
    assert_eq!(commits.iter().map(|c| c.schema_version).collect::<Vec<_>>()[..2], [0, 1]);
    assert_eq!(commits.iter().map(|c| c.count).sum::<u64>(), 20_001);
    assert_eq!(common::replayed(&db), state(&db));
}

#[test]
fn what_is_no_plain_file_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let refused = |from: &Path, kind: ErrorKind, words: &str| {
        let error = adopt(from, &path).unwrap_err();
        assert!(error.kind() == kind && format!("{error:?}").contains(words), "{error:?}");
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("store.db")), "{left:?}");
    };
    refused(&dir.path().join("missing"), ErrorKind::NotFound, "no such file");
    let text = dir.path().join("text");
    std::fs::write(&text, "not a database, and long enough to be looked at as if it were one ".repeat(20)).unwrap();
    refused(&text, ErrorKind::Corrupt, "not a database");
    let own = dir.path().join("own.db");
    open(&own);
    refused(&own, ErrorKind::Invalid, "a store already");
    let from = plain(dir.path(), "CREATE TABLE _rs_mine(x)");
    refused(&from, ErrorKind::Invalid, "_rs_mine");
    std::fs::remove_file(&from).unwrap();
    let from = plain(dir.path(), "CREATE TABLE t(rowid, oid, _rowid_); INSERT INTO t VALUES(1, 2, 3)");
    refused(&from, ErrorKind::Unsupported, "could not be told apart");
    std::fs::remove_file(&from).unwrap();
    // And where there is one already, it stays.
    let from = plain(dir.path(), "CREATE TABLE t(x)");
    adopt(&from, &path).unwrap();
    assert_eq!(adopt(&from, &path).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn rows_without_their_parent_are_named_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let from = plain(dir.path(), "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO c VALUES(7)");
    let path = dir.path().join("store.db");
    let adopted = adopt(&from, &path).unwrap();
    assert_eq!(adopted.findings.iter().map(|f| (f.code, f.table.as_deref())).collect::<Vec<_>>(), [("foreign_key", Some("c"))]);
    assert_eq!(open(&path).query("SELECT * FROM c", &[]).unwrap().rows.len(), 1);
}
