//! Concurrent migrations, tried in both orders.

use std::sync::Arc;

use relstore_model::{Error, Result, Schema};

use super::branches::{Branches, PAIRS_MAX};
use super::walk::Step;
use super::{LintFinding, is_of_the_machine, shape};
use crate::migration::apply::MissingDefault;
use crate::migration::folder::{FolderMigration, MigrationFolder};
use crate::migration::plan::try_one;
use crate::migration::scratch::{Scratch, Shape};
use crate::migration::transaction::Rules;

/// How many differences a finding names.
const NAMED: usize = 5;

pub(super) fn look(folder: &MigrationFolder, branches: &Branches, steps: &[Step<'_>], found: &mut Vec<LintFinding>) -> Result<()> {
    let (pairs, left_out) = branches.to_try();
    for (a, b) in pairs {
        // Nothing is known of what comes after one that failed.
        let Some(base) = steps.get(a).and_then(|step| step.shape_before.as_ref()) else { continue };
        let is_common = |k: &usize| branches.are_concurrent(a, *k) && !branches.are_concurrent(*k, b);
        let common: Vec<&FolderMigration> = (a + 1..b).filter(is_common).map(|k| &folder.migrations[k]).collect();
        let (first, second) = (&folder.migrations[a], &folder.migrations[b]);
        if let Some(why) = conflict(base, &common, first, second)? {
            let message = format!("nothing orders {} and {}, and they do not commute: {why}", first.name, second.name);
            let fix = "make the later one anew on top of the other, so that every store applies them in one order";
            found.push(LintFinding::error("does-not-commute", message, fix).of(second));
        }
    }
    if left_out > 0 {
        let message = format!("more than {PAIRS_MAX} pairs of migrations are ordered by nothing, and {left_out} of them were not tried");
        found.push(LintFinding::warning("pairs-left-out", message, "settle the findings on the order of the folder first"));
    }
    Ok(())
}

/// Why the two do not commute, if they do not.
fn conflict(base: &Shape, common: &[&FolderMigration], a: &FolderMigration, b: &FolderMigration) -> Result<Option<String>> {
    let (Some(ab), Some(ba)) = (run(base, common, a, b)?, run(base, common, b, a)?) else { return Ok(None) };
    Ok(match (ab, ba) {
        (Err(why), Ok(_)) | (Ok(_), Err(why)) => Some(why),
        (Err(one), Err(other)) => Some(format!("{one}; {other}")),
        (Ok(one), Ok(other)) => {
            let differences = shape::differences(&one, &other, shape::Columns::InAnyOrder)?;
            let told = || format!("{} first leaves another shape than {} first: {}", b.name, a.name, shape::listed(&differences, NAMED));
            (!differences.is_empty()).then(told)
        }
    })
}

/// The shape after the two in this order, or which of them fails and of what. `None` if those before them fail, of which nothing is known then.
fn run(
    base: &Shape,
    common: &[&FolderMigration],
    first: &FolderMigration,
    second: &FolderMigration,
) -> Result<Option<std::result::Result<Arc<Schema>, String>>> {
    let scratch = Scratch::of(base)?;
    let store = scratch.database()?;
    // Values for the rows that are there are another finding's.
    let rules = Rules { missing_default: MissingDefault::AllowOnEmptyTables, last_table_id: base.schema.last_table_id, is_plan: true };
    for migration in common.iter().copied().chain([first, second]) {
        let Err(e) = try_one(store, migration, rules) else { continue };
        if is_of_the_machine(&e) {
            return Err(e);
        }
        let order = if migration.name == second.name { "after" } else { "before" };
        let other = if migration.name == second.name { first } else { second };
        let is_of_the_two = migration.name == first.name || migration.name == second.name;
        return Ok(is_of_the_two.then(|| Err(format!("{} fails {order} {}{}", migration.name, other.name, why(&e)))));
    }
    Ok(Some(Ok(store.schema())))
}

fn why(e: &Error) -> String {
    let statement = e.context().iter().find(|(key, _)| *key == "statement");
    let place = statement.map_or_else(String::new, |(_, number)| format!(" at its statement {number}"));
    format!("{place}: {}", e.message())
}
