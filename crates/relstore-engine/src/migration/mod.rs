//! Migrations: changes of shape and data that happen wholly or not at all, in order, once, and that lose no row which they do not name.
//!
//! A folder ([`MigrationFolder`]) or an inline migration ([`InlineMigration`]) comes in; a history ([`AppliedMigration`]) and reports go out. Each
//! migration is one transaction with the foreign keys switched off before it begins, whatever its SQL says, and checked before it commits
//! ([`transaction`]). A table that is rebuilt is the same table afterwards, to the log too ([`rebuild`]). A plan ([`MigrationPlan`]) is made on an
//! empty copy of the store's shape by the same code, so that it says what will be done and touches nothing; a folder is looked through without any
//! store in the same way ([`lint`]). What is deliberately not here:
//! whether a change of shape is compatible, which [`ApplyOptions::check`] is the place for.

mod apply;
mod destruction;
mod drizzle;
mod folder;
mod foreign_keys;
mod history;
mod inline;
mod lint;
mod plan;
mod rebuild;
mod scratch;
mod script;
mod standing;
mod statement;
mod transaction;

pub use apply::{ApplyOptions, ApplyReport, Check, LateMigrations, MigrationProgress, MissingDefault, Progress, Proposal};
pub use destruction::Destruction;
pub use folder::{FolderMigration, Layout, MigrationFolder};
pub use history::{AppliedMigration, MigrationKind};
pub use inline::{Body, InlineMigration, InlineOutcome, Rollback};
pub use lint::{LintFinding, LintOptions, LintSeverity};
pub use plan::{MigrationPlan, PlanCache, PlannedMigration, PlannedStatement, RowsTouched};
pub use rebuild::{Rebuild, RebuildChanges};
pub use script::{Script, ScriptStatement};
pub use standing::{FolderStatus, PendingMigration};
pub use transaction::{MigrationReport, MigrationTransaction, StatementReport};
