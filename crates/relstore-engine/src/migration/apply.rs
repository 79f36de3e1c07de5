//! Applying a folder, and taking its migrations back.

use std::sync::Arc;

use relstore_model::{Error, ErrorKind, Result, Schema};

use super::folder::{FolderMigration, MigrationFolder};
use super::history::{self, AppliedMigration, MigrationKind};
use super::plan::{MigrationPlan, PlanCache, Trial, tried};
use super::standing::{Standing, standing};
use super::transaction::{MigrationReport, MigrationTransaction, Purpose, Rules};
use super::{PendingMigration, drizzle};
use crate::database::Database;

/// What becomes of a migration that is older than the newest applied one: two branches were merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LateMigrations {
    /// It is refused, and with it the whole run.
    #[default]
    Refuse,
    /// It is applied, in the order of versions among those that are pending.
    Apply,
}

/// What becomes of `ADD COLUMN … NOT NULL` without a default on a table that was there before the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingDefault {
    /// It is refused, whether or not the table has rows: a migration does the same on every store.
    #[default]
    Refuse,
    /// It is done where the table has no rows, as SQLite does it.
    AllowOnEmptyTables,
}

/// How far a run has come.
#[derive(Clone, Debug)]
pub struct MigrationProgress<'a> {
    /// The migration.
    pub migration: &'a str,
    /// Its number in the run, from 1, and how many there are.
    pub migration_number: usize,
    /// How many the run has.
    pub migration_count: usize,
    /// The statement that has just run, from 1.
    pub statement: usize,
    /// How many the migration has.
    pub statement_count: usize,
    /// How many rows it inserted, updated or deleted.
    pub rows: u64,
}

/// What a run is about to do, for a check that may refuse it.
pub struct Proposal<'a> {
    database: &'a Database,
    /// The schema in force.
    pub before: Arc<Schema>,
    /// The schema as it will be, with the ids that it will have.
    pub after: Arc<Schema>,
    /// What will be done.
    pub plan: &'a MigrationPlan,
}

impl<'a> Proposal<'a> {
    pub(super) fn new(database: &'a Database, before: Arc<Schema>, after: Arc<Schema>, plan: &'a MigrationPlan) -> Self {
        Self { database, before, after, plan }
    }

    /// Every schema that the store has had, oldest first, the one in force last.
    ///
    /// # Errors
    /// `Corrupt` if one cannot be read; `Unavailable` by the disk.
    pub fn versions(&self) -> Result<Vec<Arc<Schema>>> {
        let mut schemas = self.database.schemas()?;
        schemas.retain(|schema| schema.version <= self.before.version);
        Ok(schemas)
    }
}

