//! Writing into a folder so that a power cut neither tears nor loses an object: a file is whole and synced before it gets its name, and
//! the folder is synced after.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// It does.
    Durable,
    /// It does not.
    Lazy,
}

/// Makes the folder and its parents, each durable in its own parent.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match std::fs::create_dir(folder) {
        Ok(()) => {}
        // Another writer was quicker.
        Err(_) if folder.is_dir() => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(io::ErrorKind::NotADirectory.into()),
        Err(e) => return Err(e),
    }
    parent.map_or(Ok(()), sync_folder)
}

/// Writes a new file. `AlreadyExists` if there is one of that name.
pub(super) fn create(file: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let folder = folder_of(file)?;
    create_folder(folder)?;
    if file.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let staged = Staged::write(file, bytes, sync)?;
    // A hard link, unlike a rename, refuses a name that is taken.
    std::fs::hard_link(&staged.0, file)?;
    drop(staged);
    if sync == Sync::Durable { sync_folder(folder) } else { Ok(()) }
}

/// Replaces the file if it holds `expected`; `false` if it does not. One at a time, whatever the process.
pub(super) fn replace(file: &Path, expected: &[u8], new: &[u8]) -> io::Result<bool> {
    // The lock is a file of its own: a lock on the object would be lost with it when the rename replaces it. It stays behind, empty.
    let lock = match OpenOptions::new().create(true).truncate(false).write(true).open(beside(file, "0")) {
        // No folder, so no object either.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    lock.lock()?;
    let mut current = Vec::new();
    match File::open(file) {
        Ok(mut open) => open.read_to_end(&mut current)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    if current != expected {
        return Ok(false);
    }
    let staged = Staged::write(file, new, Sync::Durable)?;
    std::fs::rename(&staged.0, file)?;
    sync_folder(folder_of(file)?)?;
    Ok(true)
}

fn folder_of(file: &Path) -> io::Result<&Path> {
    file.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an object needs a name"))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// `file#suffix`. With digits after the `#` it is a name that `object_store` leaves out of its listings.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("#");
    name.push(suffix);
    name.into()
}

/// A file written under a passing name, which goes when this does.
struct Staged(PathBuf);

impl Staged {
    fn write(file: &Path, bytes: &[u8], sync: Sync) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        loop {
            let number = u64::from(std::process::id()) << 32 | u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let path = beside(file, &number.to_string());
            let mut open = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            let staged = Self(path);
            open.write_all(bytes)?;
            if sync == Sync::Durable {
                open.sync_all()?;
            }
            return Ok(staged);
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; after a crash, gc removes it.
        let _ = std::fs::remove_file(&self.0);
    }
}
