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

/// The distinct rows of a table by rowid and text, each with how often it is there.
type Rows = BTreeMap<(Option<i64>, String), (Row, usize)>;

/// The tables as the log makes them, change by change.
#[derive(Clone, Default)]
pub struct Replay {
    schema: Schema,
    /// By table: each distinct row by its rowid, where that is its key, and its text, and how often it is there.
    rows: BTreeMap<u32, Rows>,
    at: Lsn,
}

impl Replay {
    /// Applies what the log has beyond what was applied.
    pub fn catch_up(&mut self, db: &Database) {
        for commit in db.commits_after(self.at, usize::MAX).unwrap() {
            let changes = unpack(&commit.packed).unwrap();
            assert_eq!((commit.lsn_first, commit.count), (self.at.next(), changes.len() as u64));
            self.at = commit.lsn_last();
            changes.into_iter().for_each(|change| self.apply(change));
        }
        assert_eq!(self.at, db.high_water());
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Schema(new) => self.reshape(new.schema),
            Change::Row(change) => {
                let known = self.schema.by_id(change.table).unwrap_or_else(|| panic!("a change of an unknown table: {change:?}"));
                assert_eq!(change.rowid.is_some(), known.is_keyed_by_rowid());
                let table = self.rows.entry(change.table.0).or_default();
                if let Some(before) = &change.before {
                    let key = (change.rowid, text(before));
                    let Some((_, count)) = table.get_mut(&key) else { panic!("a change of a row that is not there: {change:?}") };
                    *count -= 1;
                    if *count == 0 {
                        table.remove(&key);
                    }
                }
                if let Some(after) = change.after {
                    table.entry((change.rowid, text(&after))).or_insert((after, 0)).1 += 1;
                }
            }
        }
    }

    fn reshape(&mut self, new: Schema) {
        assert_eq!(new.version, self.schema.version + 1);
        for (id, rows) in &mut self.rows {
            let find = |schema: &Schema| schema.tables.iter().find(|t| t.id.0 == *id).cloned();
            let (Some(old), Some(new)) = (find(&self.schema), find(&new)) else {
                assert!(rows.is_empty(), "rows of a dropped table that were never deleted: {rows:?}");
                continue;
            };
            let old_ids: Vec<_> = old.stored_columns().map(|c| c.id).collect();
            if new.stored_columns().map(|c| c.id).eq(old_ids.iter().copied()) {
                continue;
            }
            for ((rowid, _), (row, count)) in std::mem::take(rows) {
                let cell = |c: &relstore_model::Column| match old_ids.iter().position(|id| *id == c.id) {
                    Some(i) => row[i].clone(),
                    None => c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value()),
                };
                let row: Row = new.stored_columns().map(cell).collect();
                rows.entry((rowid, text(&row))).or_insert((row, 0)).1 += count;
            }
        }
        self.schema = new;
    }

    /// The tables now.
    pub fn state(&self) -> State {
        let rows = |t: &relstore_model::Table| {
            let rows = self.rows.get(&t.id.0).into_iter().flatten();
            let mut texts: Vec<String> = rows.flat_map(|((_, text), (_, count))| std::iter::repeat_n(text.clone(), *count)).collect();
            texts.sort();
            (t.name.clone(), texts)
        };
        self.schema.tables.iter().map(rows).collect()
    }
}

/// What the log says the tables are: an empty store, and every change applied.
pub fn replayed(db: &Database) -> State {
    let mut replay = Replay::default();
    replay.catch_up(db);
    replay.state()
}

/// The log says exactly what happened.
pub fn assert_log_is_true(db: &Database) {
    assert_eq!(replayed(db), state(db));
}

/// Runs each statement in a transaction of its own, failing or not, and checks the log against the tables and the letters that it adds.
pub fn check(setup: &[&str], statements: &[&str], wanted: &str) {
    let store = store();
    script(&store.db, setup);
    let before = letters(&store.db).len();
    for sql in statements {
        let _ = store.db.execute(sql, &[]);
    }
    assert_log_is_true(&store.db);
    assert_eq!(&letters(&store.db)[before..], wanted, "{statements:?}");
}

/// As [`check`], with all statements in one transaction, which goes on after one that failed. `SAVEPOINT` and `ROLLBACK TO` open a nested
/// transaction and undo it.
pub fn check_together(setup: &[&str], statements: &[&str], wanted: &str) {
    let store = store();
    script(&store.db, setup);
    let before = letters(&store.db).len();
    store.db.transaction(|tx| run(tx, &mut statements.iter())).unwrap();
    assert_log_is_true(&store.db);
    assert_eq!(&letters(&store.db)[before..], wanted, "{statements:?}");
}

fn run(tx: &relstore_engine::Transaction<'_>, statements: &mut std::slice::Iter<'_, &str>) -> relstore_model::Result<()> {
    while let Some(sql) = statements.next() {
        match *sql {
            "SAVEPOINT" => {
                let undone = tx.transaction(|tx| run(tx, statements));
                assert!(undone.is_ok() || undone.is_err_and(|e| e.message() == "ROLLBACK TO"));
            }
            "ROLLBACK TO" => return Err(relstore_model::Error::invalid("ROLLBACK TO")),
            "RELEASE" => return Ok(()),
            sql => drop(tx.execute(sql, &[])),
        }
    }
    Ok(())
}

/// All row changes and changes of shape, as short text.
pub fn told(db: &Database) -> Vec<String> {
    let cells = |row: &Option<Row>| row.as_ref().map_or(String::new(), |r| r.iter().map(short).collect::<Vec<_>>().join(","));
    let told = |c: &Change| match c {
        Change::Row(r) => format!("{} {} > {}", r.op.letter(), cells(&r.before), cells(&r.after)),
        Change::Schema(s) => s.sql.clone(),
    };
    changes(db).iter().map(told).collect()
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => format!("{r:?}"),
        Value::Text(t) => t.clone(),
        Value::Blob(b) => format!("{b:x?}"),
    }
}
