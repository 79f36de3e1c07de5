//! A left-joined column that is taken for one that is always there.

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
    let names: Vec<String> =
        store.select_cols(airports.name).from(flights).left_join(airports, eq(flights.dest, airports.faa)).all()?;
    Ok(())
}

fn main() {}
