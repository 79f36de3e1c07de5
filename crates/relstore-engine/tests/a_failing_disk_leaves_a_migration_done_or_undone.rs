//! Every call to the disk fails once, at every place of a folder's application: each migration is done or not done, never half, in the tables, the
//! schema, the history and the log; a power cut afterwards finds one of these too; and the next run finishes the folder.
//!
//! `RELSTORE_SEED=n` runs the place `n` of each case alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;
mod migration_support;

use std::path::Path;
use std::sync::Arc;

use common::{State, assert_log_is_true, script, state};
use faults::Note;
use migration_support::{apply, folder};
use relstore_engine::migration::{Layout, MigrationFolder};
use relstore_engine::{Database, Durability};
use relstore_model::{ErrorKind, Schema, Value};
use relstore_testkit::Rng;
use relstore_testkit::disk::{Call, Disk, Failure, Fault, Part};

/// So many that a copy spills to the WAL before its commit.
const ROWS: u64 = 1_500;
/// Where a call is made more often than this, it fails at this many places; a sync at every one, and a write to the WAL.
const PLACES_MAX: u64 = 12;

/// A rebuild of a parent with children; a column, its values and fewer rows; a table with an index, and a drop.
const FOLDER: [&str; 3] = [
    "PRAGMA foreign_keys=OFF; CREATE TABLE n(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO n SELECT id, coalesce(v, '') FROM p; \
     DROP TABLE p; ALTER TABLE n RENAME TO p; CREATE INDEX p_v ON p(v)",
    "ALTER TABLE c ADD COLUMN n INTEGER NOT NULL DEFAULT 0; UPDATE c SET n=id; DELETE FROM c WHERE id%10=0",
    "CREATE TABLE q(id INTEGER PRIMARY KEY, c REFERENCES c); INSERT INTO q SELECT id, id FROM c; CREATE UNIQUE INDEX q_c ON q(c); DROP TABLE gone",
];

fn open(folder: &Path, durability: Durability) -> Database {
    faults::try_open_keeping(folder, durability, u64::MAX).unwrap_or_else(|e| panic!("the store does not open: {e:?}"))
}

fn prepare(folder: &Path, durability: Durability) {
    let db = open(folder, durability);
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT");
    script(
        &db,
        &[
            "CREATE TABLE p(id INTEGER PRIMARY KEY, v)",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)",
            "CREATE TABLE gone(x)",
            &format!("INSERT INTO p {numbers} i, CASE WHEN i%3 THEN hex(zeroblob(100)) END FROM n"),
            "INSERT INTO c SELECT id, id FROM p",
            "INSERT INTO gone VALUES(1),(2)",
        ],
    );
}

/// What a store is after so many migrations of the folder.
type Moment = (Arc<Schema>, State);

/// The store before the folder, and after each of its migrations.
fn moments(all: &MigrationFolder) -> Vec<Moment> {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), Durability::Full);
    let db = open(dir.path(), Durability::Full);
    let mut out = vec![(db.schema(), state(&db))];
    for target in &all.migrations {
        let only = MigrationFolder {
            migrations: all.migrations.iter().take_while(|m| m.version <= target.version).cloned().collect(),
            ..all.clone()
        };
        apply(&db, &only).unwrap();
        out.push((db.schema(), state(&db)));
    }
    out
}

/// The store is one of the moments, in all that says so; gives which.
fn moment_of(db: &Database, all: &MigrationFolder, moments: &[Moment]) -> usize {
    let applied = db.migrations().unwrap();
    let names: Vec<&str> = applied.iter().map(|m| m.name.as_str()).collect();
    let wanted: Vec<&str> = all.migrations.iter().take(names.len()).map(|m| m.name.as_str()).collect();
    assert_eq!(names, wanted);
    let (schema, rows) = &moments[names.len()];
    assert!(db.schema() == *schema && state(db) == *rows, "{} are applied, and the store is another", names.len());
    assert_log_is_true(db);
    let one = |sql: &str| db.query(sql, &[]).unwrap().rows;
    assert_eq!((one("PRAGMA integrity_check"), one("PRAGMA foreign_key_check")), (vec![vec![Value::from("ok")]], vec![]));
    names.len()
}

