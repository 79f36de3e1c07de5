//! One table's columns set in another.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.update(flights).set(AirportSet::new().name("O'Hare")).execute()?;
    Ok(())
}

fn main() {}
