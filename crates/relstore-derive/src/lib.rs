//! `#[derive(Table)]` and `#[derive(SqlType)]` for relstore-orm, which documents them.
//!
//! What comes in: a struct with named fields and its `#[table]` and `#[column]` attributes, read by `input`. What goes out: the table's
//! columns and constant (`columns`), its description (`description`), and the rows that are read, inserted and updated (`rows`). The code
//! made names only items of `derived` in relstore-orm, so the two crates agree there and nowhere else.

mod attributes;
mod columns;
mod description;
mod input;
mod rows;
mod sql_type;

use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use input::TableInput;

/// Makes a struct the model of a table. See `relstore_orm::Table`.
#[proc_macro_derive(Table, attributes(table, column))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let expanded = TableInput::read(&input).and_then(|table| {
        let columns = columns::expand(&table);
        let description = description::expand(&table)?;
        let rows = rows::expand(&table);
        Ok(quote!(#columns #description #rows))
    });
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes an enum without fields, or a struct of one field, the type of a column. See `relstore_orm::SqlType`.
#[proc_macro_derive(SqlType, attributes(sql))]
pub fn derive_sql_type(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    sql_type::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
