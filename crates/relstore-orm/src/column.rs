//! A column with the types of its table and of its cells.

use std::fmt;
use std::marker::PhantomData;

use relstore_model::identifier::quote;

use crate::table::Table;

/// A column of the table whose model is `T`, with cells of type `V`.
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

impl<T: Table, V> Column<T, V> {
    /// The column with its table, quoted.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(T::NAME), quote(self.name))
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

/// One column of `T`, or a tuple of up to eight, or `()` for none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column, or a tuple of columns, of the table of `{T}`",
    label = "columns of `{T}` are expected"
)]
pub trait ColumnsOf<T> {
    /// Their names, in order.
    fn names(&self) -> Vec<&'static str>;
}

impl<T, V> ColumnsOf<T> for Column<T, V> {
    fn names(&self) -> Vec<&'static str> {
        vec![self.name]
    }
}

impl<T> ColumnsOf<T> for () {
    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

macro_rules! columns_of_tuple {
    ($($V:ident $n:tt),+) => {
        impl<T, $($V),+> ColumnsOf<T> for ($(Column<T, $V>,)+) {
            fn names(&self) -> Vec<&'static str> {
                vec![$(self.$n.name),+]
            }
        }
    };
}
columns_of_tuple!(A 0);
columns_of_tuple!(A 0, B 1);
columns_of_tuple!(A 0, B 1, C 2);
columns_of_tuple!(A 0, B 1, C 2, D 3);
columns_of_tuple!(A 0, B 1, C 2, D 3, E 4);
columns_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
columns_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
columns_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
