//! A folder looked through without a store: what in it is lost, depends on rows, cannot be taken back, or was made beside one another.
//!
//! A folder that was read comes in; findings go out ([`LintFinding`]), each with a stable code, a place and a way out. The folder is run on a store
//! of its own without rows, migration by migration ([`walk`]); what the shapes before and after each say of rows is in [`rows`], downs are tried
//! in [`downs`], and migrations that nothing orders are tried in both orders ([`branches`], [`commute`]). What is deliberately not here: what
//! depends on a store that is there, which is a plan's.

mod branches;
mod commute;
mod compatibility;
mod downs;
mod rows;
mod shape;
mod snapshots;
mod statements;
mod walk;

use std::path::PathBuf;

use relstore_model::evolution::{ConstraintPolicy, Mode};
use relstore_model::{Error, ErrorKind, Result};

use super::folder::{FolderMigration, MigrationFolder};
use super::script::Script;

/// How a folder is looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LintOptions {
    /// The compatibility mode whose verdict is told of each migration; `None`: none is.
    pub mode: Option<Mode>,
    /// What that says of changes of what tables promise.
    pub constraints: ConstraintPolicy,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintSeverity {
    /// It may be meant, or harm some stores alone: it should be known.
    Warning,
    /// The folder does not do the same on every store, or not at all.
    Error,
}

impl LintSeverity {
    /// `warning` or `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that was found in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    /// Its stable code: see [`MigrationFolder::lint`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: LintSeverity,
    /// The migration's name; `None` for what is the whole folder's.
    pub migration: Option<String>,
    /// The file that it is in.
    pub file: Option<PathBuf>,
    /// The statement's number in the file, from 1.
    pub statement: Option<usize>,
    /// The line, from 1: where the statement begins, or where its error is.
    pub line: Option<usize>,
    /// The character of the line where the error is, from 1; of wrong SQL alone.
    pub column: Option<usize>,
    /// That line with a caret below the place; of wrong SQL alone.
    pub excerpt: Option<String>,
    /// What was found: a sentence without a full stop.
    pub message: String,
    /// A way out, as an instruction.
    pub fix: String,
}

impl LintFinding {
    fn new(code: &'static str, severity: LintSeverity, message: impl Into<String>, fix: impl Into<String>) -> Self {
        let (message, fix) = (message.into(), fix.into());
        Self { code, severity, migration: None, file: None, statement: None, line: None, column: None, excerpt: None, message, fix }
    }

    fn warning(code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(code, LintSeverity::Warning, message, fix)
    }

    fn error(code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(code, LintSeverity::Error, message, fix)
    }

    /// The same, of this migration's file.
    fn of(self, migration: &FolderMigration) -> Self {
        Self { migration: Some(migration.name.clone()), file: Some(migration.up.path.clone()), ..self }
    }

    fn at(self, statement: usize, line: Option<usize>) -> Self {
        Self { statement: Some(statement), line, ..self }
    }

    /// What `script`, which is of `migration`, met as it ran.
    fn failed(code: &'static str, migration: &FolderMigration, script: &Script, error: &Error) -> Self {
        // What has a field of its own, and the place as the error shows it.
        const PLACES: [&str; 7] = ["file", "statement", "line", "column", "migration", "sql", "at"];
        let of = |key: &str| error.context().iter().find(|(k, _)| *k == key).map(|(_, value)| value);
        let number = |key: &str| of(key).and_then(|value| value.parse().ok());
        let more = error.context().iter().filter(|(key, _)| !PLACES.contains(key));
        let more: Vec<String> = more.map(|(key, value)| format!("{key}: {value}")).collect();
        let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
        let fix = error.hint().unwrap_or("correct the statement").to_owned();
        Self {
            file: Some(script.path.clone()),
            statement: number("statement"),
            line: number("line"),
            column: number("column"),
            excerpt: of("at").map(|at| at.trim_matches('\n').to_owned()),
            ..Self::error(code, format!("{}{more}", error.message()), fix).of(migration)
        }
    }
}

