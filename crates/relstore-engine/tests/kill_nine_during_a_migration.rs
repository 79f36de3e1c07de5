//! `kill -9` at every step of a migration: the store is as before it or as after it, its log says so, and the next run finishes the folder.
//!
//! A child process, this test itself run again, applies a folder and says each statement that it has run; it stops there until it is killed, so
//! that every step is met. Then children are killed at random moments, also in the middle of a statement and of a commit.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{assert_log_is_true, script};
use migration_support::{apply, count, ids, write};
use relstore_engine::migration::{ApplyOptions, Layout, MigrationFolder, MigrationProgress};
use relstore_engine::{Database, Settings};
use relstore_testkit::{ManualClock, Rng, seeds};

const FOLDER: &str = "RELSTORE_TEST_MIGRATED_FOLDER";
const STOP_AT: &str = "RELSTORE_TEST_MIGRATED_STOP";
const ROWS: i64 = 2_000;

const REBUILD: &str = "PRAGMA foreign_keys=OFF;
--> statement-breakpoint
CREATE TABLE `__new_p`(`id` integer PRIMARY KEY NOT NULL, `v` text NOT NULL);
--> statement-breakpoint
INSERT INTO `__new_p`(`id`, `v`) SELECT `id`, coalesce(`v`, '') FROM `p`;
--> statement-breakpoint
DROP TABLE `p`;
--> statement-breakpoint
ALTER TABLE `__new_p` RENAME TO `p`;
--> statement-breakpoint
PRAGMA foreign_keys=ON;
--> statement-breakpoint
CREATE INDEX `p_v` ON `p` (`v`);";

const MORE: &str = "ALTER TABLE c ADD COLUMN n INTEGER NOT NULL DEFAULT 0;\nUPDATE c SET n=id;\nDELETE FROM c WHERE id > 1990;";

fn open_store(folder: &Path) -> Database {
    Database::open(&folder.join("store.db"), Settings::default(), Arc::new(ManualClock::new(1_000_000, 1))).unwrap()
}

fn prepare(folder: &Path) {
    let db = open_store(folder);
    script(
        &db,
        &[
            "CREATE TABLE p(id INTEGER PRIMARY KEY, v)",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)",
            &format!(
                "INSERT INTO p WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, nullif(i % 3, 0) FROM n"
            ),
            "INSERT INTO c SELECT id, id FROM p",
        ],
    );
    write(&folder.join("migrations"), Layout::Journal, &[(1, "rebuild", REBUILD), (2, "more", MORE)]);
}

/// What must hold whatever was killed when; gives how many migrations are applied.
fn look(folder: &Path) -> usize {
    let db = open_store(folder);
    let applied = db.migrations().unwrap().len();
    let schema = db.schema();
    let p = schema.table("p").unwrap();
    assert_eq!(p.columns[1].not_null, applied >= 1);
    assert_eq!((p.id.0, count(&db, "p")), (1, ROWS));
    assert_eq!(count(&db, "c"), if applied >= 2 { 1990 } else { ROWS });
    assert_eq!(schema.tables.len(), 2);
    assert_eq!(
        migration_support::integer(
            &db,
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%new_p%' OR name LIKE '\\_rs\\_away%' ESCAPE '\\'"
        ),
        0
    );
    assert_log_is_true(&db);
    // Foreign keys act.
    db.execute("INSERT INTO c(id, p) VALUES(-1, -1)", &[]).unwrap_err();
    applied
}

fn finish(folder: &Path) {
    let db = open_store(folder);
    apply(&db, &MigrationFolder::read(&folder.join("migrations")).unwrap()).unwrap();
    drop(db);
    assert_eq!(look(folder), 2);
    let db = open_store(folder);
    assert_eq!(ids(&db, "p").1[1].1, 102);
}

fn spawn(folder: &Path, stop_at: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(STOP_AT, stop_at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the child of the tests here"]
fn child() {
    let (Ok(folder), Ok(stop_at)) = (std::env::var(FOLDER), std::env::var(STOP_AT)) else { return };
    let (folder, stop_at) = (Path::new(&folder), stop_at.parse::<usize>().unwrap());
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let db = open_store(folder);
    say("opened");
    let mut steps = 0;
    let mut progress = |_: &MigrationProgress<'_>| {
        steps += 1;
        say(&format!("step {steps}"));
        if steps == stop_at {
            // Until the parent kills this process.
            let _ = std::io::stdin().read(&mut [0]);
        }
    };
    let migrations = MigrationFolder::read(&folder.join("migrations")).unwrap();
    db.apply_migrations(&migrations, ApplyOptions { allow_destructive: true, progress: Some(&mut progress), ..ApplyOptions::default() })
        .unwrap();
    say("done");
}

/// Reads the child's lines up to this one; whether it came.
fn wait_for(child: &mut Child, wanted: &str) -> bool {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    lines.map_while(Result::ok).any(|line| line == wanted)
}

#[test]
fn a_migration_killed_at_any_step_is_before_or_after() {
    const STEPS: usize = 10;
    let mut met = Vec::new();
    for step in 1..=STEPS {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let mut child = spawn(dir.path(), step);
        assert!(wait_for(&mut child, &format!("step {step}")), "the child did not come to step {step}");
        child.kill().unwrap();
        child.wait().unwrap();
        met.push(look(dir.path()));
        finish(dir.path());
    }
    assert_eq!(met, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
}

#[test]
fn a_migration_killed_at_any_moment_is_before_or_after() {
    const KILLS: u64 = 30;
    for seed in seeds(1) {
        let mut rng = Rng::new(seed);
        let mut met = [0; 3];
        for kill in 0..KILLS {
            let dir = tempfile::tempdir().unwrap();
            prepare(dir.path());
            let mut child = spawn(dir.path(), usize::MAX);
            assert!(wait_for(&mut child, "opened"));
            std::thread::sleep(Duration::from_micros(rng.below(40_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            met[look(dir.path())] += 1;
            if kill % 5 == 0 {
                finish(dir.path());
            }
        }
        println!("RELSTORE_SEED={seed}: none, one and both migrations were done: {met:?}");
    }
}
