//! Where an installation's bucket and catalog are: opened when something first needs them, so that a store alone is opened at its own price.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use relstore_cdc::bucket::Bucket;
use relstore_lake::Lake;
use relstore_model::Result;

/// The bucket and the catalog of one folder.
pub(crate) struct LakePlace {
    dir: PathBuf,
    lake: Mutex<Option<Arc<Lake>>>,
}

impl LakePlace {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lake: Mutex::default() }
    }

    /// The lake; it is made if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if the folder or the catalog cannot be made or read; `Corrupt` if the catalog is no SQLite file.
    pub(crate) fn open(&self) -> Result<Arc<Lake>> {
        let mut lake = self.lake.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lake) = &*lake {
            return Ok(Arc::clone(lake));
        }
        let bucket = Bucket::local(&self.dir.join("bucket"))?;
        let opened = Arc::new(Lake::open(bucket, &self.dir.join("catalog.db"))?);
        *lake = Some(Arc::clone(&opened));
        Ok(opened)
    }
}
