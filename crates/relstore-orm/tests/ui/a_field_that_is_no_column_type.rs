//! A field whose type no column can have.

use relstore_orm::Table;

struct Place;

#[derive(Table)]
#[table(name = "flights")]
struct Flight {
    #[column(primary_key)]
    id: i64,
    place: Place,
}

fn main() {}
