//! A left-joined column that is taken for one that is always there.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    let names: Vec<String> =
        store.select_cols(airports.name).from(flights).left_join(airports, eq(flights.dest, airports.faa)).all()?;
    Ok(())
}

fn main() {}
