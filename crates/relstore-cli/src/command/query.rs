//! `relstore query`: one query over all stores.

use std::io::Write;
use std::time::Instant;

use relstore::model::Result;
use relstore::{ArchiveReport, Fleet, StoreStatus};

use crate::cli::QueryArguments;
use crate::failure::Outcome;
use crate::output::number::{counted, took};
use crate::output::style::Style;
use crate::output::{json, table::Table};

pub(crate) async fn run(arguments: QueryArguments) -> Outcome {
    let fleet = Fleet::open(&arguments.dir).await?;
    bring_up_to_date(&fleet).await?;
    let started = Instant::now();
    let mut out = super::stdout();
    if arguments.explain {
        writeln!(out, "{}", fleet.explain(&arguments.sql).await?.trim_end())?;
        out.flush()?;
        return Ok(());
    }
    if arguments.json {
        json::write_array(&mut out, &fleet.query_json(&arguments.sql).await?)?;
    } else {
        let answer = fleet.query(&arguments.sql).await?;
        let time = started.elapsed();
        writeln!(out, "{}", Table::of_answer(&answer).render())?;
        let note = format!("{}, {}", counted(answer.rows.len() as u64, "row"), took(time));
        writeln!(out, "{}", Style::of_stdout().faint(note))?;
    }
    out.flush()?;
    Ok(())
}

/// Archives what is pending. What another process has open it archives itself, so the answer may be behind: that is said.
async fn bring_up_to_date(fleet: &Fleet) -> Result<()> {
    let ArchiveReport { busy, trimmed, .. } = fleet.archive().await?;
    let style = Style::of_stderr();
    for ns in trimmed {
        eprintln!("{} {ns} is not in this answer: its log was trimmed before it was ever archived", style.strong("note:"));
    }
    if busy.is_empty() {
        return Ok(());
    }
    let is_behind = |store: &&StoreStatus| busy.contains(&store.ns) && store.archived < store.high_water;
    for store in fleet.stores().await?.iter().filter(is_behind) {
        let (ns, behind) = (&store.ns, store.high_water.get() - store.archived.get());
        let changes = counted(behind, "change");
        eprintln!("{} {ns} is open elsewhere: {changes} after LSN {} not in this answer yet", style.strong("note:"), store.archived);
    }
    Ok(())
}
