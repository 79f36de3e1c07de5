//! The table's description: names, types, keys, defaults.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attributes::Target;
use crate::input::{ColumnInput, TableInput};

pub(crate) fn expand(table: &TableInput) -> TokenStream {
    let TableInput { model, name, new_type, set_type, derived, fields, unique, indexes, .. } = table;
    let columns = fields.iter().map(|column| definition(table, column));
    let unique = unique.iter().map(|columns| quote!(&[#(#columns),*]));
    let indexes = indexes.iter().map(|columns| quote!(&[#(#columns),*]));
    let checks = fields.iter().filter_map(|column| {
        let (rust_type, default) = (&column.rust_type, column.attributes.default.as_ref()?.rust.as_ref()?);
        Some(quote!(#derived::check_default::<#rust_type>(#default);))
    });
    quote! {
        #[automatically_derived]
        impl #derived::Table for #model {
            const NAME: &'static str = #name;
            const DEF: #derived::TableDef = #derived::TableDef {
                name: #name,
                columns: &[#(#columns),*],
                unique: &[#(#unique),*],
                indexes: &[#(#indexes),*],
            };
            type New = #new_type;
            type Set = #set_type;
        }

        const _: fn() = || { #(#checks)* };
    }
}

fn definition(table: &TableInput, column: &ColumnInput) -> TokenStream {
    let (derived, constant) = (&table.derived, &table.constant);
    let ColumnInput { field, rust_type, name, attributes, .. } = column;
    let (is_primary_key, is_unique) = (attributes.is_primary_key, attributes.is_unique);
    let default = match &attributes.default {
        Some(default) => {
            let sql = &default.sql;
            quote!(::core::option::Option::Some(#sql))
        }
        None => quote!(::core::option::Option::None),
    };
    let references = match &attributes.references {
        Some(Target { table, column }) => {
            quote!(::core::option::Option::Some(#derived::reference(#constant.#field, #table.#column)))
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #derived::ColumnDef {
            name: #name,
            declared: <#rust_type as #derived::SqlType>::DECLARED,
            not_null: !<#rust_type as #derived::SqlType>::NULLABLE,
            primary_key: #is_primary_key,
            unique: #is_unique,
            default: #default,
            references: #references,
        }
    }
}
