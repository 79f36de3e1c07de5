//! What the log has of a row, under whatever version it was written, reads under the newest one as the store itself has the row.
//! `RELSTORE_SEED=n` runs one seed again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod evolution_support;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{open, script, store};
use evolution_support::plain;
use relstore_engine::sqlite::Connection;
use relstore_model::change::codec::unpack;
use relstore_model::evolution::{Mode, Reading, Resolution, SchemaEvolution};
use relstore_model::{Change, Lsn, Op, Row, Schema, Value, ValueRef};
use relstore_testkit::{Rng, seeds};

/// The last image of every row in the log, by its id, read under `newest`.
fn read_from_log(db: &relstore_engine::Database, newest: &Schema) -> BTreeMap<i64, Row> {
    let mut rows = BTreeMap::new();
    let mut schema: Option<Arc<Schema>> = None;
    for commit in db.commits_after(Lsn::ZERO, usize::MAX).unwrap() {
        let mut current = match &schema {
            Some(known) if known.version == commit.schema_version => Arc::clone(known),
            _ => db.schema_at(commit.schema_version).unwrap(),
        };
        for change in unpack(&commit.packed).unwrap() {
            match change {
                Change::Schema(change) => current = Arc::new(change.schema),
                Change::Row(row) => {
                    let reading = Reading::new(&current, newest, row.table, Resolution::ById).unwrap();
                    let read = |image: &Row| reading.row(&image.iter().map(Value::as_ref).collect::<Vec<ValueRef<'_>>>()).unwrap();
                    let id = |row: &Row| if let Value::Integer(id) = row[0] { id } else { panic!("{row:?}") };
                    match (&row.before, &row.after) {
                        (Some(before), None) => drop(rows.remove(&id(&read(before)))),
                        (_, Some(after)) => {
                            let after = read(after);
                            rows.insert(id(&after), after);
                        }
                        (None, None) => panic!("a change without an image: {:?}", Op::letter(row.op)),
                    }
                }
            }
        }
        schema = Some(current);
    }
    rows
}

#[test]
fn the_log_read_under_the_newest_version_is_what_the_store_holds() {
    let mut refused = 0;
    for seed in seeds(40) {
        let mut rng = Rng::new(seed);
        let s = store();
        script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL)"]);
        let mut versions: Vec<Arc<Schema>> = vec![s.db.schema()];
        for step in 0..24 {
            let schema = s.db.schema();
            let columns: Vec<&str> = schema.tables[0].columns[1..].iter().map(|c| c.name.as_str()).collect();
            let sql = match rng.below(8) {
                0 => {
                    let definition =
                        *rng.pick(&["TEXT", "INT DEFAULT 7", "REAL NOT NULL DEFAULT 3", "TEXT NOT NULL DEFAULT 5", "BLOB DEFAULT x'01'"]);
                    format!("ALTER TABLE t ADD COLUMN n{step} {definition}")
                }
                1 if columns.len() > 1 => format!("ALTER TABLE t DROP COLUMN {}", rng.pick(&columns)),
                2 if !columns.is_empty() => format!("ALTER TABLE t RENAME COLUMN {} TO r{step}", rng.pick(&columns)),
                3 => format!("DELETE FROM t WHERE id={}", rng.below(20)),
                4 if !columns.is_empty() => format!("UPDATE t SET {}='{step}' WHERE id={}", rng.pick(&columns), rng.below(20)),
                _ => format!("INSERT INTO t(id) VALUES({step})"),
            };
            s.db.execute(&sql, &[]).unwrap_or_else(|e| panic!("RELSTORE_SEED={seed} {sql}: {e:?}"));
            let now = s.db.schema();
            if now.version != schema.version {
                // A real history has its ids: one step that a store takes is allowed, and asks nothing.
                let report = SchemaEvolution::new(Mode::BackwardTransitive).check(&versions, &now);
                refused += u64::from(!report.ok());
                assert!(report.ok(), "RELSTORE_SEED={seed} {sql}: {:#?}", report.findings);
                versions.push(now);
            }
        }
        let rows = s.db.query("SELECT * FROM t ORDER BY id", &[]).unwrap().rows;
        let read: Vec<Row> = read_from_log(&s.db, &s.db.schema()).into_values().collect();
        assert_eq!(read, rows, "RELSTORE_SEED={seed} {}", s.db.schema().tables[0].sql);
    }
    assert_eq!(refused, 0);
}

#[test]
fn a_row_that_cannot_be_read_says_why_and_one_that_is_computed_says_where() {
    let versions = plain(&[
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c TEXT)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INT, c TEXT CHECK (c IN ('x')), d TEXT AS (a || c) STORED)",
    ]);
    let reading = Reading::new(&versions[0], &versions[1], versions[0].tables[0].id, Resolution::ById).unwrap();
    let read = |a: Value, b: Value, c: Value| reading.row(&[ValueRef::Integer(1), a.as_ref(), b.as_ref(), c.as_ref()]);
    assert_eq!(reading.computed().collect::<Vec<_>>(), [4]);
    let row = read("a".into(), Value::Integer(2), "x".into()).unwrap();
    assert_eq!(row, [Value::Integer(1), "a".into(), Value::Integer(2), "x".into(), Value::Null]);
    for (cells, column, why) in [
        ((Value::Null, Value::Null, Value::Null), "a", "it needs a value, and the row has NULL"),
        (("a".into(), Value::Integer(1 << 40), Value::Null), "b", "its type has no room for the value"),
        (("a".into(), Value::Null, "y".into()), "c", "it knows no such value"),
    ] {
        let error = read(cells.0, cells.1, cells.2).unwrap_err();
        assert_eq!(error.kind(), relstore_model::ErrorKind::Incompatible);
        let wanted = format!("a row cannot be read under another version: {why} (table: t, column: {column}, written: 1, read: 2)");
        assert_eq!(error.to_string(), wanted);
    }
    let error = reading.row(&[ValueRef::Null; 5]).unwrap_err();
    assert_eq!(error.kind(), relstore_model::ErrorKind::Corrupt);
    let error = Reading::new(&versions[0], &Schema::default(), versions[0].tables[0].id, Resolution::ById).unwrap_err();
    assert_eq!(error.kind(), relstore_model::ErrorKind::NotFound);
}

#[test]
fn a_store_kept_before_there_were_facts_gets_them_and_no_new_version() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT NOT NULL DEFAULT 'c' UNIQUE)",
            "CREATE INDEX i ON t(x)",
            "ALTER TABLE t ADD COLUMN y",
        ],
    );
    let (versions, high_water) = ([1, 2, 3].map(|version| s.db.schema_at(version).unwrap()), s.db.high_water());
    let path = s.db.path().to_owned();
    drop(s.db);
    {
        let connection = Connection::open(&path).unwrap();
        let rows = connection.query("SELECT version, definition FROM _rs_schema", &[]).unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            let Value::Text(definition) = &row[1] else { panic!("{row:?}") };
            let mut json: serde_json::Value = serde_json::from_str(definition).unwrap();
            assert!(json["tables"][0].as_object_mut().unwrap().remove("facts").is_some());
            connection
                .execute("UPDATE _rs_schema SET definition=? WHERE version=?", &[Value::Text(json.to_string()), row[0].clone()])
                .unwrap();
        }
    }
    let db = open(&s.dir);
    assert_eq!((db.schema().version, db.high_water()), (3, high_water));
    assert_eq!(db.schema(), versions[2]);
    assert_eq!([1, 2, 3].map(|version| db.schema_at(version).unwrap()), versions);
    assert_eq!(db.check().unwrap(), []);
}
