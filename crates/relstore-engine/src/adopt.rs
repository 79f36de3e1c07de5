//! Making a store of a plain SQLite file: a copy of it, whose schema is version 1 and whose rows are in the log as rows that were there.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use relstore_model::{Clock, Error, ErrorKind, Lsn, Result, Value, identifier};

use crate::backup::{BackupProgress, Unfinished, copy_file, with_suffix};
use crate::check::Finding;
use crate::database::Database;
use crate::settings::Settings;
use crate::sqlite::Connection;

/// What became of a file that was adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// How many tables it has.
    pub tables: u64,
    /// How many rows, which is how many changes the log begins with, beside the schema.
    pub rows: u64,
    /// The position of the last of them.
    pub lsn: Lsn,
    /// What is not right with it: pages, foreign keys. The store is what the file was, and can be written.
    pub findings: Vec<Finding>,
}

impl Database {
    /// Makes the new store `path` of the SQLite file `from`, which is only read and may be in use. Its schema becomes version 1, and each row an
    /// event `r`, in commits of some megabytes. The store has another name until it is whole and on the disk.
    ///
    /// # Errors
    /// `NotFound` if there is no file `from`; `Conflict` if `path` exists; `Invalid` if `from` is a store already, or has names that are the
    /// engine's; `Unsupported` if rows of a table could not be told apart; `Corrupt` if it is no SQLite file, or damaged; `Unavailable` by the
    /// disk. Nothing is left then.
    pub fn adopt(
        from: &Path,
        path: &Path,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<Adopted> {
        if !from.is_file() {
            return Err(Error::not_found("no such file").with("path", from.display()));
        }
        if path.exists() {
            return Err(Error::new(ErrorKind::Conflict, "there is a store of this name already")
                .with("path", path.display())
                .with_hint("adopt the file under another name"));
        }
        let unfinished = Unfinished(with_suffix(path, &format!(".{}.unfinished", std::process::id())));
        {
            let source = Connection::open_read_only(from)?;
            refuse_stores(&source).map_err(|e| e.with("path", from.display()))?;
            copy_file(&source.inner, &unfinished.0, progress)?;
        }
        let settings = Settings { log_bytes_max: u64::MAX, ..settings.clone() };
        let adopted = {
            let store = Self::open(&unfinished.0, settings, clock).map_err(|e| e.with("adopted", from.display()))?;
            let tables = store.schema().tables.len() as u64;
            let findings = store.check()?;
            store.sync()?;
            let lsn = store.high_water();
            // One change is the schema.
            Adopted { tables, rows: lsn.get().saturating_sub(1), lsn, findings }
        };
        let failed = |e: std::io::Error| Error::unavailable("the store cannot be written").with("path", path.display()).with_source(e);
        File::open(&unfinished.0).and_then(|file| file.sync_all()).map_err(failed)?;
        // The seal says which file it is of, whatever its name.
        std::fs::rename(with_suffix(&unfinished.0, ".lock"), with_suffix(path, ".lock")).map_err(failed)?;
        std::fs::rename(&unfinished.0, path).map_err(failed)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(adopted)
    }
}

/// # Errors
/// `Invalid` if the file has what only a store has.
fn refuse_stores(source: &Connection) -> Result<()> {
    const RESERVED: &str = "SELECT name FROM sqlite_schema WHERE name LIKE ? ESCAPE '!' ORDER BY name = '_rs_log' DESC, name LIMIT 1";
    let like = Value::Text(format!("{}%", identifier::RESERVED_PREFIX.replace('_', "!_")));
    let Some(name) = source.query(RESERVED, &[like])?.into_iter().flatten().next() else { return Ok(()) };
    if name == Value::from("_rs_log") {
        return Err(Error::invalid("the file is a store already").with_hint("copy it with relstore backup, or use it where it is"));
    }
    Err(Error::invalid("the file has a name that is kept for the engine")
        .with(
            "name",
            match &name {
                Value::Text(name) => name.clone(),
                other => format!("{other:?}"),
            },
        )
        .with_hint("rename it first: names that begin with _rs_ are the engine's"))
}
