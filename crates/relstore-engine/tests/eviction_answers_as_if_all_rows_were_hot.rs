//! The central test: random schemas, statements and evictions, against a store where nothing is ever evicted and against plain SQLite.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod eviction_support;
#[path = "eviction_support/statements.rs"]
mod statements;

use eviction_support::{MemorySource, Tiered, evict, open};
use relstore_engine::{Database, Outcome, Settings, Transaction, sqlite::Connection};
use relstore_model::change::codec::unpack;
use relstore_model::{Change, Error, ErrorKind, Lsn, Result, Row};
use relstore_testkit::{ManualClock, Rng, seeds};
use statements::{Schema, Statement, refill, schema, statement};
use std::sync::Arc;

const SEEDS: u64 = 60;
const STEPS: u64 = 120;

struct World {
    seed: u64,
    schema: Schema,
    tiered: Tiered,
    whole: Arc<Database>,
    plain: Connection,
    _dirs: tempfile::TempDir,
    history: Vec<String>,
    counts: Counts,
    /// A statement of the open transaction failed on a foreign key.
    had_foreign_key_failure: bool,
}

#[derive(Default)]
struct Counts {
    statements: u64,
    failed: u64,
    /// Statements in a transaction of their own that ran while a table had cold files.
    with_cold: u64,
    evicted: u64,
    evictions: u64,
    /// Worlds that ended early.
    parted: u64,
}

/// A statement's answer, in a form to be compared.
#[derive(Debug, PartialEq)]
struct Answer {
    rows: std::result::Result<Vec<String>, (ErrorKind, String)>,
    columns: Vec<String>,
    changes: u64,
    /// After an insert that inserted: a statement that fails may move it, and a trigger decides whether it does.
    last_insert_rowid: Option<i64>,
}

fn answer(result: Result<Outcome>, s: &Statement) -> Answer {
    let inserts = s.sql.starts_with("INSERT") || s.sql.starts_with("REPLACE");
    match result {
        Ok(o) => Answer {
            rows: Ok(texts(o.rows, s.is_ordered)),
            columns: o.columns,
            changes: o.changes,
            last_insert_rowid: (inserts && o.changes > 0 && !s.sql.contains("DO UPDATE")).then_some(o.last_insert_rowid),
        },
        Err(e) => Answer { rows: Err((e.kind(), e.message().to_owned())), columns: vec![], changes: 0, last_insert_rowid: None },
    }
}

fn texts(rows: Vec<Row>, is_ordered: bool) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|r| format!("{r:?}")).collect();
    if !is_ordered {
        rows.sort();
    }
    rows
}

impl World {
    fn new(seed: u64) -> (Self, Rng) {
        let mut rng = Rng::new(seed);
        let schema = schema(&mut rng);
        let ddl: Vec<&str> = schema.ddl.iter().map(String::as_str).collect();
        let tiered = eviction_support::tiered(&ddl);
        let dirs = tempfile::tempdir().unwrap();
        let whole = open_whole(&dirs);
        let plain = Connection::open(&dirs.path().join("plain.db")).unwrap();
        for sql in &schema.ddl {
            whole.execute(sql, &[]).unwrap();
            plain.execute_batch(sql).unwrap();
        }
        (
            Self {
                seed,
                schema,
                tiered,
                whole,
                plain,
                _dirs: dirs,
                history: vec![],
                counts: Counts::default(),
                had_foreign_key_failure: false,
            },
            rng,
        )
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, tiered: &T, other: &T) {
        if tiered != other {
            let from = self.history.len().saturating_sub(std::env::var("RELSTORE_HISTORY").ok().and_then(|n| n.parse().ok()).unwrap_or(25));
            panic!(
                "{what} differs: RELSTORE_SEED={}\nschema: {:#?}\nlast: {:#?}\nwith eviction:    {tiered:?}\nwithout eviction: {other:?}",
                self.seed,
                self.schema.ddl,
                &self.history[from..]
            );
        }
    }

