//! What comes back, statement by statement: the row that is met, all of a table where that is not certain, and nothing for a read.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod eviction_support;

use eviction_support::{Tiered, tiered};
use relstore_model::{ErrorKind, Lsn, Value};

const DDL: &[&str] = &[
    "CREATE TABLE carriers(code TEXT PRIMARY KEY COLLATE NOCASE, name TEXT)",
    "CREATE TABLE flights(id INTEGER PRIMARY KEY, number INT, day TEXT, carrier TEXT REFERENCES carriers(code) ON DELETE CASCADE, late INT, UNIQUE(number, day))",
    "CREATE INDEX flights_late ON flights(late)",
    "INSERT INTO carriers VALUES ('UA', 'United'), ('DL', 'Delta')",
];

/// A store whose 20 flights are all cold.
fn cold() -> Tiered {
    let rows: Vec<String> =
        (1..=20).map(|i| format!("({i}, {i}, 'd{}', '{}', {i})", i % 3, if i % 2 == 1 { "ua" } else { "DL" })).collect();
    let insert = format!("INSERT INTO flights VALUES {}", rows.join(", "));
    let t = tiered(&[DDL[0], DDL[1], DDL[2], DDL[3], insert.as_str()]);
    assert_eq!(t.evict("flights", "id <= 10").unwrap(), 10);
    assert_eq!(t.evict("flights", "1").unwrap(), 10);
    assert_eq!(t.hot("flights"), 0);
    t
}

/// Runs `sql` on a store whose rows are all cold, and checks how many are hot then.
fn check(sql: &str, params: &[Value], hot: i64) {
    let t = cold();
    t.db.execute(sql, params).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    assert_eq!(t.hot("flights"), hot, "{sql}");
    let all = t.run("SELECT count(*) FROM flights")[0][0].clone();
    let by_key = t.run("SELECT count(*) FROM (SELECT id FROM flights ORDER BY id)")[0][0].clone();
    assert_eq!(all, by_key, "{sql}");
}

#[test]
fn a_read_brings_nothing_back() {
    for sql in [
        "SELECT * FROM flights WHERE id = 7",
        "SELECT count(*), max(late) FROM flights JOIN carriers ON code = carrier",
        "SELECT * FROM carriers LEFT JOIN flights ON carrier = code AND late > 3 ORDER BY id DESC LIMIT 3",
        "PRAGMA table_info(flights)",
        "PRAGMA foreign_key_check",
        "SELECT name FROM pragma_table_info('flights')",
        "EXPLAIN QUERY PLAN SELECT * FROM flights WHERE id = 1",
        "ANALYZE",
    ] {
        check(sql, &[], 0);
    }
}

#[test]
fn a_write_brings_back_the_rows_it_may_meet() {
    let (seven, eight) = (Value::Integer(7), Value::Integer(8));
    check("UPDATE flights SET late = ? WHERE id = ?", &[eight.clone(), seven.clone()], 1);
    check("UPDATE flights AS f SET late = ?2 WHERE f.id = ?1 RETURNING late", &[seven.clone(), eight.clone()], 1);
    check(
        "WITH x(n) AS (SELECT ?) UPDATE flights SET late = :late WHERE id IN (SELECT n FROM x) OR id = ?",
        &[seven.clone(), Value::Null, eight.clone()],
        2,
    );
    check("UPDATE main.flights SET late = 0 WHERE late BETWEEN 3 AND 5 -- some\n", &[], 3);
    check("UPDATE [flights] SET late = 0 WHERE day IS NOT DISTINCT FROM 'd1' AND late > 18", &[], 1);
    check("DELETE FROM flights WHERE carrier = 'DL' AND id < 5", &[], 0);
    check("DELETE FROM flights WHERE id = 100", &[], 0);
    check("INSERT INTO flights VALUES (30, 30, 'd', 'UA', 0)", &[], 1);
    check("INSERT INTO flights(number, day) VALUES (30, 'd')", &[], 2);
    check("INSERT INTO flights VALUES (30, 4, 'd1', 'UA', 9) ON CONFLICT(number, day) DO UPDATE SET late = excluded.late", &[], 1);
    check("INSERT OR REPLACE INTO flights VALUES (3, 4, 'd1', 'UA', 9)", &[], 1);
    check("INSERT OR IGNORE INTO flights VALUES (3, 50, 'd1', 'UA', 9)", &[], 1);
    check("UPDATE carriers SET name = 'x'", &[], 0);
    check("UPDATE carriers SET code = 'ua' WHERE code = 'UA'", &[], 10);
    check("DELETE FROM carriers WHERE code = 'UA'", &[], 0);
    check("DELETE FROM flights WHERE date(day) = '2020-01-01'", &[], 0);
}

