//! Statistics folded from the log are those of a scan, whatever the changes were.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::cmp::Ordering;

use common::{open, script, store};
use relstore_engine::{ColumnStatistics, Database, Settings, TableStatistics};
use relstore_model::{Lsn, Value, identifier};
use relstore_testkit::{Rng, seeds};

fn of<'a>(all: &'a [TableStatistics], table: &str, column: &str) -> &'a ColumnStatistics {
    all.iter().find(|t| t.name == table).unwrap().columns.iter().find(|c| c.name == column).unwrap()
}

/// SQLite's own order of two cells.
fn order(db: &Database, a: &Value, b: &Value) -> Ordering {
    let row = db.query("SELECT ?1 < ?2, ?1 = ?2", &[a.clone(), b.clone()]).unwrap().rows.remove(0);
    match (&row[0], &row[1]) {
        (Value::Integer(1), _) => Ordering::Less,
        (_, Value::Integer(1)) => Ordering::Equal,
        _ => Ordering::Greater,
    }
}

/// Compares the statistics with what SQL says of the tables.
fn assert_statistics_are_true(db: &Database, when: &str) {
    let all = db.statistics().unwrap();
    assert_eq!(all.len(), db.schema().tables.len(), "{when}");
    for table in &all {
        let name = identifier::quote(&table.name);
        let count = |what: &str| match db.query(&format!("SELECT {what} FROM {name}"), &[]).unwrap().rows.remove(0).remove(0) {
            Value::Integer(n) => n as u64,
            other => panic!("{other:?}"),
        };
        assert_eq!(table.lsn, db.high_water(), "{when}");
        assert_eq!(table.rows, count("count(*)"), "{when}: rows of {name}");
        for column in &table.columns {
            let c = identifier::quote(&column.name);
            let place = format!("{when}: {name}.{c}");
            assert_eq!(column.nulls, table.rows - count(&format!("count({c})")), "{place}");
            let bytes = format!(
                "ifnull(sum(CASE typeof({c}) WHEN 'null' THEN 0 WHEN 'real' THEN 8 WHEN 'integer' THEN CASE WHEN {c} IN (0,1) THEN 0 \
                 WHEN {c} BETWEEN -128 AND 127 THEN 1 WHEN {c} BETWEEN -32768 AND 32767 THEN 2 WHEN {c} BETWEEN -8388608 AND 8388607 THEN 3 \
                 WHEN {c} BETWEEN -2147483648 AND 2147483647 THEN 4 WHEN {c} BETWEEN -140737488355328 AND 140737488355327 THEN 6 ELSE 8 END \
                 ELSE length(CAST({c} AS BLOB)) END), 0)"
            );
            assert_eq!(column.bytes, count(&bytes), "{place}: bytes");
            let ends = db.query(&format!("SELECT min({c}), max({c}) FROM {name}"), &[]).unwrap().rows.remove(0);
            for (extreme, end, inside) in [(&column.min, &ends[0], Ordering::Less), (&column.max, &ends[1], Ordering::Greater)] {
                let Some(extreme) = extreme else {
                    assert_eq!(*end, Value::Null, "{place}: a bound is missing");
                    continue;
                };
                let order = order(db, &extreme.value, end);
                assert!(order == Ordering::Equal || (!extreme.is_exact && order == inside), "{place}: {extreme:?} for {end:?}");
            }
            let distinct = count(&format!("count(DISTINCT {c})"));
            // It only grows until it is analyzed: it may be above.
            assert!(column.distinct as f64 >= distinct as f64 * 0.95 - 1.0, "{place}: {} for {distinct}", column.distinct);
            assert!(column.distinct <= table.rows, "{place}");
        }
    }
}

fn assert_analyzed(db: &Database, table: &str, when: &str) {
    let fresh = db.analyze(table).unwrap();
    for column in &fresh.columns {
        let rows = db.query(&format!("SELECT DISTINCT {} FROM {} WHERE 1", identifier::quote(&column.name), identifier::quote(table)), &[]);
        let distinct = rows.unwrap().rows.iter().filter(|r| r[0] != Value::Null).count() as f64;
        assert!((column.distinct as f64 - distinct).abs() <= distinct * 0.05 + 1.0, "{when}: {} for {distinct}", column.distinct);
        let is_exact = |e: &Option<relstore_engine::Extreme>| e.as_ref().is_none_or(|e| e.is_exact);
        assert!(is_exact(&column.min) && is_exact(&column.max), "{when}");
    }
}

