//! Attributes that make no sense, each told at its place.

use relstore_orm::{SqlType, Table};

#[derive(Table)]
#[table(name = "a")]
struct SetNullOnRequired {
    #[column(primary_key)]
    id: i64,
    #[column(references = a::id, on_delete = set_null)]
    parent: i64,
}

#[derive(Table)]
#[table(name = "b", index(nowhere))]
struct IndexOnNothing {
    id: i64,
}

#[derive(Table)]
#[table(name = "c")]
struct ActionWithoutKey {
    #[column(on_delete = cascade)]
    id: i64,
}

#[derive(Table)]
#[table(name = "d")]
struct WrongWord {
    #[column(primary)]
    id: i64,
}

#[derive(Table)]
#[table(name = "e")]
struct WrongDefault {
    #[column(default = "none")]
    count: i64,
}

#[derive(SqlType)]
enum WithFields {
    Empty,
    Full(i64),
}

fn main() {}
