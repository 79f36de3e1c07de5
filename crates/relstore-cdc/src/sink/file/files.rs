//! The files themselves: appending, turning over to the next, and what is made of them after a crash.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use relstore_model::{Error, Lsn, Namespace, Result, UnifiedEvent};
use serde::Deserialize;

use super::Fsync;

/// How much is put together before it is written.
const WRITE_BYTES: usize = 1 << 20;

/// The files of one store in one folder.
pub(super) struct Files {
    folder: PathBuf,
    ns: Namespace,
    bytes_max: u64,
    fsync: Fsync,
    /// The file that is appended to; `None` until there is one, and after a failure.
    open: Option<Open>,
    /// The last event that the files have.
    last: Lsn,
    /// Up to here nothing is in doubt.
    settled: Lsn,
    /// A write has failed half way: the file's end must be looked at first.
    is_in_doubt: bool,
}

struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
}

/// What is looked at in a line.
#[derive(Deserialize)]
struct Line {
    ns: String,
    lsn: u64,
}

impl Files {
    pub(super) fn new(folder: &Path, ns: Namespace, bytes_max: u64) -> Self {
        let fsync = Fsync::default();
        Self { folder: folder.to_owned(), ns, bytes_max, fsync, open: None, last: Lsn::ZERO, settled: Lsn::ZERO, is_in_doubt: false }
    }

    pub(super) fn set_bytes_max(&mut self, bytes: u64) {
        self.bytes_max = bytes;
    }

    pub(super) fn set_fsync(&mut self, fsync: Fsync) {
        self.fsync = fsync;
    }

    /// The store's files with the first position of each, in order.
    pub(super) fn list(&self) -> Result<Vec<(Lsn, PathBuf)>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unusable(&self.folder, e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| unusable(&self.folder, e))?;
            if let Some(lsn) = self.first_of(&entry.file_name().to_string_lossy()) {
                files.push((lsn, entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }

    fn first_of(&self, name: &str) -> Option<Lsn> {
        let number = name.strip_prefix(&self.ns.to_path())?.strip_prefix('.')?.strip_suffix(".ndjson")?;
        if number.len() == 20 { number.parse().ok() } else { None }
    }

    /// Cuts off what a crash left torn and finds the last event. Everything up to `cursor` was acknowledged, so it must be whole.
    pub(super) fn recover(&mut self, cursor: Lsn) -> Result<()> {
        (self.open, self.last, self.settled) = (None, Lsn::ZERO, cursor);
        let files = self.list()?;
        // Earlier files were full and on the disk before a later one was begun.
        let from = files.iter().rposition(|(first, _)| *first <= cursor).unwrap_or(0);
        for (i, (_, path)) in files.iter().enumerate().skip(from) {
            let is_newest = i + 1 == files.len();
            let whole = self.scan(path, cursor, is_newest)?;
            if is_newest {
                let file = OpenOptions::new().append(true).open(path).map_err(|e| unusable(path, e))?;
                file.set_len(whole).and_then(|()| file.sync_all()).map_err(|e| unusable(path, e))?;
                self.open = Some(Open { file, path: path.clone(), bytes: whole });
            }
        }
        self.is_in_doubt = false;
        Ok(())
    }

    /// Reads a file's lines and gives how many bytes of it are whole.
    fn scan(&mut self, path: &Path, cursor: Lsn, is_newest: bool) -> Result<u64> {
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(|e| unusable(path, e))?);
        let mut line = Vec::new();
        let mut whole: u64 = 0;
        let mut is_torn = false;
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| unusable(path, e))?;
            if read == 0 {
                return Ok(whole);
            }
            let event = serde_json::from_slice::<Line>(&line).ok().filter(|l| line.ends_with(b"\n") && l.lsn > self.last.get());
            match event {
                Some(event) if event.ns != self.ns.as_str() => {
                    return Err(Error::invalid("the file has the events of another store")
                        .with("path", path.display())
                        .with("ns", event.ns));
                }
                Some(event) if !is_torn => {
                    self.last = Lsn::new(event.lsn);
                    whole += read as u64;
                }
                Some(event) if event.lsn <= cursor.get() => return Err(damaged(path, whole)),
                Some(_) => {}
                None if is_newest => is_torn = true,
                None => return Err(damaged(path, whole)),
            }
        }
    }

    /// Appends the events of commits and gives how many bytes they took; durable when this returns, as [`Fsync`] says.
    pub(super) fn append(&mut self, commits: &[Vec<UnifiedEvent>]) -> Result<u64> {
        if self.is_in_doubt {
            self.recover(self.settled)?;
        }
        (self.is_in_doubt, self.settled) = (true, self.last);
        let mut written = 0;
        let mut text = Vec::new();
        for commit in commits {
            let begins = text.len();
            let Some(first) = self.render(commit, &mut text)? else { continue };
            let size = self.open.as_ref().map_or(0, |open| open.bytes);
            let is_full = size + begins as u64 > 0 && size + text.len() as u64 > self.bytes_max;
            if self.open.is_none() || is_full {
                let rest = text.split_off(begins);
                written += self.write(&text)?;
                self.turn_over(first)?;
                text = rest;
            }
            if text.len() >= WRITE_BYTES {
                written += self.write(&text)?;
                text.clear();
            }
        }
        written += self.write(&text)?;
        if let (Fsync::EachBatch, Some(open), true) = (self.fsync, &self.open, written > 0) {
            open.file.sync_data().map_err(|e| unusable(&open.path, e))?;
        }
        self.is_in_doubt = false;
        Ok(written)
    }

    /// Puts the lines of the events that the files do not have yet behind `text`, and gives the position of the first.
    fn render(&mut self, commit: &[UnifiedEvent], text: &mut Vec<u8>) -> Result<Option<Lsn>> {
        let last = self.last;
        let mut first = None;
        for event in commit.iter().filter(|e| e.lsn > last) {
            serde_json::to_writer(&mut *text, event).map_err(|e| Error::internal("an event cannot be written").with_source(e))?;
            text.push(b'\n');
            first = first.or(Some(event.lsn));
            self.last = event.lsn;
        }
        Ok(first)
    }

    fn write(&mut self, text: &[u8]) -> Result<u64> {
        if text.is_empty() {
            return Ok(0);
        }
        let open = self.open.as_mut().ok_or_else(|| Error::internal("events without a file"))?;
        open.file.write_all(text).map_err(|e| unusable(&open.path, e))?;
        open.bytes += text.len() as u64;
        Ok(text.len() as u64)
    }

    /// Begins a new file, after the one before is on the disk.
    fn turn_over(&mut self, first: Lsn) -> Result<()> {
        if let Some(full) = self.open.take() {
            full.file.sync_all().map_err(|e| unusable(&full.path, e))?;
        }
        std::fs::create_dir_all(&self.folder).map_err(|e| unusable(&self.folder, e))?;
        let path = self.folder.join(format!("{}.{:020}.ndjson", self.ns.to_path(), first.get()));
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(|e| unusable(&path, e))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(|e| unusable(&path, e))?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|e| unusable(&self.folder, e))?;
        self.open = Some(Open { file, path, bytes });
        Ok(())
    }
}

fn damaged(path: &Path, offset: u64) -> Error {
    Error::corrupt("a file of events is damaged before its end")
        .with("path", path.display())
        .with("offset", offset)
        .with_hint("move the file away, drop the sink's cursor, and begin it anew")
}

fn unusable(path: &Path, e: std::io::Error) -> Error {
    Error::unavailable("a file of events cannot be used")
        .with("path", path.display())
        .with_hint("check that the folder may be written and has space")
        .with_source(e)
}
