//! `#[table(…)]` and `#[column(…)]` as written.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, Lit, LitStr, Path, Result, Token};

/// What `#[table(…)]` says.
#[derive(Default)]
pub(crate) struct TableAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) constant: Option<Ident>,
    pub(crate) krate: Option<Path>,
    pub(crate) unique: Vec<Vec<Ident>>,
    pub(crate) indexes: Vec<IndexAttribute>,
    pub(crate) checks: Vec<CheckAttribute>,
    pub(crate) foreign_keys: Vec<ForeignKeyAttribute>,
}

/// What `#[column(…)]` says.
#[derive(Default)]
pub(crate) struct ColumnAttributes {
    pub(crate) name: Option<String>,
    pub(crate) is_primary_key: bool,
    pub(crate) is_autoincrement: bool,
    pub(crate) is_unique: bool,
    pub(crate) default: Option<ColumnDefault>,
    /// The function that gives the value when an insert does not.
    pub(crate) default_with: Option<Path>,
    /// The function that gives the value when an update does not.
    pub(crate) on_update_with: Option<Path>,
    pub(crate) check: Option<String>,
    pub(crate) generated: Option<GeneratedAttribute>,
    pub(crate) references: Option<Target>,
    pub(crate) on_delete: Option<Ident>,
    pub(crate) on_update: Option<Ident>,
}

/// A column's default.
pub(crate) enum ColumnDefault {
    /// SQL text, and the Rust literal it was, for the check against the column's type; an SQL expression has none.
    Sql(String, Option<TokenStream>),
    /// A path to a unit variant of an enum.
    Variant(Path),
}

pub(crate) struct GeneratedAttribute {
    pub(crate) sql: String,
    pub(crate) is_stored: bool,
}

/// The column that a foreign key refers to.
pub(crate) struct Target {
    /// The path of the table's constant.
    pub(crate) table: Path,
    /// The field of the column.
    pub(crate) column: Ident,
}

/// `check("…")` or `check(name = "…", "…")`.
pub(crate) struct CheckAttribute {
    pub(crate) name: Option<String>,
    pub(crate) sql: String,
}

/// `index(field, "expression", unique, name = "…", where = "…")`.
#[derive(Default)]
pub(crate) struct IndexAttribute {
    pub(crate) parts: Vec<IndexPart>,
    pub(crate) is_unique: bool,
    pub(crate) name: Option<String>,
    pub(crate) condition: Option<String>,
}

pub(crate) enum IndexPart {
    Field(Ident),
    Sql(String),
}

/// `foreign_key(columns(a, b), references(orders::id, orders::line), on_delete = cascade)`.
pub(crate) struct ForeignKeyAttribute {
    pub(crate) fields: Vec<Ident>,
    pub(crate) targets: Vec<Target>,
    pub(crate) on_delete: Option<Ident>,
    pub(crate) on_update: Option<Ident>,
}

impl TableAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| read.read_one(&meta))?;
        }
        Ok(read)
    }

    fn read_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("constant") {
            self.constant = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("crate") {
            self.krate = Some(meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?);
        } else if meta.path.is_ident("unique") {
            self.unique.push(field_list(meta.input)?);
        } else if meta.path.is_ident("index") {
            self.indexes.push(index(meta)?);
        } else if meta.path.is_ident("check") {
            self.checks.push(check(meta)?);
        } else if meta.path.is_ident("foreign_key") {
            self.foreign_keys.push(foreign_key(meta)?);
        } else {
            return Err(meta.error("unknown: a table has name, unique(…), index(…), check(…), foreign_key(…), constant and crate"));
        }
        Ok(())
    }
}

impl ColumnAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("column")) {
            attribute.parse_nested_meta(|meta| read.read_one(&meta))?;
        }
        Ok(read)
    }

    fn read_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(word) = meta.path.get_ident() else { return Err(meta.error("one word is expected")) };
        match word.to_string().as_str() {
            "primary_key" => self.is_primary_key = true,
            "autoincrement" => self.is_autoincrement = true,
            "unique" => self.is_unique = true,
            "name" => self.name = Some(text(meta)?),
            "default" => self.default = Some(default(meta.value()?)?),
            "default_sql" => self.default = Some(ColumnDefault::Sql(format!("({})", text(meta)?), None)),
            "default_with" => self.default_with = Some(meta.value()?.parse()?),
            "on_update_with" => self.on_update_with = Some(meta.value()?.parse()?),
            "check" => self.check = Some(text(meta)?),
            "generated" => self.generated = Some(GeneratedAttribute { sql: text(meta)?, is_stored: false }),
            "generated_stored" => self.generated = Some(GeneratedAttribute { sql: text(meta)?, is_stored: true }),
            "references" => self.references = Some(target(meta.value()?.parse()?)?),
            "on_delete" => self.on_delete = Some(action(meta)?),
            "on_update" => self.on_update = Some(action(meta)?),
            _ => {
                let known = "unknown: a column has primary_key, autoincrement, unique, default, default_sql, default_with, on_update_with, \
                             check, generated, generated_stored, references, on_delete, on_update and name";
                return Err(meta.error(known));
            }
        }
        Ok(())
    }
}

/// `= "…"` after a word.
fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

