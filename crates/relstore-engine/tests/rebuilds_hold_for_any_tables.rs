//! Random tables and random rebuilds: plain SQLite that is told the same statements has the same rows, and the log alone gives the store.
//!
//! `RELSTORE_SEED=7` runs one seed and tells its statements; `RELSTORE_SEEDS=1000..5000` runs a range without a limit of time.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Replay, open, state};
use migration_support::apply;
use relstore_engine::migration::{Layout, MigrationFolder};
use relstore_engine::sqlite::Connection;
use relstore_model::identifier::quote;
use relstore_model::{Row, Value};
use relstore_testkit::Rng;

const SEEDS: u64 = 300;
const STEPS: u64 = 6;
const TIME_MAX: Duration = Duration::from_secs(20);

const TYPES: &[&str] = &["TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB", "", "INT", "VARCHAR(10)"];
const CELLS: &[&str] =
    &["NULL", "1", "2", "-7", "1.0", "2.5", "'1'", "'1.0'", "'a'", "'B'", "''", "x'61'", "x''", "9007199254740993", "'9e99'"];

/// A table of the test: columns with their types, and the form of its key.
#[derive(Clone)]
struct Shape {
    columns: Vec<(String, &'static str)>,
    key: Key,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Key {
    None,
    Alias,
    Column,
    Two,
    ColumnWithoutRowid,
}

const KEYS: &[Key] = &[Key::None, Key::Alias, Key::Column, Key::Two, Key::ColumnWithoutRowid];

impl Shape {
    fn random(rng: &mut Rng) -> Self {
        let columns = (0..3 + rng.below(3)).map(|i| (format!("c{i}"), *rng.pick(TYPES))).collect();
        let mut this = Self { columns, key: *rng.pick(KEYS) };
        this.fit();
        this
    }

    /// The key's columns are of the type that the key asks for.
    fn fit(&mut self) {
        if self.key == Key::Alias {
            self.columns[0].1 = "INTEGER";
        } else if self.key != Key::None && self.columns[0].1 == "INTEGER" {
            self.columns[0].1 = "INT";
        }
    }

    fn create(&self, name: &str, rng: &mut Rng) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(|(name, kind)| format!("{} {kind}", quote(name))).collect();
        let first = quote(&self.columns[0].0);
        match self.key {
            Key::None => {}
            Key::Alias | Key::Column | Key::ColumnWithoutRowid => parts[0] += " PRIMARY KEY",
            Key::Two => parts.push(format!("PRIMARY KEY({}, {first})", quote(&self.columns[1].0))),
        }
        if rng.one_in(4) && self.key != Key::Two {
            parts.push(format!("g AS ({first} || 'g'){}", if rng.one_in(2) { " STORED" } else { "" }));
        }
        format!(
            "CREATE TABLE {}({}){}",
            quote(name),
            parts.join(", "),
            if self.key == Key::ColumnWithoutRowid { " WITHOUT ROWID" } else { "" }
        )
    }
}

/// Statements that fill the table a little; some of them fail.
fn fill(shape: &Shape, rng: &mut Rng) -> Vec<String> {
    let columns: Vec<String> = shape.columns.iter().map(|(n, _)| quote(n)).collect();
    let mut out: Vec<String> = (0..rng.below(8))
        .map(|_| {
            let mut cells: Vec<&str> = columns.iter().map(|_| *rng.pick(CELLS)).collect();
            if shape.key == Key::Alias {
                cells[0] = *rng.pick(&["1", "2", "3", "10", "NULL", "-4"]);
            }
            format!("INSERT OR IGNORE INTO t({}) VALUES({})", columns.join(", "), cells.join(", "))
        })
        .collect();
    if rng.one_in(3) {
        out.push(format!("DELETE FROM t WHERE {0}=(SELECT min({0}) FROM t)", columns[0]));
    }
    out
}

/// A rebuild of `t`, as one migration; `shape` becomes the one after it.
fn rebuild(shape: &mut Shape, number: u64, rng: &mut Rng) -> Vec<String> {
    let before = shape.clone();
    // Where each column comes from.
    let mut from: Vec<Option<String>> = before.columns.iter().map(|(n, _)| Some(quote(n))).collect();
    for (at, (name, kind)) in shape.columns.iter_mut().enumerate() {
        match rng.below(9) {
            0 => *name = format!("r{number}_{at}"),
            1 => *kind = *rng.pick(TYPES),
            2 => from[at] = Some(format!("upper({})", quote(&before.columns[at].0))),
            3 if at > 0 => {
                (*name, from[at]) = (format!("n{number}_{at}"), Some((*rng.pick(CELLS)).to_owned()));
            }
            4 if at > 0 => from[at] = None,
            _ => {}
        }
    }
    if shape.columns.len() > 3 && rng.one_in(4) {
        shape.columns.pop();
        from.pop();
    }
    if rng.one_in(4) {
        shape.columns.push((format!("a{number}"), *rng.pick(TYPES)));
        from.push(None);
    }
    if rng.one_in(5) {
        // Two columns in each other's place.
        let last = shape.columns.len() - 1;
        shape.columns.swap(1, last);
        from.swap(1, last);
    }
    if rng.one_in(4) {
        shape.key = *rng.pick(KEYS);
    }
    shape.fit();
    let filled: Vec<(String, String)> =
        shape.columns.iter().zip(&from).filter_map(|((n, _), f)| f.clone().map(|f| (quote(n), f))).collect();
    let (targets, items): (Vec<String>, Vec<String>) = filled.into_iter().unzip();
    let tail = *rng.pick(&["", "", "", " WHERE c0 IS NOT NULL OR 1", " ORDER BY 1 DESC", " WHERE length(1) > 0"]);
    let tail = if before.columns[0].0 == "c0" { tail } else { "" };
    let copy = |to: &str, from: &str| format!("INSERT INTO {to}({}) SELECT {} FROM {from}{tail}", targets.join(", "), items.join(", "));
    let mut out = match rng.below(3) {
        0 => vec![
            "PRAGMA foreign_keys=OFF".to_owned(),
            shape.create("__new_t", rng),
            copy("__new_t", "t"),
            "DROP TABLE t".to_owned(),
            "ALTER TABLE __new_t RENAME TO t".to_owned(),
        ],
        1 => vec!["ALTER TABLE t RENAME TO t_old".to_owned(), shape.create("t", rng), copy("t", "t_old"), "DROP TABLE t_old".to_owned()],
        _ => {
            let mut steps = vec![shape.create("n", rng), copy("n", "t"), "DROP TABLE t".to_owned(), "ALTER TABLE n RENAME TO t".to_owned()];
            if rng.one_in(2) {
                steps.insert(2, format!("UPDATE n SET {}={}", quote(&shape.columns[shape.columns.len() - 1].0), rng.pick(CELLS)));
            }
            if rng.one_in(3) {
                steps.insert(1, format!("UPDATE t SET {}={}", quote(&before.columns[1].0), rng.pick(CELLS)));
            }
            steps
        }
    };
    if rng.one_in(3) {
        out.push(format!("CREATE INDEX i{number} ON t({})", quote(&shape.columns[1].0)));
    }
    if rng.one_in(4) {
        out.push(format!("ALTER TABLE t ADD COLUMN z{number} {} DEFAULT 5", rng.pick(TYPES)));
        shape.columns.push((format!("z{number}"), ""));
    }
    out
}

fn rows(query: impl Fn(&str) -> relstore_model::Result<Vec<Row>>) -> Vec<String> {
    let columns = query("SELECT name FROM pragma_table_xinfo('t') WHERE hidden<>1 ORDER BY cid").unwrap();
    let columns: Vec<String> = columns.iter().map(|r| if let Value::Text(t) = &r[0] { quote(t) } else { String::new() }).collect();
    let mut rows: Vec<String> = query(&format!("SELECT {} FROM t", columns.join(", "))).unwrap().iter().map(|r| format!("{r:?}")).collect();
    rows.sort();
    rows.insert(0, columns.join(", "));
    rows
}

/// The names of what there is beside tables.
fn names(query: impl Fn(&str) -> relstore_model::Result<Vec<Row>>) -> Vec<Row> {
    query("SELECT name FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_rs%' ESCAPE '\\' ORDER BY 1").unwrap()
}

fn run(seed: u64, story: &mut Vec<String>) {
    let mut rng = Rng::new(seed);
    let rng = &mut rng;
    let dir = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }).unwrap();
    let db = open(&dir);
    let plain = Connection::scratch().unwrap();
    let mut shape = Shape::random(rng);
    let create = shape.create("t", rng);
    let both = |sql: &str, story: &mut Vec<String>| {
        story.push(sql.to_owned());
        let (ours, theirs) = (db.execute(sql, &[]), plain.execute(sql, &[]));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{sql}: {ours:?} {theirs:?}");
    };
    both(&create, story);
    both("CREATE TABLE child(t)", story);
    both("CREATE VIEW v AS SELECT count(*) FROM t", story);
    let folder = dir.path().join("migrations");
    let mut replay = Replay::default();
    let mut files: Vec<(u64, String)> = Vec::new();
    for number in 1..=STEPS {
        for sql in fill(&shape, rng) {
            both(&sql, story);
        }
        let id = db.schema().table("t").unwrap().id;
        let mut after = shape.clone();
        let statements = rebuild(&mut after, number, rng);
        story.push(format!("-- migration {number}\n{}", statements.join(";\n")));
        files.push((number, statements.join(";\n--> statement-breakpoint\n")));
        let listed: Vec<(u64, &str, &str)> = files.iter().map(|(n, sql)| (*n, "m", sql.as_str())).collect();
        migration_support::write(&folder, Layout::Journal, &listed);
        let ours = apply(&db, &MigrationFolder::read(&folder).unwrap());
        // SQLite's own way, with the keys off and the views left alone.
        plain.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON; BEGIN").unwrap();
        let theirs = statements.iter().filter(|s| !s.starts_with("PRAGMA")).try_for_each(|sql| plain.execute_batch(sql));
        plain.execute_batch(if theirs.is_ok() { "COMMIT" } else { "ROLLBACK" }).unwrap();
        match (&ours, &theirs) {
            (Ok(report), Ok(())) => {
                shape = after;
                assert_eq!(db.schema().table("t").unwrap().id, id);
                assert_eq!(report.applied.len(), 1);
            }
            (Err(_), Err(_)) => {
                story.push(format!("-- failed: {}", theirs.unwrap_err()));
                files.pop();
                std::fs::remove_file(migration_support::file_of(&folder, Layout::Journal, number, "m")).unwrap();
            }
            _ => panic!("{ours:?} and {theirs:?}"),
        }
        replay.catch_up(&db);
        assert_eq!(replay.state(), state(&db), "the log does not say what happened");
        assert_eq!(rows(|sql| db.query(sql, &[]).map(|r| r.rows)), rows(|sql| plain.query(sql, &[])), "the rows are not SQLite's");
        for name in names(|sql| plain.query(sql, &[])) {
            assert!(names(|sql| db.query(sql, &[]).map(|r| r.rows)).contains(&name), "{name:?} is missing");
        }
    }
    db.execute("INSERT INTO child VALUES(NULL)", &[]).unwrap();
    let schema = db.schema();
    drop(db);
    // Another program's write makes the digests be compared with the tables: those of the log must be theirs.
    let other = Connection::open(&dir.path().join("store.db")).unwrap();
    other.execute_batch("CREATE TABLE other(x); DROP TABLE other").unwrap();
    drop(other);
    let db = open(&dir);
    db.execute("INSERT INTO child VALUES(NULL)", &[]).expect("the log says what the tables hold");
    assert_eq!(db.schema(), schema);
}

#[test]
fn the_log_is_true_and_the_rows_are_sqlites_after_any_rebuild() {
    let range = std::env::var("RELSTORE_SEEDS").ok().and_then(|s| {
        let (first, last) = s.split_once("..")?;
        Some(first.parse::<u64>().ok()?..last.parse::<u64>().ok()?)
    });
    let is_bounded = range.is_none();
    let seeds: Vec<u64> = range.map_or_else(|| relstore_testkit::seeds(SEEDS), Iterator::collect);
    let started = Instant::now();
    let mut failed = Vec::new();
    let mut done = 0;
    for seed in seeds {
        if is_bounded && started.elapsed() > TIME_MAX {
            break;
        }
        let mut story = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| run(seed, &mut story)));
        if result.is_err() || std::env::var_os("RELSTORE_SEED").is_some() {
            println!("seed {seed} (run it again with RELSTORE_SEED={seed}):\n{}\n", story.join(";\n"));
        }
        failed.extend(result.err().map(|_| seed));
        done += 1;
    }
    println!("{done} seeds in {:?}", started.elapsed());
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    assert!(done > 0);
}
