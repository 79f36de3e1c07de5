//! All statements of a read transaction see one commit's state, evicted rows included, while writers go on.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod eviction_support;

use std::sync::atomic::{AtomicBool, Ordering};

use relstore_model::{Error, ErrorKind, Value};

fn number(value: &Value) -> i64 {
    if let Value::Integer(n) = value { *n } else { panic!("not a number: {value:?}") }
}

#[test]
fn statements_agree_while_rows_change_and_move_between_the_tiers() {
    let t = eviction_support::tiered(&[
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)",
        "CREATE TABLE total(id INTEGER PRIMARY KEY, n INT)",
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 200) INSERT INTO t SELECT n, 1 FROM i",
        "INSERT INTO total VALUES(1, 200)",
    ]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        t.db.read(|tx| {
                            let total = number(&tx.query("SELECT n FROM total", &[])?.rows[0][0]);
                            // Time for a writer and a mover to come between.
                            std::thread::yield_now();
                            let sum = tx.query("SELECT sum(n), count(*), (SELECT max(lsn) FROM _rs_log) FROM t", &[])?.rows;
                            assert_eq!((number(&sum[0][0]), number(&sum[0][1])), (total, 200));
                            assert_eq!(number(&sum[0][2]), tx.lsn().as_i64());
                            Ok::<_, Error>(())
                        })
                        .unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for round in 0..60 {
            t.db.transaction(|tx| {
                tx.execute("UPDATE t SET n = n + 1 WHERE id % 5 = ?", &[Value::Integer(round % 5)])?;
                tx.execute("UPDATE total SET n = n + 40", &[]).map(|_| ())
            })
            .unwrap();
            t.evict("t", &format!("id % 3 = {}", round % 3)).unwrap();
            if round % 10 == 9 {
                t.db.reload_all("t").unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(readers.into_iter().map(|r| r.join().unwrap()).sum::<u64>() > 0);
    });
}

#[test]
fn the_schema_is_that_of_the_state_and_the_connection_is_free_afterwards() {
    let t = eviction_support::tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)", "INSERT INTO t VALUES(1, 1), (2, 2)"]);
    t.evict("t", "id = 1").unwrap();
    t.db.read(|tx| {
        let begun = tx.lsn();
        t.run("CREATE TABLE later(x)");
        t.run("UPDATE t SET n = 10");
        assert_eq!((tx.lsn(), tx.schema().tables.len(), t.db.schema().tables.len()), (begun, 1, 2));
        assert_eq!(tx.query("SELECT sum(n) FROM t", &[])?.rows[0][0], Value::Integer(3));
        assert_eq!(tx.query("SELECT * FROM later", &[]).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(tx.query("CREATE TABLE z(y)", &[]).unwrap_err().kind(), ErrorKind::Invalid);
        // Nested: another connection, and the state of now.
        assert_eq!(t.db.query("SELECT sum(n) FROM t", &[])?.rows[0][0], Value::Integer(20));
        Ok::<_, Error>(())
    })
    .unwrap();
    let failed: Result<(), Error> = t.db.read(|_| Err(Error::invalid("no")));
    assert_eq!(failed.unwrap_err().message(), "no");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| t.db.read(|_| -> Result<(), Error> { panic!("in the body") })));
    assert!(panicked.is_err());
    assert_eq!(t.db.query("SELECT count(*) FROM later", &[]).unwrap().rows[0][0], Value::Integer(0));
    assert_eq!(t.db.read(|tx| tx.query("SELECT sum(n) FROM t", &[])).unwrap().rows[0][0], Value::Integer(20));
}

#[test]
fn a_handle_that_reads_only_sees_one_state_of_another_handles_store() {
    let t = eviction_support::tiered(&["CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)", "INSERT INTO t VALUES(1, 1), (2, 2)"]);
    t.evict("t", "id = 1").unwrap();
    let path = t.dir.path().join("store.db");
    let reader = relstore_engine::Database::open_read_only(&path, relstore_engine::Settings::default()).unwrap();
    reader.set_cold_source(std::sync::Arc::clone(&t.source) as std::sync::Arc<dyn relstore_engine::ColdSource>);
    reader
        .read(|tx| {
            t.run("INSERT INTO t VALUES(3, 3)");
            t.evict("t", "id = 2").unwrap();
            assert_eq!(tx.query("SELECT sum(n) FROM t", &[])?.rows[0][0], Value::Integer(3));
            assert_eq!(tx.query("SELECT sum(n) FROM t", &[])?.rows[0][0], Value::Integer(3));
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(reader.read(|tx| tx.query("SELECT sum(n) FROM t", &[])).unwrap().rows[0][0], Value::Integer(6));
}
