//! Rows of the table: read as the model, inserted as the model or its `New…`, updated by its `…Set`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;
use syn::ext::IdentExt as _;

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
    let sql_names: Vec<_> = fields.iter().map(|column| &column.name).collect();
    let positions = 0..fields.len();
    let width = fields.len();
    let given: Vec<_> = fields.iter().filter(|column| column.is_given()).collect();
    let (given_width, given_fields) = (given.len(), given.iter().map(|column| &column.field));
    let (given_types, given_names) = (given.iter().map(|column| &column.rust_type), given.iter().map(|column| &column.name));
    quote! {
        #[automatically_derived]
        impl #derived::FromRow for #model {
            const WIDTH: usize = #width;

            #[inline]
            fn from_row(cells: &[#derived::ValueRef<'_>], at: usize) -> #derived::Result<Self> {
                ::core::result::Result::Ok(Self {
                    #( #field_names: #derived::read_cell::<#rust_types>(cells, at + #positions, #name, #sql_names)?, )*
                })
            }
        }

        #[automatically_derived]
        impl #derived::Insertable<#model> for #model {
            fn into_row(self) -> #derived::NewRow {
                let mut row = #derived::NewRow::every(#given_width);
                #( row.push::<#given_types>(#given_names, self.#given_fields); )*
                row
            }
        }
    }
}

/// The name of a field's argument. Not the field's own: where a table has the same name, Rust would take it for the table's constant.
fn argument(field: &Ident) -> Ident {
    format_ident!("{}_", field.unraw())
}

fn new_type(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, new_type, derived, fields, .. } = table;
    let numbered = || fields.iter().enumerate();
    let required: Vec<_> = numbered().filter(|(_, column)| column.is_required).collect();
    let arguments = required.iter().map(|(_, column)| {
        let (argument, rust_type) = (argument(&column.field), &column.rust_type);
        quote!(#argument: impl #derived::IntoValue<#rust_type>)
    });
    let settings = required.iter().map(|(position, column)| {
        let (argument, rust_type, sql_name) = (argument(&column.field), &column.rust_type, &column.name);
        quote!(cells.set::<#rust_type>(#position, #sql_name, #argument);)
    });
    let setters = numbered().filter(|(_, column)| !column.is_required && column.is_given()).map(|(position, column)| {
        let (field, rust_type, sql_name) = (&column.field, &column.rust_type, &column.name);
        let doc = format!("Gives the column `{sql_name}` instead of leaving it to its default.");
        quote! {
            #[doc = #doc]
            #[must_use]
            #visibility fn #field(mut self, value: impl #derived::IntoValue<#rust_type>) -> Self {
                self.cells.set::<#rust_type>(#position, #sql_name, value);
                self
            }
        }
    });
    // As Drizzle: what is computed on an update is computed on an insert too, if there is no default.
    let computed: Vec<_> = numbered()
        .filter_map(|(position, column)| {
            let on_update = column.attributes.on_update_with.as_ref().filter(|_| column.attributes.default.is_none());
            let path = column.attributes.default_with.as_ref().or(on_update)?;
            let (rust_type, sql_name) = (&column.rust_type, &column.name);
            Some(quote!(cells.set_if_absent::<#rust_type, _>(#position, #sql_name, || #path());))
        })
        .collect();
    let mutable_row = if computed.is_empty() { quote!() } else { quote!(mut) };
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
                let #mutable_row cells = self.cells;
                #(#computed)*
                ::core::convert::From::from(cells)
            }
        }
    }
}

fn set_type(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, set_type, derived, fields, .. } = table;
    let setters = fields.iter().filter(|column| column.is_given()).map(|column| {
        let (field, rust_type, sql_name) = (&column.field, &column.rust_type, &column.name);
        let doc = format!("Sets the column `{sql_name}`.");
        quote! {
            #[doc = #doc]
            #[must_use]
            #visibility fn #field<P>(mut self, value: impl #derived::Assign<#model, #rust_type, P>) -> #set_type {
                self.assignments.set(#sql_name, #derived::Assign::assigned(value));
                #set_type { assignments: self.assignments, state: ::core::marker::PhantomData }
            }
        }
    });
    let type_doc = format!("Columns of the table `{name}` to set in an update. An update takes it once a column is set.");
    quote! {
        #[doc = #type_doc]
        #[allow(dead_code)]
        #visibility struct #set_type<State = #derived::SomeSet> {
            assignments: #derived::Assignments,
            state: ::core::marker::PhantomData<State>,
        }

        #[allow(dead_code)]
        impl #set_type<#derived::NothingSet> {
            /// No columns yet.
            #[must_use]
            #visibility fn new() -> Self {
                Self { assignments: ::core::default::Default::default(), state: ::core::marker::PhantomData }
            }
        }

        #[allow(dead_code)]
        impl #set_type<#derived::SomeSet> {
            /// No columns yet, and perhaps none at all: an update that then sets none is refused when it runs. For columns that are known only
            /// at run time.
            #[must_use]
            #visibility fn maybe_empty() -> Self {
                Self { assignments: ::core::default::Default::default(), state: ::core::marker::PhantomData }
            }
        }

        #[allow(dead_code, clippy::should_implement_trait)]
        impl<State> #set_type<State> {
            #(#setters)*
        }

        #[automatically_derived]
        impl ::core::clone::Clone for #set_type {
            fn clone(&self) -> Self {
                Self { assignments: self.assignments.clone(), state: ::core::marker::PhantomData }
            }
        }

        #[automatically_derived]
        impl<State> ::core::fmt::Debug for #set_type<State> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.assignments, f)
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#set_type> for #derived::Assignments {
            fn from(set: #set_type) -> Self {
                set.assignments
            }
        }
    }
}
