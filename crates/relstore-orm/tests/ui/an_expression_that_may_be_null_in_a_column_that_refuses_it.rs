//! A quotient, which may be NULL, in a column that refuses it.

use relstore_orm::{Executor, Table, Typed};

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
    store.update(flights).set(FlightSet::new().delay(flights.delay / 2)).execute()?;
    Ok(())
}

fn main() {}
