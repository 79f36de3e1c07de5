//! `relstore check`: whether a store is whole, and says in its log what it holds.

use std::io::Write;

use relstore::Fleet;
use relstore::model::Error;
use serde_json::json;

use crate::cli::StoreArguments;
use crate::failure::Outcome;
use crate::output::number::counted;
use crate::output::table::Table;

pub(crate) async fn run(arguments: StoreArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let findings = Fleet::open(&arguments.dir).await?.read_store(&ns)?.check()?;
    let mut out = super::stdout();
    if arguments.json {
        let rows: Vec<_> = findings.iter().map(|f| json!({"code": f.code, "table": f.table, "message": f.message})).collect();
        crate::output::json::write_array(&mut out, &rows)?;
    } else if findings.is_empty() {
        writeln!(out, "{ns} is whole: pages, foreign keys, log, schema, and content as the log says it.")?;
    } else {
        let mut table = Table::new(&["code", "table", "found"]);
        for finding in &findings {
            table.row([finding.code.to_owned(), finding.table.clone().unwrap_or_default(), finding.message.clone()]);
        }
        writeln!(out, "{}", table.render())?;
    }
    out.flush()?;
    if findings.is_empty() {
        return Ok(());
    }
    let is_foreign = findings.iter().all(|f| matches!(f.code, "content" | "schema"));
    let error = Error::corrupt(format!("the check ended with {}", counted(findings.len() as u64, "finding"))).with("ns", &ns);
    Err(if is_foreign { error.with_hint("relstore reconcile logs what another program wrote") } else { error }.into())
}
