//! A store and a plain SQLite database that are told the same statements, and what must hold after each.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod rebuild;
pub mod schema;
pub mod statements;

use relstore_engine::sqlite::Connection;
use relstore_engine::{Computed, Database, Outcome, Transaction};
use relstore_model::event::VirtualCells;
use relstore_model::identifier::quote;
use relstore_model::{Error, ErrorKind, Result, Row, Value, ValueRef};
use relstore_testkit::Rng;

use crate::common::{Replay, state};
use schema::{Objects, ddl};
use statements::dml;

/// The store, SQLite beside it, and the log replayed so far.
pub struct Twin {
    pub db: Database,
    pub plain: Connection,
    pub dir: tempfile::TempDir,
    replay: Replay,
    computed: Computed,
    /// What was run, for the message of a failure.
    pub story: Vec<String>,
}

/// Why a nested or an outer transaction is undone without any statement's fault.
const CHANGED_MIND: &str = "changed my mind";

impl Twin {
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }).unwrap();
        let db = crate::common::open(&dir);
        let plain = Connection::scratch().unwrap();
        Self { db, plain, dir, replay: Replay::default(), computed: Computed::default(), story: Vec::new() }
    }

    /// One random transaction, and all checks after it.
    pub fn step(&mut self, rng: &mut Rng) {
        self.story.push("BEGIN".into());
        self.plain.execute("BEGIN IMMEDIATE", &[]).unwrap();
        let Self { db, plain, story, .. } = self;
        let result = db.transaction(|tx| {
            run_some(tx, plain, rng, story, 0)?;
            if rng.one_in(10) { Err(Error::invalid(CHANGED_MIND)) } else { Ok(()) }
        });
        let is_open = is_open(&self.plain);
        match result {
            Ok(()) => {
                self.story.push("COMMIT".into());
                self.plain.execute("COMMIT", &[]).expect("SQLite commits what the store committed");
            }
            Err(e) if e.message() == CHANGED_MIND => {
                self.story.push("ROLLBACK".into());
                self.plain.execute("ROLLBACK", &[]).unwrap();
            }
            Err(e) if e.kind() == ErrorKind::Conflict => {
                self.story.push(format!("-- {e}"));
                assert!(!is_open, "the store ended a transaction that SQLite did not: {e}");
            }
            Err(e) => {
                self.story.push(format!("COMMIT -- {e}"));
                let theirs = self.plain.execute("COMMIT", &[]).expect_err("SQLite commits what the store does not");
                assert_eq!((e.kind(), e.message()), (theirs.kind(), theirs.message()));
                self.plain.execute("ROLLBACK", &[]).unwrap();
            }
        }
        self.check();
    }

    fn check(&mut self) {
        self.replay.catch_up(&self.db);
        assert_eq!(self.replay.state(), state(&self.db), "the log does not say what happened");
        assert_eq!(dump(|sql| query(&self.db, sql)), dump(|sql| self.plain.query(sql, &[])), "the rows are not SQLite's");
        self.check_virtual_columns();
    }

    /// What is computed from stored cells is what a read computes.
    fn check_virtual_columns(&self) {
        let schema = self.db.schema();
        for table in schema.tables.iter().filter(|t| t.columns.iter().any(|c| c.is_virtual)) {
            let stored: Vec<String> = table.stored_columns().map(|c| quote(&c.name)).collect();
            let computed: Vec<String> = table.columns.iter().filter(|c| c.is_virtual).map(|c| quote(&c.name)).collect();
            let sql = format!("SELECT {}, {} FROM {}", stored.join(", "), computed.join(", "), quote(&table.name));
            for row in self.db.query(&sql, &[]).unwrap().rows {
                let (given, wanted) = row.split_at(stored.len());
                let given: Vec<ValueRef<'_>> = given.iter().map(Value::as_ref).collect();
                let got = self.computed.virtual_cells(table, &given).unwrap();
                assert_eq!(format!("{got:?}"), format!("{:?}", Some(wanted.to_vec())), "of {}", table.sql);
            }
        }
    }

    /// A SQLite database built from nothing but the log is the store; and the store opened again is the same.
    pub fn finish(self) {
        let rebuilt = rebuild::from_log(&self.db);
        let wanted = dump(|sql| query(&self.db, sql));
        assert_eq!(dump(|sql| rebuilt.query(sql, &[])), wanted, "the log does not give the store");
        assert_eq!(rebuild::shapes(|sql| rebuilt.query(sql, &[])), rebuild::shapes(|sql| query(&self.db, sql)));
        let (schema, lsn) = (self.db.schema(), self.db.high_water());
        drop(self.db);
        let db = crate::common::open(&self.dir);
        assert_eq!((db.schema().version, db.high_water()), (schema.version, lsn), "opening it again changed it");
        assert_eq!(db.schema().tables, schema.tables);
    }
}

