//! A table that is not in the query, in a condition.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).where_(eq(airports.faa, "ORD")).all()?;
    Ok(())
}

fn main() {}
