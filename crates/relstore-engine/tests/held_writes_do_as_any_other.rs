//! A writing statement that the writer keeps prepared under a number does what the same text does when it is prepared anew, in any transaction and
//! after any change of shape.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::fmt::Debug;
use std::sync::Arc;

use common::{assert_log_is_true, letters, open, script, state, store};
use relstore_engine::{Database, Outcome, Settings, Transaction};
use relstore_model::{ErrorKind, Result, Row, Value, ValueRef};
use relstore_testkit::{ManualClock, Rng, seeds};

const SHAPE: [&str; 4] = [
    "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE)",
    "CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, n INTEGER CHECK(n < 90))",
    "CREATE TABLE told(what TEXT)",
    "CREATE TRIGGER tell AFTER DELETE ON child BEGIN INSERT INTO told VALUES('child ' || old.id); END",
];

const STATEMENTS: [&str; 14] = [
    "INSERT INTO parent(name) VALUES(?1)",
    "INSERT INTO parent(id, name) VALUES(?2, ?1) RETURNING id, name",
    "INSERT OR REPLACE INTO parent(id, name) VALUES(?2, ?1)",
    "INSERT OR IGNORE INTO parent(id, name) VALUES(?2, ?1)",
    "INSERT OR ROLLBACK INTO parent(id, name) VALUES(?2, ?1)",
    "INSERT OR FAIL INTO parent(name) VALUES('x' || ?2), (?1)",
    "INSERT INTO parent(id, name) VALUES(?2, ?1) ON CONFLICT(id) DO UPDATE SET name = excluded.name || '+' RETURNING name",
    "INSERT INTO child(parent, n) VALUES(?2, ?2 * 3)",
    "UPDATE parent SET name = ?1 WHERE id = ?2",
    "UPDATE child SET n = n + ?2 WHERE parent IN (SELECT id FROM parent WHERE name > ?1) RETURNING *",
    "UPDATE OR REPLACE parent SET id = ?2 WHERE name = ?1",
    "DELETE FROM parent WHERE id = ?2",
    "DELETE FROM child WHERE n > ?2 RETURNING id",
    "DELETE FROM child",
];

/// What is done to the shape between them.
const SHAPES: [&str; 6] = [
    "ALTER TABLE parent ADD COLUMN more TEXT DEFAULT 'm'",
    "ALTER TABLE parent DROP COLUMN more",
    "CREATE INDEX by_n ON child(n)",
    "DROP INDEX by_n",
    "DROP TABLE told",
    "CREATE TABLE told(what TEXT, again TEXT)",
];

/// What a statement did, as far as both ways must agree.
fn told(outcome: &Result<Outcome>, rows: &[Row]) -> String {
    match outcome {
        Ok(o) => format!("{} {} {} {rows:?}", o.changes, o.rows_written, o.last_insert_rowid),
        Err(e) => format!("{:?} {}", e.kind(), e.message()),
    }
}

type Way = fn(&Transaction<'_>, (u64, &str), &[Value]) -> String;

fn held(tx: &Transaction<'_>, statement: (u64, &str), params: &[Value]) -> String {
    let params: Vec<ValueRef<'_>> = params.iter().map(Value::as_ref).collect();
    let mut rows = Vec::new();
    let outcome = tx.execute_held(statement, &params, &mut |row| {
        rows.push(row.iter().map(|cell| cell.to_value()).collect());
        Ok(())
    });
    told(&outcome, &rows)
}

fn anew(tx: &Transaction<'_>, (_, sql): (u64, &str), params: &[Value]) -> String {
    let outcome = tx.execute(sql, params);
    let rows = outcome.as_ref().map_or_else(|_| Vec::new(), |o| o.rows.clone());
    told(&outcome, &rows)
}

/// Random statements in transactions of random length, some of which are rolled back; everything that was told.
fn run(db: &Database, seed: u64, way: Way) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let mut all = Vec::new();
    for _ in 0..60 {
        if rng.one_in(4) {
            let sql = *rng.pick(&SHAPES);
            all.push(format!("{sql}: {:?}", db.execute(sql, &[]).map(|_| ()).map_err(|e| e.message().to_owned())));
        }
        let is_undone = rng.one_in(5);
        let count = 1 + rng.below(8);
        let done = db.transaction(|tx| {
            for _ in 0..count {
                let number = rng.below(STATEMENTS.len() as u64);
                let params = [Value::from(*rng.pick(&["a", "b", "B", "c", "dd"])), Value::Integer(rng.below(40).cast_signed())];
                let sql = STATEMENTS[number as usize];
                // Each takes the parameters that it has.
                let params = if sql.contains("?2") { &params[..] } else { &params[..usize::from(sql.contains("?1"))] };
                all.push(format!("{sql} {params:?}: {}", way(tx, (number, sql), params)));
            }
            if is_undone { Err(relstore_model::Error::invalid("undone")) } else { Ok(()) }
        });
        all.push(format!("{:?}", done.map_err(|e| e.message().to_owned())));
    }
    all
}

