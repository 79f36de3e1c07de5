//! `relstore migrate check`: a folder looked through without a store.

use std::io::Write;
use std::path::Path;

use relstore::engine::migration::{LintFinding, LintOptions, LintSeverity, MigrationFolder};
use relstore::model::Error;
use serde_json::{Value as Json, json};

use crate::cli::MigrateCheckArguments;
use crate::failure::{Failure, Outcome};
use crate::output::number::counted;
use crate::output::style::Style;
use crate::output::table::printable;

pub(super) fn run(arguments: &MigrateCheckArguments) -> Outcome {
    let mode = arguments.mode.as_deref().map(str::parse).transpose()?;
    let constraints = arguments.constraints.as_deref().map(str::parse).transpose()?.unwrap_or_default();
    let folder = MigrationFolder::read_to_lint(&arguments.folder)?;
    let findings = folder.lint(&LintOptions { mode, constraints })?;
    let errors = findings.iter().filter(|f| f.severity == LintSeverity::Error).count();
    super::tell(|out| {
        if arguments.json {
            let document = json!({"ok": errors == 0, "migrations": folder.migrations.len(), "findings": findings.iter().map(document).collect::<Vec<_>>()});
            return super::write_document(out, &document);
        }
        findings.iter().try_for_each(|finding| tell(out, finding, &arguments.folder))?;
        let migrations = counted(folder.migrations.len() as u64, "migration");
        let (errors, warnings) = (counted(errors as u64, "error"), counted((findings.len() - errors) as u64, "warning"));
        writeln!(out, "{migrations}: {errors}, {warnings}")
    })?;
    if errors == 0 {
        return Ok(());
    }
    let error = Error::invalid("the folder does not do the same on every store").with("errors", errors);
    Err(Failure::Error(error.with_hint("mend what is marked as error")))
}

/// `file:line:column: severity[code]: message`, as compilers write it, so that editors find the place.
fn tell(out: &mut dyn Write, finding: &LintFinding, folder: &Path) -> std::io::Result<()> {
    let style = Style::of_stdout();
    let file = finding.file.as_deref().unwrap_or(folder);
    let number = |n: Option<usize>| n.map_or_else(String::new, |n| format!(":{n}"));
    let severity = format!("{}[{}]", finding.severity.name(), finding.code);
    let severity = if finding.severity == LintSeverity::Error { style.bad(severity) } else { style.strong(severity) };
    let place = format!("{}{}{}", file.display(), number(finding.line), number(finding.column));
    writeln!(out, "{place}: {severity}: {}", printable(&finding.message))?;
    for line in finding.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
        writeln!(out, "  {}", printable(line))?;
    }
    writeln!(out, "  {} {}", style.good("Try:"), printable(&finding.fix))
}

fn document(f: &LintFinding) -> Json {
    json!({
        "code": f.code, "severity": f.severity.name(), "migration": f.migration, "file": f.file, "statement": f.statement, "line": f.line,
        "column": f.column, "message": f.message, "fix": f.fix,
    })
}
