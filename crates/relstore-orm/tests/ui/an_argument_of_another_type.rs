//! An argument of another type than its parameter.

use relstore_orm::{Executor, Param, Typed, eq};

#[path = "support/tables.rs"]
mod tables;
use tables::*;

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    let by_id = store.prepare(|id: Param<i64>| store.select().from(flights).where_(eq(flights.id, id)))?;
    by_id.one("ORD")?;
    Ok(())
}

fn main() {}
