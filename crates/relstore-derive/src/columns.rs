//! The struct of a table's columns, and the constant that stands for the table.

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::TableInput;

pub(crate) fn expand(table: &TableInput) -> TokenStream {
    let TableInput { model, visibility, name, constant, columns_type, derived, fields, .. } = table;
    let field_names: Vec<_> = fields.iter().map(|column| &column.field).collect();
    let rust_types: Vec<_> = fields.iter().map(|column| &column.rust_type).collect();
    let sql_names = fields.iter().map(|column| &column.name);
    let column_docs = fields.iter().map(|column| format!("The column `{}`.", column.name));
    let type_doc = format!("The columns of the table `{name}`, or of `S`, an alias of it.");
    let constant_doc = format!("The table `{name}`, in statements.");
    let sole = match rust_types.as_slice() {
        [sole] => quote!(#[automatically_derived] impl #derived::FilledBy<#sole> for #model {}),
        _ => quote!(),
    };
    quote! {
        #[doc = #type_doc]
        #[allow(dead_code)]
        #visibility struct #columns_type<S = #model> {
            #( #[doc = #column_docs] #visibility #field_names: #derived::Column<S, #rust_types>, )*
        }

        #[automatically_derived]
        impl<S> ::core::clone::Clone for #columns_type<S> {
            fn clone(&self) -> Self {
                *self
            }
        }

        #[automatically_derived]
        impl<S> ::core::marker::Copy for #columns_type<S> {}

        #[automatically_derived]
        impl<S> ::core::fmt::Debug for #columns_type<S> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(#name)
            }
        }

        impl<S> #columns_type<S> {
            const EVERY: Self = Self { #( #field_names: #derived::Column::new(#sql_names), )* };
        }

        #[doc = #constant_doc]
        #[allow(non_upper_case_globals, dead_code)]
        #visibility const #constant: #columns_type = #columns_type::EVERY;

        #[automatically_derived]
        impl<S: #derived::Source<Model = #model>> #derived::TableRef for #columns_type<S> {
            type Model = #model;
            type Source = S;
            type Aliased<A: #derived::AliasName> = #columns_type<#derived::Aliased<#model, A>>;

            fn aliased<A: #derived::AliasName>(&self) -> Self::Aliased<A> {
                #columns_type::EVERY
            }
        }

        #[automatically_derived]
        impl<T, S, P> #derived::Projection<T, P> for #columns_type<S>
        where
            S: #derived::Source<Model = #model>,
            T: #derived::Has<S, P>,
        {
            type Row = <T::Presence as #derived::Nullness>::Row<#model>;
            const WIDTH: usize = <#model as #derived::FromRow>::WIDTH;

            fn render(&self, out: &mut #derived::Fragment) {
                #derived::render_columns::<S>(out);
            }

            fn decode(&self, cells: &[#derived::ValueRef<'_>], at: usize) -> #derived::Result<Self::Row> {
                #derived::FromRow::from_row(cells, at)
            }
        }

        #[automatically_derived]
        impl #derived::FilledBy<(#(#rust_types,)*)> for #model {}
        #sole
    }
}