const CELLS: &[&str] =
    &["NULL", "0", "1", "-129", "1.0", "2.5", "'a'", "'ä'", "''", "x'00ff'", "x''", "3000000000", "9223372036854775807", "-9.5e17"];

fn cell(rng: &mut Rng) -> String {
    if rng.one_in(3) { rng.below(1_000_000).to_string() } else { (*rng.pick(CELLS)).to_owned() }
}

#[test]
fn random_changes_and_shapes_give_the_statistics_of_a_scan() {
    for seed in seeds(12) {
        println!("RELSTORE_SEED={seed}");
        let mut rng = Rng::new(seed);
        let mut s = store();
        script(
            &s.db,
            &[
                "CREATE TABLE a(id INTEGER PRIMARY KEY, x, y TEXT, z REAL)",
                "CREATE TABLE b(k TEXT, l, v, PRIMARY KEY(k, l)) WITHOUT ROWID",
                "CREATE TABLE c(x, y)",
            ],
        );
        let mut added = 0;
        for step in 0..250 {
            let (id, x, y) = (rng.below(60), cell(&mut rng), cell(&mut rng));
            let sql = match rng.below(22) {
                0..=3 => format!("INSERT OR REPLACE INTO a(id, x, y, z) VALUES({id}, {x}, {y}, {id})"),
                4..=6 => format!("INSERT OR REPLACE INTO b(k, l, v) VALUES('k{}', {}, {x})", id % 7, id % 5),
                7..=9 => format!("INSERT INTO c(x) VALUES({x}), ({y})"),
                10 => format!("UPDATE a SET x={x}, z=z+1 WHERE id%7={}", id % 7),
                11 => format!("UPDATE OR REPLACE b SET k='k{}' WHERE l={}", id % 7, id % 5),
                12 => format!("UPDATE OR REPLACE a SET id=id+{} WHERE id={id}", 1 + id % 3),
                13 => format!("DELETE FROM a WHERE x IS {x}"),
                14 => format!("DELETE FROM c WHERE rowid%5={}", id % 5),
                15 => format!("UPDATE c SET rowid=rowid+1000 WHERE rowid={id}"),
                16 if rng.one_in(4) => {
                    added += 1;
                    format!(
                        "ALTER TABLE {} ADD COLUMN n{added} {} DEFAULT {}",
                        rng.pick(&["a", "b", "c"]),
                        rng.pick(&["", "REAL", "TEXT", "INT"]),
                        rng.pick(&["7", "'8'", "'d'", "NULL"])
                    )
                }
                17 if added > 0 && rng.one_in(4) => {
                    let table = rng.pick(&["a", "b", "c"]);
                    let schema = s.db.schema();
                    let Some(column) = schema.table(table).unwrap().columns.iter().find(|c| c.name.starts_with('n')) else { continue };
                    match rng.one_in(2) {
                        true => format!("ALTER TABLE {table} DROP COLUMN {}", column.name),
                        false => format!("ALTER TABLE {table} RENAME COLUMN {} TO n{step}_", column.name),
                    }
                }
                18 if rng.one_in(5) => "CREATE TABLE d AS SELECT * FROM a".to_owned(),
                19 if rng.one_in(3) => "DROP TABLE IF EXISTS d".to_owned(),
                20 if rng.one_in(8) => "DELETE FROM b".to_owned(),
                _ => {
                    match rng.below(4) {
                        0 => drop(s.db.fold_statistics().unwrap()),
                        1 => drop(s.db.analyze("a").unwrap()),
                        _ => {}
                    }
                    continue;
                }
            };
            // Some statements fail, as they should: a column of a table that has been made again.
            let _ = s.db.execute(&sql, &[]);
            if step % 50 == 49 {
                assert_statistics_are_true(&s.db, &format!("seed {seed} step {step}"));
                drop(s.db);
                s.db = open(&s.dir);
            }
        }
        assert_statistics_are_true(&s.db, &format!("seed {seed}"));
        for table in ["a", "b", "c"] {
            assert_analyzed(&s.db, table, &format!("seed {seed} table {table}"));
        }
        assert_statistics_are_true(&s.db, &format!("seed {seed} analyzed"));
    }
}

