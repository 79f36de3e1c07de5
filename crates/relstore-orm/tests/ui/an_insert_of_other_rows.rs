//! Rows of a query inserted into columns of other types.

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
    store.insert(airports).from_select((airports.faa, airports.name), store.select_cols((flights.dest, flights.id)).from(flights)).execute()?;
    Ok(())
}

fn main() {}