#[test]
fn what_is_not_certain_brings_the_table_back() {
    for (sql, hot) in [
        ("UPDATE flights SET late = 0", 20),
        ("UPDATE flights SET late = 0 WHERE id = abs(random() % 3)", 20),
        ("UPDATE flights SET late = 0 WHERE late < unixepoch() - 1e18", 20),
        ("DELETE FROM flights WHERE day < datetime('now') AND id = 0", 20),
        ("UPDATE flights SET late = 0 FROM carriers WHERE code = carrier AND id = 1", 20),
        ("UPDATE flights SET late = 0 WHERE rowid = 3", 20),
        ("SELECT rowid FROM flights", 20),
        ("SELECT * FROM main.flights WHERE main.flights.id = 3", 20),
        ("SELECT * FROM flights INDEXED BY flights_late WHERE late > 3", 20),
        ("SELECT p.name FROM flights, pragma_table_info('flights') AS p", 20),
        ("CREATE VIEW recent AS SELECT * FROM flights", 20),
        ("CREATE TABLE copy AS SELECT * FROM flights", 20),
        ("CREATE INDEX more ON flights(day)", 20),
        ("ALTER TABLE flights ADD COLUMN gate TEXT", 20),
        ("ALTER TABLE carriers RENAME TO airlines", 20),
        ("CREATE TABLE other(id INTEGER PRIMARY KEY)", 0),
        ("INSERT OR REPLACE INTO carriers VALUES ('LH', 'Lufthansa')", 20),
    ] {
        check(sql, &[], hot);
    }
    let t = cold();
    let before = t.db.high_water();
    t.run("DROP TABLE flights");
    let dropped = t.db.commits_after(before, usize::MAX).unwrap();
    let changes = relstore_model::change::codec::unpack(&dropped[0].packed).unwrap();
    let deleted = changes.iter().filter(|c| matches!(c, relstore_model::Change::Row(row) if row.op == relstore_model::Op::Delete));
    assert_eq!((deleted.count(), changes.len()), (20, 21), "cold rows are deleted with the others, before the table goes");
    assert_eq!(t.db.evicted("carriers").unwrap().files, 0);
    assert_eq!(t.run("SELECT count(*) FROM sqlite_schema WHERE name = 'flights'")[0][0], Value::Integer(0));
}

#[test]
fn the_schema_looks_as_if_nothing_were_cold() {
    let t = cold();
    let before = tiered(&DDL[..4]);
    for sql in ["PRAGMA table_info(flights)", "PRAGMA foreign_key_list(flights)", "SELECT name, pk FROM pragma_table_info('flights')"] {
        assert_eq!(t.run(sql), before.run(sql), "{sql}");
        let within = t.db.transaction(|tx| tx.execute(sql, &[])).unwrap().rows;
        assert_eq!(within, before.run(sql), "{sql} in a transaction");
    }
    assert_eq!(t.run("SELECT * FROM flights WHERE id = 2")[0][4], Value::Integer(2), "and the view is back");
    assert_eq!(t.db.schema().tables.len(), 2);
}

#[test]
fn a_row_that_went_and_came_and_went_again_has_one_copy() {
    let t = cold();
    t.run("UPDATE flights SET late = 700 WHERE id = 7");
    assert_eq!(t.evict("flights", "1").unwrap(), 1);
    assert_eq!(t.hot("flights"), 0);
    let seven = "SELECT late FROM flights WHERE id = 7";
    assert_eq!(t.run(seven), [[Value::Integer(700)]]);
    assert_eq!(t.run("SELECT count(*), sum(late) FROM flights")[0], [Value::Integer(20), Value::Integer(210 - 7 + 700)]);
    assert_eq!(t.run("SELECT id FROM flights WHERE id = 7 OR id = 3 ORDER BY id DESC"), [[Value::Integer(7)], [Value::Integer(3)]]);
    t.run("DELETE FROM flights WHERE id = 7");
    assert!(t.run(seven).is_empty(), "no older copy comes up");
    t.run("INSERT INTO flights VALUES (7, 7, 'd1', NULL, 7)");
    assert_eq!(t.evict("flights", "1").unwrap(), 1);
    assert_eq!(t.run(seven), [[Value::Integer(7)]]);
    t.db.reload_all("flights").unwrap();
    assert_eq!((t.hot("flights"), t.db.evicted("flights").unwrap().files), (20, 0));
    assert_eq!(t.run(seven), [[Value::Integer(7)]]);
}

