//! Rows of a query inserted into columns of other types.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.insert(airports).from_select((airports.faa, airports.name), store.select_cols((flights.dest, flights.id)).from(flights)).execute()?;
    Ok(())
}

fn main() {}
