//! What the code that `#[derive(Table)]` makes calls. Not for anyone else: it changes with the macro.

pub use relstore_model::{Result, Value, ValueRef};

pub use crate::column::Column;
pub use crate::definition::{ColumnDef, Reference, TableDef};
pub use crate::table::{FromRow, Table, TableRef};
pub use crate::types::{IntoValue, SqlType};
pub use crate::write::{Assign, Assignments, Cells, Insertable, NewRow};

/// Reads one cell of a model.
///
/// # Errors
/// As [`FromRow::from_row`].
pub fn read_cell<V: SqlType>(cells: &[ValueRef<'_>], at: usize, table: &str, column: &str) -> Result<V> {
    crate::types::read_cell(cells, at, table, column)
}

/// A foreign key from a column to another, of the same type.
pub const fn reference<A, V: RefersTo<W>, B: Table, W>(from: Column<A, V>, to: Column<B, W>) -> Reference {
    let _ = from;
    Reference { table: B::NAME, column: to.name() }
}

/// A column of this type can refer to a column of type `W`: it is the same, or `Option` of it.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot refer to a column of type `{W}`",
    label = "the foreign key's type differs from that of the column it refers to"
)]
pub trait RefersTo<W> {}

impl<W> RefersTo<W> for W {}
impl<W> RefersTo<W> for Option<W> {}

/// Compiles only if a default fits the type of its column.
pub fn check_default<V>(default: impl IntoValue<V>) {
    drop(default);
}
