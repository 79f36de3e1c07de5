//! What the files of a store were like when they were closed: length, time of the last write and identity of the hot file and of its WAL.
//!
//! A program that writes to a closed store changes them. What is not noticed: a write that leaves length and time as they were, as one within
//! the same tick of the file system's clock (some milliseconds) after the close may, or one that sets the time back on purpose. A copy of a
//! store has other files, and is looked at once.

use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The state of a closed store's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seal(String);

const WORD: &str = "closed";

impl Seal {
    /// The seal of the store whose hot file is `path`; `None` if the files cannot be asked.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let hot = print(&std::fs::metadata(path).ok()?)?;
        let wal = match std::fs::metadata(wal_path(path)) {
            // An empty WAL, which a reader leaves, holds nothing.
            Ok(metadata) if metadata.len() > 0 => print(&metadata)?,
            Ok(_) => "-".to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "-".to_owned(),
            Err(_) => return None,
        };
        Some(Self(format!("{hot} {wal}")))
    }

    /// Reads what the lock file says; `None` if it is no seal.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.trim().strip_prefix(WORD).map(|rest| Self(rest.trim().to_owned()))
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD} {}", self.0)
    }
}

fn print(metadata: &Metadata) -> Option<String> {
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}:{}:{}", metadata.len(), modified.as_nanos(), identity(metadata)))
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> u64 {
    0
}

fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}
