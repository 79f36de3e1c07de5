//! A backup is a store as of one commit, whatever is written meanwhile; a vacuum is no change.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod eviction_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{assert_log_is_true, open, script, state, store};
use relstore_engine::{Database, Settings};
use relstore_model::{ErrorKind, Lsn, Value};
use relstore_testkit::ManualClock;

fn open_at(path: &std::path::Path) -> Database {
    Database::open(path, Settings::default(), Arc::new(ManualClock::new(1, 1))).unwrap()
}

/// Stops a thread when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_backup_made_while_a_thread_writes_is_a_store_of_one_commit() {
    let s = store();
    script(&s.db, &["CREATE TABLE a(id INTEGER PRIMARY KEY, x)", "CREATE TABLE b(id INTEGER PRIMARY KEY, x)"]);
    for i in 0..3000 {
        let row = [Value::Integer(i), Value::Text("x".repeat(2000))];
        s.db.transaction(|tx| tx.execute("INSERT INTO a VALUES(?, ?)", &row).and_then(|_| tx.execute("INSERT INTO b VALUES(?, ?)", &row)))
            .unwrap();
    }
    s.db.advance_cursor("pump", Lsn::new(77)).unwrap();
    let (stop, copies) = (AtomicBool::new(false), tempfile::tempdir().unwrap());
    let writes = std::thread::scope(|scope| {
        // Also when an assertion fails: the scope waits for the writer.
        let _stop = Stop(&stop);
        let writer = scope.spawn(|| {
            let mut i = 10_000;
            while !stop.load(Ordering::Relaxed) {
                // Each transaction keeps the two tables equal, and changes old pages and new ones.
                let row = [Value::Integer(i), Value::Integer(i % 3000)];
                s.db.transaction(|tx| -> relstore_model::Result<()> {
                    for table in ["a", "b"] {
                        tx.execute(&format!("INSERT INTO {table} VALUES(?1, ?2)"), &row)?;
                        tx.execute(&format!("UPDATE {table} SET x='changed' WHERE id=?2 AND ?1"), &row)?;
                    }
                    Ok(())
                })
                .unwrap();
                i += 1;
            }
            i - 10_000
        });
        let mut told = 0;
        let mut copied = Vec::new();
        for n in 0..4 {
            let path = copies.path().join(format!("{n}.db"));
            let before = s.db.high_water();
            let lsn = s.db.backup(&path, &mut |p| {
                assert!(p.pages_done <= p.pages_total);
                told += 1;
            });
            copied.push(lsn.unwrap());
            assert!(before <= copied[n]);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(told > 8, "progress was told {told} times");
        let writes = writer.join().unwrap();
        assert!(copied.iter().all(|lsn| *lsn <= s.db.high_water()));
        writes
    });
    assert!(writes > 0);
    for n in 0..4 {
        let path = copies.path().join(format!("{n}.db"));
        assert!(std::fs::read_to_string(copies.path().join(format!("{n}.db.lock"))).unwrap().starts_with("closed "));
        let copy = open_at(&path);
        let tables = state(&copy);
        assert_eq!(tables["a"], tables["b"], "a copy of one commit");
        assert_eq!(copy.check().unwrap(), [], "its log says what it holds");
        assert_eq!(copy.cursors().unwrap().into_iter().map(|c| (c.name, c.lsn)).collect::<Vec<_>>(), [("pump".to_owned(), Lsn::new(77))]);
        let lsn = copy.high_water();
        script(&copy, &["DELETE FROM a"]);
        assert!(copy.high_water() > lsn);
    }
    let names: Vec<_> = std::fs::read_dir(copies.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|n| n.contains("unfinished")), "{names:?}");
}

