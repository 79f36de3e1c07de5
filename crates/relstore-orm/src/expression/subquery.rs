//! Queries inside expressions.
//!
//! A query that uses a table of the query around it names it by [`Select::correlate`](crate::Select::correlate).

use super::{Condition, Expr};
use crate::fragment::Fragment;
use crate::scope::Nullness;
use crate::scope::Optional;
use crate::select::Query;
use crate::types::ColumnType;

/// The query gives at least one row.
///
/// ```
/// # use relstore_orm::{Executor, Table, Typed, eq, exists};
/// # #[derive(Table)] #[table(name = "users")] struct User { #[column(primary_key)] id: i64 }
/// # #[derive(Table)] #[table(name = "orders")] struct Order { #[column(primary_key)] id: i64, user_id: i64 }
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let their_orders = store.select().from(orders).correlate(users).where_(eq(orders.user_id, users.id));
/// let buyers: Vec<User> = store.select().from(users).where_(exists(their_orders)).all()?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn exists<Q: Query<Proof>, Proof>(query: Q) -> Condition<Q::Outer> {
    Condition::new(wrapped("EXISTS (", query))
}

/// The query gives no row.
#[must_use]
pub fn not_exists<Q: Query<Proof>, Proof>(query: Q) -> Condition<Q::Outer> {
    Condition::new(wrapped("NOT EXISTS (", query))
}

/// The value of a query of one column: that of its first row, `None` if there is no row.
#[must_use]
pub fn scalar<Q: Query<Proof>, Proof>(query: Q) -> Expr<<Optional as Nullness>::Of<<Q::Row as ColumnType>::Base>, Q::Outer>
where
    Q::Row: ColumnType,
{
    Expr::new(wrapped("(", query))
}

fn wrapped<Q: Query<Proof>, Proof>(opening: &str, query: Q) -> Fragment {
    let mut fragment = Fragment::text(opening);
    fragment.append(query.into_fragment());
    fragment.push(")");
    fragment
}
