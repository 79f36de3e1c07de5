//! Each way in which SQL could go around the engine is refused, and says the way out.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{assert_log_is_true, script, state, store};
use relstore_engine::{Database, Settings};
use relstore_model::ErrorKind;

const REFUSED: &[(&str, &str)] = &[
    ("BEGIN", "Database::transaction"),
    ("BEGIN IMMEDIATE", "Database::transaction"),
    ("COMMIT", "Database::transaction"),
    ("ROLLBACK", "Database::transaction"),
    ("SAVEPOINT s", "Transaction::transaction"),
    ("RELEASE s", "Transaction::transaction"),
    ("ATTACH 'other.db' AS other", "Database::backup"),
    ("DETACH main", "Database::backup"),
    ("VACUUM", "Database::vacuum"),
    ("VACUUM INTO 'copy.db'", "Database::vacuum"),
    ("CREATE TEMP TABLE t(x)", "WITH"),
    ("CREATE TEMP TABLE u AS SELECT * FROM t", "WITH"),
    ("CREATE TEMP VIEW t AS SELECT 1 AS id", "WITH"),
    ("CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END", "WITH"),
    ("CREATE TRIGGER temp.r AFTER INSERT ON main.t BEGIN DELETE FROM t; END", "WITH"),
    ("PRAGMA journal_mode=DELETE", "durability"),
    ("PRAGMA main.journal_mode=OFF", "durability"),
    ("PRAGMA synchronous=OFF", "durability"),
    ("PRAGMA locking_mode=EXCLUSIVE", "durability"),
    ("PRAGMA foreign_keys=OFF", "defer_foreign_keys"),
    ("PRAGMA foreign_keys(0)", "defer_foreign_keys"),
    ("PRAGMA writable_schema=ON", "ALTER"),
    ("PRAGMA schema_version=7", "ALTER"),
    ("PRAGMA wal_checkpoint(TRUNCATE)", "by itself"),
    ("PRAGMA wal_autocheckpoint=0", "by itself"),
    ("PRAGMA optimize", "Database::optimize"),
    ("PRAGMA recursive_triggers=ON", "stays"),
    ("PRAGMA ignore_check_constraints=ON", "stays"),
    ("PRAGMA trusted_schema=ON", "stays"),
    ("PRAGMA query_only=OFF", "stays"),
    ("PRAGMA cache_size=1", "Settings"),
    ("PRAGMA temp_store_directory='/tmp'", "look"),
    ("SELECT load_extension('x')", "extensions"),
    ("INSERT INTO _rs_log VALUES(1000, 1, 1, 1, x'')", "commits_after"),
    ("UPDATE _RS_CURSOR SET lsn=0", "cursors"),
    ("DELETE FROM \"_rs_meta\"", "_rs_"),
    ("DROP TABLE _rs_log", "_rs_"),
    ("ALTER TABLE _rs_log RENAME TO log", "_rs_"),
    ("CREATE TABLE _rs_mine(x)", "_rs_"),
    ("CREATE INDEX i ON _rs_log(ts)", "_rs_"),
    ("CREATE VIEW _rs_view AS SELECT 1", "_rs_"),
    ("CREATE TRIGGER r AFTER INSERT ON _rs_log BEGIN SELECT 1; END", "_rs_"),
    ("CREATE TRIGGER _rs_r AFTER INSERT ON t BEGIN DELETE FROM _rs_log; END", "_rs_"),
];

#[test]
fn what_would_break_a_promise_is_refused_with_the_way_out() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES(1, 1)"]);
    let before = (state(&s.db), s.db.high_water());
    for (sql, way_out) in REFUSED {
        let alone = s.db.execute(sql, &[]).err().unwrap_or_else(|| panic!("{sql} was allowed"));
        assert_eq!(alone.kind(), ErrorKind::Unsupported, "{sql}: {alone:?}");
        assert!(alone.hint().unwrap().contains(way_out), "{sql}: {alone:?}");
        let inside = s.db.transaction(|tx| tx.execute(sql, &[])).err().unwrap_or_else(|| panic!("{sql} was allowed in a transaction"));
        assert_eq!(inside.kind(), ErrorKind::Unsupported, "{sql}: {inside:?}");
        assert!(inside.hint().unwrap().contains(way_out), "{sql}: {inside:?}");
    }
    // The readers have none: there it does not exist.
    let participant = s.db.transaction(|tx| tx.execute("DELETE FROM _rs_participant", &[]));
    assert_eq!(participant.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!((state(&s.db), s.db.high_water()), before);
    script(&s.db, &["INSERT INTO t VALUES(2, 2)"]);
    assert_log_is_true(&s.db);
}

