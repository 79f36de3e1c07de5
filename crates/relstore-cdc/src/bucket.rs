//! The bucket: one object store under one root, with the promises the rest relies on.
//!
//! Paths go in (`stores/acme/log/1/….seg`, relative, `/` between parts), objects come out. An object is written whole or not at all,
//! and never a second time: [`Bucket::put_new`] refuses a name that is taken. The few mutable objects (lease, manifest) move by
//! [`Bucket::replace`], which compares before it swaps. On a folder a write is durable when it returns, which `object_store` alone does
//! not promise. Retries and credentials are the object store's affair and not here.

mod error;
pub mod layout;
mod local;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use relstore_model::{Error, ErrorKind, Result};

pub use error::from_object_store;

/// One bucket. Cloning it is cheap and gives the same bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    root_url: Arc<str>,
    /// The folder, where the bucket is one.
    local: Option<Arc<PathBuf>>,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its path in the bucket.
    pub path: String,
    /// Its length.
    pub size_bytes: u64,
}

impl Bucket {
    /// The folder `root` as a bucket. It is made if there is none.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be made or reached, with what to do about it; `Invalid` if its path is not UTF-8.
    pub fn local(root: &Path) -> Result<Self> {
        let fail = |e: std::io::Error| error::from_io(e, &root.display().to_string());
        let root = std::path::absolute(root).map_err(fail)?;
        local::create_folder(&root).map_err(|e| error::from_io(e, &root.display().to_string()))?;
        let root = root.canonicalize().map_err(|e| error::from_io(e, &root.display().to_string()))?;
        let url = root
            .to_str()
            .map(|path| format!("file://{path}"))
            .ok_or_else(|| Error::invalid("the path of a bucket must be UTF-8").with("path", root.display()))?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|e| from_object_store(e, &url))?;
        Ok(Self { store: Arc::new(store), root_url: url.into(), local: Some(Arc::new(root)) })
    }

    /// A bucket in this process's memory, gone with its last clone.
    #[must_use]
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), root_url: "memory:///".into(), local: None }
    }

    /// Where the bucket is: `file:///abs/path` (not percent-encoded: other readers of history take it as it is) or `memory:///`.
    #[must_use]
    pub fn root_url(&self) -> String {
        self.root_url.to_string()
    }

    /// The folder, absolute and without links, where the bucket is one.
    #[must_use]
    pub fn local_root(&self) -> Option<&Path> {
        self.local.as_deref().map(PathBuf::as_path)
    }

    /// The object store beneath, for readers that take ranges. Whoever writes through it loses this type's promises.
    #[must_use]
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// Writes a new object; it is durable when this returns.
    ///
    /// # Errors
    /// `Conflict` if an object of that name exists; `Unavailable` if the bucket cannot be written, with what to do about it; `Invalid`
    /// for a path that is none.
    pub async fn put_new(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.create(path, bytes, local::Sync::Durable).await
    }

    /// Writes a new object that can be derived again: on a folder it may be lost with the machine's power until the system writes it back.
    ///
    /// # Errors
    /// As [`Bucket::put_new`].
    pub async fn put_new_unsynced(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.create(path, bytes, local::Sync::Lazy).await
    }

    async fn create(&self, path: &str, bytes: Bytes, sync: local::Sync) -> Result<()> {
        let object = object_path(path)?;
        if object.as_ref().is_empty() {
            return Err(Error::invalid("an object in a bucket needs a name"));
        }
        if let Some(root) = &self.local {
            let file = root.join(path.trim_matches('/'));
            return blocking(path, move || local::create(&file, &bytes, sync)).await;
        }
        let options = PutOptions::from(PutMode::Create);
        self.store.put_opts(&object, bytes.into(), options).await.map_err(|e| from_object_store(e, path))?;
        Ok(())
    }

    /// The whole object.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable` if the bucket cannot be read.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let read = self.store.get(&object_path(path)?).await.map_err(|e| from_object_store(e, path))?;
        read.bytes().await.map_err(|e| from_object_store(e, path))
    }

    /// Whether there is such an object.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be read.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        match self.store.head(&object_path(path)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(from_object_store(e, path)),
        }
    }

    /// Deletes the object; it is no error if there is none.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be written.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.store.delete(&object_path(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(from_object_store(e, path)),
        }
    }

    /// All objects below the folder `prefix` at any depth, by path. An empty prefix lists everything; a folder that is not there, nothing.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be read.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectEntry>> {
        let folder = object_path(prefix)?;
        let listing = self.store.list(if prefix.is_empty() { None } else { Some(&folder) });
        let mut entries: Vec<ObjectEntry> = listing
            .map_ok(|meta| ObjectEntry { path: meta.location.to_string(), size_bytes: meta.size })
            .try_collect()
            .await
            .map_err(|e| from_object_store(e, prefix))?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Replaces the object if its content is `expected`, where `None` means that there is no object. For the few mutable objects.
    ///
    /// # Errors
    /// `Conflict` if the content is another; the object is untouched then. `Unavailable` as [`Bucket::put_new`].
    pub async fn replace(&self, path: &str, expected: Option<&[u8]>, new: Bytes) -> Result<()> {
        let object = object_path(path)?;
        let Some(expected) = expected else {
            return self.put_new(path, new).await;
        };
        if let Some(root) = &self.local {
            let (file, expected, name) = (root.join(path.trim_matches('/')), expected.to_vec(), path.to_owned());
            let swapped = blocking(path, move || local::replace(&file, &expected, &new)).await?;
            return if swapped { Ok(()) } else { Err(changed(&name)) };
        }
        let current = match self.store.get(&object).await {
            Err(object_store::Error::NotFound { .. }) => return Err(changed(path)),
            other => other.map_err(|e| from_object_store(e, path))?,
        };
        let version = UpdateVersion { e_tag: current.meta.e_tag.clone(), version: current.meta.version.clone() };
        if current.bytes().await.map_err(|e| from_object_store(e, path))? != expected {
            return Err(changed(path));
        }
        let options = PutOptions::from(PutMode::Update(version));
        self.store.put_opts(&object, new.into(), options).await.map_err(|e| from_object_store(e, path))?;
        Ok(())
    }
}

fn changed(path: &str) -> Error {
    Error::new(ErrorKind::Conflict, "the object has changed meanwhile").with("path", path)
}

/// The path as it stands: `object_store` would percent-encode what our names hold on purpose.
fn object_path(path: &str) -> Result<ObjectPath> {
    let invalid = |e| Error::invalid("not a path in a bucket").with("path", format!("{path:?}")).with_source(e);
    let object = ObjectPath::parse(path).map_err(invalid)?;
    // `name#7` is how the file system's driver names its unfinished files, which no listing shows.
    if path.contains('#') {
        return Err(Error::invalid("a path in a bucket holds no #").with("path", path));
    }
    Ok(object)
}

async fn blocking<T: Send + 'static>(path: &str, work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|e| error::from_io(e, path)),
        Err(e) => Err(Error::internal("a write to the bucket was cut off").with("path", path).with_source(e)),
    }
}

#[cfg(test)]
mod tests;