#[test]
fn moving_rows_is_no_change() {
    let t = cold();
    let before = t.db.high_water();
    t.evict("flights", "1").unwrap();
    t.run("SELECT rowid FROM flights");
    assert_eq!(t.hot("flights"), 20);
    t.evict("flights", "id > 3").unwrap();
    t.db.reload_all("flights").unwrap();
    assert_eq!(t.db.high_water(), before);
    t.evict("flights", "1").unwrap();
    t.run("UPDATE flights SET late = late WHERE id = 1");
    assert_eq!(t.db.high_water(), before.next(), "the update is one, the row that came back for it is none");
    assert_eq!(t.db.commits_after(Lsn::ZERO, usize::MAX).unwrap().last().unwrap().count, 1);
}

#[test]
fn a_rollback_leaves_rows_where_they_were() {
    let t = cold();
    let failed: Result<(), relstore_model::Error> = t.db.transaction(|tx| {
        tx.execute("UPDATE flights SET late = 0 WHERE id = 1", &[])?;
        let nested: Result<(), relstore_model::Error> = tx.transaction(|tx| {
            tx.execute("UPDATE flights SET late = 0", &[])?;
            tx.execute("ALTER TABLE flights ADD COLUMN gate", &[])?;
            Err(relstore_model::Error::invalid("no"))
        });
        assert!(nested.is_err());
        assert_eq!(tx.execute("SELECT sum(late), count(*) FROM flights", &[])?.rows[0], [Value::Integer(209), Value::Integer(20)]);
        tx.execute("DELETE FROM flights WHERE id = 2", &[])?;
        tx.execute("SELECT rowid FROM flights", &[])?;
        Err(relstore_model::Error::invalid("no"))
    });
    assert!(failed.is_err());
    assert_eq!(t.hot("flights"), 0);
    assert_eq!(t.run("SELECT sum(late), count(*) FROM flights")[0], [Value::Integer(210), Value::Integer(20)]);
    t.run("UPDATE flights SET late = 0 WHERE id = 1");
    assert_eq!(t.hot("flights"), 1);
}

#[test]
fn a_constraint_fails_as_if_the_row_were_hot() {
    let t = cold();
    for (sql, message) in [
        ("INSERT INTO flights VALUES (3, 50, 'd', 'UA', 0)", "UNIQUE constraint failed: flights.id"),
        ("INSERT INTO flights VALUES (50, 3, 'd0', 'UA', 0)", "UNIQUE constraint failed: flights.number, flights.day"),
        ("UPDATE flights SET id = 4 WHERE id = 3", "UNIQUE constraint failed: flights.id"),
        ("UPDATE flights SET carrier = 'XX' WHERE id = 3", "FOREIGN KEY constraint failed"),
        ("UPDATE carriers SET code = 'XX' WHERE code = 'UA'", "FOREIGN KEY constraint failed"),
    ] {
        let e = t.db.execute(sql, &[]).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Constraint, message), "{sql}");
    }
    assert_eq!(t.run("INSERT INTO flights(number, day) VALUES (90, 'd') RETURNING id")[0][0], Value::Integer(21));
    let outcome = t.db.execute("UPDATE flights SET late = 0 WHERE id < 4", &[]).unwrap();
    assert_eq!((outcome.changes, t.db.execute("DELETE FROM carriers WHERE code='dl'", &[]).unwrap().changes), (3, 1));
    assert_eq!(t.run("SELECT count(*) FROM flights")[0][0], Value::Integer(11), "its flights went with it");
}

#[test]
fn the_capture_cannot_be_stopped_by_sql() {
    let t = cold();
    for sql in
        ["UPDATE flights SET late = _RS_QUIET(1) WHERE id = 1", "CREATE TRIGGER x AFTER INSERT ON carriers BEGIN SELECT _rs_quiet(1); END"]
    {
        let refused = t.db.transaction(|tx| tx.execute(sql, &[])).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{sql}");
        assert!(t.db.execute(sql, &[]).is_err(), "{sql} was allowed");
    }
    for sql in ["DELETE FROM _rs_reloaded", "DELETE FROM _rs_cold_file", "INSERT INTO _rs_moving VALUES (1)", "DROP TABLE _rs_cold_2"] {
        assert!(t.db.execute(sql, &[]).is_err(), "{sql} was allowed");
    }
}
