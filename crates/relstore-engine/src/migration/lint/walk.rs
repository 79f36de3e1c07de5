//! The folder's migrations in order, on a store without rows.

use std::sync::Arc;

use relstore_model::{Result, Schema};

use super::branches::Branches;
use super::{LintFinding, is_of_the_machine};
use crate::migration::folder::{FolderMigration, MigrationFolder};
use crate::migration::plan::try_one;
use crate::migration::scratch::{Scratch, Shape};
use crate::migration::transaction::{Rules, StatementReport};

/// A migration that succeeded, and what it did.
pub(super) struct Step<'a> {
    pub(super) migration: &'a FolderMigration,
    pub(super) statements: Vec<StatementReport>,
    pub(super) before: Arc<Schema>,
    pub(super) after: Arc<Schema>,
    /// The shape before it, where it is to be tried beside others.
    pub(super) shape_before: Option<Shape>,
    /// The shape after it, where its down is to be tried.
    pub(super) shape_after: Option<Shape>,
}

/// Runs the folder up to the first migration that fails, which is a finding.
pub(super) fn walk<'a>(folder: &'a MigrationFolder, branches: &Branches, found: &mut Vec<LintFinding>) -> Result<Vec<Step<'a>>> {
    let scratch = Scratch::empty()?;
    let store = scratch.database()?;
    let mut steps = Vec::with_capacity(folder.migrations.len());
    for (at, migration) in folder.migrations.iter().enumerate() {
        let shape = |is_wanted: bool| is_wanted.then(|| store.look(Shape::of)).transpose();
        let shape_before = shape(branches.begins(at))?;
        match try_one(store, migration, Rules::OF_EMPTY_STORES) {
            Ok((report, before, after)) => steps.push(Step {
                migration,
                statements: report.statements,
                before,
                after,
                shape_before,
                shape_after: shape(migration.down.is_some())?,
            }),
            Err(e) if is_of_the_machine(&e) => return Err(e),
            Err(e) => {
                found.push(LintFinding::failed("fails", migration, &migration.up, &e));
                // The pairs that it begins can be tried all the same, and say more of why.
                let before = store.schema();
                steps.extend(shape_before.map(|shape| Step {
                    migration,
                    statements: Vec::new(),
                    after: Arc::clone(&before),
                    before,
                    shape_before: Some(shape),
                    shape_after: None,
                }));
                break;
            }
        }
    }
    Ok(steps)
}
