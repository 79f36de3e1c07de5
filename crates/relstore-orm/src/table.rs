//! What `#[derive(Table)]` implements: a table's model, its constant, and how a row becomes a model.

use std::marker::PhantomData;

use relstore_model::{Result, ValueRef};

use crate::definition::TableDef;
use crate::scope::Loosen;
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
    /// Columns to set in an update, at least one: the model's name with `Set` after it.
    type Set: Into<Assignments>;

    /// Sets the columns that have `on_update_with` and are not set.
    #[doc(hidden)]
    fn on_update(assignments: &mut Assignments) {
        let _ = assignments;
    }
}

/// What a column belongs to in a query: the table of a model, or an [`alias!`](crate::alias) of it.
pub trait Source: 'static {
    /// The model.
    type Model: Table;
    /// What it is called in the query.
    const NAME: &'static str;
}

impl<M: Table> Source for M {
    type Model = M;
    const NAME: &'static str = <M as Table>::NAME;
}

/// The table of `M` under the name of `A`: see [`alias!`](crate::alias).
pub struct Aliased<M, A>(PhantomData<fn() -> (M, A)>);

/// A name for a table in a query. Made by [`alias!`](crate::alias).
pub trait AliasName: 'static {
    /// The name.
    const NAME: &'static str;
}

impl<M: Table, A: AliasName> Source for Aliased<M, A> {
    type Model = M;
    const NAME: &'static str = A::NAME;
}

/// A table under another name, so that a query can have it twice.
///
/// ```
/// # use relstore_orm::{Executor, Table, Typed, alias, eq};
/// # #[derive(Table)] #[table(name = "employees")]
/// # struct Employee { #[column(primary_key)] id: i64, name: String, manager_id: Option<i64> }
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let managers = alias!(employees, "managers");
/// let pairs: Vec<(String, Option<String>)> = store
///     .select_cols((employees.name, managers.name))
///     .from(employees)
///     .left_join(managers, eq(employees.manager_id, managers.id))
///     .all()?;
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! alias {
    ($table:expr, $name:literal) => {{
        enum Name {}
        impl $crate::AliasName for Name {
            const NAME: &'static str = $name;
        }
        $crate::TableRef::aliased::<Name>(&$table)
    }};
}

/// The constant that stands for a table in statements and has its columns as fields, such as `flights`, or an alias of it. Made by
/// `#[derive(Table)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a table",
    label = "not a table",
    note = "pass the constant that `#[derive(Table)]` names like the table, such as `flights` for `#[table(name = \"flights\")]`"
)]
pub trait TableRef: Copy {
    /// The table's model.
    type Model: Table;
    /// What its columns belong to.
    type Source: Source<Model = Self::Model>;
    /// The same under another name.
    type Aliased<A: AliasName>: TableRef<Model = Self::Model, Source = Aliased<Self::Model, A>>;

    /// The same under another name: [`alias!`](crate::alias) reads better.
    #[doc(hidden)]
    fn aliased<A: AliasName>(&self) -> Self::Aliased<A>;

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

/// The row of an outer-joined table: `None` where every cell is NULL, which is how SQL says that no row matched. A table without any
/// NOT NULL column can hold such a row itself; it then reads as `None` too.
impl<M: FromRow> FromRow for Option<M> {
    const WIDTH: usize = M::WIDTH;

    fn from_row(cells: &[ValueRef<'_>], at: usize) -> Result<Self> {
        let is_unmatched = cells.iter().skip(at).take(M::WIDTH).all(|cell| matches!(cell, ValueRef::Null));
        if is_unmatched { Ok(None) } else { M::from_row(cells, at).map(Some) }
    }
}

/// A model that a row of a query fills: the tuple of its columns' types, the type itself if there is one column, or the model.
///
/// It makes a query into a table of another: see [`Select::as_table`](crate::Select::as_table) and [`With`](crate::select::With).
#[diagnostic::on_unimplemented(
    message = "rows of type `{Row}` do not fill the columns of `{Self}`",
    label = "the query must give the columns of `{Self}`, in the order of its fields and with their types"
)]
pub trait FilledBy<Row> {}

impl<M: Table> FilledBy<M> for M {}

macro_rules! loosen_models {
    ($($X:ident $n:tt),+) => {
        impl<$($X: MaybeRow),+> Loosen for ($($X,)+) {
            type Out = ($($X::Optional,)+);
        }
    };
}
crate::tuples::each_tuple!(loosen_models);

/// A model, or `Option` of it.
pub trait MaybeRow {
    /// `Option` of the model.
    type Optional;
}

impl<M: Table> MaybeRow for M {
    type Optional = Option<M>;
}

impl<M: Table> MaybeRow for Option<M> {
    type Optional = Self;
}
