//! Folders of migrations as they lie on the disk: drizzle-kit's two layouts, and plain numbered files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use relstore_model::{Error, Result};
use serde::Deserialize;

use super::script::Script;

/// How a folder is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `meta/_journal.json` and `NNNN_name.sql`: drizzle-kit before 1.0.
    Journal,
    /// `<timestamp>_name/migration.sql`: drizzle-kit from 1.0.
    Folders,
    /// `NNNN_name.sql`, with `NNNN_name.down.sql` beside it where it can be taken back.
    Files,
}

/// The migrations of one folder, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationFolder {
    /// Where it is.
    pub path: PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// At least one; versions rise, but for what [`MigrationFolder::read_to_lint`] read.
    pub migrations: Vec<FolderMigration>,
}

/// One migration of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderMigration {
    /// The number that its name begins with; with a journal, its place in that (`idx`).
    pub version: u64,
    /// Its name without the ending: `0001_add_users`, `20240102030405_add_users`.
    pub name: String,
    /// The SHA-256 of the file's bytes, in hex: what drizzle keeps too.
    pub hash: String,
    /// When drizzle-kit made it, in milliseconds since 1970; `None` in a plain folder.
    pub made_at_ms: Option<i64>,
    /// What it does.
    pub up: Script,
    /// What takes it back.
    pub down: Option<Script>,
}

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    idx: u64,
    when: i64,
    tag: String,
}

const LAYOUTS: &str = "a folder has meta/_journal.json and NNNN_name.sql, or <timestamp>_name/migration.sql, or NNNN_name.sql";

impl MigrationFolder {
    /// Reads the folder `path`. Nothing is run.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder, or a journal's file is missing; `Invalid` for a file in its place, a folder without migrations, a
    /// journal that is no JSON (with line and column) or of another form, versions that repeat, a file that the journal has not, a name
    /// without number, a file that is empty or not UTF-8; `Unavailable` if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let this = Self::read_to_lint(path)?;
        this.check_versions()?;
        Ok(this)
    }

    /// As [`MigrationFolder::read`], but versions may repeat: [`MigrationFolder::lint`] finds that with the rest. No store takes such a folder.
    ///
    /// # Errors
    /// As [`MigrationFolder::read`], without that of versions.
    pub fn read_to_lint(path: &Path) -> Result<Self> {
        let found = fs::metadata(path)
            .map_err(|e| unreadable("the folder of migrations", path, e).with_hint("a relative path is one from the working directory"))?;
        if !found.is_dir() {
            return Err(Error::invalid("a file, not a folder of migrations").with("path", path.display()).with_hint(LAYOUTS));
        }
        let entries = list(path)?;
        let has_folders = entries.values().any(|p| p.join("migration.sql").is_file());
        let (layout, migrations) = if path.join("meta/_journal.json").exists() {
            (Layout::Journal, journaled(path, &entries)?)
        } else if has_folders {
            (Layout::Folders, folders(&entries)?)
        } else {
            (Layout::Files, files(&entries)?)
        };
        if migrations.is_empty() {
            return Err(Error::invalid("the folder has no migrations").with("path", path.display()).with_hint(LAYOUTS));
        }
        let mut this = Self { path: path.to_owned(), layout, migrations };
        this.migrations.sort_by_key(|m| m.version);
        Ok(this)
    }

    /// # Errors
    /// `Invalid` if two have one version.
    pub(super) fn check_versions(&self) -> Result<()> {
        match self.migrations.windows(2).find(|pair| pair[0].version == pair[1].version) {
            None => Ok(()),
            Some(pair) => Err(Error::invalid("two migrations have the same version")
                .with("version", pair[0].version)
                .with("first", &pair[0].name)
                .with("second", &pair[1].name)
                .with_hint("give the later one a number of its own, and its entry in the journal too")),
        }
    }

    /// The migration of this version.
    #[must_use]
    pub fn by_version(&self, version: u64) -> Option<&FolderMigration> {
        self.migrations.iter().find(|m| m.version == version)
    }
}

/// The entries of a folder by name.
fn list(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(|e| unreadable("the folder of migrations", path, e))? {
        let entry = entry.map_err(|e| unreadable("the folder of migrations", path, e))?;
        out.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
    }
    Ok(out)
}

fn unreadable(what: &str, path: &Path, e: std::io::Error) -> Error {
    let error = if e.kind() == std::io::ErrorKind::NotFound {
        Error::not_found(format!("{what} is not there"))
    } else {
        Error::unavailable(format!("{what} cannot be read"))
    };
    error.with("path", path.display()).with_source(e)
}

