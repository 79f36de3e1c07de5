//! Which calls fail, and how.

use std::collections::HashMap;

/// What SQLite asks of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Opening a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Setting a file's size.
    Truncate,
    /// Syncing a file.
    Sync,
    /// Mapping the WAL's index.
    ShmMap,
    /// Deleting a file.
    Delete,
}

/// The part of a store that a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Any file.
    Any,
    /// The database file.
    Database,
    /// The write-ahead log.
    Wal,
    /// A rollback journal.
    Journal,
}

impl Part {
    pub(super) fn of(name: &str) -> Self {
        if name.ends_with("-wal") {
            Self::Wal
        } else if name.ends_with("-journal") {
            Self::Journal
        } else {
            Self::Database
        }
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An error of the device. A write leaves its first half, a sync loses some of what it should have kept.
    Io,
    /// No space. A write leaves its first half.
    Full,
    /// The file cannot be opened. For [`Call::Open`].
    CannotOpen,
}

/// The calls that fail: the `nth` (from 1) of this kind on this part, and if it lasts, all after it.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which call.
    pub call: Call,
    /// Of which file.
    pub part: Part,
    /// Which of them, counted from 1 when the fault is set.
    pub nth: u64,
    /// How it fails.
    pub failure: Failure,
    /// Whether those after it fail too.
    pub lasts: bool,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Each with how many of its calls are still to come before it strikes.
    set: Vec<(Fault, u64)>,
    failed: u64,
    calls: HashMap<(Call, Part), u64>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        assert!(fault.nth > 0, "calls are counted from 1");
        self.set.push((fault, fault.nth));
    }

    pub(super) fn clear(&mut self) -> u64 {
        self.set.clear();
        std::mem::take(&mut self.failed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) fn calls(&self, call: Call, part: Part) -> u64 {
        self.calls.iter().filter(|((c, p), _)| *c == call && (part == Part::Any || *p == part)).map(|(_, n)| n).sum()
    }

    pub(super) fn ask(&mut self, call: Call, part: Part) -> Option<Failure> {
        *self.calls.entry((call, part)).or_default() += 1;
        let mut failure = None;
        for (fault, left) in &mut self.set {
            if fault.call != call || (fault.part != Part::Any && fault.part != part) {
                continue;
            }
            let strikes = *left == 1 || (*left == 0 && fault.lasts);
            *left = left.saturating_sub(1);
            if strikes {
                failure = Some(fault.failure);
            }
        }
        self.failed += u64::from(failure.is_some());
        failure
    }
}