    /// Runs the statement three times over and compares.
    fn run(
        &mut self,
        s: &Statement,
        is_alone: bool,
        mine: impl FnOnce(&str, &Statement) -> Result<Outcome>,
        theirs: impl FnOnce(&str, &Statement) -> Result<Outcome>,
    ) {
        self.history.push(format!("{} {:?}", s.sql, s.params));
        self.counts.statements += 1;
        let (a, b) = (answer(mine(&s.sql, s), s), answer(theirs(&s.sql, s), s));
        self.counts.failed += u64::from(b.rows.is_err());
        self.had_foreign_key_failure |= matches!(&b.rows, Err((_, m)) if m.starts_with("FOREIGN KEY"));
        self.same("the answer", &a, &b);
        let plain = || {
            if !is_alone {
                return self.plain.query(&s.sql, &s.params);
            }
            // As the engine does it: a statement that fails leaves nothing, OR FAIL neither.
            self.plain.execute_batch("BEGIN").unwrap();
            let rows = self.plain.query(&s.sql, &s.params).and_then(|rows| self.plain.execute_batch("COMMIT").map(|()| rows));
            if rows.is_err() {
                self.plain.execute_batch("ROLLBACK").unwrap();
            }
            rows
        };
        let c = plain().map(|rows| texts(rows, s.is_ordered)).map_err(|e| (e.kind(), e.message().to_owned()));
        self.same("the answer of plain SQLite", &a.rows, &c);
    }

    /// A statement in a transaction of its own.
    fn alone(&mut self, s: &Statement) {
        let (mine, theirs) = (Arc::clone(&self.tiered.db), Arc::clone(&self.whole));
        let names = self.schema.tables.iter().filter(|t| t.is_evictable).map(|t| t.name);
        self.counts.with_cold += u64::from(names.into_iter().any(|t| mine.evicted(t).unwrap().rows > 0));
        self.run(s, true, |sql, s| mine.execute(sql, &s.params), |sql, s| theirs.execute(sql, &s.params));
    }

    fn evict_some(&mut self, rng: &mut Rng) {
        let names: Vec<&str> = self.schema.tables.iter().filter(|t| t.is_evictable).map(|t| t.name).collect();
        let table = *rng.pick(&names);
        let percent = *rng.pick(&[30, 70, 100]);
        let n = evict(&self.tiered.db, &self.tiered.source, table, |_| rng.below(100) < percent, "1");
        // Plain SQLite leaves orphans where a child column has no type and its parent's is TEXT. They stay hot.
        let n = n.unwrap_or_else(|e| if e.message().contains("breaks a foreign key") { 0 } else { panic!("{e:?}") });
        self.history.push(format!("-- evict {n} rows of {table}"));
        self.counts.evicted += n;
        self.counts.evictions += u64::from(n > 0);
    }

    fn compare_state(&self) {
        for t in &self.schema.tables {
            for sql in [
                format!("SELECT * FROM {} ORDER BY id, v", t.name),
                format!("SELECT id FROM {} ORDER BY id DESC", t.name),
                format!("SELECT count(*) FROM {}", t.name),
            ] {
                let is_ordered = t.is_evictable;
                let read = |db: &Database| texts(db.query(&sql, &[]).unwrap().rows, is_ordered);
                self.same(&format!("the state by {sql}"), &read(&self.tiered.db), &read(&self.whole));
                let plain = texts(self.plain.query(&sql, &[]).unwrap(), is_ordered);
                self.same(&format!("the state of plain SQLite by {sql}"), &read(&self.tiered.db), &plain);
            }
        }
    }

    fn compare_logs(&self) {
        // The order in which one statement visits its rows is SQLite's to choose, and it chooses by the triggers that are there.
        let sorted = |changes: Vec<Change>| {
            let mut texts: Vec<String> = changes.iter().map(|c| format!("{c:?}")).collect();
            texts.sort();
            texts
        };
        let log = |db: &Database| -> Vec<Vec<String>> {
            let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
            commits.iter().map(|c| sorted(unpack(&c.packed).unwrap())).collect()
        };
        let (mine, theirs) = (log(&self.tiered.db), log(&self.whole));
        self.same("the number of commits", &mine.len(), &theirs.len());
        for (a, b) in mine.iter().zip(&theirs) {
            self.same("a commit", a, b);
        }
    }
}

