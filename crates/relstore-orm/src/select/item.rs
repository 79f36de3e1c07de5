//! What stands in `FROM` and in a join.

use std::marker::PhantomData;

use super::{Chosen, Query, SelectFrom, Whole};
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::Nil;
use crate::table::{FilledBy, Source, Table, TableRef};

/// What stands in `FROM` and in a join: a table, an alias of one, or a query made into one by [`Select::as_table`](crate::Select::as_table).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a table",
    label = "not a table",
    note = "pass the constant that `#[derive(Table)]` names like the table, such as `flights` for `#[table(name = \"flights\")]`, or a query with `.as_table(…)`"
)]
pub trait FromItem {
    /// What its columns belong to.
    type Source: Source;

    /// Appends its SQL.
    fn render(self, out: &mut Fragment);
}

impl<C: TableRef> FromItem for C {
    type Source = C::Source;

    fn render(self, out: &mut Fragment) {
        let (table, name) = (<C::Model as Table>::NAME, <C::Source as Source>::NAME);
        out.push_name(table);
        if table != name {
            out.push(" AS ");
            out.push_name(name);
        }
    }
}

/// A query as a table: see [`Select::as_table`](crate::Select::as_table).
#[must_use = "put it into from(…) or a join"]
pub struct Derived<C> {
    query: Fragment,
    table: PhantomData<fn() -> C>,
}

impl<C: TableRef> Derived<C> {
    pub(super) fn new(query: Fragment) -> Self {
        Self { query, table: PhantomData }
    }
}

impl<C: TableRef> FromItem for Derived<C> {
    type Source = C::Source;

    /// A query in `FROM` has no place for the names of its columns, a common table expression has: so it is one, around the query.
    fn render(self, out: &mut Fragment) {
        out.push("(WITH ");
        append_named::<C>(out, self.query);
        out.push(" SELECT * FROM ");
        out.push_name(<C::Source as Source>::NAME);
        out.push(") AS ");
        out.push_name(<C::Source as Source>::NAME);
    }
}

/// `"name"("column", …) AS (query)`.
fn append_named<C: TableRef>(out: &mut Fragment, query: Fragment) {
    out.push_name(<C::Source as Source>::NAME);
    for (i, column) in <C::Model as Table>::DEF.columns.iter().enumerate() {
        out.push(if i == 0 { "(" } else { ", " });
        out.push_name(column.name);
    }
    out.push(") AS (");
    out.append(query);
    out.push(")");
}

/// Queries with names, in front of a statement: common table expressions.
///
/// A name is the constant of a table that need not exist: a struct with `#[derive(Table)]` whose fields are the columns of the query, in
/// order. A query may name itself in a [`Select::union_all`](crate::Select::union_all) and is then recursive.
///
/// ```
/// # use relstore_orm::{Executor, Table, Typed, count, gt};
/// # #[derive(Table)] #[table(name = "orders")] struct Order { #[column(primary_key)] id: i64, user_id: i64 }
/// #[derive(Table)]
/// #[table(name = "buyers")]
/// struct Buyer {
///     user_id: i64,
///     order_count: i64,
/// }
///
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let counted = store.select_cols((orders.user_id, count())).from(orders).group_by(orders.user_id);
/// let often: Vec<Buyer> = store.with(buyers, counted).select().from(buyers).where_(gt(buyers.order_count, 10)).all()?;
/// # Ok(()) }
/// ```
#[must_use = "a query does nothing until it is run"]
pub struct With<'e> {
    executor: &'e dyn Executor,
    named: Fragment,
}

impl<'e> With<'e> {
    pub(crate) fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, named: Fragment::default() }
    }

    /// Names one more query, which may use those before it.
    pub fn with<C, Q, Proof>(mut self, table: C, query: Q) -> Self
    where
        C: TableRef,
        Q: Query<Proof, Outer = Nil>,
        C::Model: FilledBy<Q::Row>,
    {
        let _ = table;
        self.named.push(if self.named.is_empty() { "WITH " } else { ", " });
        append_named::<C>(&mut self.named, query.into_fragment());
        self
    }

    /// As [`Typed::select`](crate::Typed::select).
    pub fn select(self) -> SelectFrom<'e, Whole<()>> {
        SelectFrom::new(self.executor, Whole::default()).after(self.prefix())
    }

    /// As [`Typed::select_cols`](crate::Typed::select_cols).
    pub fn select_cols<P>(self, projection: P) -> SelectFrom<'e, Chosen<P>> {
        let executor = self.executor;
        SelectFrom::new(executor, Chosen::new(projection)).after(self.prefix())
    }

    fn prefix(self) -> Fragment {
        let mut prefix = self.named;
        prefix.push(" ");
        prefix
    }
}