/// `= cascade` and the like, as the variant of `Action`.
fn action(meta: &ParseNestedMeta<'_>) -> Result<Ident> {
    let word: Ident = meta.value()?.parse()?;
    let variant = match word.to_string().as_str() {
        "no_action" => "NoAction",
        "restrict" => "Restrict",
        "cascade" => "Cascade",
        "set_null" => "SetNull",
        "set_default" => "SetDefault",
        _ => return Err(Error::new(word.span(), "an action is no_action, restrict, cascade, set_null or set_default")),
    };
    Ok(Ident::new(variant, word.span()))
}

/// `(a, b)` after a word.
fn field_list(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    list(input, "name at least one field")
}

fn list<T: Parse>(input: ParseStream<'_>, when_empty: &str) -> Result<Vec<T>> {
    let content;
    syn::parenthesized!(content in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    if items.is_empty() {
        return Err(input.error(when_empty));
    }
    Ok(items.into_iter().collect())
}

fn check(meta: &ParseNestedMeta<'_>) -> Result<CheckAttribute> {
    let content;
    syn::parenthesized!(content in meta.input);
    let mut name = None;
    if content.peek(Ident) {
        let word: Ident = content.parse()?;
        if word != "name" {
            return Err(Error::new(word.span(), "write check(\"condition\") or check(name = \"…\", \"condition\")"));
        }
        content.parse::<Token![=]>()?;
        name = Some(content.parse::<LitStr>()?.value());
        content.parse::<Token![,]>()?;
    }
    let sql = content.parse::<LitStr>()?.value();
    content.parse::<Option<Token![,]>>()?;
    Ok(CheckAttribute { name, sql })
}

fn index(meta: &ParseNestedMeta<'_>) -> Result<IndexAttribute> {
    let content;
    syn::parenthesized!(content in meta.input);
    let mut read = IndexAttribute::default();
    while !content.is_empty() {
        if content.peek(LitStr) {
            read.parts.push(IndexPart::Sql(content.parse::<LitStr>()?.value()));
        } else if content.peek(Token![where]) {
            content.parse::<Token![where]>()?;
            content.parse::<Token![=]>()?;
            read.condition = Some(content.parse::<LitStr>()?.value());
        } else {
            let word: Ident = content.parse()?;
            if word == "name" && content.peek(Token![=]) {
                content.parse::<Token![=]>()?;
                read.name = Some(content.parse::<LitStr>()?.value());
            } else if word == "unique" {
                read.is_unique = true;
            } else {
                read.parts.push(IndexPart::Field(word));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    if read.parts.is_empty() {
        return Err(meta.error("name at least one field, or give an expression as a text"));
    }
    Ok(read)
}

fn foreign_key(meta: &ParseNestedMeta<'_>) -> Result<ForeignKeyAttribute> {
    let (mut fields, mut targets, mut on_delete, mut on_update) = (Vec::new(), Vec::new(), None, None);
    meta.parse_nested_meta(|inner| {
        if inner.path.is_ident("columns") {
            fields = field_list(inner.input)?;
        } else if inner.path.is_ident("references") {
            targets = list::<Path>(inner.input, "name at least one column")?.into_iter().map(target).collect::<Result<_>>()?;
        } else if inner.path.is_ident("on_delete") {
            on_delete = Some(action(&inner)?);
        } else if inner.path.is_ident("on_update") {
            on_update = Some(action(&inner)?);
        } else {
            return Err(inner.error("unknown: a foreign key has columns(…), references(…), on_delete and on_update"));
        }
        Ok(())
    })?;
    if fields.is_empty() || fields.len() != targets.len() {
        return Err(meta.error("write foreign_key(columns(a, b), references(table::x, table::y)), as many of the one as of the other"));
    }
    Ok(ForeignKeyAttribute { fields, targets, on_delete, on_update })
}

fn default(input: ParseStream<'_>) -> Result<ColumnDefault> {
    if input.peek(Ident) && !input.peek(syn::LitBool) {
        return Ok(ColumnDefault::Variant(input.parse()?));
    }
    let minus: Option<Token![-]> = input.parse()?;
    let literal: Lit = input.parse()?;
    let digits = match &literal {
        Lit::Int(number) => number.base10_digits().to_owned(),
        Lit::Float(number) => number.base10_digits().to_owned(),
        Lit::Str(text) if minus.is_none() => format!("'{}'", text.value().replace('\'', "''")),
        Lit::Bool(flag) if minus.is_none() => if flag.value { "1" } else { "0" }.to_owned(),
        _ => {
            let known = "a default is a number, a text, a bool or a variant of an enum; for an expression write default_sql = \"…\"";
            return Err(Error::new(literal.span(), known));
        }
    };
    let sql = if minus.is_some() { format!("-{digits}") } else { digits };
    Ok(ColumnDefault::Sql(sql, Some(quote!(#minus #literal))))
}

/// `airports::faa`, or with a longer path before it, into table and column.
fn target(path: Path) -> Result<Target> {
    let span = path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
    let refuse = || Error::new(span, "write table::field, such as airports::faa");
    let mut table = path;
    let column = table.segments.pop().ok_or_else(refuse)?.into_value().ident;
    table.segments.pop_punct();
    if table.segments.is_empty() { Err(refuse()) } else { Ok(Target { table, column }) }
}
