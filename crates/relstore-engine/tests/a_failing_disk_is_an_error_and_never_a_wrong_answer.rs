//! Every call to the disk fails once, at every place of a load: always an error by kind with a way out, never a panic, never a wrong answer.
//! A failed sync closes the store; opened again it has all that was acknowledged, and a power cut afterwards does not take it.
//!
//! `RELSTORE_SEED=n` runs the place `n` of each case alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;

use std::path::Path;

use common::{assert_log_is_true, replayed, state};
use faults::{Note, Truth, assert_sound, prepare, transact, try_open_keeping};
use relstore_engine::{Database, Durability};
use relstore_model::{Error, ErrorKind, Lsn};
use relstore_testkit::Rng;
use relstore_testkit::disk::{Attached, Call, Disk, Failure, Fault, Part};

const TRANSACTIONS: u64 = 30;
/// So that a few transactions reach the WAL's size at which it is copied into the file.
const BODY_MAX: u64 = 30_000;
/// Where a call is made more often than this over the load, it fails at this many places; a sync at every one.
const PLACES_MAX: u64 = 12;

/// The whole log stays: it is what the store is held against.
fn try_open(folder: &Path, durability: Durability) -> Result<Database, Error> {
    try_open_keeping(folder, durability, u64::MAX)
}

fn open(folder: &Path, durability: Durability) -> Database {
    try_open(folder, durability).unwrap_or_else(|e| panic!("the store does not open: {e:?}"))
}

/// One run of the load on a disk with a fault.
struct Run<'a> {
    folder: &'a Path,
    disk: &'a Attached,
    durability: Durability,
    /// The transactions acknowledged, each with the disk's position.
    acknowledged: Vec<(String, usize)>,
    /// Whether the call that fails is a sync.
    syncs_fail: bool,
    /// What was given instead.
    errors: Vec<Error>,
}

impl Run<'_> {
    /// Opens the store and runs transactions `from..`, until the end or until the store is closed by a failure.
    fn live(&mut self, from: u64) {
        let db = match try_open(self.folder, self.durability) {
            Ok(db) => db,
            Err(e) => return self.failed(e),
        };
        if let Err(e) = prepare(&db) {
            return self.failed(e);
        }
        for n in from..from + TRANSACTIONS {
            let tx = format!("tx{n}");
            let must_refuse = self.syncs_fail && self.disk.failed() > 0;
            match transact(&db, &tx, &mut Rng::new(n), BODY_MAX) {
                Ok(()) => {
                    assert!(!must_refuse, "a sync failed before {tx}, and the store went on");
                    self.acknowledged.push((tx, self.disk.position()));
                }
                Err(e) => {
                    let is_closed = e.kind() == ErrorKind::Closed;
                    self.failed(e);
                    self.assert_reads_are_right(&db);
                    if is_closed {
                        let refused = db.advance_cursor("mine", Lsn::ZERO).unwrap_err();
                        assert_eq!(refused.kind(), ErrorKind::Closed, "cursors are refused as commits are");
                        assert_eq!(db.trim_log().unwrap_err().kind(), ErrorKind::Closed);
                        let written = || self.disk.calls(Call::Write, Part::Any);
                        let before = written();
                        drop(db);
                        assert_eq!(written(), before, "a closed store is not copied out of a WAL that nobody knows");
                        return;
                    }
                }
            }
        }
        if let Err(e) = db.advance_cursor("mine", db.high_water()) {
            self.failed(e);
        }
    }

    fn failed(&mut self, e: Error) {
        assert!(matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Closed), "an error of another kind: {e:?}");
        assert!(e.hint().is_some(), "no way out: {e:?}");
        if e.kind() == ErrorKind::Closed {
            assert!(e.hint().unwrap().contains("open the store again"), "{e:?}");
        }
        self.errors.push(e);
    }

    /// Reads go on, unless they fail themselves, and what they give is what the log says.
    fn assert_reads_are_right(&self, db: &Database) {
        match db.query("SELECT count(*) FROM entry", &[]).and_then(|_| db.commits_after(Lsn::ZERO, usize::MAX)) {
            Ok(_) => assert_eq!(state(db), replayed(db)),
            Err(e) => assert!(matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Closed), "{e:?}"),
        }
    }
}

