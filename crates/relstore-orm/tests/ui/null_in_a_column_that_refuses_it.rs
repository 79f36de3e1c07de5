//! NULL in a column that refuses it.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.update(airports).set(AirportSet::new().name(None)).execute()?;
    Ok(())
}

fn main() {}