/// A check that may refuse a run before anything of it is committed. It may read the store, and must not write to it: an inline migration holds
/// the writer meanwhile.
pub type Check<'a> = &'a mut dyn FnMut(&Proposal<'_>) -> Result<()>;

/// Hears how far a run has come.
pub type Progress<'a> = &'a mut dyn FnMut(&MigrationProgress<'_>);

/// How a folder is applied.
#[derive(Default)]
pub struct ApplyOptions<'a> {
    /// Whether what is lost for good may be: see [`super::Destruction`].
    pub allow_destructive: bool,
    /// What becomes of migrations that were merged late.
    pub late: LateMigrations,
    /// What becomes of a new column without a value for the rows that are there.
    pub missing_default: MissingDefault,
    /// Only plans.
    pub dry_run: bool,
    /// The version to stop after; `None`: all.
    pub target: Option<u64>,
    /// Plans made for other stores of the same shape: planning is most of what migrating a small store costs.
    pub plans: Option<&'a PlanCache>,
    /// Is asked once, before anything is committed.
    pub check: Option<Check<'a>>,
    /// Is told after each statement.
    pub progress: Option<Progress<'a>>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplyReport {
    /// What it was to do. The rows of tables are counted in a dry run alone; what a statement did is in `applied`.
    pub plan: MigrationPlan,
    /// What it did, migration by migration; empty in a dry run.
    pub applied: Vec<MigrationReport>,
    /// Migrations that drizzle had applied and that are in the history now.
    pub adopted: Vec<AppliedMigration>,
    /// What is left.
    pub pending: Vec<PendingMigration>,
}

impl Database {
    /// Plans what applying the folder would do. Nothing is changed; a writer waits for a short look at the most. `options` are as for [`Database::apply_migrations`];
    /// what those refuse is in the plan.
    ///
    /// # Errors
    /// As [`Database::migration_status`]; as a statement gives them, with file, statement, line and caret.
    pub fn plan_migrations(&self, folder: &MigrationFolder, options: &ApplyOptions<'_>) -> Result<MigrationPlan> {
        let standing = self.standing(folder)?;
        let chosen = chosen(&standing, options);
        tried(self, &chosen, options.missing_default, options.plans)?.plan(self, &chosen, true)
    }

    /// Applies what of the folder is not applied, in order, each migration in a transaction of its own: if one fails, those before it stay, and
    /// the next run goes on with it. A run beside this one on the same handle waits for each migration, and neither applies one twice.
    ///
    /// # Errors
    /// As [`Database::migration_status`]; `Conflict` if a migration was merged late and that is not allowed; `Invalid` if something would be lost
    /// and that is not allowed; whatever [`ApplyOptions::check`] gives: before anything is done. `NotFound` if there is no target of that version.
    /// `Constraint` if a migration leaves foreign keys violated; as a statement gives them, with file, statement, line and caret: nothing of
    /// that migration is done.
    pub fn apply_migrations(&self, folder: &MigrationFolder, mut options: ApplyOptions<'_>) -> Result<ApplyReport> {
        check_target(folder, options.target)?;
        let before = self.standing(folder)?;
        let chosen = chosen(&before, &options);
        check_late(&before, &chosen, options.late)?;
        let trial = tried(self, &chosen, options.missing_default, options.plans)?;
        let plan = trial.plan(self, &chosen, options.dry_run)?;
        if !options.allow_destructive {
            plan.check_destruction()?;
        }
        self.ask(options.check.take(), &trial, &plan)?;
        let mut report = ApplyReport { plan, ..ApplyReport::default() };
        if !options.dry_run {
            report.adopted = self.adopt_listed(&before)?;
            let rules = Rules { missing_default: options.missing_default, last_table_id: self.schema().last_table_id, is_plan: false };
            for (at, migration) in chosen.iter().enumerate() {
                let place = (at + 1, chosen.len());
                report.applied.extend(self.apply_one(folder, migration, place, rules, &mut options.progress)?);
            }
        }
        report.pending = self.migration_status(folder)?.pending;
        Ok(report)
    }

    /// Applies one migration, if nobody else has meanwhile.
    fn apply_one(
        &self,
        folder: &MigrationFolder,
        migration: &FolderMigration,
        (number, count): (usize, usize),
        rules: Rules,
        progress: &mut Option<Progress<'_>>,
    ) -> Result<Option<MigrationReport>> {
        let transaction = MigrationTransaction::begin(self, rules)?;
        let known = transaction.writer()?.internally(history::all)?;
        if !standing(folder, &known, Vec::new())?.pending.iter().any(|(m, _)| m.version == migration.version) {
            return Ok(None);
        }
        let statement_count = migration.up.statements.len();
        transaction.run_script(&migration.up, &mut |statement, rows| {
            if let Some(told) = progress {
                told(&MigrationProgress {
                    migration: &migration.name,
                    migration_number: number,
                    migration_count: count,
                    statement: statement.number,
                    statement_count,
                    rows,
                });
            }
            Ok(())
        })?;
        let placed = |e: Error| e.with("migration", &migration.name).with("file", migration.up.path.display());
        transaction.commit(&Purpose::Apply(migration), &mut |_| Ok(())).map(Some).map_err(placed)
    }

    /// Takes into the history what drizzle has applied.
    fn adopt_listed(&self, standing: &Standing<'_>) -> Result<Vec<AppliedMigration>> {
        if standing.adopted.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|writer| {
            let (lsn, version) = (writer.last_lsn(), writer.schema().version);
            let known = writer.internally(history::all)?;
            let listed = writer.internally(|c| drizzle::listed(c, &writer.schema()))?;
            let mut out = Vec::new();
            for (migration, row) in &standing.adopted {
                let is_known = known.iter().any(|m| m.is_in_force() && m.hash.as_deref() == Some(row.hash.as_str()));
                if is_known || !listed.contains(row) {
                    continue;
                }
                let mut adopted = AppliedMigration {
                    id: 0,
                    version: migration.version,
                    name: migration.name.clone(),
                    kind: MigrationKind::Adopted,
                    hash: Some(row.hash.clone()),
                    sql: Some(migration.up.text.clone()),
                    applied_at: row.time(),
                    lsn_before: lsn,
                    lsn_after: lsn,
                    schema_before: version,
                    schema_after: version,
                    rolled_back_at: None,
                };
                adopted.id = writer.internally(|c| history::put(c, &adopted))?;
                out.push(adopted);
            }
            Ok(out)
        })
    }

    /// Plans what taking the migrations above `target` back would do; see [`Database::roll_back_migrations`]. Nothing is changed; a writer waits for a short look at the most.
    /// Each planned migration is the down of the one it is named for, in the order in which they would run.
    ///
    /// # Errors
    /// `NotFound` if one has no down, or if there is no target of that version; otherwise as [`Database::plan_migrations`].
    pub fn plan_roll_back(&self, folder: &MigrationFolder, target: Option<u64>) -> Result<MigrationPlan> {
        let downs = self.downs(folder, target)?;
        let chosen: Vec<&FolderMigration> = downs.iter().collect();
        tried(self, &chosen, MissingDefault::default(), None)?.plan(self, &chosen, true)
    }

    /// Takes the applied migrations of the folder that have a version above `target` back by their downs, the one that was applied last first, each in
    /// a transaction of its own; without a target all of them.
    ///
    /// # Errors
    /// `NotFound` if one has no down, or if there is no target of that version; `Invalid` if something would be lost and that is not allowed:
    /// before anything is done. `Conflict` for one that drizzle has applied and that is not in the history yet. Otherwise as
    /// [`Database::apply_migrations`].
    pub fn roll_back_migrations(
        &self,
        folder: &MigrationFolder,
        target: Option<u64>,
        allow_destructive: bool,
    ) -> Result<Vec<MigrationReport>> {
        self.roll_back_migrations_checked(folder, target, allow_destructive, None)
    }

    /// As [`Database::roll_back_migrations`]; `check` is asked once, before anything is committed, if there is something to take back.
    ///
    /// # Errors
    /// As [`Database::roll_back_migrations`], and whatever `check` gives.
    pub fn roll_back_migrations_checked(
        &self,
        folder: &MigrationFolder,
        target: Option<u64>,
        allow_destructive: bool,
        check: Option<Check<'_>>,
    ) -> Result<Vec<MigrationReport>> {
        let downs = self.downs(folder, target)?;
        let chosen: Vec<&FolderMigration> = downs.iter().collect();
        let trial = tried(self, &chosen, MissingDefault::default(), None)?;
        let plan = trial.plan(self, &chosen, false)?;
        if !allow_destructive {
            plan.check_destruction()?;
        }
        self.ask(check, &trial, &plan)?;
        let rules = Rules { missing_default: MissingDefault::default(), last_table_id: self.schema().last_table_id, is_plan: false };
        downs.iter().map(|down| self.revert_one(down, rules)).collect()
    }

    /// The applied migrations above `target`, the one that was applied last first, each with its down in the place of what it does.
    fn downs(&self, folder: &MigrationFolder, target: Option<u64>) -> Result<Vec<FolderMigration>> {
        check_target(folder, target)?;
        let applied = self.standing(folder)?;
        let mut chosen: Vec<&FolderMigration> = applied.applied.iter().copied().filter(|m| target.is_none_or(|t| m.version > t)).collect();
        let history = self.migrations()?;
        // Of one that was merged late the version does not say when it was applied, and on top of what.
        let applied_as = |m: &FolderMigration| {
            let is_it = |h: &&AppliedMigration| h.is_in_force() && h.is_of_folder() && h.hash.as_deref() == Some(m.hash.as_str());
            history.iter().rev().find(is_it).map(|h| h.id)
        };
        chosen.sort_by_key(|m| std::cmp::Reverse((applied_as(m), m.version)));
        let of = |m: &&FolderMigration| match m.down.clone() {
            Some(down) => Ok(FolderMigration { up: down, ..(*m).clone() }),
            None => Err(Error::not_found("a migration has no down, so it cannot be taken back")
                .with("migration", &m.name)
                .with("file", m.up.path.display())
                .with_hint("write one beside it (NNNN_name.down.sql, or down.sql), or restore the store to the bookmark before it")),
        };
        chosen.iter().map(of).collect()
    }

    /// Asks a check about what was tried, if there is anything.
    fn ask(&self, check: Option<Check<'_>>, trial: &Trial, plan: &MigrationPlan) -> Result<()> {
        match (check, trial.after()) {
            (Some(check), Some(after)) => check(&Proposal::new(self, self.schema(), after, plan)),
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn revert_one(&self, down: &FolderMigration, rules: Rules) -> Result<MigrationReport> {
        let transaction = MigrationTransaction::begin(self, rules)?;
        let known = transaction.writer()?.internally(history::all)?;
        let was = known.into_iter().find(|m| m.is_in_force() && m.is_of_folder() && m.hash.as_deref() == Some(down.hash.as_str()));
        let was = was.ok_or_else(|| {
            // Adopted by nobody yet, or taken back by somebody else meanwhile.
            Error::new(ErrorKind::Conflict, "the migration is not in the history")
                .with("migration", &down.name)
                .with_hint("apply the folder first")
        })?;
        transaction.run_script(&down.up, &mut |_, _| Ok(()))?;
        let placed = |e: Error| e.with("migration", &down.name).with("file", down.up.path.display());
        transaction.commit(&Purpose::Revert(was), &mut |_| Ok(())).map_err(placed)
    }
}

fn check_target(folder: &MigrationFolder, target: Option<u64>) -> Result<()> {
    match target.filter(|t| folder.by_version(*t).is_none()) {
        None => Ok(()),
        Some(target) => Err(Error::not_found("the folder has no migration of this version")
            .with("version", target)
            .with("folder", folder.path.display())
            .with_hint("a version is the number that a name begins with, and with a journal the place in it (idx)")),
    }
}

/// What a run would apply, in order.
fn chosen<'a>(standing: &Standing<'a>, options: &ApplyOptions<'_>) -> Vec<&'a FolderMigration> {
    standing.pending.iter().map(|(m, _)| *m).filter(|m| options.target.is_none_or(|t| m.version <= t)).collect()
}

fn check_late(standing: &Standing<'_>, chosen: &[&FolderMigration], late: LateMigrations) -> Result<()> {
    let found = standing.pending.iter().find(|(m, is_late)| *is_late && chosen.iter().any(|c| c.version == m.version));
    let Some((migration, _)) = found.filter(|_| late == LateMigrations::Refuse) else { return Ok(()) };
    let newest = standing.applied.iter().max_by_key(|m| m.version);
    Err(Error::new(ErrorKind::Conflict, "a migration is older than the newest that is applied")
        .with("migration", &migration.name)
        .with("version", migration.version)
        .with("newest_applied", newest.map_or("none", |m| m.name.as_str()))
        .with_hint("give it a number after the newest one, or apply late migrations (LateMigrations::Apply, --late apply)"))
}
