//! Arithmetic on text.

use relstore_orm::{Executor, Typed, gt};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).where_(gt(flights.dest + 1, 5)).all()?;
    Ok(())
}

fn main() {}
