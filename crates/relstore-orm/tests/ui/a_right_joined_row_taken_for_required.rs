//! Right-joined rows that are taken for ones that are always there.

use relstore_orm::{Executor, Table, Typed, eq};

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
    let rows: Vec<(Flight, Airport)> =
        store.select().from(flights).right_join(airports, eq(flights.dest, airports.faa)).all()?;
    Ok(())
}

fn main() {}
