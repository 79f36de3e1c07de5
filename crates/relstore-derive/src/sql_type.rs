//! `#[derive(SqlType)]`: an enum as text, a struct of one field as that field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DataEnum, DeriveInput, Error, Fields, LitStr, Path, Result, Variant, parse_quote};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.ident.span(), "a column type made by derive has no type parameters and no lifetimes"));
    }
    let derived = derived(&input.attrs)?;
    match &input.data {
        Data::Enum(data) => enumeration(input, data, &derived),
        Data::Struct(data) if data.fields.len() == 1 => newtype(input, &data.fields, &derived),
        Data::Struct(_) | Data::Union(_) => {
            Err(Error::new(input.ident.span(), "a column type made by derive is an enum without fields, or a struct of one field"))
        }
    }
}

/// The path of `derived` in relstore-orm.
fn derived(attributes: &[Attribute]) -> Result<Path> {
    let mut krate: Path = parse_quote!(::relstore_orm);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("sql")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("unknown: a column type has crate"));
            }
            krate = meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?;
            Ok(())
        })?;
    }
    Ok(parse_quote!(#krate::derived))
}

fn enumeration(input: &DeriveInput, data: &DataEnum, derived: &Path) -> Result<TokenStream> {
    let (name, visibility) = (&input.ident, &input.vis);
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let texts = data.variants.iter().map(text_of).collect::<Result<Vec<_>>>()?;
    if texts.is_empty() {
        return Err(Error::new(name.span(), "an enum has at least one variant"));
    }
    if let Some(at) = (1..texts.len()).find(|at| texts[..*at].contains(&texts[*at])) {
        return Err(Error::new(variants[at].span(), format!("two variants are `{}` in SQL: give one #[sql(name = \"…\")]", texts[at])));
    }
    let literals = texts.iter().map(|text| format!("'{}'", text.replace('\'', "''")));
    let bytes = texts.iter().map(|text| syn::LitByteStr::new(text.as_bytes(), name.span()));
    let expected = format!("one of {}", texts.join(", "));
    Ok(quote! {
        #[automatically_derived]
        impl #derived::SqlType for #name {
            const DECLARED: &'static str = "TEXT";
            const EXPECTED: &'static str = #expected;

            fn from_cell(cell: #derived::ValueRef<'_>) -> ::core::result::Result<Self, #derived::Unfit> {
                match cell {
                    #( #derived::ValueRef::Text(#bytes) => ::core::result::Result::Ok(Self::#variants), )*
                    other => ::core::result::Result::Err(#derived::unknown_variant(other)),
                }
            }

            fn into_cell(self) -> ::core::result::Result<#derived::Value, #derived::Unfit> {
                let text = match self {
                    #( Self::#variants => #texts, )*
                };
                ::core::result::Result::Ok(#derived::Value::Text(::std::borrow::ToOwned::to_owned(text)))
            }
        }

        #[allow(dead_code)]
        impl #name {
            /// The text in quotes, as SQL has it.
            #[must_use]
            #visibility const fn sql_literal(&self) -> &'static str {
                match self {
                    #( Self::#variants => #literals, )*
                }
            }
        }
    })
}

/// What a variant is in SQL.
fn text_of(variant: &Variant) -> Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(variant.ident.span(), "a variant of a column type has no fields; for one that has, use Json<T>"));
    }
    let mut text = snake_case(&variant.ident.unraw().to_string());
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("sql")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("unknown: a variant has name"));
            }
            text = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(text)
}

/// `InTransit` as `in_transit`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (i, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

fn newtype(input: &DeriveInput, fields: &Fields, derived: &Path) -> Result<TokenStream> {
    let name = &input.ident;
    let Some(field) = fields.iter().next() else { return Err(Error::new(name.span(), "a struct of one field is expected")) };
    let rust_type = &field.ty;
    let (make, member) = match &field.ident {
        Some(ident) => (quote!(Self { #ident: inner }), quote!(self.#ident)),
        None => (quote!(Self(inner)), quote!(self.0)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #derived::SqlType for #name {
            const DECLARED: &'static str = <#rust_type as #derived::SqlType>::DECLARED;
            const EXPECTED: &'static str = <#rust_type as #derived::SqlType>::EXPECTED;

            #[inline]
            fn from_cell(cell: #derived::ValueRef<'_>) -> ::core::result::Result<Self, #derived::Unfit> {
                <#rust_type as #derived::SqlType>::from_cell(cell).map(|inner| #make)
            }

            #[inline]
            fn into_cell(self) -> ::core::result::Result<#derived::Value, #derived::Unfit> {
                <#rust_type as #derived::SqlType>::into_cell(#member)
            }
        }
    })
}
