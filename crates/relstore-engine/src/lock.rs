//! One writer a store: an advisory lock beside the hot file, which the operating system gives back when the process ends, however it ends.
//!
//! The lock file says who writes the store, or how the last writer left it: after a clean close it has the seal of the files ([`Seal`]), by
//! which the next writer knows at the price of two `stat` calls that nobody has written to them meanwhile.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use relstore_model::{Error, Result};

use crate::seal::Seal;

/// How the files of a store were found when its lock was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There was no store.
    Nothing,
    /// As the last writer closed it.
    Sealed,
    /// Changed since the last writer closed it, or there is no word of one: another program wrote to it, or it is a copy.
    Changed,
    /// The last writer, this process, did not close it.
    Unclosed(String),
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    path: PathBuf,
    /// What the lock file said before: it says so again if the store could not be opened.
    before: String,
    /// How the store is left.
    pub(crate) leaving: Arc<Leaving>,
}

/// How a store is left when its lock is given back.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    is_open: AtomicBool,
    is_believed: AtomicBool,
}

impl Leaving {
    /// The store is open, and its log says what it holds or is doubted.
    pub(crate) fn set(&self, is_believed: bool) {
        self.is_believed.store(is_believed, Ordering::Release);
        self.is_open.store(true, Ordering::Release);
    }
}

impl WriterLock {
    /// Takes the lock of the store whose hot file is `path`.
    ///
    /// # Errors
    /// `Unavailable` if another handle holds it, naming the process that does; or if the lock file cannot be made.
    pub(crate) fn take(path: &Path) -> Result<(Self, Found)> {
        let lock_path = lock_path(path);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path);
        let mut file = opened.map_err(|e| {
            Error::unavailable("the store's lock file cannot be opened")
                .with("path", lock_path.display())
                .with_hint("check that the folder exists and may be written")
                .with_source(e)
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: the holder may be writing it just now.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                // Just now it may still say how the holder before it closed the store.
                let holder = if holder.is_empty() || Seal::parse(holder).is_some() {
                    "another process".to_owned()
                } else {
                    format!("process {holder}")
                };
                return Err(Error::unavailable("the store is open for writing elsewhere")
                    .with("path", path.display())
                    .with("held_by", holder)
                    .with_hint("close it there first; reading it beside the writer is allowed"));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Error::unavailable("the store cannot be locked").with("path", lock_path.display()).with_source(e));
            }
        }
        let mut before = String::new();
        // What cannot be read says nothing.
        let _ = file.read_to_string(&mut before);
        let found = match (path.exists(), Seal::parse(&before), before.trim()) {
            (false, _, _) => Found::Nothing,
            (true, Some(seal), _) if Some(&seal) == Seal::of(path).as_ref() => Found::Sealed,
            (true, None, pid) if !pid.is_empty() => Found::Unclosed(pid.to_owned()),
            (true, _, _) => Found::Changed,
        };
        let mut lock = Self { file, path: path.to_owned(), before, leaving: Arc::default() };
        // The name of the holder is a courtesy: the lock holds without it. That it replaces the seal is not: a crash must not leave one.
        lock.say(&std::process::id().to_string())
            .map_err(|e| Error::unavailable("the store's lock file cannot be written").with("path", path.display()).with_source(e))?;
        Ok((lock, found))
    }

    fn say(&mut self, what: &str) -> std::io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(what.as_bytes())
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        let said = if !self.leaving.is_open.load(Ordering::Acquire) {
            std::mem::take(&mut self.before)
        } else if self.leaving.is_believed.load(Ordering::Acquire) {
            Seal::of(&self.path).map(|seal| seal.to_string()).unwrap_or_default()
        } else {
            String::new()
        };
        // Without a seal the next writer looks for itself.
        let _ = self.say(&said);
        // By word, and not only by closing the file: a child that another thread is just starting holds a copy of it for a moment, and with it
        // the lock.
        let _ = self.file.unlock();
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
