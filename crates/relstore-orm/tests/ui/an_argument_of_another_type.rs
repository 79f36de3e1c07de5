//! An argument of another type than its parameter.

use relstore_orm::{Executor, Param, Table, Typed, eq};

#[derive(Table)]
#[table(name = "airports")]
struct Airport {
    #[column(primary_key)]
    faa: String,
    name: String,
    altitude: Option<i64>,
}

#[derive(Table)]
#[table(name = "flights")]
struct Flight {
    #[column(primary_key)]
    id: i64,
    dest: String,
    delay: i64,
}

fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
    let by_id = store.prepare(|id: Param<i64>| store.select().from(flights).where_(eq(flights.id, id)))?;
    by_id.one("ORD")?;
    Ok(())
}

fn main() {}
