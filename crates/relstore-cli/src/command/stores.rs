//! `relstore stores`: what an installation holds.

use std::io::Write;

use relstore::{Fleet, StoreStatus};

use crate::cli::StoresArguments;
use crate::failure::Outcome;
use crate::output::number::{bytes, grouped};
use crate::output::table::Table;

pub(crate) async fn run(arguments: StoresArguments) -> Outcome {
    let fleet = Fleet::open(&arguments.dir).await?;
    let stores = fleet.stores().await?;
    let mut out = super::stdout();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &stores).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else if stores.is_empty() {
        writeln!(out, "No stores yet: relstore sql --dir {} --ns NAME \"CREATE TABLE …\" makes one.", arguments.dir.display())?;
    } else {
        writeln!(out, "{}", table(&stores).render())?;
    }
    out.flush()?;
    Ok(())
}

fn table(stores: &[StoreStatus]) -> Table {
    let mut table =
        Table::new(&["store", "tables", "hot rows", "hot file", "evicted rows", "LSN", "shipped", "archived", "schema", "last commit"]);
    for store in stores {
        table.row([
            store.ns.to_string(),
            grouped(store.tables.len() as u64),
            grouped(store.tables.values().sum()),
            bytes(store.hot_bytes),
            grouped(store.evicted_rows),
            grouped(store.high_water.get()),
            grouped(store.shipped.get()),
            grouped(store.archived.get()),
            store.schema_version.to_string(),
            store.last_commit.map_or_else(|| "never".to_owned(), |time| time.to_iso_millis()),
        ]);
    }
    table
}
