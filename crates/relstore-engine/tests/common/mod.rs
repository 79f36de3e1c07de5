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

/// A row as text: the same for the same cells alone. Long blobs by their length and hash.
fn text(row: &[Value]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for cell in row {
        match cell {
            Value::Blob(b) if b.len() > 32 => write!(out, "Blob({} bytes, {:016x}) ", b.len(), hash(b)),
            other => write!(out, "{other:?} "),
        }
        .unwrap();
    }
    out
}

/// FNV-1a, by eight bytes at a time.
pub fn hash(bytes: &[u8]) -> u64 {
    let word = |chunk: &[u8]| chunk.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |h, chunk| (h ^ word(chunk)).wrapping_mul(0x0100_0000_01b3).rotate_left(7))
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

/// The tables as a log makes them, change by change from the empty store on.
#[derive(Clone, Default)]
pub struct Replay {
    schema: Schema,
    /// By table: each distinct row by its text, and how often it is there.
    rows: BTreeMap<u32, BTreeMap<String, (Row, usize)>>,
}

impl Replay {
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Schema(new) => self.reshape(new.schema),
            Change::Row(change) => {
                let table = self.rows.entry(change.table.0).or_default();
                if let Some(before) = &change.before {
                    let text = text(before);
                    let Some((_, count)) = table.get_mut(&text) else { panic!("a change of a row that is not there: {change:?}") };
                    *count -= 1;
                    if *count == 0 {
                        table.remove(&text);
                    }
                }
                if let Some(after) = change.after {
                    table.entry(text(&after)).or_insert((after, 0)).1 += 1;
                }
            }
        }
    }

    fn reshape(&mut self, schema: Schema) {
        for (id, rows) in &mut self.rows {
            let (Some(old), Some(new)) = (self.schema.tables.iter().find(|t| t.id.0 == *id), schema.tables.iter().find(|t| t.id.0 == *id))
            else {
                rows.clear();
                continue;
            };
            let old_ids: Vec<_> = old.stored_columns().map(|c| c.id).collect();
            if new.stored_columns().map(|c| c.id).eq(old_ids.iter().copied()) {
                continue;
            }
            for (_, (row, count)) in std::mem::take(rows) {
                let cell = |c: &relstore_model::Column| match old_ids.iter().position(|id| *id == c.id) {
                    Some(i) => row[i].clone(),
                    None => c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value()),
                };
                let row: Row = new.stored_columns().map(cell).collect();
                rows.entry(text(&row)).or_insert((row, 0)).1 += count;
            }
        }
        self.schema = schema;
    }

    pub fn state(&self) -> State {
        let texts = |id: u32| self.rows.get(&id).into_iter().flatten();
        let table = |t: &relstore_model::Table| {
            let rows = texts(t.id.0).flat_map(|(text, (_, count))| std::iter::repeat_n(text.clone(), *count));
            (t.name.clone(), rows.collect())
        };
        self.schema.tables.iter().map(table).collect()
    }
}

/// What the log says the tables are: an empty store, and every change applied.
pub fn replayed(db: &Database) -> State {
    let mut replay = Replay::default();
    changes(db).into_iter().for_each(|change| replay.apply(change));
    replay.state()
}

/// The log says exactly what happened.
pub fn assert_log_is_true(db: &Database) {
    assert_eq!(replayed(db), state(db));
}
