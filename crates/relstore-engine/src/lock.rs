//! One writer a store: an advisory lock beside the hot file, which the operating system gives back when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use relstore_model::{Error, Result};

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock of the store whose hot file is `path`.
    ///
    /// # Errors
    /// `Unavailable` if another handle holds it, naming the process that does; or if the lock file cannot be made.
    pub(crate) fn take(path: &Path) -> Result<Self> {
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
                let holder = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
                return Err(Error::unavailable("the store is open for writing elsewhere")
                    .with("path", path.display())
                    .with("held_by", holder)
                    .with_hint("close it there first; reading it beside the writer is allowed"));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Error::unavailable("the store cannot be locked").with("path", lock_path.display()).with_source(e));
            }
        }
        // The name of the holder is a courtesy: the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
