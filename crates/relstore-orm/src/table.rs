//! What `#[derive(Table)]` implements: a table's model, its constant, and how a row becomes a model.

use relstore_model::{Result, ValueRef};

use crate::definition::TableDef;
use crate::write::{Assignments, Insertable};

/// A model: a struct whose fields are the columns of a table. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the model of a table",
    label = "not a table's model",
    note = "add `#[derive(Table)] #[table(name = \"…\")]` to the struct"
)]
pub trait Table: FromRow + Insertable<Self> + 'static {
    /// The table's name in SQL.
    const NAME: &'static str;
    /// The table's shape, columns in field order.
    const DEF: TableDef;
    /// A row to insert that leaves out columns with a default: `New` before the model's name.
    type New: Insertable<Self>;
    /// Columns to set in an update: the model's name with `Set` after it.
    type Set: Into<Assignments>;
}

/// The constant that stands for a table in statements and has its columns as fields, such as `flights`. Made by `#[derive(Table)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a table",
    label = "not a table",
    note = "pass the constant that `#[derive(Table)]` names like the table, such as `flights` for `#[table(name = \"flights\")]`"
)]
pub trait TableRef: Copy {
    /// The table's model.
    type Model: Table;

    /// The table's shape.
    fn definition(&self) -> TableDef {
        Self::Model::DEF
    }
}

/// What consecutive cells of a row become.
pub trait FromRow: Sized {
    /// How many cells it takes.
    const WIDTH: usize;

    /// Reads it from the cells `at .. at + WIDTH`.
    ///
    /// # Errors
    /// `Constraint` if a cell does not have the type of its column: the error names table, column, the type expected and the storage
    /// class found. `Internal` if the row is too short.
    fn from_row(cells: &[ValueRef<'_>], at: usize) -> Result<Self>;
}

/// The row of a left-joined table: `None` where every cell is NULL, which is how SQL says that no row matched. A table without any
/// NOT NULL column can hold such a row itself; it then reads as `None` too.
impl<M: FromRow> FromRow for Option<M> {
    const WIDTH: usize = M::WIDTH;

    fn from_row(cells: &[ValueRef<'_>], at: usize) -> Result<Self> {
        let is_unmatched = cells.iter().skip(at).take(M::WIDTH).all(|cell| matches!(cell, ValueRef::Null));
        if is_unmatched { Ok(None) } else { M::from_row(cells, at).map(Some) }
    }
}