#[test]
fn an_extreme_that_went_is_a_bound_until_the_table_is_analyzed() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 10), (2, 20), (3, 30)"]);
    script(&s.db, &["DELETE FROM t WHERE id=3"]);
    let all = s.db.statistics().unwrap();
    let max = of(&all, "t", "v").max.clone().unwrap();
    assert_eq!((max.value, max.is_exact), (Value::Integer(30), false));
    assert!(of(&all, "t", "v").min.as_ref().unwrap().is_exact);
    let max = s.db.analyze("t").unwrap().columns[1].max.clone().unwrap();
    assert_eq!((max.value, max.is_exact), (Value::Integer(20), true));
}

#[test]
fn a_column_added_with_a_default_has_it_in_every_row() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1), (2), (300)"]);
    script(&s.db, &["ALTER TABLE t ADD COLUMN d TEXT NOT NULL DEFAULT 'abc'", "ALTER TABLE t ADD COLUMN n", "INSERT INTO t(id) VALUES(4)"]);
    let all = s.db.statistics().unwrap();
    let (d, n) = (of(&all, "t", "d"), of(&all, "t", "n"));
    assert_eq!((d.nulls, d.bytes, d.distinct, n.nulls), (0, 12, 1, 4));
    assert_eq!(d.min.as_ref().unwrap().value, Value::from("abc"));
    script(&s.db, &["ALTER TABLE t RENAME COLUMN d TO e", "ALTER TABLE t RENAME TO u"]);
    assert_eq!(of(&s.db.statistics().unwrap(), "u", "e").bytes, 12);
    assert_statistics_are_true(&s.db, "after renames");
}

#[test]
fn the_log_is_trimmed_only_after_statistics_took_it_in() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { log_retained_bytes: 0, ..Settings::default() };
    let clock = std::sync::Arc::new(relstore_testkit::ManualClock::new(1, 1));
    let db = Database::open(&dir.path().join("store.db"), settings, clock).unwrap();
    script(&db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v)"]);
    for i in 0..100 {
        db.execute("INSERT INTO t VALUES(?, ?)", &[Value::Integer(i), Value::Integer(i % 10)]).unwrap();
    }
    db.advance_cursor("consumer", db.high_water()).unwrap();
    assert_eq!(db.trim_log().unwrap(), 100, "the last commit stays, as the high-water mark");
    assert_eq!(db.log_range().unwrap().first, Lsn::new(101));
    assert_statistics_are_true(&db, "trimmed");
    assert_eq!(of(&db.statistics().unwrap(), "t", "v").distinct, 10);
}

#[test]
fn a_handle_that_only_reads_sees_the_statistics_of_the_last_commit() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 1)"]);
    s.db.fold_statistics().unwrap();
    script(&s.db, &["INSERT INTO t VALUES(2, NULL)"]);
    let reader = Database::open_read_only(s.db.path(), Settings::default()).unwrap();
    let statistics = reader.table_statistics("t").unwrap();
    assert_eq!((statistics.rows, statistics.columns[1].nulls, statistics.lsn), (2, 1, Lsn::new(3)));
}

#[test]
fn statistics_and_plans_wait_for_no_writer() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)"]);
    s.db.transaction(|tx| -> relstore_model::Result<()> {
        tx.execute("INSERT INTO t VALUES(2)", &[])?;
        assert_eq!(s.db.table_statistics("t")?.rows, 1, "as of the last commit");
        assert_eq!(s.db.explain("SELECT * FROM t", &[])?.steps[0].table_rows, Some(1));
        Ok(())
    })
    .unwrap();
    assert_eq!(s.db.table_statistics("t").unwrap().rows, 2);
}

#[test]
fn optimize_is_no_change() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "CREATE INDEX t_v ON t(v)"]);
    script(
        &s.db,
        &[
            "INSERT INTO t SELECT value, value%10 FROM (WITH RECURSIVE n(value) AS (VALUES(1) UNION ALL SELECT value+1 FROM n LIMIT 500) SELECT * FROM n)",
        ],
    );
    let (lsn, version) = (s.db.high_water(), s.db.schema().version);
    s.db.optimize().unwrap();
    assert_eq!(s.db.query("SELECT stat FROM sqlite_stat1 WHERE idx='t_v'", &[]).unwrap().rows, [[Value::from("500 50")]]);
    assert_eq!((s.db.high_water(), s.db.schema().version), (lsn, version));
    drop(s.db);
    let db = open(&s.dir);
    assert_eq!((db.high_water(), db.schema().version), (lsn, version));
}
