//! An update that sets nothing.

use relstore_orm::{Executor, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.update(flights).set(FlightSet::new()).where_(eq(flights.id, 1)).execute()?;
    Ok(())
}

fn main() {}
