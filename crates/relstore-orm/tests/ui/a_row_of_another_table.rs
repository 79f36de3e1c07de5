//! A row of another table.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.insert(flights).value(NewAirport::new("ORD", "O'Hare")).execute()?;
    Ok(())
}

fn main() {}
