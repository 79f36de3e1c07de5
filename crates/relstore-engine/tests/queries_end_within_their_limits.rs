//! Queries with limits stop, say why, and leave everything else as it was.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{script, store};
use relstore_engine::{CancelToken, QueryOptions};
use relstore_model::{ErrorKind, Value};

const ENDLESS: &str = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT count(*) FROM n";

const NUMBERS: &str = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n LIMIT 1000) SELECT x, 'abcd' FROM n";

#[test]
fn a_query_that_takes_too_long_is_stopped() {
    let s = store();
    let options = QueryOptions { timeout: Some(Duration::from_millis(30)), ..QueryOptions::default() };
    let started = Instant::now();
    let error = s.db.query_with(ENDLESS, &[], &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.hint().unwrap().contains("explain"), "{error:?}");
    assert!((Duration::from_millis(30)..Duration::from_secs(5)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[test]
fn a_token_stops_its_query_from_another_thread_and_no_other() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(x)", "INSERT INTO t VALUES(1)"]);
    let token = CancelToken::new();
    let options = QueryOptions { cancel: Some(token.clone()), ..QueryOptions::default() };
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (error, took, others) = std::thread::scope(|scope| {
        let query = scope.spawn(|| {
            begun.send(()).unwrap();
            let error = s.db.query_with(ENDLESS, &[], &options).unwrap_err();
            (error, Instant::now())
        });
        has_begun.recv().unwrap();
        // Other statements meanwhile, on other connections: reads and writes.
        let others =
            (0..200).filter(|i| s.db.query(NUMBERS, &[]).is_ok() && s.db.execute("INSERT INTO t VALUES(?)", &[Value::Integer(*i)]).is_ok());
        let others = others.count();
        let cancelled = Instant::now();
        token.cancel();
        let (error, ended) = query.join().unwrap();
        (error, ended.saturating_duration_since(cancelled), others)
    });
    assert_eq!((error.kind(), others), (ErrorKind::Conflict, 200), "{error:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // The connection that was stopped is back in the pool, and serves.
    for _ in 0..8 {
        assert_eq!(s.db.query(NUMBERS, &[]).unwrap().rows.len(), 1000);
    }
    assert_eq!(s.db.query_with(NUMBERS, &[], &options).unwrap_err().kind(), ErrorKind::Conflict, "a token that was used stays so");
}

#[test]
fn rows_and_bytes_are_limited() {
    let s = store();
    let limits = |rows_max, bytes_max| QueryOptions { rows_max, bytes_max, ..QueryOptions::default() };
    for (options, limit) in [(limits(Some(999), None), "rows_max"), (limits(None, Some(11_999)), "bytes_max")] {
        let mut seen = 0;
        let error =
            s.db.query_each_with(NUMBERS, &[], &options, &mut |_| {
                seen += 1;
                Ok(())
            })
            .unwrap_err();
        assert_eq!((error.kind(), seen), (ErrorKind::Invalid, 999), "{error:?}");
        assert!(error.to_string().contains(limit), "{error:?}");
    }
    assert_eq!(s.db.query_with(NUMBERS, &[], &limits(Some(1000), Some(12_000))).unwrap().rows.len(), 1000);
    let slow = QueryOptions { timeout: Some(Duration::from_millis(20)), ..QueryOptions::default() };
    let error =
        s.db.query_each_with("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", &[], &slow, &mut |_| {
            std::thread::sleep(Duration::from_millis(15));
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "the time of the row handler counts");
}

#[test]
fn an_error_of_the_statement_stays_its_own() {
    let s = store();
    let error = s.db.query_with("SELECT * FROM missing", &[], &QueryOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = s.db.query_with("DELETE FROM sqlite_schema", &[], &QueryOptions::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported), "{error:?}");
}

#[test]
fn text_without_a_statement_is_refused_everywhere() {
    let s = store();
    for sql in ["", " ", ";", "-- nothing", "/* nothing */ ;;"] {
        assert!(s.db.query(sql, &[]).is_err() && s.db.query_with(sql, &[], &QueryOptions::default()).is_err(), "{sql:?}");
        assert!(s.db.execute(sql, &[]).is_err() && s.db.explain(sql, &[]).is_err(), "{sql:?}");
        assert!(s.db.transaction(|tx| tx.execute(sql, &[])).is_err(), "{sql:?}");
    }
}

#[test]
fn a_statement_says_what_it_scanned_and_wrote() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE p(id INTEGER PRIMARY KEY, x)",
            "CREATE TABLE q(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE)",
            "CREATE TABLE audit(x)",
            "CREATE INDEX q_p ON q(p)",
            "CREATE TRIGGER t AFTER DELETE ON p BEGIN INSERT INTO audit VALUES(old.id); END",
        ],
    );
    for i in 0..10 {
        s.db.execute("INSERT INTO p VALUES(?1, ?1)", &[Value::Integer(i)]).unwrap();
        s.db.execute("INSERT INTO q(p) VALUES(?1), (?1), (?1)", &[Value::Integer(i)]).unwrap();
    }
    let deleted = s.db.execute("DELETE FROM p WHERE id=3", &[]).unwrap();
    assert_eq!((deleted.changes, deleted.rows_written, deleted.rows_scanned), (1, 5, 0), "one row, three children, one by the trigger");
    let scan = s.db.execute("SELECT * FROM q WHERE id+0=5", &[]).unwrap();
    assert!((26..=27).contains(&scan.rows_scanned), "{}", scan.rows_scanned);
    assert_eq!(s.db.execute("SELECT * FROM q WHERE p=5", &[]).unwrap().rows_scanned, 0);
    assert_eq!(s.db.execute("SELECT * FROM q WHERE p=5", &[]).unwrap().rows_written, 0);
}

#[test]
fn a_plan_names_indexes_and_flags_scans() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE flights(id INTEGER PRIMARY KEY, tail, day)",
            "CREATE TABLE planes(tail TEXT PRIMARY KEY, year)",
            "CREATE INDEX by_year ON planes(year)",
        ],
    );
    for i in 0..7 {
        s.db.execute("INSERT INTO flights(tail) VALUES(?)", &[Value::Integer(i)]).unwrap();
    }
    let plan = s.db.explain("SELECT f.id FROM flights AS f JOIN planes p ON p.tail=f.tail ORDER BY f.day", &[]).unwrap();
    let scan = &plan.steps[0];
    assert_eq!((scan.table.as_deref(), scan.is_scan, scan.table_rows), (Some("flights"), true, Some(7)), "{plan}");
    let search = &plan.steps[1];
    assert_eq!(
        (search.table.as_deref(), search.index.as_deref(), search.is_scan),
        (Some("planes"), Some("sqlite_autoindex_planes_1"), false)
    );
    let drawn = plan.to_string();
    assert_eq!(drawn.lines().next().unwrap(), "├─ SCAN f   ← the whole table: flights has 7 rows");
    assert!(drawn.contains("└─ USE TEMP B-TREE FOR ORDER BY"), "{drawn}");
    let plan = s.db.explain("DELETE FROM planes WHERE year=?", &[]).unwrap();
    assert_eq!(plan.steps[0].index.as_deref(), Some("by_year"), "{plan}");
    let nested = s.db.explain("SELECT 1 UNION SELECT id FROM flights", &[]).unwrap();
    assert!(nested.to_string().contains("\n   ├─ "), "{nested}");
    assert_eq!(s.db.explain("SELECT * FROM flihgts", &[]).unwrap_err().hint(), Some("did you mean flights?"));
    assert_eq!(s.db.query("SELECT count(*) FROM planes", &[]).unwrap().rows[0][0], Value::Integer(0));
}

