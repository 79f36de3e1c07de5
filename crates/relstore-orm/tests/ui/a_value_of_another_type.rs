//! A value of the wrong type.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).where_(eq(flights.dest, 5_i64)).all()?;
    Ok(())
}

fn main() {}
