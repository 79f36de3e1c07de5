//! `relstore reconcile`: logs what another program wrote to a store.

use std::io::Write;

use relstore::Fleet;
use serde_json::json;

use crate::cli::StoreArguments;
use crate::failure::Outcome;
use crate::output::number::grouped;
use crate::output::table::Table;

pub(crate) async fn run(arguments: StoreArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = Fleet::open(&arguments.dir).await?;
    // Refuses a name that is no store's, before one is made.
    fleet.read_store(&ns)?;
    let done = fleet.store(&ns)?.reconcile()?;
    let mut out = super::stdout();
    if arguments.json {
        let table = |t: &relstore::engine::ReconciledTable| json!({"name": t.name, "created": t.created, "updated": t.updated, "deleted": t.deleted, "replaced": t.replaced});
        let tables: Vec<_> = done.tables.iter().map(table).collect();
        let document = json!({"lsn": done.lsn.get(), "schema_changed": done.schema_changed, "tables": tables});
        serde_json::to_writer_pretty(&mut out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        if !done.tables.is_empty() {
            let mut table = Table::new(&["table", "created", "updated", "deleted", "logged as"]);
            for t in &done.tables {
                let how = if t.replaced { "another table: the log no longer held its whole life" } else { "changes" };
                table.row([t.name.clone(), grouped(t.created), grouped(t.updated), grouped(t.deleted), how.to_owned()]);
            }
            writeln!(out, "{}", table.render())?;
        }
        let what = match (done.tables.is_empty(), done.schema_changed) {
            (true, false) => "Nothing differs",
            (true, true) => "The schema had changed, and no row",
            (false, _) => "The log says again what the store holds",
        };
        writeln!(out, "{what}, LSN {}.", done.lsn)?;
    }
    out.flush()?;
    Ok(())
}