fn journaled(path: &Path, entries: &BTreeMap<String, PathBuf>) -> Result<Vec<FolderMigration>> {
    let at = path.join("meta/_journal.json");
    let text = text_of(&at)?.0;
    let journal: Journal = serde_json::from_str(&text).map_err(|e| {
        let what = if e.is_data() { "the journal of migrations has another form" } else { "the journal of migrations is no JSON" };
        Error::invalid(what)
            .with("path", at.display())
            .with("line", e.line())
            .with("column", e.column())
            .with_hint("drizzle-kit writes {\"entries\": [{\"idx\": 0, \"when\": 1700000000000, \"tag\": \"0000_name\"}]}: restore the file, or generate it again")
            .with_source(e)
    })?;
    let mut out: Vec<FolderMigration> = Vec::new();
    for entry in &journal.entries {
        if entry.tag.is_empty() || entry.tag.contains(['/', '\\']) || entry.tag.starts_with('.') {
            return Err(Error::invalid("a tag of the journal is no file's name").with("path", at.display()).with("tag", &entry.tag));
        }
        if out.iter().any(|m| m.name == entry.tag) {
            return Err(Error::invalid("the journal names a migration twice").with("path", at.display()).with("tag", &entry.tag));
        }
        let file = format!("{}.sql", entry.tag);
        let Some(file) = entries.get(&file) else {
            return Err(Error::not_found("a migration of the journal has no file")
                .with("path", at.display())
                .with("tag", &entry.tag)
                .with("file", path.join(file).display())
                .with_hint("restore the file, or take its entry out of the journal if it was never applied"));
        };
        // Its place in the journal: drizzle-kit can be told to begin names with a time, or with nothing.
        out.push(migration(entry.idx, &entry.tag, file, Some(entry.when), entries.get(&format!("{}.down.sql", entry.tag)))?);
    }
    for (name, file) in entries {
        let Some(stem) = name.strip_suffix(".sql").filter(|s| !s.ends_with(".down")) else { continue };
        if !out.iter().any(|m| m.name == stem) {
            return Err(Error::invalid("the journal has no entry for a migration's file")
                .with("path", at.display())
                .with("file", file.display())
                .with_hint("add its entry to the journal, or move the file away"));
        }
    }
    Ok(out)
}

fn folders(entries: &BTreeMap<String, PathBuf>) -> Result<Vec<FolderMigration>> {
    let mut out = Vec::new();
    for (name, path) in entries {
        let numbered = number(name);
        if path.is_file() {
            if name.ends_with(".sql") {
                return Err(Error::invalid("a file among folders of migrations")
                    .with("file", path.display())
                    .with_hint("a folder has one layout: put it into <timestamp>_name/migration.sql"));
            }
            continue;
        }
        let file = path.join("migration.sql");
        let Some((version, _)) = numbered else {
            if file.is_file() {
                return Err(unnumbered(path));
            }
            continue;
        };
        if !file.is_file() {
            return Err(Error::not_found("a migration's folder has no migration.sql").with("path", path.display()));
        }
        let down = Some(path.join("down.sql")).filter(|p| p.is_file());
        out.push(migration(version, name, &file, millis(version), down.as_ref())?);
    }
    Ok(out)
}

fn files(entries: &BTreeMap<String, PathBuf>) -> Result<Vec<FolderMigration>> {
    let mut out = Vec::new();
    for (name, path) in entries {
        let Some(stem) = name.strip_suffix(".sql").filter(|_| path.is_file()) else { continue };
        if let Some(up) = stem.strip_suffix(".down") {
            if !entries.contains_key(&format!("{up}.sql")) {
                return Err(Error::not_found("a down without its migration").with("file", path.display()));
            }
            continue;
        }
        let Some((version, _)) = number(stem) else { return Err(unnumbered(path)) };
        out.push(migration(version, stem, path, None, entries.get(&format!("{stem}.down.sql")))?);
    }
    Ok(out)
}

fn unnumbered(path: &Path) -> Error {
    Error::invalid("a migration's name does not begin with its number").with("path", path.display()).with_hint(LAYOUTS)
}

/// The number that a name begins with, and the rest.
pub(super) fn number(name: &str) -> Option<(u64, &str)> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    Some((name[..digits].parse().ok()?, &name[digits..]))
}

/// The milliseconds since 1970 of `YYYYMMDDhhmmss`, as drizzle computes them.
fn millis(version: u64) -> Option<i64> {
    let part = |divisor: u64, size: u64| (version / divisor % size) as i64;
    let (year, month, day) = (part(10_000_000_000, 10_000), part(100_000_000, 100), part(1_000_000, 100));
    if version < 10_000_000_000_000 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 of the proleptic Gregorian calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some((days * 86_400 + part(10_000, 100) * 3_600 + part(100, 100) * 60 + part(1, 100)) * 1_000)
}

fn migration(version: u64, name: &str, file: &Path, made_at_ms: Option<i64>, down: Option<&PathBuf>) -> Result<FolderMigration> {
    let (up, hash) = script_of(file)?;
    let down = down.map(|path| script_of(path).map(|(script, _)| script)).transpose()?;
    Ok(FolderMigration { version, name: name.to_owned(), hash, made_at_ms, up, down })
}

fn script_of(path: &Path) -> Result<(Script, String)> {
    let (text, hash) = text_of(path)?;
    let script = Script::new(path, &text);
    if script.statements.is_empty() {
        return Err(Error::invalid("a migration's file has no statement")
            .with("file", path.display())
            .with_hint("write what it does, or take it away"));
    }
    Ok((script, hash))
}

/// The text of a file, and the SHA-256 of its bytes.
fn text_of(path: &Path) -> Result<(String, String)> {
    let bytes = fs::read(path).map_err(|e| unreadable("a migration's file", path, e))?;
    let hash = sha256(&bytes);
    let text = String::from_utf8(bytes).map_err(|e| {
        Error::invalid("a migration's file is not UTF-8")
            .with("file", path.display())
            .with("byte", e.utf8_error().valid_up_to())
            .with_hint("save it as UTF-8")
    })?;
    Ok((text, hash))
}

/// The SHA-256 of `bytes` in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_and_the_time_are_drizzles() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(millis(19_700_101_000_000), Some(0));
        assert_eq!(millis(20_240_229_123_456), Some(1_709_210_096_000));
        assert_eq!(millis(1), None);
        assert_eq!(number("0003_add"), Some((3, "_add")));
        assert_eq!(number("add"), None);
    }
}
