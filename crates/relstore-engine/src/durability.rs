//! When a commit counts as safe: one sync of the write-ahead log for all callers that wait for one.
//!
//! SQLite commits into the WAL without syncing it (`synchronous=NORMAL`). Whoever must not lose a commit waits here afterwards, outside of the
//! writer's lock: the first to wait syncs the WAL for all commits that are in it by then, the others wait for that sync or lead the next
//! one. So the disk is busy with one group of commits while the next one is being made, and a caller pays for one sync at the most twice.
//!
//! Invariant: what [`Disk::is_safe`] says is on the disk, whatever happens. A sync that fails is not tried again: after it nobody knows
//! what the disk holds, and the writer is poisoned.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use relstore_model::{Error, ErrorKind, Result};

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
    /// The writer's: set where a sync failed.
    is_poisoned: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    is_syncing: bool,
    /// Kept open: the same file is synced as long as the writer is open.
    wal: Option<wal::File>,
}

impl Disk {
    /// The disk of the store whose hot file is `path`.
    pub(crate) fn new(path: &Path, is_poisoned: Arc<AtomicBool>) -> Self {
        Self {
            path: path.to_owned(),
            written: AtomicU64::new(0),
            safe: AtomicU64::new(0),
            state: Mutex::default(),
            moved: Condvar::new(),
            is_poisoned,
        }
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
            if self.is_poisoned.load(Ordering::Acquire) {
                return Err(unknown());
            }
            if state.is_syncing {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_syncing = true;
            let mut file = state.wal.take();
            drop(state);
            // Everything that is in the WAL before the sync begins is on the disk after it.
            let written = self.written();
            let synced = self.sync(&mut file);
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_syncing = false;
            state.wal = file;
            match &synced {
                Ok(()) => self.safe.store(written, Ordering::Release),
                Err(_) => self.is_poisoned.store(true, Ordering::Release),
            }
            self.moved.notify_all();
            synced.map_err(|e| unknown().with_source(e))?;
        }
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

fn unknown() -> Error {
    Error::new(ErrorKind::Closed, "the disk failed: whether the last commits survive a power cut is not known")
        .with_hint("open the store again and look: it holds whole commits, and all that were acknowledged")
}
