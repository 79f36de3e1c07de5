//! What the tests under faults share: a load of random transactions, and the truth that a store is held against.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relstore_engine::{Database, Durability, Settings, Transaction};
use relstore_model::change::codec::unpack;
use relstore_model::{Change, Commit, Error, Lsn, Op, Result, Value};
use relstore_testkit::{ManualClock, Rng};

use super::common::{Replay, State, state};

/// The hot file of the store in this folder.
pub fn hot_file(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

pub fn try_open(folder: &Path, durability: Durability) -> Result<Database> {
    // What is trimmed is really gone.
    try_open_keeping(folder, durability, 16 << 10)
}

/// As [`try_open`], with so much of the log kept behind every cursor.
pub fn try_open_keeping(folder: &Path, durability: Durability, log_retained_bytes: u64) -> Result<Database> {
    // A small cache spills to the WAL within a transaction.
    let settings = Settings { durability, log_retained_bytes, cache_kib: 128, ..Settings::default() };
    Database::open(&hot_file(folder), settings, Arc::new(ManualClock::new(1_000_000, 1)))
}

pub fn open(folder: &Path, durability: Durability) -> Database {
    try_open(folder, durability).unwrap_or_else(|e| panic!("the store does not open: {e:?}"))
}

/// The tables of the load: accounts whose balances sum to nothing, items under a key, notes under a rowid, and an entry for each transaction
/// that says how many rows it changed, itself included.
pub const TABLES: &[&str] = &[
    "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
    "CREATE TABLE item(id TEXT PRIMARY KEY, seq INTEGER, body BLOB)",
    "CREATE TABLE note(text TEXT)",
    "CREATE TABLE entry(tx TEXT PRIMARY KEY, changed INTEGER NOT NULL)",
];
const ACCOUNTS: u64 = 16;
const ITEMS: u64 = 300;

/// Makes what is missing of the tables, each in a transaction of its own.
pub fn prepare(db: &Database) -> Result<()> {
    for sql in TABLES.iter().skip(db.schema().tables.len()) {
        db.execute(sql, &[])?;
    }
    let accounts = db.query("SELECT count(*) FROM account", &[])?;
    if accounts.rows[0][0] == Value::Integer(0) {
        db.transaction(|tx| {
            tx.execute_many("INSERT INTO account VALUES(?, 0)", &mut (0..ACCOUNTS).map(|n| vec![Value::Integer(n as i64)]))
        })?;
    }
    Ok(())
}

/// Runs one random transaction, named `tx`. What it changed is in the log and the tables together, or in neither.
pub fn transact(db: &Database, tx: &str, rng: &mut Rng, body_max: u64) -> Result<()> {
    db.transaction(|t| {
        let mut changed = 1;
        let statements = if rng.one_in(20) { 100 } else { 1 + rng.below(12) };
        for _ in 0..statements {
            changed += statement(t, rng, body_max)?;
        }
        if rng.one_in(4) {
            // What a nested transaction did that failed is no change.
            let failed: Result<()> = t.transaction(|t| {
                statement(t, rng, body_max)?;
                statement(t, rng, body_max)?;
                Err(Error::invalid("changed my mind"))
            });
            // The disk's error is not to be swallowed.
            failed.or_else(|e| if e.message() == "changed my mind" { Ok(()) } else { Err(e) })?;
        }
        if rng.one_in(3) {
            changed += t.transaction(|t| statement(t, rng, body_max))?;
        }
        if rng.one_in(25) {
            reshape(t, rng)?;
        }
        t.execute("INSERT INTO entry VALUES(?, ?)", &[Value::from(tx), Value::Integer(changed as i64)]).map(|_| ())
    })
}

fn statement(t: &Transaction<'_>, rng: &mut Rng, body_max: u64) -> Result<u64> {
    let item = Value::from(format!("i{}", rng.below(ITEMS)));
    let run = |sql: &str, params: &[Value]| t.execute(sql, params).map(|o| o.changes);
    match rng.below(10) {
        0..4 => {
            let body = Value::Blob(vec![rng.below(256) as u8; rng.below(body_max) as usize]);
            run(
                "INSERT INTO item(id, seq, body) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO UPDATE SET body=?3, seq=seq+1",
                &[item, Value::Integer(1), body],
            )
        }
        4 => run("UPDATE item SET seq=seq+1 WHERE id=?", &[item]),
        5 => run("DELETE FROM item WHERE id=?", &[item]),
        6 => run("INSERT INTO note VALUES(?)", &[Value::from("n".repeat(rng.below(300) as usize))]),
        7 => run("DELETE FROM note WHERE rowid=(SELECT min(rowid) FROM note)", &[]),
        _ => {
            let amount = Value::Integer(1 + rng.below(1000) as i64);
            let mut account = || Value::Integer(rng.below(ACCOUNTS) as i64);
            let (from, to) = (account(), account());
            let took = run("UPDATE account SET balance=balance-? WHERE id=?", &[amount.clone(), from])?;
            run("UPDATE account SET balance=balance+? WHERE id=?", &[amount, to]).map(|gave| took + gave)
        }
    }
}

/// A change of shape: a table comes, gets a column, and goes; an index comes and goes.
fn reshape(t: &Transaction<'_>, rng: &mut Rng) -> Result<()> {
    let name = format!("extra{}", rng.below(3));
    let columns = t.schema().by_name(&name).map(|table| table.columns.len());
    let sql = match columns {
        None => format!("CREATE TABLE {name}(a INTEGER PRIMARY KEY)"),
        Some(1) => format!("ALTER TABLE {name} ADD COLUMN b DEFAULT 'x'"),
        Some(2) => format!("ALTER TABLE {name} ADD COLUMN c REAL"),
        Some(_) => format!("DROP TABLE {name}"),
    };
    t.execute(&sql, &[])?;
    let has_index = t.execute("SELECT count(*) FROM sqlite_schema WHERE name='by_seq'", &[])?.rows[0][0] == Value::Integer(1);
    t.execute(if has_index { "DROP INDEX by_seq" } else { "CREATE INDEX by_seq ON item(seq)" }, &[]).map(|_| ())
}

/// All that a store ever committed, and the tables that it makes: read from the log before the log is trimmed.
#[derive(Clone, Default)]
pub struct Truth {
    /// Every commit since the store began, in order.
    pub commits: Vec<Commit>,
    /// Where each named transaction's commit ends.
    entries: HashMap<String, Lsn>,
    replay: Replay,
}

impl Truth {
    /// The position of the last commit.
    pub fn last(&self) -> Lsn {
        self.commits.last().map_or(Lsn::ZERO, Commit::lsn_last)
    }

    /// Where the commit of the transaction `tx` ends, if there is one.
    pub fn end_of(&self, tx: &str) -> Option<Lsn> {
        self.entries.get(tx).copied()
    }

    /// Takes what the store has committed since: without a gap, and no half of a transaction.
    pub fn follow(&mut self, db: &Database) {
        let new = db.commits_after(self.last(), usize::MAX).unwrap_or_else(|e| panic!("the log cannot be read: {e:?}"));
        new.into_iter().for_each(|commit| self.add(commit));
    }

    fn add(&mut self, commit: Commit) {
        assert_eq!(commit.lsn_first, self.last().next(), "the log has a gap or a doubled event");
        let changes = unpack(&commit.packed).unwrap();
        assert_eq!(changes.len() as u64, commit.count);
        let rows = changes.iter().filter(|c| matches!(c, Change::Row(_))).count() as i64;
        for change in changes {
            if let Change::Row(row) = &change
                && let (Op::Create, Some([Value::Text(tx), Value::Integer(changed)])) = (row.op, row.after.as_deref())
                && (tx.starts_with("tx"))
            {
                assert_eq!(rows, *changed, "half a transaction in the log: {tx}");
                assert!(self.entries.insert(tx.clone(), commit.lsn_last()).is_none(), "a transaction twice in the log: {tx}");
            }
            self.replay.apply(change);
        }
        self.commits.push(commit);
    }

    /// The truth as it was at `last`, the end of a commit.
    pub fn until(&self, last: Lsn) -> Self {
        let mut until = Self::default();
        self.commits.iter().take_while(|c| c.lsn_last() <= last).for_each(|c| until.add(c.clone()));
        assert_eq!(until.last(), last, "the store ends within a commit");
        until
    }

    pub fn state(&self) -> State {
        self.replay.state()
    }

    /// The store holds exactly this, in its tables and in what it still has of the log; no cursor is ahead; the file is sound.
    pub fn assert_held_by(&self, db: &Database) {
        let range = db.log_range().unwrap();
        assert_eq!(range.last, self.last());
        assert_eq!(db.high_water(), range.last);
        let kept = db.commits_after(Lsn::new(range.first.get().saturating_sub(1)), usize::MAX).unwrap();
        let known = &self.commits[self.commits.len() - kept.len()..];
        assert!(kept == known, "the log holds other changes than were committed");
        let (state, known) = (state(db), self.state());
        for (table, rows) in &known {
            let found = state.get(table).unwrap_or_else(|| panic!("the table {table} is missing"));
            assert_eq!(found, rows, "the rows of {table}");
        }
        assert_eq!(state.len(), known.len());
        assert_sound(db);
    }
}

/// What must hold of a store that has the load's tables, whatever it holds.
pub fn assert_sound(db: &Database) {
    let one = |sql: &str| db.query(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}")).rows[0][0].clone();
    assert_eq!(one("PRAGMA integrity_check"), Value::from("ok"));
    if db.schema().by_name("account").is_some() {
        assert_eq!(one("SELECT ifnull(sum(balance), 0) FROM account"), Value::Integer(0), "half a transfer");
    }
    for relstore_engine::Cursor { name, lsn, .. } in db.cursors().unwrap() {
        assert!(lsn <= db.high_water(), "the cursor {name} is ahead of the log");
    }
}

/// Says where it happened if the test panics: dropped, it is silent.
pub struct Note(pub String);

impl Drop for Note {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
