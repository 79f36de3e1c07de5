//! A column with the types of its table and of its cells.

use std::fmt;
use std::marker::PhantomData;

use relstore_model::identifier::quote;

use crate::expression::Expression;
use crate::fragment::Fragment;
use crate::scope::{Conflicting, Cons, Nil, Uses};
use crate::table::{Source, Table};
use crate::types::ColumnType;

/// A column of the table `T`, which is a model or an alias of one, with cells of type `V`.
pub struct Column<T, V> {
    name: &'static str,
    types: PhantomData<fn() -> (T, V)>,
}

impl<T, V> Column<T, V> {
    /// The column `name`. Only `#[derive(Table)]` calls it, which knows the types.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    /// The column's name in SQL.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Source, V> Column<T, V> {
    /// The column with its table, quoted.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(T::NAME), quote(self.name))
    }
}

impl<T: Source, V: ColumnType> Expression for Column<T, V> {
    type Value = V;
    type Tables = Cons<Uses<T>, Nil>;

    fn render(&self, out: &mut Fragment) {
        out.push_name(T::NAME);
        out.push(".");
        out.push_name(self.name);
    }

    fn place(&self) -> (String, String) {
        (T::NAME.to_owned(), self.name.to_owned())
    }
}

impl<T, V> Clone for Column<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Column<T, V> {}

impl<T, V> fmt::Debug for Column<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Column").field(&self.name).finish()
    }
}

/// The value that an insert which met a conflict wanted to write: see [`excluded`].
pub struct Excluded<T, V>(pub(crate) Column<T, V>);

/// In [`OnConflict::do_update`](crate::write::OnConflict::do_update): the value of `column` in the row that could not be inserted.
#[must_use]
pub const fn excluded<T, V>(column: Column<T, V>) -> Excluded<T, V> {
    Excluded(column)
}

impl<T, V> Clone for Excluded<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Excluded<T, V> {}

impl<T: Table, V: ColumnType> Expression for Excluded<T, V> {
    type Value = V;
    type Tables = Cons<Uses<Conflicting<T>>, Nil>;

    fn render(&self, out: &mut Fragment) {
        out.mark_excluded();
        out.push("excluded.");
        out.push_name(self.0.name());
    }

    fn place(&self) -> (String, String) {
        (T::NAME.to_owned(), self.0.name().to_owned())
    }
}

/// One column of `T`, or a tuple of up to twelve, or `()` for none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column, or a tuple of columns, of the table of `{T}`",
    label = "columns of `{T}` are expected"
)]
pub trait ColumnsOf<T> {
    /// What a row of a query must be to fill them: the type of the column, or the tuple of the types.
    type Cells;

    /// Their names, in order.
    fn names(&self) -> Vec<&'static str>;
}

impl<T, V> ColumnsOf<T> for Column<T, V> {
    type Cells = V;

    fn names(&self) -> Vec<&'static str> {
        vec![self.name]
    }
}

impl<T> ColumnsOf<T> for () {
    type Cells = ();

    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

macro_rules! columns_of_tuple {
    ($($V:ident $n:tt),+) => {
        impl<T, $($V),+> ColumnsOf<T> for ($(Column<T, $V>,)+) {
            type Cells = ($($V,)+);

            fn names(&self) -> Vec<&'static str> {
                vec![$(self.$n.name),+]
            }
        }
    };
}
crate::tuples::each_tuple!(columns_of_tuple);
