//! Events in files: newline-delimited JSON, one event a line, in a folder of files that follow each other.
//!
//! A file is named `<ns>.<first lsn, 20 digits>.ndjson`, so that the names sort as the events do; the next begins with the commit that
//! would make it larger than the limit, and a commit is never split over two. Files are only appended to, but for one thing: after a crash
//! the last line may be torn, and is cut off. What follows the last whole line is then written from the log, beginning in the midst of a
//! commit if the crash did: no event is lost or doubled, whether the process was killed or, with [`Fsync::EachBatch`], the machine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use relstore_model::event::Selection;
use relstore_model::{Lsn, Namespace, Result};

use super::Sink;
use crate::ChangeBatch;
use crate::pump::blocking;

mod files;

use files::Files;

/// When events are forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before the cursor moves over them: a power cut loses nothing.
    #[default]
    EachBatch,
    /// When a file is full. A kill of the process loses nothing; a power cut may lose what the system had not written yet, for good.
    EachFile,
}

/// Events in files of one folder.
pub struct FileSink {
    name: String,
    selection: Selection,
    files: Arc<Mutex<Files>>,
}

impl FileSink {
    /// How large a file grows, unless it is told otherwise.
    pub const FILE_BYTES: u64 = 64 << 20;
    /// Large enough that an fsync is shared by many commits where they come fast.
    const BATCH_BYTES: usize = 1 << 20;

    /// The events of the store `ns` in `folder`, which is made if it is not there. `name` is the name of the cursor. Several stores may
    /// share a folder; two sinks of one store may not.
    #[must_use]
    pub fn new(name: impl Into<String>, folder: &Path, ns: Namespace) -> Self {
        let files = Arc::new(Mutex::new(Files::new(folder, ns, Self::FILE_BYTES)));
        Self { name: name.into(), selection: Selection::default(), files }
    }

    /// Which changes are written, and how much of each.
    #[must_use]
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// How large a file may grow; one commit may make it larger.
    #[must_use]
    pub fn file_bytes(self, bytes: u64) -> Self {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).set_bytes_max(bytes);
        self
    }

    /// When events are forced to the disk.
    #[must_use]
    pub fn fsync(self, fsync: Fsync) -> Self {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).set_fsync(fsync);
        self
    }

    /// The files there are, the oldest first.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be read.
    pub fn paths(&self) -> Result<Vec<PathBuf>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(files.list()?.into_iter().map(|(_, path)| path).collect())
    }

    async fn with<T: Send + 'static>(&self, run: impl FnOnce(&mut Files) -> Result<T> + Send + 'static) -> Result<T> {
        let files = Arc::clone(&self.files);
        blocking(move || run(&mut files.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl Sink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_bytes(&self) -> usize {
        Self::BATCH_BYTES
    }

    /// The files know better than the cursor up to which event they have them; they pass over those when they come again.
    async fn recover(&mut self, cursor: Lsn) -> Result<Lsn> {
        self.with(move |files| files.recover(cursor)).await?;
        Ok(cursor)
    }

    async fn deliver(&mut self, batch: &ChangeBatch) -> Result<u64> {
        let mut commits = batch.events(&self.selection)?;
        // However often it was tried, it is in the file once, and the same.
        commits.iter_mut().flatten().for_each(|event| event.meta.retries = 0);
        self.with(move |files| files.append(&commits)).await
    }
}
