//! Copies of a store that is being written, and its file made small again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use relstore_model::{Error, Lsn, Result};
use rusqlite::backup::{Backup, StepResult};

use crate::database::Database;
use crate::log;
use crate::reader::Reader;
use crate::seal::Seal;
use crate::sqlite::from_sqlite;

/// How many pages are copied between two reports.
const PAGES_A_STEP: i32 = 1024;

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages copied.
    pub pages_done: u64,
    /// Pages in all.
    pub pages_total: u64,
}

impl Database {
    /// Copies the store into the new file `path`, as of the last commit, and gives the position of its last change. Writers are not held up.
    ///
    /// The copy is a store of its own with the same log and cursors; rows that are evicted stay in the bucket, where both find them. It has
    /// another name until it is whole and on the disk. `progress` is told every few megabytes.
    ///
    /// # Errors
    /// `Invalid` if `path` exists; `Unavailable` if it cannot be written or the disk is full; `Corrupt` if the store is damaged. Nothing is
    /// left then.
    pub fn backup(&self, path: &Path, progress: &mut dyn FnMut(BackupProgress)) -> Result<Lsn> {
        if path.exists() {
            return Err(Error::invalid("a backup is written into a new file").with("path", path.display()).with_hint("give another name"));
        }
        let unfinished = Unfinished(with_suffix(path, &format!(".{}.unfinished", std::process::id())));
        let lsn = self.with_reader_mut(|reader| copy(reader, &unfinished.0, progress))?;
        let failed = |e: std::io::Error| Error::unavailable("the backup cannot be written").with("path", path.display()).with_source(e);
        File::open(&unfinished.0).and_then(|file| file.sync_all()).map_err(failed)?;
        std::fs::rename(&unfinished.0, path).map_err(failed)?;
        if let Some(seal) = Seal::of(path) {
            std::fs::write(with_suffix(path, ".lock"), seal.to_string()).map_err(failed)?;
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(lsn)
    }

    /// Writes the hot file anew without the room that deleted rows and trimmed log left in it, and gives how many bytes smaller it is. It is no
    /// change: nothing is logged, and every rowid stays, also of tables without a key, which SQLite's own `VACUUM` may number anew. Writers
    /// wait, readers do not; for the time of it the disk needs room for two more copies.
    ///
    /// # Errors
    /// `Unavailable` if the handle reads only, if another connection reads or writes an old state for more than some seconds, or if the disk
    /// is full; as [`Database::verify`] if another program wrote to the store. The store is then as it was.
    pub fn vacuum(&self) -> Result<u64> {
        let mut writer = self.lock_writer()?;
        if !writer.is_trusted()? {
            writer.verify()?;
        }
        let copy = Unfinished(with_suffix(self.path(), ".vacuum"));
        copy.remove();
        let name = relstore_model::identifier::quote_literal(&copy.0.to_string_lossy());
        // `VACUUM INTO` keeps rowids, `VACUUM` does not; what it does after making the copy is what the backup below does.
        writer.internally(|c| c.execute_batch(&format!("VACUUM main INTO {name}")))?;
        let failed = |e: rusqlite::Error| from_sqlite(&e, "");
        let pages = |c: &rusqlite::Connection| c.query_row("PRAGMA main.page_count", [], |row| row.get::<_, i64>(0));
        let from = rusqlite::Connection::open(&copy.0).map_err(failed)?;
        let page_bytes: i64 = from.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(failed)?;
        let pages_before = writer.internally(|c| pages(&c.inner).map_err(failed))?;
        let pages_after = pages(&from).map_err(failed)?;
        if !writer.is_trusted()? {
            // Another program has written since: that must not be lost.
            writer.verify()?;
            return Err(Error::unavailable("another program is writing to the store").with_hint("close it and try again"));
        }
        {
            let to = &mut writer.connection.inner;
            let backup = Backup::new(&from, to).map_err(failed)?;
            step_all(&backup, i32::MAX, &mut |_| {})?;
        }
        writer.checkpoint()?;
        Ok(u64::try_from((pages_before - pages_after) * page_bytes).unwrap_or(0))
    }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A file that goes away unless it was renamed.
pub(crate) struct Unfinished(pub(crate) PathBuf);

impl Unfinished {
    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm", ".lock"] {
            // It is not there, as a rule.
            let _ = std::fs::remove_file(with_suffix(&self.0, suffix));
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Copies page by page inside one read transaction, so that all are of one commit.
fn copy(reader: &Reader, path: &Path, progress: &mut dyn FnMut(BackupProgress)) -> Result<Lsn> {
    reader.in_snapshot(|c| {
        let lsn = log::range(c)?.last;
        copy_file(&c.inner, path, progress)?;
        Ok(lsn)
    })
}

/// Copies what `from` sees into the new file `path`.
pub(crate) fn copy_file(from: &rusqlite::Connection, path: &Path, progress: &mut dyn FnMut(BackupProgress)) -> Result<()> {
    let failed = |e: rusqlite::Error| from_sqlite(&e, "").with("path", path.display());
    let mut to = rusqlite::Connection::open(path).map_err(failed)?;
    {
        let backup = Backup::new(from, &mut to).map_err(failed)?;
        step_all(&backup, PAGES_A_STEP, progress)?;
    }
    to.close().map_err(|(_, e)| failed(e))
}

fn step_all(backup: &Backup<'_, '_>, pages: i32, progress: &mut dyn FnMut(BackupProgress)) -> Result<()> {
    const TRIES: u32 = 100;
    let mut tries = 0;
    loop {
        let step = backup.step(pages).map_err(|e| from_sqlite(&e, ""))?;
        let at = backup.progress();
        let (total, left) = (u64::try_from(at.pagecount).unwrap_or(0), u64::try_from(at.remaining).unwrap_or(0));
        progress(BackupProgress { pages_done: total.saturating_sub(left), pages_total: total });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => tries = 0,
            _ if tries < TRIES => {
                // Another connection holds a lock for a moment; SQLite's busy handler does not serve backups.
                tries += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            _ => return Err(Error::unavailable("another connection holds the file").with_hint("close it and try again")),
        }
    }
}
