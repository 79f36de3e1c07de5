//! The struct of a table's columns, and the constant that stands for the table.

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::TableInput;

pub(crate) fn expand(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, constant, columns_type, derived, fields, .. } = table;
    let field_names: Vec<_> = fields.iter().map(|column| &column.field).collect();
    let rust_types = fields.iter().map(|column| &column.rust_type);
    let sql_names = fields.iter().map(|column| &column.name);
    let column_docs = fields.iter().map(|column| format!("The column `{}`.", column.name));
    let type_doc = format!("The columns of the table `{name}`.");
    let constant_doc = format!("The table `{name}`, in statements.");
    quote! {
        #[doc = #type_doc]
        #[derive(Clone, Copy, Debug)]
        #[allow(dead_code)]
        #visibility struct #columns_type {
            #( #[doc = #column_docs] #visibility #field_names: #derived::Column<#model, #rust_types>, )*
        }

        #[doc = #constant_doc]
        #[allow(non_upper_case_globals, dead_code)]
        #visibility const #constant: #columns_type = #columns_type {
            #( #field_names: #derived::Column::new(#sql_names), )*
        };

        #[automatically_derived]
        impl #derived::TableRef for #columns_type {
            type Model = #model;
        }
    }
}
