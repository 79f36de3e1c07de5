//! What the engine's tests share: a store in a temporary folder, and replay of its log.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use relstore_engine::{Database, Settings};
use relstore_model::change::codec::unpack;
use relstore_model::{Change, Lsn, Row, Schema, Value, identifier};
use relstore_testkit::ManualClock;

pub struct Store {
    pub db: Database,
    pub dir: tempfile::TempDir,
}

pub fn store() -> Store {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    Store { db, dir }
}

pub fn open(dir: &tempfile::TempDir) -> Database {
    Database::open(&dir.path().join("store.db"), Settings::default(), Arc::new(ManualClock::new(1_000_000, 1))).unwrap()
}

/// Runs a script of statements, one transaction each.
pub fn script(db: &Database, statements: &[&str]) {
    for sql in statements {
        db.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }
}

/// Tables by name, each a sorted multiset of its rows' stored cells as text.
pub type State = BTreeMap<String, Vec<String>>;

fn text(row: &[Value]) -> String {
    format!("{row:?}")
}

/// The user's tables as they are.
pub fn state(db: &Database) -> State {
    db.schema()
        .tables
        .iter()
        .map(|t| {
            let columns: Vec<String> = t.stored_columns().map(|c| identifier::quote(&c.name)).collect();
            let rows = db.query(&format!("SELECT {} FROM {}", columns.join(","), identifier::quote(&t.name)), &[]).unwrap().rows;
            let mut rows: Vec<String> = rows.iter().map(|r| text(r)).collect();
            rows.sort();
            (t.name.clone(), rows)
        })
        .collect()
}

/// All changes in the log.
pub fn changes(db: &Database) -> Vec<Change> {
    let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    commits.iter().flat_map(|c| unpack(&c.packed).unwrap()).collect()
}

/// The letters of all row changes, and `S` for changes of shape.
pub fn letters(db: &Database) -> String {
    let letter = |c: &Change| match c {
        Change::Row(r) => r.op.letter(),
        Change::Schema(_) => "S",
    };
    changes(db).iter().map(letter).collect()
}

/// What the log says the tables are: an empty store, and every change applied.
pub fn replayed(db: &Database) -> State {
    let mut schema = Schema::default();
    let mut rows: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for change in changes(db) {
        match change {
            Change::Schema(new) => {
                for (id, rows) in &mut rows {
                    let (Some(old), Some(new)) =
                        (schema.tables.iter().find(|t| t.id.0 == *id), new.schema.tables.iter().find(|t| t.id.0 == *id))
                    else {
                        rows.clear();
                        continue;
                    };
                    let old_ids: Vec<_> = old.stored_columns().map(|c| c.id).collect();
                    for row in rows.iter_mut() {
                        *row = new
                            .stored_columns()
                            .map(|c| match old_ids.iter().position(|id| *id == c.id) {
                                Some(i) => row[i].clone(),
                                None => c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value()),
                            })
                            .collect();
                    }
                }
                schema = new.schema;
            }
            Change::Row(change) => {
                let table = rows.entry(change.table.0).or_default();
                if let Some(before) = &change.before {
                    let at = table.iter().position(|r| text(r) == text(before));
                    table.remove(at.unwrap_or_else(|| panic!("a change of a row that is not there: {change:?}")));
                }
                table.extend(change.after);
            }
        }
    }
    schema
        .tables
        .iter()
        .map(|t| {
            let mut texts: Vec<String> = rows.get(&t.id.0).into_iter().flatten().map(|r| text(r)).collect();
            texts.sort();
            (t.name.clone(), texts)
        })
        .collect()
}

/// The log says exactly what happened.
pub fn assert_log_is_true(db: &Database) {
    assert_eq!(replayed(db), state(db));
}