/// A transaction with statements and nested transactions in it, on all three at once.
fn transact(w: &mut World, rng: &mut Rng, mine: &Transaction<'_>, theirs: &Transaction<'_>, depth: u64) -> Result<()> {
    for _ in 0..1 + rng.below(5) {
        if depth < 2 && rng.one_in(5) {
            let name = format!("s{depth}");
            w.plain.execute_batch(&format!("SAVEPOINT {name}")).unwrap();
            w.history.push(format!("SAVEPOINT {name}"));
            let nested = mine.transaction(|mine| theirs.transaction(|theirs| transact(w, rng, mine, theirs, depth + 1)));
            if nested.is_err() {
                w.history.push(format!("ROLLBACK TO {name}"));
                w.plain.execute_batch(&format!("ROLLBACK TO {name}")).unwrap();
            }
            w.plain.execute_batch(&format!("RELEASE {name}")).unwrap();
            w.history.push(format!("RELEASE {name}"));
        } else {
            let s = statement(rng, &w.schema.tables);
            w.run(&s, false, |sql, s| mine.execute(sql, &s.params), |sql, s| theirs.execute(sql, &s.params));
        }
    }
    if rng.one_in(3) { Err(Error::invalid("changed my mind")) } else { Ok(()) }
}

/// False if the three have parted, for a reason that is not ours.
fn transaction(w: &mut World, rng: &mut Rng) -> bool {
    w.had_foreign_key_failure = false;
    w.plain.execute_batch("BEGIN").unwrap();
    w.history.push("BEGIN".into());
    let (mine, theirs) = (Arc::clone(&w.tiered.db), Arc::clone(&w.whole));
    let mut b = Ok(());
    let a = mine.transaction(|mine| {
        let mut inner = Ok(());
        b = theirs.transaction(|theirs| {
            inner = transact(w, rng, mine, theirs, 0);
            inner.as_ref().copied().map_err(|e| Error::new(e.kind(), e.message()))
        });
        inner
    });
    let told = |r: &Result<()>| r.as_ref().copied().map_err(|e| (e.kind(), e.message().to_owned()));
    // SQLite keeps the count of a failed insert's deferred violations if the insert also broke an immediate foreign key and no trigger was
    // on the table: its COMMIT then fails although nothing is violated.
    if a.is_ok() && w.had_foreign_key_failure && matches!(&b, Err(e) if e.message().starts_with("FOREIGN KEY")) {
        w.counts.parted += 1;
        return false;
    }
    w.same("the commit", &told(&a), &told(&b));
    w.history.push(if a.is_ok() { "COMMIT".into() } else { format!("ROLLBACK {:?}", a) });
    w.plain.execute_batch(if a.is_ok() { "COMMIT" } else { "ROLLBACK" }).unwrap();
    true
}

fn open_whole(dirs: &tempfile::TempDir) -> Arc<Database> {
    let path = dirs.path().join("whole.db");
    Arc::new(Database::open(&path, Settings::default(), Arc::new(ManualClock::new(1_000_000, 1))).unwrap())
}

fn play(seed: u64) -> Counts {
    let (mut w, mut rng) = World::new(seed);
    for step in 0..STEPS {
        match rng.below(100) {
            0..=14 => w.evict_some(&mut rng),
            15..=18 => {
                for s in refill(&mut rng, &w.schema.tables) {
                    w.alone(&s);
                }
            }
            19..=29 => {
                if !transaction(&mut w, &mut rng) {
                    return w.counts;
                }
            }
            30 => {
                // The process ends and begins again.
                w.history.push("-- reopen".into());
                let Tiered { db, source, dir } = w.tiered;
                drop(db);
                w.tiered = Tiered { db: Arc::new(open(&dir, &source)), source, dir };
            }
            _ => {
                let s = statement(&mut rng, &w.schema.tables);
                w.alone(&s);
            }
        }
        if step % 4 == 0 {
            w.compare_state();
        }
    }
    w.compare_state();
    w.compare_logs();
    let _: &MemorySource = &w.tiered.source;
    w.counts
}

#[test]
fn random_statements_answer_alike_wherever_the_rows_are() {
    let mut sum = Counts::default();
    for seed in seeds(std::env::var("RELSTORE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SEEDS)) {
        let counts = std::panic::catch_unwind(|| play(seed)).unwrap_or_else(|e| {
            eprintln!("RELSTORE_SEED={seed}");
            std::panic::resume_unwind(e)
        });
        sum.statements += counts.statements;
        sum.failed += counts.failed;
        sum.with_cold += counts.with_cold;
        sum.evicted += counts.evicted;
        sum.parted += counts.parted;
        sum.evictions += counts.evictions;
    }
    println!(
        "{} statements ({} failed, alike; {} with cold rows about), {} evictions of {} rows, {} worlds ended early",
        sum.statements, sum.failed, sum.with_cold, sum.evictions, sum.evicted, sum.parted
    );
    assert!(sum.evicted > 0);
}
