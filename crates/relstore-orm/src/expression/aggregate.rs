//! Aggregates over the rows of a query, or of each group.

use std::marker::PhantomData;

use super::{Condition, Expr, Expression};
use crate::fragment::Fragment;
use crate::scope::{Aggregated, Both, Concat, Cons, Nil, Shelter};
use crate::types::{ColumnType, SqlType};

/// An aggregate with a value of type `V`.
///
/// It can be compared and calculated with like a column. What its rows lack is in its own type: a count of a left-joined column is an
/// `i64`, never NULL.
pub struct Aggregate<V, Ts> {
    fragment: Fragment,
    types: PhantomData<fn() -> (V, Ts)>,
}

/// What an aggregate over an expression that uses `Ts` uses.
type Over<Ts> = Cons<Aggregated, <Ts as Shelter>::Out>;

impl<V, Ts> Aggregate<V, Ts> {
    fn new(fragment: Fragment) -> Self {
        Self { fragment, types: PhantomData }
    }

    /// Takes only the rows for which `condition` holds: `FILTER (WHERE …)`.
    #[must_use]
    pub fn filter<Us: Shelter>(mut self, condition: Condition<Us>) -> Expr<V, Both<Ts, Us::Out>>
    where
        Ts: Concat<Us::Out>,
    {
        self.fragment.push(" FILTER (WHERE ");
        self.fragment.append(condition.into_fragment());
        self.fragment.push(")");
        Expr::new(self.fragment)
    }
}

impl<V, Ts> Clone for Aggregate<V, Ts> {
    fn clone(&self) -> Self {
        Self::new(self.fragment.clone())
    }
}

impl<V, Ts> std::fmt::Debug for Aggregate<V, Ts> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fragment.fmt(f)
    }
}

impl<V: ColumnType, Ts> Expression for Aggregate<V, Ts> {
    type Value = V;
    type Tables = Ts;

    fn render(&self, out: &mut Fragment) {
        out.append_copy(&self.fragment);
    }

    fn place(&self) -> (String, String) {
        ("(aggregate)".to_owned(), self.fragment.sql().to_owned())
    }
}

/// A column type that can be calculated with. Implement it for a type of your own that is a number in SQL, such as a struct of cents.
#[diagnostic::on_unimplemented(message = "a column of type `{Self}` cannot be calculated with", label = "a number is expected")]
pub trait Numeric: SqlType {
    /// What the sum is.
    type Sum: SqlType;
}

macro_rules! numeric {
    ($($type:ty => $sum:ty),+) => { $( impl Numeric for $type { type Sum = $sum; } )+ };
}
numeric!(i64 => i64, i32 => i64, i16 => i64, i8 => i64, u64 => i64, u32 => i64, u16 => i64, u8 => i64, f64 => f64, f32 => f64);

fn call<V, X: Expression>(opening: &str, expression: &X) -> Aggregate<V, Over<X::Tables>>
where
    X::Tables: Shelter,
{
    let mut fragment = Fragment::text(opening);
    expression.render(&mut fragment);
    fragment.push(")");
    Aggregate::new(fragment)
}

/// The base type of an expression.
type Base<X> = <<X as Expression>::Value as ColumnType>::Base;

/// The number of rows.
#[must_use]
pub fn count() -> Aggregate<i64, Cons<Aggregated, Nil>> {
    Aggregate::new(Fragment::text("count(*)"))
}

/// The number of rows where `expression` is not NULL.
#[must_use]
pub fn count_of<X: Expression>(expression: X) -> Aggregate<i64, Over<X::Tables>>
where
    X::Tables: Shelter,
{
    call("count(", &expression)
}

/// The number of different values of `expression`, NULL not counted.
#[must_use]
pub fn count_distinct<X: Expression>(expression: X) -> Aggregate<i64, Over<X::Tables>>
where
    X::Tables: Shelter,
{
    call("count(DISTINCT ", &expression)
}

/// The sum; `None` over no values. A sum of integers beyond 64 bits is an error of the statement.
#[must_use]
pub fn sum<X: Expression>(expression: X) -> Aggregate<Option<<Base<X> as Numeric>::Sum>, Over<X::Tables>>
where
    Base<X>: Numeric,
    X::Tables: Shelter,
{
    call("sum(", &expression)
}

/// The sum as a float; 0 over no values.
#[must_use]
pub fn total<X: Expression>(expression: X) -> Aggregate<f64, Over<X::Tables>>
where
    Base<X>: Numeric,
    X::Tables: Shelter,
{
    call("total(", &expression)
}

/// The mean; `None` over no values.
#[must_use]
pub fn avg<X: Expression>(expression: X) -> Aggregate<Option<f64>, Over<X::Tables>>
where
    Base<X>: Numeric,
    X::Tables: Shelter,
{
    call("avg(", &expression)
}

/// The smallest value; `None` over no values.
#[must_use]
pub fn min<X: Expression>(expression: X) -> Aggregate<Option<Base<X>>, Over<X::Tables>>
where
    X::Tables: Shelter,
{
    call("min(", &expression)
}

/// The largest value; `None` over no values.
#[must_use]
pub fn max<X: Expression>(expression: X) -> Aggregate<Option<Base<X>>, Over<X::Tables>>
where
    X::Tables: Shelter,
{
    call("max(", &expression)
}
