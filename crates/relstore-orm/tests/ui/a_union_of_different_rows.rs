//! A union of rows of different types.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select_cols(flights.id).from(flights).union(store.select_cols(airports.faa).from(airports)).all()?;
    Ok(())
}

fn main() {}
