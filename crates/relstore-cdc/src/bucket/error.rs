//! What went wrong in a bucket, in this project's words.

use std::error::Error as StdError;
use std::io;

use relstore_model::{Error, ErrorKind};

/// An object store's error about `path`: `NotFound`, `Conflict` (it exists, a condition failed), `Invalid` (a bad path), `Unsupported`,
/// and else `Unavailable` with a hint that says what to do.
#[must_use]
pub fn from_object_store(error: object_store::Error, path: &str) -> Error {
    use object_store::Error as Store;
    let plain = |kind, message: &str| Error::new(kind, message).with("path", path);
    let ours = match &error {
        Store::NotFound { .. } => plain(ErrorKind::NotFound, "no such object in the bucket"),
        Store::AlreadyExists { .. } => plain(ErrorKind::Conflict, "the object exists already"),
        Store::Precondition { .. } | Store::NotModified { .. } => plain(ErrorKind::Conflict, "the object has changed meanwhile"),
        Store::InvalidPath { .. } => plain(ErrorKind::Invalid, "not a path in a bucket"),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => plain(ErrorKind::Unsupported, "this bucket does not offer that"),
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => plain(ErrorKind::Unavailable, "the bucket refuses access")
            .with_hint("check the credentials, and that they may read and write below the root"),
        other => match io_kind(other) {
            Some(kind) => unavailable(kind, path),
            None => plain(ErrorKind::Unavailable, "the bucket cannot be reached")
                .with_hint("check the network and the bucket's address; then try again"),
        },
    };
    ours.with_source(error)
}

/// An I/O error about `path` in a folder that is a bucket.
pub(super) fn from_io(error: io::Error, path: &str) -> Error {
    unavailable(error.kind(), path).with_source(error)
}

fn unavailable(kind: io::ErrorKind, path: &str) -> Error {
    use io::ErrorKind as Io;
    let (ours, message, hint) = match kind {
        Io::NotFound => (ErrorKind::NotFound, "no such object in the bucket", "check the name, and that the folder is mounted"),
        Io::AlreadyExists => (ErrorKind::Conflict, "the object exists already", "read it, or write under another name"),
        Io::PermissionDenied => (ErrorKind::Unavailable, "the folder may not be written", "give this user the right to read and write it"),
        Io::ReadOnlyFilesystem => {
            (ErrorKind::Unavailable, "the file system is read-only", "mount it for writing, or choose another folder")
        }
        Io::StorageFull | Io::QuotaExceeded => {
            (ErrorKind::Unavailable, "the disk is full", "free some space; nothing was lost, and the work goes on by itself")
        }
        Io::NotADirectory => (ErrorKind::Unavailable, "a file is where a folder should be", "move the file away, or choose another folder"),
        _ => (ErrorKind::Unavailable, "the folder cannot be read or written", "check the disk and the path; then try again"),
    };
    Error::new(ours, message).with("path", path).with_hint(hint)
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        at = error.source();
    }
    None
}
