//! A folder against what the store has applied: what is in force, what is to come, and what does not fit.

use relstore_model::{Error, ErrorKind, Result};

use super::drizzle::Listed;
use super::folder::{FolderMigration, MigrationFolder};
use super::history::AppliedMigration;
use super::script::Script;
use super::{drizzle, history};
use crate::database::Database;

/// A migration of a folder that is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its version.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Whether one with a higher version is applied already: it was merged late.
    pub is_late: bool,
}

/// How a store stands to a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// The folder's migrations that are applied: version and name.
    pub applied: Vec<(u64, String)>,
    /// Those that are not, in order.
    pub pending: Vec<PendingMigration>,
}

/// The same, with what is needed to go on.
pub(super) struct Standing<'a> {
    pub(super) applied: Vec<&'a FolderMigration>,
    pub(super) pending: Vec<(&'a FolderMigration, bool)>,
    /// What drizzle applied and the history does not have.
    pub(super) adopted: Vec<(&'a FolderMigration, Listed)>,
}

impl Database {
    /// How this store stands to the folder. Nothing is written.
    ///
    /// # Errors
    /// `Conflict` if an applied file has changed, saying how, or is missing from the folder; `Unavailable` or `Corrupt` by the disk.
    pub fn migration_status(&self, folder: &MigrationFolder) -> Result<FolderStatus> {
        let standing = self.standing(folder)?;
        let pending =
            |(m, is_late): &(&FolderMigration, bool)| PendingMigration { version: m.version, name: m.name.clone(), is_late: *is_late };
        Ok(FolderStatus {
            applied: standing.applied.iter().map(|m| (m.version, m.name.clone())).collect(),
            pending: standing.pending.iter().map(pending).collect(),
        })
    }

    pub(super) fn standing<'a>(&self, folder: &'a MigrationFolder) -> Result<Standing<'a>> {
        folder.check_versions()?;
        let (known, listed) = self.look(|c| Ok((history::all(c)?, drizzle::listed_in_file(c)?)))?;
        standing(folder, &known, listed)
    }
}

/// Matches the folder with the history and drizzle's list. A migration is the same by its content, or else by its version or drizzle's name or
/// time for it; then its content must not differ.
pub(super) fn standing<'a>(folder: &'a MigrationFolder, known: &[AppliedMigration], listed: Vec<Listed>) -> Result<Standing<'a>> {
    let known: Vec<&AppliedMigration> = known.iter().filter(|m| m.is_in_force() && m.is_of_folder()).collect();
    let mut is_applied = vec![false; folder.migrations.len()];
    for applied in &known {
        let same = |exactly: bool, is_applied: &[bool]| {
            folder.migrations.iter().enumerate().position(|(i, m)| {
                !is_applied[i] && applied.hash.as_deref() == Some(m.hash.as_str()) && (!exactly || m.version == applied.version)
            })
        };
        let found = same(true, &is_applied).or_else(|| same(false, &is_applied));
        match found {
            Some(at) => is_applied[at] = true,
            None => return Err(mismatch(folder, applied)),
        }
    }
    let mut adopted = Vec::new();
    for row in listed {
        if known.iter().any(|m| m.hash.as_deref() == Some(row.hash.as_str())) {
            continue;
        }
        let by =
            |test: &dyn Fn(&FolderMigration) -> bool| folder.migrations.iter().enumerate().position(|(i, m)| !is_applied[i] && test(m));
        let same = by(&|m| m.hash == row.hash && row.is(m)).or_else(|| by(&|m| m.hash == row.hash));
        match same {
            Some(at) => {
                is_applied[at] = true;
                adopted.push((&folder.migrations[at], row));
            }
            None => return Err(unlisted(folder, &row)),
        }
    }
    let each = || folder.migrations.iter().zip(&is_applied);
    let newest = each().filter(|(_, applied)| **applied).map(|(m, _)| m.version).max();
    Ok(Standing {
        applied: each().filter(|(_, a)| **a).map(|(m, _)| m).collect(),
        pending: each().filter(|(_, a)| !**a).map(|(m, _)| (m, newest.is_some_and(|n| m.version < n))).collect(),
        adopted,
    })
}

fn changed(path: &Script) -> Error {
    Error::new(ErrorKind::Conflict, "a migration that is applied was changed since").with("file", path.path.display())
}

const CHANGED_HINT: &str = "put the file back as it was, and write what is to be different as a new migration";

fn mismatch(folder: &MigrationFolder, applied: &AppliedMigration) -> Error {
    let Some(now) = folder.migrations.iter().find(|m| m.version == applied.version) else {
        return missing(folder, &applied.name).with("version", applied.version);
    };
    let error = changed(&now.up)
        .with("version", applied.version)
        .with("hash_applied", applied.hash.as_deref().unwrap_or("none"))
        .with("hash_now", &now.hash);
    let error = match applied.sql.as_deref().and_then(|before| first_difference(before, &now.up.text)) {
        Some((line, before, after)) => error.with("line", line).with("applied", before).with("now", after),
        None => error,
    };
    error.with_hint(CHANGED_HINT)
}

fn unlisted(folder: &MigrationFolder, row: &Listed) -> Error {
    match folder.migrations.iter().find(|m| row.is(m)) {
        Some(now) => changed(&now.up).with("hash_applied", &row.hash).with("hash_now", &now.hash).with_hint(CHANGED_HINT),
        None => missing(folder, row.name.as_deref().unwrap_or(&row.hash)),
    }
}

fn missing(folder: &MigrationFolder, name: &str) -> Error {
    Error::new(ErrorKind::Conflict, "a migration that is applied is missing from the folder")
        .with("migration", name)
        .with("folder", folder.path.display())
        .with_hint("put its file back: the folder must have all that the store has applied")
}

/// The first line that differs, from 1, and what it was and is.
fn first_difference<'a>(before: &'a str, now: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut a, mut b) = (before.lines(), now.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (x, y) if x != y => return Some((line, x.unwrap_or("(end of file)"), y.unwrap_or("(end of file)"))),
            _ => {}
        }
    }
    None
}
