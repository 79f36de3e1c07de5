//! Downs, each tried on the shape that its migration leaves.

use relstore_model::Result;

use super::walk::Step;
use super::{LintFinding, is_of_the_machine, shape};
use crate::migration::apply::MissingDefault;
use crate::migration::folder::{FolderMigration, MigrationFolder};
use crate::migration::plan::try_one;
use crate::migration::scratch::Scratch;
use crate::migration::transaction::Rules;

const FIX: &str = "write one beside it (NNNN_name.down.sql, or down.sql); without one the way back is the bookmark that applying it gives";

/// How many differences a finding names.
const NAMED: usize = 5;

pub(super) fn look(folder: &MigrationFolder, steps: &[Step<'_>], found: &mut Vec<LintFinding>) -> Result<()> {
    if folder.migrations.iter().all(|m| m.down.is_none()) {
        found.push(LintFinding::warning("no-down", "none of the migrations has a down, so none can be taken back", FIX));
        return Ok(());
    }
    for migration in folder.migrations.iter().filter(|m| m.down.is_none()) {
        found.push(LintFinding::warning("no-down", "it has no down, so it cannot be taken back", FIX).of(migration));
    }
    for step in steps {
        let (Some(down), Some(shape)) = (&step.migration.down, &step.shape_after) else { continue };
        let scratch = Scratch::of(shape)?;
        let rules = Rules { missing_default: MissingDefault::default(), last_table_id: shape.schema.last_table_id, is_plan: true };
        let as_up = FolderMigration { up: down.clone(), ..step.migration.clone() };
        match try_one(scratch.database()?, &as_up, rules) {
            Err(e) if is_of_the_machine(&e) => return Err(e),
            Err(e) => found.push(LintFinding::failed("down-fails", step.migration, down, &e)),
            Ok((_, _, after)) => {
                let differences = shape::differences(&step.before, &after, shape::Columns::Ordered)?;
                if !differences.is_empty() {
                    let message = format!("the down does not bring back the shape of before: {}", shape::listed(&differences, NAMED));
                    let finding = LintFinding::warning("down-differs", message, "write the down so that it makes again what was there");
                    found.push(LintFinding { file: Some(down.path.clone()), ..finding.of(step.migration) });
                }
            }
        }
    }
    Ok(())
}
