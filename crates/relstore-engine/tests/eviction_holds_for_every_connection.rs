//! Readers while rows move, a store that is opened again, and one that another handle reads.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod eviction_support;

use eviction_support::{MemorySource, Tiered, open, tiered};
use relstore_engine::{ColdSource, Database, Settings};
use relstore_model::{ErrorKind, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn store() -> Tiered {
    let rows: Vec<String> = (1..=200).map(|i| format!("({i}, 1)")).collect();
    tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)", &format!("INSERT INTO t VALUES {}", rows.join(", "))])
}

const COUNT: &str = "SELECT count(*), sum(n), count(DISTINCT id) FROM t";

fn all() -> Vec<Vec<Value>> {
    vec![vec![Value::Integer(200), Value::Integer(200), Value::Integer(200)]]
}

#[test]
fn readers_see_every_row_once_while_rows_move() {
    let t = store();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        assert_eq!(t.db.query(COUNT, &[]).unwrap().rows, all());
                        let one = t.db.query("SELECT n FROM t WHERE id = 77", &[]).unwrap().rows;
                        assert_eq!(one, [[Value::Integer(1)]]);
                        let mut held = Vec::new();
                        let count_held = (1, COUNT);
                        t.db.execute_held(count_held, &[], &mut |row| {
                            held.push(row.iter().map(|c| c.to_value()).collect::<Vec<_>>());
                            Ok(())
                        })
                        .unwrap();
                        assert_eq!(held, all());
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for round in 0..60 {
            t.evict("t", &format!("id % 3 = {}", round % 3)).unwrap();
            t.run(&format!("UPDATE t SET n = 1 WHERE id % 5 = {}", round % 5));
            if round % 5 == 4 {
                t.db.reload_all("t").unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(readers.into_iter().map(|r| r.join().unwrap()).sum::<u64>() > 0);
    });
}

#[test]
fn a_row_handler_may_read_while_rows_move() {
    let t = store();
    let mut seen = 0;
    t.db.query_each("SELECT id FROM t", &[], &mut |_| {
        seen += 1;
        if seen == 1 {
            t.evict("t", "id > 100").unwrap();
            assert_eq!(t.db.query(COUNT, &[]).unwrap().rows, all());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, 200);
}

#[test]
fn a_store_that_is_opened_again_knows_its_cold_rows() {
    let t = store();
    t.evict("t", "id > 50").unwrap();
    t.run("DELETE FROM t WHERE id = 60");
    let Tiered { db, source, dir } = t;
    drop(db);
    let db = open(&dir, &source);
    assert_eq!(db.query("SELECT count(*) FROM t", &[]).unwrap().rows, [[Value::Integer(199)]]);
    db.execute("UPDATE t SET n = 2 WHERE id = 61", &[]).unwrap();
    assert_eq!(db.query("SELECT sum(n) FROM t", &[]).unwrap().rows, [[Value::Integer(200)]]);
    assert_eq!(db.evicted("t").unwrap().reloaded, 2);
}

#[test]
fn another_handle_follows_what_moves() {
    let t = store();
    let path = t.dir.path().join("store.db");
    let reader = Database::open_read_only(&path, Settings::default()).unwrap();
    reader.set_cold_source(Arc::clone(&t.source) as Arc<dyn ColdSource>);
    let check = || assert_eq!(reader.query(COUNT, &[]).unwrap().rows, all());
    check();
    t.evict("t", "id > 50").unwrap();
    check();
    t.run("UPDATE t SET n = 1 WHERE id = 70");
    check();
    t.evict("t", "1").unwrap();
    check();
    assert_eq!(reader.query("SELECT rowid FROM t", &[]).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(reader.query("PRAGMA table_info(t)", &[]).unwrap().rows.len(), 2);
    check();
    t.db.reload_all("t").unwrap();
    check();
    assert_eq!(reader.query("SELECT count(rowid) FROM t", &[]).unwrap().rows, [[Value::Integer(200)]]);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_no_answer() {
    let t = store();
    t.evict("t", "id > 50").unwrap();
    let Tiered { db, dir, source } = t;
    drop(db);
    let db = open(&dir, &Arc::new(MemorySource::default()));
    for sql in [COUNT, "UPDATE t SET n = 2 WHERE n = 1", "UPDATE t SET n = 2", "INSERT INTO t(id) VALUES (100)", "DROP TABLE t"] {
        assert_eq!(db.execute(sql, &[]).unwrap_err().kind(), ErrorKind::Unavailable, "{sql}");
    }
    db.set_cold_source(Arc::clone(&source) as Arc<dyn ColdSource>);
    assert_eq!(db.query(COUNT, &[]).unwrap().rows, all());
    assert_eq!(db.query("SELECT count(*) FROM t WHERE id < 10", &[]).unwrap().rows, [[Value::Integer(9)]]);
    db.execute("INSERT INTO t VALUES (201, 1)", &[]).unwrap();
    assert_eq!(db.high_water().get(), 202);
}

#[test]
fn a_lookup_by_key_reads_one_file_and_the_last_rows_the_last() {
    let t = store();
    for i in 0..4 {
        t.evict("t", &format!("id BETWEEN {} AND {}", i * 50 + 1, i * 50 + 50)).unwrap();
    }
    let reads = |sql: &str| {
        let before = t.source.reads.load(Ordering::Relaxed);
        t.run(sql);
        t.source.reads.load(Ordering::Relaxed) - before
    };
    assert_eq!(reads("SELECT * FROM t WHERE id = 77"), 1);
    assert_eq!(reads("SELECT * FROM t WHERE id BETWEEN 90 AND 110"), 2);
    assert_eq!(reads("SELECT * FROM t ORDER BY id DESC LIMIT 3"), 1);
    assert_eq!(reads("INSERT INTO t VALUES (201, 1)"), 0);
    assert_eq!(reads("SELECT * FROM t WHERE id = 500"), 0);
}
