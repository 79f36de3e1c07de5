//! An aggregate in where_.

use relstore_orm::{Executor, Typed, count, gt};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).where_(gt(count(), 5)).all()?;
    Ok(())
}

fn main() {}