#[test]
fn a_backup_writes_over_nothing_and_leaves_nothing_where_it_fails() {
    let s = store();
    script(&s.db, &["CREATE TABLE a(id INTEGER PRIMARY KEY)"]);
    let path = s.dir.path().join("there.db");
    std::fs::write(&path, "something").unwrap();
    assert_eq!(s.db.backup(&path, &mut |_| {}).unwrap_err().kind(), ErrorKind::Invalid);
    let error = s.db.backup(&s.dir.path().join("no/such/folder.db"), &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let reader = Database::open_read_only(s.db.path(), Settings::default()).unwrap();
    assert_eq!(reader.backup(&s.dir.path().join("by_reader.db"), &mut |_| {}).unwrap(), Lsn::new(1));
    assert_eq!(open_at(&s.dir.path().join("by_reader.db")).schema().tables.len(), 1);
}

fn rowids(db: &Database) -> Vec<Vec<Value>> {
    db.query("SELECT rowid, x FROM bare ORDER BY rowid", &[]).unwrap().rows
}

#[test]
fn a_vacuum_makes_the_file_small_and_changes_nothing() {
    let s = store();
    script(
        &s.db,
        &["CREATE TABLE bare(x)", "CREATE TABLE k(id TEXT PRIMARY KEY, x)", "CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT, x)"],
    );
    for i in 0..2000 {
        let row = [Value::Integer(i), Value::Text("y".repeat(500))];
        s.db.execute("INSERT INTO bare VALUES(?1 || ?2)", &row).unwrap();
        s.db.execute("INSERT INTO k VALUES(?1, ?2)", &row).unwrap();
        s.db.execute("INSERT INTO auto(x) VALUES(?1 || ?2)", &row).unwrap();
    }
    script(&s.db, &["DELETE FROM bare WHERE rowid%10", "DELETE FROM k WHERE id%10", "DELETE FROM auto WHERE id>100"]);
    let reader = Database::open_read_only(s.db.path(), Settings::default()).unwrap();
    reader.query("SELECT count(*) FROM bare", &[]).unwrap();
    s.db.query("SELECT count(*) FROM bare", &[]).unwrap();
    let (before, ids, lsn, version) = (state(&s.db), rowids(&s.db), s.db.high_water(), s.db.schema());
    assert_eq!(ids.len(), 200);
    let saved = s.db.vacuum().unwrap();
    assert!(saved > 200_000, "{saved}");
    assert!(state(&s.db) == before && rowids(&s.db) == ids, "rows and rowids are as they were");
    assert_eq!((s.db.high_water(), s.db.schema()), (lsn, version));
    assert!(state(&reader) == before && rowids(&reader) == ids, "for readers too");
    s.db.verify().unwrap();
    script(&s.db, &["UPDATE bare SET x='z' WHERE rowid=1990", "INSERT INTO auto(x) VALUES(1)", "CREATE TABLE late AS SELECT * FROM bare"]);
    assert_eq!(s.db.query("SELECT max(id) FROM auto", &[]).unwrap().rows[0][0], Value::Integer(2001), "AUTOINCREMENT goes on");
    assert_log_is_true(&s.db);
    assert_eq!(s.db.check().unwrap(), []);
    assert!(s.db.vacuum().unwrap() < 1 << 20);
    let path = s.db.path().to_owned();
    drop((s.db, reader));
    assert!(std::fs::read_to_string(path.with_file_name("store.db.lock")).unwrap().starts_with("closed "));
    assert!(!path.with_file_name("store.db.vacuum").exists());
    let db = open(&s.dir);
    assert_log_is_true(&db);
    db.verify().unwrap();
}

#[test]
fn a_vacuum_is_no_part_of_a_transaction_and_sql_cannot_run_one() {
    let s = store();
    script(&s.db, &["CREATE TABLE bare(x)"]);
    for sql in ["VACUUM", "VACUUM INTO 'x.db'"] {
        let error = s.db.execute(sql, &[]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported) && error.hint().is_some(), "{sql}: {error:?}");
    }
}

#[test]
fn evicted_rows_outlive_backup_and_vacuum() {
    let t = eviction_support::tiered(&["CREATE TABLE a(id INTEGER PRIMARY KEY, x)"]);
    for i in 0..20 {
        t.run(&format!("INSERT INTO a VALUES({i}, {i})"));
    }
    assert_eq!(t.evict("a", "id<10").unwrap(), 10);
    t.db.vacuum().unwrap();
    assert_eq!(t.run("SELECT count(*), sum(x) FROM a"), [[Value::Integer(20), Value::Integer(190)]]);
    t.run("UPDATE a SET x=0 WHERE id IN (1, 15)");
    assert_log_is_true(&t.db);
    let path = t.dir.path().join("copy.db");
    t.db.backup(&path, &mut |_| {}).unwrap();
    let copy = open_at(&path);
    copy.set_cold_source(Arc::clone(&t.source) as Arc<dyn relstore_engine::ColdSource>);
    assert_eq!(state(&copy), state(&t.db));
    assert_log_is_true(&copy);
}