/// Applies the folder with the fault; gives how many such calls there were, and how many failed.
fn check(fault: Fault, durability: Durability, all: &MigrationFolder, moments: &[Moment]) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::attach(dir.path());
    prepare(dir.path(), durability);
    let (calls_before, prepared) = (disk.calls(fault.call, fault.part), disk.position());
    disk.fail(fault);
    let applied = faults::try_open_keeping(dir.path(), durability, u64::MAX).and_then(|db| apply(&db, all).map(|_| disk.position()));
    let calls = disk.calls(fault.call, fault.part) - calls_before;
    let failed = disk.heal();
    let acknowledged = match applied {
        Ok(position) => Some(position),
        Err(e) => {
            assert!(matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Closed) && e.hint().is_some(), "{e:?}");
            None
        }
    };
    let db = open(dir.path(), durability);
    let found = moment_of(&db, all, moments);
    assert!(acknowledged.is_none() || found == FOLDER.len(), "what was acknowledged is lost");
    apply(&db, all).unwrap();
    assert_eq!(moment_of(&db, all, moments), FOLDER.len());
    let violating = db.execute("INSERT INTO q VALUES(99999, 99999)", &[]).unwrap_err();
    assert_eq!(violating.kind(), ErrorKind::Constraint, "foreign keys act again");
    drop(db);
    let mut rng = Rng::new(fault.nth);
    let mut cuts = disk.power_cuts();
    let mut positions: Vec<usize> = (0..2).map(|_| prepared + rng.below((cuts.len() - prepared) as u64 + 1) as usize).collect();
    positions.sort_unstable();
    for at in positions {
        let left = tempfile::tempdir().unwrap();
        let what = cuts.cut(at, &mut rng, left.path());
        let _disk = Disk::attach(left.path());
        let db = open(left.path(), durability);
        // What is not synced yet may be lost, of the tables before the folder too.
        if durability == Durability::Normal && db.schema().version < moments[0].0.version {
            continue;
        }
        if durability == Durability::Normal && db.migrations().unwrap().is_empty() && state(&db) != moments[0].1 {
            continue;
        }
        let found = moment_of(&db, all, moments);
        let must = acknowledged.is_some_and(|position| position <= at) && durability == Durability::Full;
        assert!(!must || found == FOLDER.len(), "{what}: what was acknowledged is lost");
    }
    (calls, failed)
}

/// Fails each call of the kind, one a run.
fn sweep(call: Call, part: Part, failure: Failure, lasts: bool) {
    let (_dir, all) = folder(Layout::Files, &FOLDER);
    let moments = moments(&all);
    for durability in [Durability::Full, Durability::Normal] {
        // A fault that never strikes: to count.
        let (calls, _) = check(Fault { call, part, nth: u64::MAX, failure, lasts: false }, durability, &all, &moments);
        // A write that fails once is met at every place too, where each commit is synced.
        let is_each = call == Call::Sync || (call == Call::Write && part == Part::Wal && !lasts && durability == Durability::Full);
        let step = if is_each { 1 } else { calls.div_ceil(PLACES_MAX).max(1) };
        let alone: Option<u64> = std::env::var("RELSTORE_SEED").ok().and_then(|s| s.parse().ok());
        let mut struck = 0;
        for nth in alone.map_or_else(|| (1..=calls).step_by(step as usize).collect::<Vec<_>>(), |n| vec![n]) {
            let _note = Note(format!("RELSTORE_SEED={nth}: {call:?} of {part:?} fails, {durability:?}, lasts: {lasts}"));
            struck += u64::from(check(Fault { call, part, nth, failure, lasts }, durability, &all, &moments).1 > 0);
        }
        eprintln!("{call:?} of {part:?}, {durability:?}: made {calls} times, failed at {struck} places");
        assert!(struck > 0 || calls == 0 || alone.is_some(), "{call:?} of {part:?} was never met");
    }
}

#[test]
fn when_a_sync_fails() {
    sweep(Call::Sync, Part::Any, Failure::Io, false);
}

#[test]
fn when_a_write_fails() {
    sweep(Call::Write, Part::Wal, Failure::Io, false);
    sweep(Call::Write, Part::Wal, Failure::Full, true);
    sweep(Call::Write, Part::Database, Failure::Io, true);
}

#[test]
fn when_a_read_fails() {
    sweep(Call::Read, Part::Any, Failure::Io, false);
    sweep(Call::Read, Part::Any, Failure::Io, true);
}
