//! A foreign key of another type than what it refers to.

use relstore_orm::Table;

#[derive(Table)]
#[table(name = "airports")]
struct Airport {
    #[column(primary_key)]
    faa: String,
}

#[derive(Table)]
#[table(name = "flights")]
struct Flight {
    #[column(references = airports::faa)]
    dest: i64,
}

fn main() {}
