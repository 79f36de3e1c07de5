//! When a commit counts as safe: one sync of the write-ahead log for all callers that wait for one.
//!
//! SQLite commits into the WAL without syncing it (`synchronous=NORMAL`). Whoever must not lose a commit waits here afterwards, outside of the
//! writer's lock: the first to wait syncs the WAL for all commits that are in it by then, the others wait for that sync or lead the next
//! one. So the disk is busy with one group of commits while the next one is being made, and a caller pays for one sync at the most twice.
//!
//! Invariant: what [`Disk::is_safe`] says is on the disk, whatever happens. A sync that fails is not tried again: after it nobody knows
//! what the disk holds, and the writer is poisoned.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use relstore_model::{Error, ErrorKind, Result};
use rusqlite::ffi::{SQLITE_IOERR_FSYNC, SQLITE_OK};

use crate::sqlite::frames::SyncGate;
use crate::wal;

/// The disk under one store's WAL.
pub(crate) struct Disk {
    path: PathBuf,
    /// How many commits are in the WAL.
    written: AtomicU64,
    /// How many of them are on the disk.
    safe: AtomicU64,
    state: Mutex<State>,
    moved: Condvar,
    /// It failed where nobody can know what it holds now, so that nothing more may be written.
    is_poisoned: AtomicBool,
}

#[derive(Default)]
struct State {
    is_syncing: bool,
    /// Kept open: the same file is synced as long as the writer is open.
    wal: Option<wal::File>,
}

impl Disk {
    /// The disk of the store whose hot file is `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            written: AtomicU64::new(0),
            safe: AtomicU64::new(0),
            state: Mutex::default(),
            moved: Condvar::new(),
            is_poisoned: AtomicBool::new(false),
        }
    }

    /// Whether nothing more may be written.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Acquire)
    }

    /// From here on nothing is written any more.
    pub(crate) fn poison(&self) {
        self.is_poisoned.store(true, Ordering::Release);
    }

    /// One more commit is in the WAL; gives its number. Called with the writer's lock held.
    pub(crate) fn wrote(&self) -> u64 {
        self.written.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The number of the last commit in the WAL.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    fn is_safe(&self, number: u64) -> bool {
        self.safe.load(Ordering::Acquire) >= number
    }

    /// Waits until commit `number` and all before it are on the disk, and sees to it if nobody does.
    ///
    /// # Errors
    /// `Closed` if the sync failed, this one or an earlier one: whether the commit survives a power cut is not known.
    pub(crate) fn make_safe(&self, number: u64) -> Result<()> {
        if self.is_safe(number) {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_safe(number) {
                return Ok(());
            }
            if self.is_poisoned() {
                return Err(unknown());
            }
            if state.is_syncing {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let synced;
            (state, synced) = self.sync_alone(state, |file| self.sync(file));
            synced.map_err(|e| unknown().with_source(e))?;
        }
    }

    /// Runs a sync of the WAL beside no other.
    fn sync_alone<'a, E>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        sync: impl FnOnce(&mut Option<wal::File>) -> Result<(), E>,
    ) -> (MutexGuard<'a, State>, Result<(), E>) {
        state.is_syncing = true;
        let mut file = state.wal.take();
        drop(state);
        // Everything that is in the WAL before the sync begins is on the disk after it.
        let written = self.written();
        let synced = sync(&mut file);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_syncing = false;
        state.wal = file;
        match &synced {
            Ok(()) => self.safe.store(written, Ordering::Release),
            Err(_) => self.poison(),
        }
        self.moved.notify_all();
        (state, synced)
    }

    /// Whether the WAL is being synced just now.
    pub(crate) fn is_syncing(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_syncing
    }

    fn sync(&self, file: &mut Option<wal::File>) -> Result<()> {
        let file = match file {
            Some(file) => file,
            None => file.insert(wal::open(&self.path)?),
        };
        wal::sync(file, &self.path)
    }
}

/// A checkpoint copies out of the WAL what it has synced. Were a sync to fail beside its own, which then succeeds, it would copy what the disk
/// may never have got.
impl SyncGate for Disk {
    fn pass(&self, sync: &mut dyn FnMut() -> c_int) -> c_int {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.moved.wait_while(state, |state| state.is_syncing).unwrap_or_else(PoisonError::into_inner);
        if self.is_poisoned() {
            return SQLITE_IOERR_FSYNC;
        }
        let (_state, synced) = self.sync_alone(state, |_| match sync() {
            SQLITE_OK => Ok(()),
            code => Err(code),
        });
        synced.map_or_else(|code| code, |()| SQLITE_OK)
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Closed, "the disk failed: whether the last commits survive a power cut is not known")
        .with_hint("open the store again and look: it holds whole commits, and all that were acknowledged")
}
