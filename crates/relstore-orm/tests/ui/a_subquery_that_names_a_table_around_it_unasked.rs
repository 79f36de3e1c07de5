//! A subquery that uses a table of the query around it and does not say so.

use relstore_orm::{Executor, Typed, eq, exists};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    let there = exists(store.select().from(airports).where_(eq(airports.faa, flights.dest)));
    store.select().from(flights).where_(there).all()?;
    Ok(())
}

fn main() {}
