//! Migrations of one store, checked by what the store promises to readers of its rows.

use relstore_engine::Compatibility;
use relstore_engine::migration::{
    AppliedMigration, ApplyOptions, ApplyReport, Destruction, FolderStatus, InlineMigration, InlineOutcome, LateMigrations,
    MigrationFolder, MigrationPlan, MigrationProgress, MigrationReport, MissingDefault, PlanCache, Progress, Proposal,
};
use relstore_model::evolution::{Edit, Profile, Report};
use relstore_model::{Lsn, Result, Schema};

use crate::RelationalStore;
use crate::archive::ARCHIVE_CURSOR;

/// How migrations are applied.
#[derive(Clone, Debug, Default)]
pub struct MigrateOptions {
    /// Whether what is lost for good may be: tables, columns, all rows of a table.
    pub allow_destructive: bool,
    /// What becomes of migrations that are older than the newest applied one.
    pub late: LateMigrations,
    /// What becomes of a new NOT NULL column without a default.
    pub missing_default: MissingDefault,
    /// Only plans.
    pub dry_run: bool,
    /// The version to stop after; `None`: all.
    pub target: Option<u64>,
}

/// What a run did, or would do.
#[derive(Clone, Debug, Default)]
pub struct MigrateReport {
    /// Its plan, what was applied, and what is left.
    pub run: ApplyReport,
    /// Whether readers survive it; `None` if there was nothing to apply.
    pub compatibility: Option<Report>,
}

impl RelationalStore {
    /// Applies what of the folder is not applied, in order, each migration in a transaction of its own. Before anything is done, the shape that
    /// would come of it is checked by the store's compatibility. In a dry run the report has the verdict, whatever it is.
    ///
    /// # Errors
    /// `Incompatible` if the store's mode refuses it; otherwise as [`relstore_engine::Database::apply_migrations`]. Those before the one that
    /// failed stay applied, and the next run goes on with it.
    pub fn apply_migrations(
        &self,
        folder: &MigrationFolder,
        options: &MigrateOptions,
        progress: Option<Progress<'_>>,
    ) -> Result<MigrateReport> {
        self.apply_planned(folder, options, None, progress)
    }

