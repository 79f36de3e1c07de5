//! The verdict of a compatibility mode on each migration.

use std::sync::Arc;

use relstore_model::Schema;
use relstore_model::evolution::{Direction, SchemaEvolution, Severity};

use super::walk::Step;
use super::{LintFinding, LintOptions};

pub(super) fn look(steps: &[Step<'_>], options: &LintOptions, found: &mut Vec<LintFinding>) {
    let Some(mode) = options.mode else { return };
    let evolution = SchemaEvolution::new(mode).constraints(options.constraints);
    let mut versions: Vec<Arc<Schema>> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for step in steps.iter().filter(|s| s.after.version != s.before.version) {
        let report = evolution.check(&versions.iter().map(AsRef::as_ref).collect::<Vec<&Schema>>(), &step.after);
        for finding in &report.findings {
            let (code, verdict) = match finding.severity {
                Severity::Error => ("incompatible", "refuses"),
                Severity::Warning => ("compatibility", "warns of"),
            };
            let direction = match finding.direction {
                Direction::Backward => "new readers of old rows",
                Direction::Forward => "old readers of new rows",
            };
            let against = versions.iter().zip(&names).find(|(v, _)| v.version == finding.against).map_or("", |(_, name)| name);
            let message = format!("{mode} {verdict} {} ({direction}, against {against}): {}", finding.path, finding.message);
            found.push(LintFinding::warning(code, message, finding.fix).of(step.migration));
        }
        versions.push(Arc::clone(&step.after));
        names.push(&step.migration.name);
    }
}
