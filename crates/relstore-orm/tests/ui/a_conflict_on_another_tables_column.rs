//! A conflict on a column of another table.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.insert(flights).value(NewFlight::new("ORD", 1)).on_conflict(airports.faa).do_nothing().execute()?;
    Ok(())
}

fn main() {}
