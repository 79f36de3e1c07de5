//! `#[derive(Table)]` for relstore-orm, which documents it.
//!
//! What comes in: a struct with named fields and its `#[table]` and `#[column]` attributes, read by `input`. What goes out: the table's
//! columns and constant (`columns`), its description (`description`), and the rows that are read, inserted and updated (`rows`). The code
//! made names only items of `derived` in relstore-orm, so the two crates agree there and nowhere else.

mod attributes;
mod columns;
mod description;
mod input;
mod rows;

use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use input::TableInput;

/// Makes a struct the model of a table. See `relstore_orm::Table`.
#[proc_macro_derive(Table, attributes(table, column))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let expanded = TableInput::read(&input).map(|table| {
        let columns = columns::expand(&table);
        let description = description::expand(&table);
        let rows = rows::expand(&table);
        quote!(#columns #description #rows)
    });
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
