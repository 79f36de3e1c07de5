//! A subquery that uses a table of the query around it and does not say so.

use relstore_orm::{Executor, Table, Typed, eq, exists};

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
    let there = exists(store.select().from(airports).where_(eq(airports.faa, flights.dest)));
    store.select().from(flights).where_(there).all()?;
    Ok(())
}

fn main() {}
