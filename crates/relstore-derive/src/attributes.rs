//! `#[table(…)]` and `#[column(…)]` as written.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Ident, Lit, LitStr, Path, Result, Token};

/// What `#[table(…)]` says.
#[derive(Default)]
pub(crate) struct TableAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) constant: Option<Ident>,
    pub(crate) krate: Option<Path>,
    pub(crate) unique: Vec<Vec<Ident>>,
    pub(crate) indexes: Vec<Vec<Ident>>,
}

/// What `#[column(…)]` says.
#[derive(Default)]
pub(crate) struct ColumnAttributes {
    pub(crate) name: Option<String>,
    pub(crate) is_primary_key: bool,
    pub(crate) is_unique: bool,
    pub(crate) default: Option<ColumnDefault>,
    pub(crate) references: Option<Target>,
}

/// A column's default.
pub(crate) struct ColumnDefault {
    /// As SQL text.
    pub(crate) sql: String,
    /// As Rust, for the check against the column's type; an SQL expression has none.
    pub(crate) rust: Option<TokenStream>,
}

/// The column that a foreign key refers to.
pub(crate) struct Target {
    /// The path of the table's constant.
    pub(crate) table: Path,
    /// The field of the column.
    pub(crate) column: Ident,
}

impl TableAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    read.name = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("constant") {
                    read.constant = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("crate") {
                    read.krate = Some(meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?);
                } else if meta.path.is_ident("unique") {
                    read.unique.push(field_list(&meta)?);
                } else if meta.path.is_ident("index") {
                    read.indexes.push(field_list(&meta)?);
                } else {
                    return Err(meta.error("unknown: a table has name, unique(…), index(…), constant and crate"));
                }
                Ok(())
            })?;
        }
        Ok(read)
    }
}

impl ColumnAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("column")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("primary_key") {
                    read.is_primary_key = true;
                } else if meta.path.is_ident("unique") {
                    read.is_unique = true;
                } else if meta.path.is_ident("name") {
                    read.name = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("default") {
                    read.default = Some(literal_default(meta.value()?)?);
                } else if meta.path.is_ident("default_sql") {
                    let sql = meta.value()?.parse::<LitStr>()?.value();
                    read.default = Some(ColumnDefault { sql: format!("({sql})"), rust: None });
                } else if meta.path.is_ident("references") {
                    read.references = Some(target(meta.value()?.parse()?)?);
                } else {
                    let known = "unknown: a column has primary_key, unique, default, default_sql, references and name";
                    return Err(meta.error(known));
                }
                Ok(())
            })?;
        }
        Ok(read)
    }
}

/// `(a, b)` after a word.
fn field_list(meta: &ParseNestedMeta<'_>) -> Result<Vec<Ident>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let fields = content.parse_terminated(|input: ParseStream<'_>| input.parse::<Ident>(), Token![,])?;
    if fields.is_empty() {
        return Err(meta.error("name at least one field"));
    }
    Ok(fields.into_iter().collect())
}

fn literal_default(input: ParseStream<'_>) -> Result<ColumnDefault> {
    let minus: Option<Token![-]> = input.parse()?;
    let literal: Lit = input.parse()?;
    let digits = match &literal {
        Lit::Int(number) => number.base10_digits().to_owned(),
        Lit::Float(number) => number.base10_digits().to_owned(),
        Lit::Str(text) if minus.is_none() => format!("'{}'", text.value().replace('\'', "''")),
        Lit::Bool(flag) if minus.is_none() => if flag.value { "1" } else { "0" }.to_owned(),
        _ => {
            return Err(Error::new(literal.span(), "a default is a number, a text or a bool; for an expression write default_sql = \"…\""));
        }
    };
    let sql = if minus.is_some() { format!("-{digits}") } else { digits };
    Ok(ColumnDefault { sql, rust: Some(quote!(#minus #literal)) })
}

/// `airports::faa`, or with a longer path before it, into table and column.
fn target(path: Path) -> Result<Target> {
    let span = path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
    let refuse = || Error::new(span, "write references = table::field, such as airports::faa");
    let mut table = path;
    let column = table.segments.pop().ok_or_else(refuse)?.into_value().ident;
    table.segments.pop_punct();
    if table.segments.is_empty() { Err(refuse()) } else { Ok(Target { table, column }) }
}