/// Runs the load with the fault, then heals the disk and goes on, then looks at the store as it is and after power cuts.
fn check(fault: Option<Fault>, durability: Durability) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::attach(dir.path());
    if let Some(fault) = fault {
        disk.fail(fault);
    }
    let syncs_fail = fault.is_some_and(|f| f.call == Call::Sync);
    let mut run = Run { folder: dir.path(), disk: &disk, durability, acknowledged: Vec::new(), syncs_fail, errors: Vec::new() };
    run.live(0);
    let calls = fault.map_or(0, |f| disk.calls(f.call, f.part));
    let failed = disk.heal();
    let errors = run.errors.len();
    let known = run.acknowledged.len();
    run.live(TRANSACTIONS);
    assert_eq!(run.errors.len(), errors, "the disk is well again: {:?}", run.errors.last());
    let acknowledged = run.acknowledged;
    assert_eq!(acknowledged.len(), known + TRANSACTIONS as usize);

    let mut truth = Truth::default();
    {
        let db = open(dir.path(), durability);
        truth.follow(&db);
        truth.assert_held_by(&db);
        assert_log_is_true(&db);
    }
    for (tx, _) in &acknowledged {
        assert!(truth.end_of(tx).is_some(), "{tx} was acknowledged and is lost");
    }
    let mut rng = Rng::new(fault.map_or(0, |f| f.nth));
    let mut cuts = disk.power_cuts();
    let mut positions: Vec<usize> = (0..3).map(|_| rng.below(cuts.len() as u64 + 1) as usize).collect();
    positions.sort_unstable();
    for at in positions {
        let left = tempfile::tempdir().unwrap();
        let what = cuts.cut(at, &mut rng, left.path());
        let _disk = Disk::attach(left.path());
        let db = open(left.path(), durability);
        let last = db.log_range().unwrap().last;
        let must = acknowledged.iter().filter(|(_, position)| *position <= at).map(|(tx, _)| truth.end_of(tx).unwrap()).max();
        assert!(durability == Durability::Normal || Some(last) >= must, "{what}: acknowledged up to {must:?}, kept up to {last}");
        truth.until(last).assert_held_by(&db);
        assert_sound(&db);
    }
    (calls, failed)
}

/// Fails each call of the kind, one a run.
fn sweep(call: Call, part: Part, failure: Failure, lasts: bool) {
    for durability in [Durability::Full, Durability::Normal] {
        // A fault that never strikes: to count.
        let (calls, _) = check(Some(Fault { call, part, nth: u64::MAX, failure, lasts: false }), durability);
        let step = if call == Call::Sync { 1 } else { calls.div_ceil(PLACES_MAX).max(1) };
        let mut struck = 0;
        let alone: Option<u64> = std::env::var("RELSTORE_SEED").ok().and_then(|s| s.parse().ok());
        for nth in alone.map_or_else(|| (1..=calls).step_by(step as usize).collect::<Vec<_>>(), |n| vec![n]) {
            let _note = Note(format!("RELSTORE_SEED={nth}: {call:?} of {part:?} fails, {durability:?}, lasts: {lasts}"));
            let (_, failed) = check(Some(Fault { call, part, nth, failure, lasts }), durability);
            struck += u64::from(failed > 0);
        }
        eprintln!("{call:?} of {part:?}, {durability:?}: made {calls} times, failed at {struck} places");
        assert!(struck > 0, "{call:?} of {part:?} was never made");
    }
}

#[test]
fn a_failed_sync_closes_the_store_and_loses_nothing() {
    sweep(Call::Sync, Part::Wal, Failure::Io, false);
    sweep(Call::Sync, Part::Database, Failure::Io, false);
}

#[test]
fn a_failed_write_is_an_error() {
    sweep(Call::Write, Part::Wal, Failure::Io, false);
    sweep(Call::Write, Part::Database, Failure::Io, true);
    sweep(Call::Truncate, Part::Any, Failure::Io, true);
}

#[test]
fn a_failed_read_open_or_map_is_an_error() {
    sweep(Call::Read, Part::Any, Failure::Io, false);
    sweep(Call::Open, Part::Any, Failure::CannotOpen, false);
    sweep(Call::ShmMap, Part::Any, Failure::Io, true);
    sweep(Call::Delete, Part::Any, Failure::Io, false);
}
