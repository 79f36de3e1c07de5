//! A table that is not in the query, in a projection.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select_cols((flights.id, airports.faa)).from(flights).all()?;
    Ok(())
}

fn main() {}
