//! Migrations of a table whose rows are partly evicted: the rows are all there, and nothing is told that did not happen.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod eviction_support;
mod migration_support;

use common::{assert_log_is_true, letters};
use eviction_support::tiered;
use migration_support::{count, ids, migrate};

#[test]
fn a_rebuild_brings_evicted_rows_back() {
    for rebuild in [
        "CREATE TABLE n(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO n SELECT id, v FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t",
        "ALTER TABLE t RENAME TO o; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO t SELECT * FROM o; DROP TABLE o",
    ] {
        let store = tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)", "CREATE TABLE other(id INTEGER PRIMARY KEY, v)"]);
        store.run("INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c')");
        store.run("INSERT INTO other VALUES(1,'a'),(2,'b')");
        assert_eq!((store.evict("t", "id < 3").unwrap(), store.evict("other", "id = 1").unwrap()), (2, 1));
        let before = letters(&store.db).len();
        migrate(&store.db, &[rebuild]).unwrap();
        assert!(letters(&store.db)[before..].chars().all(|c| c == 'S'), "{rebuild}: {}", &letters(&store.db)[before..]);
        assert_eq!((count(&store.db, "t"), store.hot("t"), ids(&store.db, "t").0), (3, 3, 1));
        assert_eq!((count(&store.db, "other"), store.hot("other")), (2, 1), "what is not rebuilt stays where it is");
        assert_log_is_true(&store.db);
        store.evict("t", "id > 1").unwrap();
        assert_eq!((count(&store.db, "t"), store.hot("t")), (3, 1));
    }
}

#[test]
fn a_rebuild_that_is_refused_leaves_evicted_rows_where_they_are() {
    let store = tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)"]);
    store.run("INSERT INTO t VALUES(1,'a'),(2,NULL),(3,'c')");
    store.evict("t", "id < 3").unwrap();
    let rebuild = "CREATE TABLE n(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO n SELECT id, v FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t";
    migrate(&store.db, &[rebuild]).unwrap_err();
    assert_eq!((count(&store.db, "t"), store.hot("t")), (3, 1));
    migrate(&store.db, &["UPDATE t SET v='z' WHERE id=1; ALTER TABLE t ADD COLUMN w DEFAULT 1; DELETE FROM t WHERE w=1 AND id=2"]).unwrap();
    assert_eq!(count(&store.db, "t"), 2);
    assert_log_is_true(&store.db);
}
