//! The struct and its attributes, checked.

use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Ident, Path, Result, Type, Visibility, parse_quote};

use crate::attributes::{CheckAttribute, ColumnAttributes, ForeignKeyAttribute, IndexAttribute, IndexPart, TableAttributes};

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
    pub(crate) indexes: Vec<IndexAttribute>,
    pub(crate) checks: Vec<CheckAttribute>,
    pub(crate) foreign_keys: Vec<ForeignKeyAttribute>,
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
    /// Whether it takes NULL.
    pub(crate) is_optional: bool,
}

/// The types of a key that SQLite numbers.
const INTEGERS: [&str; 8] = ["i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8"];

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
            indexes: attributes.indexes,
            checks: attributes.checks,
            foreign_keys: attributes.foreign_keys,
            fields,
        };
        table.mark_numbered_key();
        table.check_names()?;
        table.check_lists()?;
        Ok(table)
    }

    /// The column of a field.
    ///
    /// # Errors
    /// If the struct has no such field.
    pub(crate) fn column(&self, field: &Ident) -> Result<&ColumnInput> {
        let found = self.fields.iter().find(|column| column.field.unraw() == field.unraw());
        found.ok_or_else(|| no_such_field(field))
    }

    /// The fields that indexes and foreign keys name are there, and what an action sets to NULL can be NULL.
    fn check_lists(&self) -> Result<()> {
        for part in self.indexes.iter().flat_map(|index| &index.parts) {
            if let IndexPart::Field(field) = part {
                self.column(field)?;
            }
        }
        for key in &self.foreign_keys {
            for field in &key.fields {
                self.column(field)?.check_actions(key.on_delete.as_ref(), key.on_update.as_ref())?;
            }
        }
        for column in &self.fields {
            let (on_delete, on_update) = (column.attributes.on_delete.as_ref(), column.attributes.on_update.as_ref());
            if let (Some(action), None) = (on_delete.or(on_update), &column.attributes.references) {
                return Err(Error::new(action.span(), "an action belongs to a foreign key: add references = table::field"));
            }
            column.check_actions(on_delete, on_update)?;
        }
        let key_count = self.fields.iter().filter(|column| column.attributes.is_primary_key).count();
        let numbered = self.fields.iter().find(|column| column.attributes.is_autoincrement);
        match numbered {
            Some(column) if key_count != 1 || column.is_required => {
                Err(Error::new(column.field.span(), "SQLite numbers a sole integer primary key only"))
            }
            _ => Ok(()),
        }
    }

    /// A sole integer key is SQLite's rowid, which SQLite gives when the insert does not.
    fn mark_numbered_key(&mut self) {
        let mut keys = self.fields.iter_mut().filter(|column| column.attributes.is_primary_key);
        if let (Some(key), None) = (keys.next(), keys.next())
            && INTEGERS.iter().any(|integer| is_named(&key.rust_type, integer))
        {
            key.is_required = false;
        }
    }

    fn check_names(&self) -> Result<()> {
        for (i, column) in self.fields.iter().enumerate() {
            if column.field.unraw() == "new" || column.field.unraw() == "maybe_empty" {
                let message = "this name makes a row or an update: call the field otherwise and add #[column(name = \"…\")]";
                return Err(Error::new(column.field.span(), message));
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
        if attributes.is_autoincrement && !attributes.is_primary_key {
            return Err(Error::new(ident.span(), "autoincrement belongs to a primary key: write #[column(primary_key, autoincrement)]"));
        }
        let is_filled = attributes.default.is_some() || attributes.default_with.is_some() || attributes.on_update_with.is_some();
        if attributes.generated.is_some() && (is_filled || attributes.is_primary_key) {
            return Err(Error::new(ident.span(), "a generated column has no default and is in no primary key"));
        }
        Ok(Self {
            name: attributes.name.clone().unwrap_or_else(|| ident.unraw().to_string()),
            is_required: !is_optional && !is_filled && attributes.generated.is_none(),
            is_optional,
            field: ident,
            rust_type: field.ty.clone(),
            attributes,
        })
    }

    /// Whether a program gives its value: it is not computed by SQLite.
    pub(crate) fn is_given(&self) -> bool {
        self.attributes.generated.is_none()
    }

    fn check_actions(&self, on_delete: Option<&Ident>, on_update: Option<&Ident>) -> Result<()> {
        for action in [on_delete, on_update].into_iter().flatten() {
            if action == "SetNull" && !self.is_optional {
                let message = format!("`{}` cannot be set to NULL: make it an Option", self.field);
                return Err(Error::new(action.span(), message));
            }
        }
        Ok(())
    }
}

/// Lists of fields as lists of column names.
fn column_names(fields: &[ColumnInput], lists: &[Vec<Ident>]) -> Result<Vec<Vec<String>>> {
    let name_of = |field: &Ident| match fields.iter().find(|column| column.field.unraw() == field.unraw()) {
        Some(column) => Ok(column.name.clone()),
        None => Err(no_such_field(field)),
    };
    lists.iter().map(|list| list.iter().map(name_of).collect()).collect()
}

fn no_such_field(field: &Ident) -> Error {
    Error::new(field.span(), format!("the struct has no field `{field}`"))
}

/// Whether a type is written so, with any path before it. A type under another name is not recognised: the column is then required.
fn is_named(rust_type: &Type, name: &str) -> bool {
    matches!(rust_type, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == name))
}