fn assert_same<T: PartialEq + Debug>(seed: u64, a: &[T], b: &[T]) {
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a, b, "RELSTORE_SEED={seed}, at {at}");
    }
    assert_eq!(a.len(), b.len());
}

#[test]
fn random_statements_in_random_transactions() {
    for seed in seeds(150) {
        let stores = [held as Way, anew].map(|way| {
            let dir = tempfile::tempdir().unwrap();
            // So few that they are forgotten and prepared again.
            let settings = Settings { statements_cached: 5, ..Settings::default() };
            let db = Database::open(&dir.path().join("store.db"), settings, Arc::new(ManualClock::new(1_000_000, 1))).unwrap();
            script(&db, &SHAPE);
            let told = run(&db, seed, way);
            assert_log_is_true(&db);
            (told, state(&db), letters(&db), dir)
        });
        let [(ours, our_state, our_letters, _), (theirs, their_state, their_letters, _)] = &stores;
        assert_same(seed, ours, theirs);
        assert_eq!((our_state, our_letters), (their_state, their_letters), "RELSTORE_SEED={seed}");
    }
}

#[test]
fn what_changes_the_shape_is_captured_under_a_number_too() {
    let s = store();
    let run = |number: u64, sql: &str| s.db.transaction(|tx| tx.execute_held((number, sql), &[], &mut |_| Ok(())));
    for round in 0..3 {
        run(1, "CREATE TABLE t(id INTEGER PRIMARY KEY)").unwrap();
        run(2, "INSERT INTO t VALUES(1), (2)").unwrap();
        run(3, "DROP TABLE t").unwrap();
        assert!(run(2, "INSERT INTO t VALUES(1), (2)").is_err(), "{round}");
    }
    assert_eq!(letters(&s.db), "SccddS".repeat(3));
    assert_log_is_true(&s.db);
}

#[test]
fn what_is_wrong_with_it_is_said_as_ever() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
    let kind = |number: u64, sql: &str, params: &[ValueRef<'_>]| {
        s.db.transaction(|tx| tx.execute_held((number, sql), params, &mut |_| Ok(()))).map_err(|e| e.kind()).map(|o| o.changes)
    };
    for _ in 0..2 {
        assert_eq!(kind(1, "INSERT INTO t VALUES(?)", &[]), Err(ErrorKind::Invalid), "no parameter");
        assert_eq!(kind(2, "INSERT INTO nowhere VALUES(1)", &[]), Err(ErrorKind::NotFound));
        assert_eq!(kind(3, "INSERT INTO t VALUES(1); DELETE FROM t", &[]), Err(ErrorKind::Invalid));
        assert_eq!(kind(4, "CREATE TEMP TABLE x(id)", &[]), Err(ErrorKind::Unsupported));
        assert_eq!(kind(5, "COMMIT", &[]), Err(ErrorKind::Unsupported));
        assert_eq!(kind(6, "INSERT INTO t DEFAULT VALUES", &[]), Ok(1));
    }
}

#[test]
fn an_error_of_the_caller_undoes_what_was_written() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)"]);
    for _ in 0..2 {
        let stopped = s
            .db
            .execute_held((1, "INSERT INTO t VALUES(1), (2) RETURNING id"), &[], &mut |_| Err(relstore_model::Error::invalid("enough")));
        assert_eq!(stopped.unwrap_err().message(), "enough");
    }
    assert_eq!((s.db.query("SELECT * FROM t", &[]).unwrap().rows.len(), letters(&s.db).as_str()), (0, "S"));
    drop(s.db);
    assert_log_is_true(&open(&s.dir));
}
