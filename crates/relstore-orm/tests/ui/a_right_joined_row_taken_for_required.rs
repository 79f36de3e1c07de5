//! Right-joined rows that are taken for ones that are always there.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    let rows: Vec<(Flight, Airport)> =
        store.select().from(flights).right_join(airports, eq(flights.dest, airports.faa)).all()?;
    Ok(())
}

fn main() {}
