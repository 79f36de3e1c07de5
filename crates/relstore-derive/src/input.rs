//! The struct and its attributes, checked.

use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Ident, Path, Result, Type, Visibility, parse_quote};

use crate::attributes::{ColumnAttributes, TableAttributes};

/// A table to make code for.
pub(crate) struct TableInput {
    pub(crate) model: Ident,
    pub(crate) visibility: Visibility,
    /// The table's name in SQL.
    pub(crate) name: String,
    /// The name of the constant that stands for it.
    pub(crate) constant: Ident,
    pub(crate) columns_type: Ident,
    pub(crate) new_type: Ident,
    pub(crate) set_type: Ident,
    /// The path of `derived` in relstore-orm.
    pub(crate) derived: Path,
    pub(crate) fields: Vec<ColumnInput>,
    /// Names of columns in SQL.
    pub(crate) unique: Vec<Vec<String>>,
    /// Names of columns in SQL.
    pub(crate) indexes: Vec<Vec<String>>,
}

/// A column to make code for.
pub(crate) struct ColumnInput {
    pub(crate) field: Ident,
    pub(crate) rust_type: Type,
    /// The column's name in SQL.
    pub(crate) name: String,
    pub(crate) attributes: ColumnAttributes,
    /// Whether an insert has to give it: no default, not NULL, not numbered by SQLite.
    pub(crate) is_required: bool,
}

impl TableInput {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let model = &input.ident;
        let refuse = |message: &str| Error::new(model.span(), message);
        let attributes = TableAttributes::read(&input.attrs)?;
        let name = attributes.name.ok_or_else(|| refuse("name the table: #[table(name = \"…\")]"))?;
        let constant = match attributes.constant {
            Some(constant) => constant,
            None => name
                .parse::<Ident>()
                .map_err(|_| Error::new(name.span(), "this is no name in Rust: add #[table(constant = …)] to name the table's constant"))?,
        };
        if !input.generics.params.is_empty() {
            return Err(refuse("a model has no type parameters and no lifetimes"));
        }
        let Data::Struct(data) = &input.data else { return Err(refuse("a model is a struct")) };
        let Fields::Named(named) = &data.fields else { return Err(refuse("a model has named fields")) };
        let fields = named.named.iter().map(ColumnInput::read).collect::<Result<Vec<_>>>()?;
        if fields.is_empty() {
            return Err(refuse("a table has at least one column"));
        }
        let krate = attributes.krate.unwrap_or_else(|| parse_quote!(::relstore_orm));
        let mut table = Self {
            model: model.clone(),
            visibility: input.vis.clone(),
            name: name.value(),
            constant,
            columns_type: format_ident!("{}Columns", model),
            new_type: format_ident!("New{}", model),
            set_type: format_ident!("{}Set", model),
            derived: parse_quote!(#krate::derived),
            unique: column_names(&fields, &attributes.unique)?,
            indexes: column_names(&fields, &attributes.indexes)?,
            fields,
        };
        table.mark_numbered_key();
        table.check_names()?;
        Ok(table)
    }

    /// A sole integer key is SQLite's rowid, which SQLite gives when the insert does not.
    fn mark_numbered_key(&mut self) {
        let mut keys = self.fields.iter_mut().filter(|column| column.attributes.is_primary_key);
        if let (Some(key), None) = (keys.next(), keys.next())
            && (is_named(&key.rust_type, "i64") || is_named(&key.rust_type, "i32"))
        {
            key.is_required = false;
        }
    }

    fn check_names(&self) -> Result<()> {
        for (i, column) in self.fields.iter().enumerate() {
            if column.field.unraw() == "new" {
                return Err(Error::new(
                    column.field.span(),
                    "`new` makes a row: call the field otherwise and add #[column(name = \"new\")]",
                ));
            }
            if self.fields[..i].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&column.name)) {
                return Err(Error::new(column.field.span(), "two columns of one name (SQL takes no account of case)"));
            }
        }
        Ok(())
    }
}

impl ColumnInput {
    fn read(field: &syn::Field) -> Result<Self> {
        let ident = field.ident.clone().ok_or_else(|| Error::new_spanned(field, "a model has named fields"))?;
        let attributes = ColumnAttributes::read(&field.attrs)?;
        let is_optional = is_named(&field.ty, "Option");
        if is_optional && attributes.is_primary_key {
            return Err(Error::new_spanned(&field.ty, "a column of the primary key cannot be NULL, so it cannot be an Option"));
        }
        Ok(Self {
            name: attributes.name.clone().unwrap_or_else(|| ident.unraw().to_string()),
            is_required: !is_optional && attributes.default.is_none(),
            field: ident,
            rust_type: field.ty.clone(),
            attributes,
        })
    }
}

/// Lists of fields as lists of column names.
fn column_names(fields: &[ColumnInput], lists: &[Vec<Ident>]) -> Result<Vec<Vec<String>>> {
    let name_of = |field: &Ident| match fields.iter().find(|column| column.field.unraw() == field.unraw()) {
        Some(column) => Ok(column.name.clone()),
        None => Err(Error::new(field.span(), format!("the struct has no field `{field}`"))),
    };
    lists.iter().map(|list| list.iter().map(name_of).collect()).collect()
}

/// Whether a type is written so, with any path before it. A type under another name is not recognised: the column is then required.
fn is_named(rust_type: &Type, name: &str) -> bool {
    matches!(rust_type, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == name))
}