#[test]
fn triggers_of_the_user_cannot_reach_what_the_user_cannot() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, x)"]);
    for body in ["DELETE FROM _rs_log", "UPDATE _rs_cursor SET lsn=0", "INSERT INTO _rs_meta VALUES('a', 1)"] {
        let made = s.db.execute(&format!("CREATE TRIGGER r AFTER INSERT ON t BEGIN {body}; END"), &[]);
        // SQLite looks at a trigger's body when it fires.
        if made.is_ok() {
            let error = s.db.execute("INSERT INTO t(x) VALUES(1)", &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{body}: {error:?}");
            script(&s.db, &["DROP TRIGGER r"]);
        }
    }
    assert_log_is_true(&s.db);
}

#[test]
fn sqlites_own_tables_are_not_written() {
    let s = store();
    script(
        &s.db,
        &["CREATE TABLE t(id INTEGER PRIMARY KEY, x)", "CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES('hello world')"],
    );
    for sql in ["DELETE FROM sqlite_schema", "UPDATE sqlite_master SET sql=''", "DELETE FROM f_data", "UPDATE f_content SET c0='x'"] {
        let error = s.db.execute(sql, &[]).err().unwrap_or_else(|| panic!("{sql} was allowed"));
        assert!(error.to_string().contains("may not be modified"), "{sql}: {error:?}");
    }
    assert_eq!(s.db.query("SELECT count(*) FROM f WHERE f MATCH 'hello'", &[]).unwrap().rows.len(), 1);
    // The usual way to keep a full-text index, which a schema without trust must not lose.
    script(&s.db, &["CREATE TRIGGER keep AFTER INSERT ON t BEGIN INSERT INTO f VALUES(new.x); END", "INSERT INTO t VALUES(1, 'kept')"]);
    assert_eq!(s.db.query("SELECT x FROM f WHERE f MATCH 'kept'", &[]).unwrap().rows.len(), 1);
}

#[test]
fn a_name_in_double_quotes_is_never_a_string() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO t VALUES(1, 'nmae')"]);
    let error = s.db.query("SELECT * FROM t WHERE \"nmae\"='nmae'", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert_eq!(s.db.query("SELECT \"name\" FROM t", &[]).unwrap().rows.len(), 1);
    assert!(s.db.execute("CREATE INDEX i ON t(\"nmae\")", &[]).is_err());
}

#[test]
fn a_handle_that_only_reads_does_not_write() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
    let reader = Database::open_read_only(s.db.path(), Settings::default()).unwrap();
    for sql in ["INSERT INTO t VALUES(1)", "CREATE TABLE u(x)", "DELETE FROM t"] {
        assert_eq!(reader.execute(sql, &[]).unwrap_err().kind(), ErrorKind::Unavailable, "{sql}");
        assert_eq!(reader.query(sql, &[]).unwrap_err().kind(), ErrorKind::Invalid, "{sql}");
    }
}

#[test]
fn more_readers_than_are_kept_each_have_a_connection() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { readers_idle_max: 1, statements_cached: 2, ..Settings::default() };
    let clock = std::sync::Arc::new(relstore_testkit::ManualClock::new(1, 1));
    let db = Database::open(&dir.path().join("store.db"), settings, clock).unwrap();
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1), (2)"]);
    let mut seen = 0;
    db.query_each("SELECT id FROM t", &[], &mut |_| {
        db.query_each("SELECT id FROM t", &[], &mut |_| {
            seen += db.query("SELECT id FROM t", &[])?.rows.len();
            Ok(())
        })
        .map(|_| ())
    })
    .unwrap();
    assert_eq!(seen, 8);
}
