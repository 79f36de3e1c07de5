//! Rows of the table: read as the model, inserted as the model or its `New…`, updated by its `…Set`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::input::TableInput;

pub(crate) fn expand(table: &TableInput) -> TokenStream {
    let model = model_rows(table);
    let new = new_type(table);
    let set = set_type(table);
    quote!(#model #new #set)
}

fn model_rows(table: &TableInput) -> TokenStream {
    let TableInput { model, name, derived, fields, .. } = table;
    let field_names: Vec<&Ident> = fields.iter().map(|column| &column.field).collect();
    let rust_types: Vec<_> = fields.iter().map(|column| &column.rust_type).collect();
    let sql_names = fields.iter().map(|column| &column.name);
    let positions = 0..fields.len();
    let width = fields.len();
    quote! {
        #[automatically_derived]
        impl #derived::FromRow for #model {
            const WIDTH: usize = #width;

            fn from_row(cells: &[#derived::ValueRef<'_>], at: usize) -> #derived::Result<Self> {
                ::core::result::Result::Ok(Self {
                    #( #field_names: #derived::read_cell::<#rust_types>(cells, at + #positions, #name, #sql_names)?, )*
                })
            }
        }

        #[automatically_derived]
        impl #derived::Insertable<#model> for #model {
            fn into_row(self) -> #derived::NewRow {
                #derived::NewRow::every(::std::vec![
                    #( <#rust_types as #derived::SqlType>::into_cell(self.#field_names), )*
                ])
            }
        }
    }
}

fn new_type(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, new_type, derived, fields, .. } = table;
    let numbered = || fields.iter().enumerate();
    let required: Vec<_> = numbered().filter(|(_, column)| column.is_required).collect();
    let arguments = required.iter().map(|(_, column)| {
        let (field, rust_type) = (&column.field, &column.rust_type);
        quote!(#field: impl #derived::IntoValue<#rust_type>)
    });
    let settings = required.iter().map(|(position, column)| {
        let field = &column.field;
        quote!(cells.set(#position, #derived::IntoValue::into_value(#field));)
    });
    let setters = numbered().filter(|(_, column)| !column.is_required).map(|(position, column)| {
        let (field, rust_type) = (&column.field, &column.rust_type);
        let doc = format!("Gives the column `{}` instead of leaving it to its default.", column.name);
        quote! {
            #[doc = #doc]
            #[must_use]
            #visibility fn #field(mut self, value: impl #derived::IntoValue<#rust_type>) -> Self {
                self.cells.set(#position, #derived::IntoValue::into_value(value));
                self
            }
        }
    });
    let type_doc = format!("A row to insert into the table `{name}`; columns with a default may be left out.");
    let mutable = if required.is_empty() { quote!() } else { quote!(mut) };
    quote! {
        #[doc = #type_doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code)]
        #visibility struct #new_type {
            cells: #derived::Cells,
        }

        #[allow(dead_code, clippy::new_without_default, clippy::too_many_arguments, clippy::should_implement_trait)]
        impl #new_type {
            /// A row with the columns that have no default, in their order.
            #[must_use]
            #visibility fn new(#(#arguments),*) -> Self {
                let #mutable cells = <#derived::Cells as ::core::default::Default>::default();
                #(#settings)*
                Self { cells }
            }

            #(#setters)*
        }

        #[automatically_derived]
        impl #derived::Insertable<#model> for #new_type {
            fn into_row(self) -> #derived::NewRow {
                ::core::convert::From::from(self.cells)
            }
        }
    }
}

fn set_type(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, set_type, derived, fields, .. } = table;
    let setters = fields.iter().map(|column| {
        let (field, rust_type, sql_name) = (&column.field, &column.rust_type, &column.name);
        let doc = format!("Sets the column `{sql_name}`.");
        quote! {
            #[doc = #doc]
            #[must_use]
            #visibility fn #field(mut self, value: impl #derived::Assign<#model, #rust_type>) -> Self {
                self.assignments.set(#sql_name, #derived::Assign::assigned(value));
                self
            }
        }
    });
    let type_doc = format!("Columns of the table `{name}` to set in an update.");
    quote! {
        #[doc = #type_doc]
        #[derive(Clone, Debug, Default)]
        #[allow(dead_code)]
        #visibility struct #set_type {
            assignments: #derived::Assignments,
        }

        #[allow(dead_code, clippy::should_implement_trait)]
        impl #set_type {
            /// No columns yet.
            #[must_use]
            #visibility fn new() -> Self {
                <Self as ::core::default::Default>::default()
            }

            #(#setters)*
        }

        #[automatically_derived]
        impl ::core::convert::From<#set_type> for #derived::Assignments {
            fn from(set: #set_type) -> Self {
                set.assignments
            }
        }
    }
}
