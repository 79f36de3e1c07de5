//! A quotient, which may be NULL, in a column that refuses it.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.update(flights).set(FlightSet::new().delay(flights.delay / 2)).execute()?;
    Ok(())
}

fn main() {}