fn query(db: &Database, sql: &str) -> Result<Vec<Row>> {
    db.query(sql, &[]).map(|r| r.rows)
}

/// Statements and nested transactions, in both.
fn run_some(tx: &Transaction<'_>, plain: &Connection, rng: &mut Rng, story: &mut Vec<String>, depth: usize) -> Result<()> {
    for _ in 0..1 + rng.below(6) {
        if depth < 3 && rng.one_in(7) {
            story.push(format!("SAVEPOINT s{depth}"));
            plain.execute(&format!("SAVEPOINT s{depth}"), &[]).unwrap();
            let result = tx.transaction(|tx| {
                run_some(tx, plain, rng, story, depth + 1)?;
                if rng.one_in(3) { Err(Error::invalid(CHANGED_MIND)) } else { Ok(()) }
            });
            match result {
                Ok(()) => {}
                Err(e) if e.message() == CHANGED_MIND => {
                    story.push(format!("ROLLBACK TO s{depth}"));
                    plain.execute(&format!("ROLLBACK TO s{depth}"), &[]).unwrap();
                }
                Err(e) => return Err(e),
            }
            story.push(format!("RELEASE s{depth}"));
            plain.execute(&format!("RELEASE s{depth}"), &[]).unwrap();
            continue;
        }
        let (schema, objects) = (tx.schema(), objects(plain));
        let sql = if schema.tables.len() < 2 || rng.one_in(6) { ddl(rng, &schema, &objects) } else { dml(rng, &schema, &objects) };
        run_both(tx, plain, &sql, story)?;
    }
    Ok(())
}

/// Runs the statement in both and compares the answers. An error is one that ended the transaction.
fn run_both(tx: &Transaction<'_>, plain: &Connection, sql: &str, story: &mut Vec<String>) -> Result<()> {
    let ours = tx.execute(sql, &[]);
    let theirs = plain.query(sql, &[]);
    story.push(match &ours {
        Ok(_) => sql.to_owned(),
        Err(e) => format!("{sql} -- {}", e.message()),
    });
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(format!("{:?}", ours.rows), format!("{theirs:?}"), "{sql}");
            let counts = plain.query("SELECT changes(), last_insert_rowid()", &[]).unwrap().remove(0);
            let Outcome { changes, last_insert_rowid, .. } = ours;
            let is_row_statement = ["INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"].iter().any(|w| sql.starts_with(w));
            if is_row_statement {
                assert_eq!([Value::from(changes as i64), Value::from(last_insert_rowid)], counts.as_slice(), "{sql}");
            }
            Ok(())
        }
        (Err(ours), Err(theirs)) => {
            assert_eq!((ours.kind(), ours.message()), (theirs.kind(), theirs.message()), "{sql}");
            let ended = tx.execute("SELECT 1", &[]).err();
            assert_eq!(ended.is_none(), is_open(plain), "{sql}");
            ended.map_or(Ok(()), Err)
        }
        (ours, theirs) => panic!("{sql}: {ours:?} is not {theirs:?}"),
    }
}

/// A transaction is open if another cannot begin.
fn is_open(plain: &Connection) -> bool {
    let began = plain.execute("BEGIN", &[]).is_ok();
    if began {
        plain.execute("ROLLBACK", &[]).unwrap();
    }
    !began
}

fn objects(plain: &Connection) -> Objects {
    let names = |kind: &str| {
        let rows =
            plain.query("SELECT name FROM sqlite_schema WHERE type=? AND sql IS NOT NULL ORDER BY name", &[Value::from(kind)]).unwrap();
        rows.into_iter().filter_map(|r| if let Value::Text(name) = &r[0] { Some(name.clone()) } else { None }).collect()
    };
    Objects { indexes: names("index"), triggers: names("trigger"), views: names("view") }
}

/// Every row of every table with the rowid that is its key, as text, sorted.
pub fn dump(query: impl Fn(&str) -> Result<Vec<Row>>) -> Vec<String> {
    const TABLES: &str = "SELECT l.name, l.wr OR EXISTS (SELECT 1 FROM pragma_table_xinfo(l.name) WHERE pk>0) FROM pragma_table_list AS l \
        WHERE l.schema='main' AND l.type='table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND l.name NOT LIKE '\\_rs\\_%' ESCAPE '\\'";
    let mut out = Vec::new();
    for table in query(TABLES).unwrap() {
        let Value::Text(name) = &table[0] else { panic!("a table without a name") };
        let rowid = if table[1] == Value::Integer(1) { "" } else { "rowid, " };
        // A column whose expression fails is read by nobody.
        let rows = query(&format!("SELECT {rowid}* FROM {}", quote(name))).unwrap();
        out.extend(rows.iter().map(|row| format!("{name}: {row:?}")));
        out.push(format!("{name}: {} rows", rows.len()));
    }
    out.sort();
    out
}