#[test]
fn names_come_before_the_rows_of_one_state() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1, 2), (3, 4)"]);
    let named = |sql: &str, options: &QueryOptions, each: &mut dyn FnMut()| {
        let seen = std::cell::RefCell::new(Vec::new());
        let columns = |names: Vec<String>| {
            seen.borrow_mut().push(names.join(","));
            Ok(())
        };
        let result = s.db.query_named_each_with(sql, &[], options, columns, &mut |row| {
            seen.borrow_mut().push(row.len().to_string());
            each();
            Ok(())
        });
        result.map(|()| seen.into_inner()).map_err(|e| e.kind())
    };
    let default = QueryOptions::default();
    assert_eq!(named("SELECT *, a AS a FROM t", &default, &mut || ()).unwrap(), ["a,b,a", "3", "3"]);
    // The shape changes between a query and the next: `*` is other columns, and is told so before the first row.
    script(&s.db, &["ALTER TABLE t ADD COLUMN c"]);
    let mut is_first = true;
    let mut drop_a_row = || {
        if std::mem::take(&mut is_first) {
            script(&s.db, &["DELETE FROM t WHERE a = 3", "ALTER TABLE t DROP COLUMN b"]);
        }
    };
    assert_eq!(named("SELECT *, a AS a FROM t", &default, &mut drop_a_row).unwrap(), ["a,b,c,a", "4", "4"], "one state");
    assert_eq!(named("SELECT *, a AS a FROM t", &default, &mut || ()).unwrap(), ["a,c,a", "3"]);
    assert_eq!(named("SELECT * FROM u", &default, &mut || ()), Err(ErrorKind::NotFound));
    assert_eq!(named("DELETE FROM t", &default, &mut || ()), Err(ErrorKind::Invalid));
    let one = QueryOptions { rows_max: Some(1), ..QueryOptions::default() };
    assert_eq!(named("SELECT 1 UNION ALL SELECT 2", &one, &mut || ()), Err(ErrorKind::Invalid));
    let late = QueryOptions { timeout: Some(Duration::from_millis(30)), ..QueryOptions::default() };
    assert_eq!(named(ENDLESS, &late, &mut || ()), Err(ErrorKind::Unavailable));
    assert_eq!(s.db.query("SELECT count(*) FROM t", &[]).unwrap().rows, [[Value::Integer(1)]]);
}
