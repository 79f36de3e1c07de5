//! Migrations that a program brings with it: a version, what it does, and what takes it back.

use relstore_model::{Error, ErrorKind, Result};

use super::apply::{Check, MissingDefault};
use super::history::{self, AppliedMigration, MigrationKind};
use super::transaction::{MigrationReport, MigrationTransaction, Purpose, Rules};
use crate::database::Database;

/// What one direction of a migration does.
pub type Body<'a> = Box<dyn Fn(&MigrationTransaction<'_>) -> Result<()> + 'a>;

/// A migration of the program's own.
pub struct InlineMigration<'a> {
    /// Its version, from 1. Versions rise, and need not follow on one another.
    pub version: u64,
    /// What it does.
    pub up: Body<'a>,
    /// What takes it back.
    pub down: Option<Body<'a>>,
}

impl<'a> InlineMigration<'a> {
    /// A migration that cannot be taken back.
    pub fn new(version: u64, up: impl Fn(&MigrationTransaction<'_>) -> Result<()> + 'a) -> Self {
        Self { version, up: Box::new(up), down: None }
    }

    /// The same, with what takes it back.
    #[must_use]
    pub fn with_down(mut self, down: impl Fn(&MigrationTransaction<'_>) -> Result<()> + 'a) -> Self {
        self.down = Some(Box::new(down));
        self
    }
}

/// What became of an inline migration.
#[derive(Clone, Debug, PartialEq)]
pub enum InlineOutcome {
    /// It was applied.
    Applied(Box<MigrationReport>),
    /// It is the current version already: nothing was done.
    Current,
}

impl Database {
    /// Applies one inline migration.
    ///
    /// # Errors
    /// `Conflict` if its version is below the current one, with both; whatever `up` gives; as [`MigrationTransaction::finish`]. Nothing of it is
    /// done then.
    pub fn migrate(&self, migration: &InlineMigration<'_>) -> Result<InlineOutcome> {
        self.migrate_checked(migration, None)
    }

    /// As [`Database::migrate`]; `check` is asked before it commits. The plan that it is given has no statements before they have run: it has
    /// what the migration did.
    ///
    /// # Errors
    /// As [`Database::migrate`], and whatever `check` gives.
    pub fn migrate_checked(&self, migration: &InlineMigration<'_>, check: Option<Check<'_>>) -> Result<InlineOutcome> {
        let Some(transaction) = self.begin_inline(migration.version)? else { return Ok(InlineOutcome::Current) };
        (migration.up)(&transaction)?;
        let report = transaction.commit_checked(&Purpose::Inline(migration.version), check)?;
        Ok(InlineOutcome::Applied(Box::new(report)))
    }

    /// Applies those of `migrations` that are above the current version, in order of their versions, each in a transaction of its own; those at
    /// or below it are taken for applied. This is what a program does when it starts.
    ///
    /// # Errors
    /// `Invalid` if two have one version; otherwise as [`Database::migrate`]. Those before the one that failed stay applied.
    pub fn migrate_all(&self, migrations: &[InlineMigration<'_>]) -> Result<Vec<MigrationReport>> {
        let mut ordered: Vec<&InlineMigration<'_>> = migrations.iter().collect();
        ordered.sort_by_key(|m| m.version);
        if let Some(pair) = ordered.windows(2).find(|pair| pair[0].version == pair[1].version) {
            return Err(Error::invalid("two migrations have the same version").with("version", pair[0].version));
        }
        let mut reports = Vec::new();
        for migration in ordered {
            if migration.version <= self.migration_version()? {
                continue;
            }
            if let InlineOutcome::Applied(report) = self.migrate(migration)? {
                reports.push(*report);
            }
        }
        Ok(reports)
    }

    /// Begins an inline migration whose statements the caller gives one by one, to be ended by [`MigrationTransaction::finish`]. `None` if it is
    /// the current version already.
    ///
    /// # Errors
    /// `Conflict` if its version is below the current one, with both; `Invalid` for version 0; `Unavailable` if the store reads only.
    pub fn begin_migration(&self, version: u64) -> Result<Option<MigrationTransaction<'_>>> {
        self.begin_inline(version)
    }

    fn begin_inline(&self, version: u64) -> Result<Option<MigrationTransaction<'_>>> {
        if version == 0 || version > i64::MAX.cast_unsigned() {
            return Err(Error::invalid("a migration's version is a number from 1").with("version", version));
        }
        let transaction = MigrationTransaction::begin(self, self.rules())?.for_inline(version);
        let current = transaction.writer()?.internally(history::inline_version)?;
        match version.cmp(&current) {
            std::cmp::Ordering::Greater => Ok(Some(transaction)),
            std::cmp::Ordering::Equal => Ok(None),
            std::cmp::Ordering::Less => {
                Err(Error::new(ErrorKind::Conflict, format!("migration version {version} is below the current version {current}"))
                    .with("version", version)
                    .with("current", current)
                    .with_hint(format!("give it a version above {current}, or roll back first")))
            }
        }
    }

    fn rules(&self) -> Rules {
        Rules { missing_default: MissingDefault::default(), last_table_id: self.schema().last_table_id, is_plan: false }
    }

    /// Takes the inline migration of this version back by its `down`; it must be the current one.
    ///
    /// # Errors
    /// `NotFound` if `migration` has no `down`; `Conflict` if another version is the current one, with both; otherwise as [`Database::migrate`].
    pub fn roll_back(&self, migration: &InlineMigration<'_>) -> Result<MigrationReport> {
        self.roll_back_checked(migration, None)
    }

    /// As [`Database::roll_back`]; `check` is asked before it commits, as in [`Database::migrate_checked`].
    ///
    /// # Errors
    /// As [`Database::roll_back`], and whatever `check` gives.
    pub fn roll_back_checked(&self, migration: &InlineMigration<'_>, check: Option<Check<'_>>) -> Result<MigrationReport> {
        let transaction = self.begin_revert(migration.version)?;
        let down = migration.down.as_ref().ok_or_else(|| no_down(migration.version))?;
        down(&transaction.0)?;
        transaction.0.commit_checked(&Purpose::Revert(transaction.1), check)
    }

    /// Takes the inline migrations above `version` back, newest first, each in a transaction of its own. `migrations` has them all; 0 takes back
    /// every one.
    ///
    /// # Errors
    /// `NotFound` if one is not among `migrations`, or has no `down`: before anything is done. Otherwise as [`Database::roll_back`].
    pub fn roll_back_to(&self, version: u64, migrations: &[InlineMigration<'_>]) -> Result<Vec<MigrationReport>> {
        self.roll_back_to_checked(version, migrations, None)
    }

    /// As [`Database::roll_back_to`]; `check` is asked for each before it commits. What was taken back before one that is refused stays so.
    ///
    /// # Errors
    /// As [`Database::roll_back_to`], and whatever `check` gives.
    pub fn roll_back_to_checked(
        &self,
        version: u64,
        migrations: &[InlineMigration<'_>],
        mut check: Option<Check<'_>>,
    ) -> Result<Vec<MigrationReport>> {
        let is_above = |m: &AppliedMigration| m.is_in_force() && m.kind == MigrationKind::Inline && m.version > version;
        let mut above: Vec<u64> = self.migrations()?.iter().filter(|m| is_above(m)).map(|m| m.version).collect();
        above.sort_unstable_by_key(|v| std::cmp::Reverse(*v));
        let of = |version: u64| {
            let found = migrations.iter().find(|m| m.version == version);
            let found = found.ok_or_else(|| Error::not_found("an applied migration is not among those given").with("version", version))?;
            if found.down.is_none() { Err(no_down(version)) } else { Ok(found) }
        };
        let chosen: Vec<&InlineMigration<'_>> = above.into_iter().map(of).collect::<Result<_>>()?;
        let mut reports = Vec::new();
        for migration in chosen {
            let check: Option<Check<'_>> = match check.as_mut() {
                Some(check) => Some(&mut **check),
                None => None,
            };
            reports.push(self.roll_back_checked(migration, check)?);
        }
        Ok(reports)
    }

    /// Begins to take the current inline migration back, whose statements the caller gives; ended by [`Rollback::finish`].
    ///
    /// # Errors
    /// As [`Database::roll_back`].
    pub fn begin_rollback(&self, version: u64) -> Result<Rollback<'_>> {
        self.begin_revert(version).map(|(transaction, was)| Rollback { transaction, was })
    }

    fn begin_revert(&self, version: u64) -> Result<(MigrationTransaction<'_>, AppliedMigration)> {
        let transaction = MigrationTransaction::begin(self, self.rules())?;
        let known = transaction.writer()?.internally(history::all)?;
        let in_force = known.into_iter().filter(|m| m.is_in_force() && m.kind == MigrationKind::Inline);
        let Some(current) = in_force.max_by_key(|m| m.version) else {
            return Err(Error::not_found("no inline migration is applied").with("version", version));
        };
        if current.version != version {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("migration version {version} is not the current version {}", current.version),
            )
            .with("version", version)
            .with("current", current.version)
            .with_hint("take back the newer ones first, or use roll_back_to"));
        }
        Ok((transaction, current))
    }
}

/// A migration that is being taken back by statements of the caller's. Dropped, it leaves no trace.
pub struct Rollback<'db> {
    /// Where the statements run.
    pub transaction: MigrationTransaction<'db>,
    was: AppliedMigration,
}

impl Rollback<'_> {
    /// Commits it.
    ///
    /// # Errors
    /// As [`MigrationTransaction::finish`].
    pub fn finish(self) -> Result<MigrationReport> {
        self.finish_checked(None)
    }

    /// As [`Rollback::finish`]; `check` is asked before it commits, as in [`Database::migrate_checked`].
    ///
    /// # Errors
    /// As [`Rollback::finish`], and whatever `check` gives.
    pub fn finish_checked(self, check: Option<Check<'_>>) -> Result<MigrationReport> {
        self.transaction.commit_checked(&Purpose::Revert(self.was), check)
    }
}

fn no_down(version: u64) -> Error {
    Error::not_found("the migration has no down, so it cannot be taken back")
        .with("version", version)
        .with_hint("give it a down, or restore the store to the bookmark before it")
}
