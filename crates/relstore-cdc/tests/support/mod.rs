//! What the tests share: a store in a temporary folder, and its log as events.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use relstore_engine::{Database, Settings};
use relstore_model::event::Selection;
use relstore_model::{Lsn, Namespace, UnifiedEvent};
use relstore_testkit::ManualClock;

pub fn open(dir: &Path) -> Arc<Database> {
    let clock = ManualClock::new(1_700_000_000_000_000, 1_000);
    Arc::new(Database::open(&dir.join("s.db"), Settings::default(), Arc::new(clock)).unwrap())
}

pub fn ns() -> Namespace {
    Namespace::new("acme").unwrap()
}

pub fn run(db: &Database, sql: &str) {
    db.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

/// All the log, as events, by commit.
pub fn logged(db: &Database, selection: &Selection) -> Vec<Vec<UnifiedEvent>> {
    let commits = db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    let of = |c: &relstore_model::Commit| {
        selection.events_of(&ns(), c, &mut db.schema_at(c.schema_version).unwrap(), &relstore_engine::Computed::default()).unwrap()
    };
    commits.iter().map(of).collect()
}

/// The test `child_that_is_killed` of the running file, in a process of its own, with its store in `dir`.
pub fn child(dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_that_is_killed", "--nocapture"]).env("RELSTORE_TEST_CHILD", dir);
    command.stdout(Stdio::piped()).spawn().unwrap()
}
