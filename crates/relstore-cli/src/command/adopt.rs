//! `relstore adopt`: a store out of a plain SQLite file.

use std::io::Write;
use std::time::Instant;

use serde_json::json;

use crate::cli::AdoptArguments;
use crate::failure::Outcome;
use crate::output::number::{counted, took};
use crate::output::pages_bar;

pub(crate) async fn run(arguments: AdoptArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = super::open_or_create(&arguments.dir).await?;
    let started = Instant::now();
    let bar = pages_bar(arguments.json);
    let adopted = fleet.adopt(&ns, &arguments.file, &mut |progress| {
        bar.set_length(progress.pages_total);
        bar.set_position(progress.pages_done);
    });
    bar.finish_and_clear();
    let adopted = adopted?;
    let mut out = super::stdout();
    if arguments.json {
        let findings: Vec<_> = adopted.findings.iter().map(|f| json!({"code": f.code, "table": f.table, "message": f.message})).collect();
        let document = json!({"ns": ns, "tables": adopted.tables, "rows": adopted.rows, "lsn": adopted.lsn, "findings": findings});
        serde_json::to_writer_pretty(&mut out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        let (tables, rows) = (counted(adopted.tables, "table"), counted(adopted.rows, "row"));
        writeln!(
            out,
            "{ns} has {tables} and {rows} of {}, up to LSN {}, in {}",
            arguments.file.display(),
            adopted.lsn,
            took(started.elapsed())
        )?;
        for finding in &adopted.findings {
            let table = finding.table.as_deref().map_or_else(String::new, |t| format!(" {t}:"));
            writeln!(out, "  {}:{table} {}", finding.code, finding.message)?;
        }
    }
    out.flush()?;
    Ok(())
}
