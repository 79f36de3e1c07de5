//! Raw SQL with more holes than parts.

use relstore_orm::{Executor, Typed, sql};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    store.select().from(flights).where_(sql!("{} > {}", flights.id).condition()).all()?;
    Ok(())
}

fn main() {}
