//! The table's description: names, types, keys, constraints, defaults.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Result};

use crate::attributes::{ColumnDefault, IndexAttribute, IndexPart, Target};
use crate::input::{ColumnInput, TableInput};

pub(crate) fn expand(table: &TableInput) -> Result<TokenStream> {
    let TableInput { model, name, new_type, set_type, derived, fields, unique, .. } = table;
    let columns = fields.iter().map(|column| definition(table, column));
    let unique = unique.iter().map(|columns| quote!(&[#(#columns),*]));
    let indexes = table.indexes.iter().map(|index| index_of(table, index)).collect::<Result<Vec<_>>>()?;
    let checks = table.checks.iter().map(|check| {
        let (name, sql) = (optional(check.name.as_ref()), &check.sql);
        quote!(#derived::Check { name: #name, sql: #sql })
    });
    let foreign_keys = foreign_keys(table)?;
    let default_checks = fields.iter().filter_map(|column| match &column.attributes.default {
        Some(ColumnDefault::Sql(_, Some(rust))) => {
            let rust_type = &column.rust_type;
            Some(quote!(#derived::check_default::<#rust_type>(#rust);))
        }
        Some(ColumnDefault::Variant(path)) => {
            let rust_type = &column.rust_type;
            Some(quote!(#derived::check_default::<#rust_type>(#path);))
        }
        _ => None,
    });
    let on_update = on_update(table);
    Ok(quote! {
        #[automatically_derived]
        impl #derived::Table for #model {
            const NAME: &'static str = #name;
            const DEF: #derived::TableDef = #derived::TableDef {
                name: #name,
                columns: &[#(#columns),*],
                unique: &[#(#unique),*],
                checks: &[#(#checks),*],
                foreign_keys: &[#(#foreign_keys),*],
                indexes: &[#(#indexes),*],
            };
            type New = #new_type;
            type Set = #set_type;
            #on_update
        }

        const _: fn() = || { #(#default_checks)* };
    })
}

fn optional<T: quote::ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn definition(table: &TableInput, column: &ColumnInput) -> TokenStream {
    let derived = &table.derived;
    let ColumnInput { rust_type, name, attributes, .. } = column;
    let is_unique = attributes.is_unique;
    let key = format_ident!(
        "{}",
        match (attributes.is_primary_key, attributes.is_autoincrement) {
            (_, true) => "Autoincrement",
            (true, false) => "Primary",
            (false, false) => "No",
        }
    );
    let default = optional(attributes.default.as_ref().map(|default| match default {
        ColumnDefault::Sql(sql, _) => quote!(#sql),
        ColumnDefault::Variant(path) => quote!(#path.sql_literal()),
    }));
    let check = optional(attributes.check.as_ref());
    let generated = optional(attributes.generated.as_ref().map(|generated| {
        let sql = &generated.sql;
        let kind = format_ident!("{}", if generated.is_stored { "Stored" } else { "Virtual" });
        quote!(#derived::Generated::#kind(#sql))
    }));
    quote! {
        #derived::ColumnDef {
            name: #name,
            declared: <#rust_type as #derived::ColumnType>::DECLARED,
            not_null: !<#rust_type as #derived::ColumnType>::NULLABLE,
            key: #derived::Key::#key,
            unique: #is_unique,
            default: #default,
            check: #check,
            generated: #generated,
        }
    }
}

/// The foreign keys of the table, then those of its columns.
fn foreign_keys(table: &TableInput) -> Result<Vec<TokenStream>> {
    let mut keys = Vec::new();
    for key in &table.foreign_keys {
        let pairs = key.fields.iter().zip(&key.targets).map(|(field, target)| Ok((table.column(field)?, target)));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        keys.push(foreign_key(table, &pairs, key.on_delete.as_ref(), key.on_update.as_ref()));
    }
    for column in &table.fields {
        if let Some(target) = &column.attributes.references {
            let (on_delete, on_update) = (column.attributes.on_delete.as_ref(), column.attributes.on_update.as_ref());
            keys.push(foreign_key(table, &[(column, target)], on_delete, on_update));
        }
    }
    Ok(keys)
}

fn foreign_key(table: &TableInput, pairs: &[(&ColumnInput, &Target)], on_delete: Option<&Ident>, on_update: Option<&Ident>) -> TokenStream {
    let (derived, constant) = (&table.derived, &table.constant);
    let references = pairs.iter().map(|(column, Target { table, column: to })| {
        let field = &column.field;
        quote!(#derived::reference(#constant.#field, #table.#to))
    });
    let no_action = format_ident!("NoAction");
    let (on_delete, on_update) = (on_delete.unwrap_or(&no_action), on_update.unwrap_or(&no_action));
    quote! {
        #derived::ForeignKey {
            references: &[#(#references),*],
            on_delete: #derived::Action::#on_delete,
            on_update: #derived::Action::#on_update,
        }
    }
}

fn index_of(table: &TableInput, index: &IndexAttribute) -> Result<TokenStream> {
    let derived = &table.derived;
    let parts = index.parts.iter().map(|part| match part {
        IndexPart::Field(field) => {
            let name = &table.column(field)?.name;
            Ok(quote!(#derived::IndexPart::Column(#name)))
        }
        IndexPart::Sql(sql) => Ok(quote!(#derived::IndexPart::Sql(#sql))),
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let (name, is_unique, condition) = (optional(index.name.as_ref()), index.is_unique, optional(index.condition.as_ref()));
    Ok(quote!(#derived::Index { name: #name, parts: &[#(#parts),*], unique: #is_unique, condition: #condition }))
}

/// The columns that an update sets by a function when the program does not.
fn on_update(table: &TableInput) -> TokenStream {
    let TableInput { model, derived, fields, .. } = table;
    let settings: Vec<_> = fields
        .iter()
        .filter_map(|column| {
            let (path, rust_type, name) = (column.attributes.on_update_with.as_ref()?, &column.rust_type, &column.name);
            Some(quote! {
                assignments.set_if_absent(#name, || #derived::assigned::<#model, #rust_type, _, _>(#path()));
            })
        })
        .collect();
    if settings.is_empty() {
        return quote!();
    }
    quote! {
        fn on_update(assignments: &mut #derived::Assignments) {
            #(#settings)*
        }
    }
}
