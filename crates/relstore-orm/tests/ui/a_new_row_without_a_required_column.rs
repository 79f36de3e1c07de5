//! A new row without a column that has no default.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.insert(flights).value(NewFlight::new("ORD")).execute()?;
    Ok(())
}

fn main() {}
