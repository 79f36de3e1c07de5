//! What the code that the derives make calls. Not for anyone else: it changes with the macros.

pub use relstore_model::{Result, Value, ValueRef};

pub use crate::column::Column;
pub use crate::definition::{Action, Check, ColumnDef, ForeignKey, Generated, Index, IndexPart, Key, Reference, TableDef};
pub use crate::fragment::Fragment;
pub use crate::scope::{Has, Nullness};
pub use crate::select::Projection;
pub use crate::table::{AliasName, Aliased, FilledBy, FromRow, Source, Table, TableRef};
pub use crate::types::{ColumnType, IntoValue, SqlType, Unfit};
pub use crate::write::{Assign, Assignments, Cells, Insertable, NewRow};

/// No column of a `…Set` is set yet.
pub enum NothingSet {}

/// At least one column of a `…Set` is set, or the program says that it cannot know.
pub enum SomeSet {}

/// Reads one cell of a model.
///
/// # Errors
/// As [`FromRow::from_row`].
#[inline]
pub fn read_cell<V: ColumnType>(cells: &[ValueRef<'_>], at: usize, table: &'static str, column: &'static str) -> Result<V> {
    crate::types::read_cell(cells, at, || (table.to_owned(), column.to_owned()))
}

/// Appends every column of `T`, with its name.
pub fn render_columns<T: Source>(out: &mut Fragment) {
    crate::select::render_columns::<T>(out);
}

/// What a column of type `V` is set to by a value.
pub fn assigned<T, V, P, A: Assign<T, V, P>>(value: A) -> Fragment {
    value.assigned()
}

/// Why a cell is none of an enum's variants.
#[cold]
pub fn unknown_variant(cell: ValueRef<'_>) -> Unfit {
    match cell {
        ValueRef::Text(text) => Unfit::because(format_args!("`{}` is none of them", String::from_utf8_lossy(text))),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Unfit::CLASS,
    }
}

/// A foreign key from a column to another, of the same type.
pub const fn reference<A, V: RefersTo<W>, B: Table, W>(from: Column<A, V>, to: Column<B, W>) -> Reference {
    Reference { from: from.name(), table: <B as Table>::NAME, column: to.name() }
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
