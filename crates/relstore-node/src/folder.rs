//! Where a store lies: an installation's folder, as the façade and the command have it, or a temporary one.

use std::path::{Path, PathBuf};

use relstore_model::{Error, ErrorKind, Namespace, Result};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const MARKER: &str = "relstore.json";
const FORMAT: u64 = 1;

/// The name that asks for a store which goes away when it is closed.
const IN_MEMORY: &str = ":memory:";

/// An installation's folder.
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    /// Goes away with its files when this is dropped.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// The installation `dir`; it is made if the folder is empty or not there. `:memory:` is a temporary one.
    ///
    /// # Errors
    /// `Conflict` if the folder holds other things; `Unsupported` if a newer version made it; `Corrupt` if its marker cannot be read;
    /// `Unavailable` if the folder cannot be read or written.
    pub(crate) fn open(dir: &str) -> Result<Self> {
        if dir == IN_MEMORY {
            let temporary = tempfile::Builder::new().prefix("relstore-").tempdir();
            let temporary = temporary.map_err(|e| Error::unavailable("no temporary folder can be made").with_source(e))?;
            make(temporary.path())?;
            return Ok(Self { dir: temporary.path().to_owned(), _temporary: Some(temporary) });
        }
        let dir = std::path::absolute(dir).map_err(|e| Error::invalid("not a path").with("dir", dir).with_source(e))?;
        match std::fs::read(dir.join(MARKER)) {
            Ok(marker) => check(&dir, &marker)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => make(&dir)?,
            Err(e) => return Err(unusable(&dir, e)),
        }
        Ok(Self { dir, _temporary: None })
    }

    /// The hot file of the store `ns`, in a folder that is there.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be written.
    pub(crate) fn hot_file(&self, ns: &Namespace) -> Result<PathBuf> {
        let folder = self.dir.join("hot").join(ns.to_path());
        std::fs::create_dir_all(&folder).map_err(|e| unusable(&folder, e).with("ns", ns))?;
        Ok(folder.join("store.db"))
    }
}

fn check(dir: &Path, marker: &[u8]) -> Result<()> {
    let marker: Json = serde_json::from_slice(marker)
        .map_err(|e| Error::corrupt("relstore.json cannot be read").with("dir", dir.display()).with_source(e))?;
    match marker.get("format").and_then(Json::as_u64) {
        Some(FORMAT) => Ok(()),
        Some(format) => Err(Error::unsupported("an installation of another format")
            .with("format", format)
            .with_hint("use a newer version of the package")),
        None => Err(Error::corrupt("relstore.json says no format").with("dir", dir.display())),
    }
}

fn make(dir: &Path) -> Result<()> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            return Err(Error::new(ErrorKind::Conflict, "the folder is not empty and holds no installation")
                .with("dir", dir.display())
                .with_hint("choose a new folder, or one that a store was made in"));
        }
        Ok(false) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(unusable(dir, e)),
    }
    std::fs::create_dir_all(dir.join("hot")).map_err(|e| unusable(dir, e))?;
    // Last: a folder without its marker is no installation. making one can be tried again when it is empty.
    std::fs::write(dir.join(MARKER), json!({"format": FORMAT}).to_string()).map_err(|e| unusable(dir, e))
}

fn unusable(dir: &Path, e: std::io::Error) -> Error {
    Error::unavailable("the folder cannot be used")
        .with("dir", dir.display())
        .with_source(e)
        .with_hint("check that it is a folder that may be read and written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_found_again_or_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).display().to_string();
        assert_eq!(Folder::open(&at("new")).unwrap().dir, Folder::open(&at("new")).unwrap().dir);
        let ns = Namespace::new("acme").unwrap();
        assert!(Folder::open(&at("new")).unwrap().hot_file(&ns).unwrap().ends_with("hot/acme/store.db"));
        std::fs::create_dir(root.path().join("other")).unwrap();
        std::fs::write(root.path().join("other/letter.txt"), "dear").unwrap();
        std::fs::create_dir(root.path().join("newer")).unwrap();
        std::fs::write(root.path().join("newer").join(MARKER), r#"{"format":2}"#).unwrap();
        let kind = |name: &str| Folder::open(&at(name)).err().unwrap().kind();
        assert_eq!(
            (kind("other"), kind("newer"), kind("other/letter.txt")),
            (ErrorKind::Conflict, ErrorKind::Unsupported, ErrorKind::Unavailable)
        );
    }

    #[test]
    fn a_temporary_folder_goes_away() {
        let folder = Folder::open(IN_MEMORY).unwrap();
        let dir = folder.dir.clone();
        assert!(dir.join(MARKER).exists());
        drop(folder);
        assert!(!dir.exists());
    }
}
