//! An update that does not say what to set.

use relstore_orm::{Executor, Typed};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.update(flights).execute()?;
    Ok(())
}

fn main() {}