/// Whether an error says nothing of the folder, but of the machine or of this code.
fn is_of_the_machine(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Closed | ErrorKind::Corrupt | ErrorKind::Internal)
}

impl MigrationFolder {
    /// Looks the folder through without a store. It is run on a store of its own that has no rows and goes again; nothing else is written.
    ///
    /// Findings come in the order of migrations, those of the whole folder first. Their codes:
    ///
    /// | code | severity | what |
    /// |---|---|---|
    /// | `fails` | error | it fails on a store without rows: what comes after it is not looked at |
    /// | `drops-table`, `drops-column`, `deletes-all-rows`, `leaves-rows-out`, `narrows-column` | warning | a [`Destruction`](super::Destruction) |
    /// | `adds-required-column` | error, warning | a NOT NULL column without default comes to a table of before: `ALTER TABLE` is refused, a copy may fail |
    /// | `adds-computed-default` | warning | SQLite refuses a new column with such a default where the table has rows |
    /// | `tightens-not-null`, `adds-unique`, `adds-foreign-key`, `adds-check`, `adds-strict`, `narrows-strict-column`, `changes-primary-key`, `changes-key-collation` | warning | fails or not by what the rows of a table of before hold |
    /// | `depends-on-rows` | warning | the statement cannot be tried without rows |
    /// | `no-down` | warning | it cannot be taken back; once for the folder if none of it can |
    /// | `down-fails` | error | its down fails after it |
    /// | `down-differs` | warning | its down does not bring back the shape of before |
    /// | `version-repeats` | error | two have one version: the folder can be looked through ([`MigrationFolder::read_to_lint`]), and not applied |
    /// | `number-repeats`, `name-order-differs`, `time-order-differs` | warning | names or times are in another order than the journal's places |
    /// | `same-parent` | error | two of drizzle-kit's snapshots were made from one |
    /// | `snapshot-unreadable` | warning | one of drizzle-kit's snapshots is not of its form |
    /// | `does-not-commute` | error | two that nothing orders do not give the same in both orders |
    /// | `pairs-left-out` | warning | more of those than are tried |
    /// | `foreign-keys-pragma`, `transaction-statement` | warning | without effect within a migration |
    /// | `rebuild-with-cascade-child` | warning | safe here; drizzle's own migrator loses the children's rows |
    /// | `incompatible`, `compatibility` | warning | what [`LintOptions::mode`] refuses, and what it warns of |
    ///
    /// **Two that do not commute.** Two migrations are *concurrent* if nothing orders them: they have the same version, or the same number in
    /// their names; or the journal's times or the numbers of the names are in another order than its places; or, by drizzle-kit's snapshots,
    /// both come from one ancestor and neither from the other. Where the snapshots say that one comes from the other, the rest does not count.
    /// Of two that are ordered the later may build on the earlier, and is not tried without it. Concurrent ones are tried in both orders on the
    /// shape before the first of them, after those between them that come before the second and not after the first. They commute if both
    /// orders succeed and give the same tables, columns, constraints, indexes, triggers and views, by their names and whatever the order of
    /// columns. What they do to rows is not compared. At most 100 pairs are tried, in the order of the folder.
    ///
    /// # Errors
    /// `Unavailable` if there is no folder to try it in, or by the disk. What is wrong with the folder is a finding.
    pub fn lint(&self, options: &LintOptions) -> Result<Vec<LintFinding>> {
        let mut found = Vec::new();
        let snapshots = snapshots::read(self, &mut found);
        let branches = branches::Branches::of(self, &snapshots, &mut found);
        let steps = walk::walk(self, &branches, &mut found)?;
        for step in &steps {
            statements::look(step, &mut found);
            rows::look(step, &mut found);
        }
        compatibility::look(&steps, options, &mut found);
        downs::look(self, &steps, &mut found)?;
        commute::look(self, &branches, &steps, &mut found)?;
        let place = |f: &LintFinding| f.migration.as_ref().map(|name| self.migrations.iter().position(|m| m.name == *name));
        found.sort_by_key(|f| (place(f), f.statement.is_some(), f.statement));
        Ok(found)
    }
}
