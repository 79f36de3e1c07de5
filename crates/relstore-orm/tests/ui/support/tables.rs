//! The tables of the programs that do not compile.

use relstore_orm::Table;

#[derive(Table)]
#[table(name = "airports")]
pub struct Airport {
    #[column(primary_key)]
    pub faa: String,
    pub name: String,
    pub altitude: Option<i64>,
}

#[derive(Table)]
#[table(name = "flights")]
pub struct Flight {
    #[column(primary_key)]
    pub id: i64,
    pub dest: String,
    pub delay: i64,
}
