//! Two columns of different types.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).inner_join(airports, eq(flights.id, airports.faa)).all()?;
    Ok(())
}

fn main() {}