    /// As [`RelationalStore::apply_migrations`], with plans that other stores share.
    pub(crate) fn apply_planned(
        &self,
        folder: &MigrationFolder,
        options: &MigrateOptions,
        plans: Option<&PlanCache>,
        mut progress: Option<Progress<'_>>,
    ) -> Result<MigrateReport> {
        let mut compatibility = None;
        let mut told = |at: &MigrationProgress<'_>| {
            if let Some(progress) = &mut progress {
                progress(at);
            }
        };
        let mut check = |proposal: &Proposal<'_>| {
            let report = self.verdict(proposal)?;
            compatibility = Some(report.clone());
            if options.dry_run { Ok(()) } else { report.into_result().map(|_| ()) }
        };
        let run = self.database().apply_migrations(
            folder,
            ApplyOptions {
                allow_destructive: options.allow_destructive || options.dry_run,
                late: options.late,
                missing_default: options.missing_default,
                dry_run: options.dry_run,
                target: options.target,
                plans,
                check: Some(&mut check),
                progress: Some(&mut told),
            },
        );
        let run = self.named(run)?;
        self.acknowledge()?;
        Ok(MigrateReport { run, compatibility })
    }

    /// How the store stands to the folder: what of it is applied, and what is not.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::migration_status`].
    pub fn migration_status(&self, folder: &MigrationFolder) -> Result<FolderStatus> {
        self.named(self.database().migration_status(folder))
    }

    /// What [`RelationalStore::roll_back_migrations`] would do. Nothing is changed.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::plan_roll_back`].
    pub fn plan_roll_back(&self, folder: &MigrationFolder, target: Option<u64>) -> Result<MigrationPlan> {
        self.named(self.database().plan_roll_back(folder, target))
    }

    /// Takes the newest applied migrations of the folder back by their downs until none above `target` is applied; `None` takes back all.
    /// What comes of it was in force before, so the store's compatibility is not asked.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::roll_back_migrations`].
    pub fn roll_back_migrations(
        &self,
        folder: &MigrationFolder,
        target: Option<u64>,
        allow_destructive: bool,
    ) -> Result<Vec<MigrationReport>> {
        let reports = self.named(self.database().roll_back_migrations(folder, target, allow_destructive))?;
        self.acknowledge()?;
        Ok(reports)
    }

    /// Applies an inline migration, checked by the store's compatibility.
    ///
    /// ```no_run
    /// # use relstore::{RelationalStore, engine::migration::InlineMigration};
    /// # fn example(store: &RelationalStore) -> relstore::model::Result<()> {
    /// store.migrate(
    ///     &InlineMigration::new(2, |tx| tx.execute("ALTER TABLE users ADD COLUMN avatar_url TEXT", &[]).map(|_| ()))
    ///         .with_down(|tx| tx.execute("ALTER TABLE users DROP COLUMN avatar_url", &[]).map(|_| ())),
    /// )?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Incompatible` if the store's mode refuses it; otherwise as [`relstore_engine::Database::migrate`]. Nothing is done then.
    pub fn migrate(&self, migration: &InlineMigration<'_>) -> Result<InlineOutcome> {
        let mut check = |proposal: &Proposal<'_>| self.verdict(proposal)?.into_result().map(|_| ());
        let outcome = self.named(self.database().migrate_checked(migration, Some(&mut check)))?;
        self.acknowledge()?;
        Ok(outcome)
    }

    /// Takes the current inline migration back by its `down`. As for a folder, the store's compatibility is not asked.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::roll_back`].
    pub fn roll_back(&self, migration: &InlineMigration<'_>) -> Result<MigrationReport> {
        let report = self.named(self.database().roll_back(migration))?;
        self.acknowledge()?;
        Ok(report)
    }

    /// Takes the inline migrations above `version` back, newest first; `migrations` has them all.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::roll_back_to`].
    pub fn roll_back_to(&self, version: u64, migrations: &[InlineMigration<'_>]) -> Result<Vec<MigrationReport>> {
        let reports = self.named(self.database().roll_back_to(version, migrations))?;
        self.acknowledge()?;
        Ok(reports)
    }

    /// Every migration that was applied, in the order that they were, with its time and the position before it.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::migrations`].
    pub fn migrations(&self) -> Result<Vec<AppliedMigration>> {
        self.named(self.database().migrations())
    }

    /// What the store promises to readers of its rows.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::compatibility`].
    pub fn compatibility(&self) -> Result<Compatibility> {
        self.named(self.database().compatibility())
    }

    /// Chooses what the store promises from here on.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::set_compatibility`].
    pub fn set_compatibility(&self, compatibility: Compatibility) -> Result<()> {
        self.named(self.database().set_compatibility(compatibility))
    }

    /// Where the store's rows are read from: its history too, once something of it was archived.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn profile(&self) -> Result<Profile> {
        let archived = self.named(self.database().cursor(ARCHIVE_CURSOR))?;
        Ok(if archived > Lsn::ZERO { Profile::Iceberg } else { Profile::Records })
    }

    /// Whether the store may have the shape that `description` has, by the names of its tables and columns: that of a schema file, of a folder of
    /// migrations, or of another store.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn check_compatibility(&self, description: &Schema) -> Result<Report> {
        let evolution = self.compatibility()?.evolution(self.profile()?);
        evolution.check_described(&self.named(self.database().schemas())?, description)
    }

    /// Whether the store may be changed so.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, if the table or column is not there; `Invalid` if what is added is.
    pub fn check_edit(&self, edit: &Edit) -> Result<Report> {
        let evolution = self.compatibility()?.evolution(self.profile()?);
        evolution.check_edit(&self.named(self.database().schemas())?, edit)
    }

    /// The verdict over what a run would make. What it says it drops is gone for good, and not what it adds under another name: that it may drop
    /// it was asked before.
    fn verdict(&self, proposal: &Proposal<'_>) -> Result<Report> {
        let mut evolution = self.database().compatibility()?.evolution(self.profile()?);
        for (_, _, lost) in proposal.plan.destructions() {
            match lost {
                Destruction::Table { table } => evolution = evolution.dropped(table.as_str()),
                Destruction::Column { table, column } => evolution = evolution.dropped(format!("{table}.{column}")),
                Destruction::Rows { .. } | Destruction::Filtered { .. } | Destruction::Narrowed { .. } => {}
            }
        }
        Ok(evolution.check(&self.database().schemas()?, &proposal.after))
    }
}
