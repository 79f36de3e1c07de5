//! Aggregates over the rows of a query, or of each group.

use std::marker::PhantomData;

use super::{Expression, Operand};
use crate::column::Column;
use crate::fragment::Fragment;
use crate::scope::{Aggregated, Cons, Nil};
use crate::table::Table;
use crate::types::SqlType;

/// An aggregate with a value of type `V` over the models in the list `Ts`.
#[derive(Clone, Debug)]
pub struct Aggregate<V, Ts> {
    sql: String,
    types: PhantomData<fn() -> (V, Ts)>,
}

impl<V, Ts> Aggregate<V, Ts> {
    fn new(sql: String) -> Self {
        Self { sql, types: PhantomData }
    }

    /// Its SQL.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

impl<V: SqlType, Ts> Expression for Aggregate<V, Ts> {
    type Value = V;
    type Tables = Cons<Aggregated, Ts>;

    fn render(&self, out: &mut Fragment) {
        out.push(&self.sql);
    }
}

impl<V: SqlType<Base = B>, B, Ts> Operand<B> for Aggregate<V, Ts> {
    type Tables = Cons<Aggregated, Ts>;

    fn render(self, out: &mut Fragment) {
        Expression::render(&self, out);
    }
}

/// A column type that can be added up.
#[diagnostic::on_unimplemented(message = "a column of type `{Self}` cannot be added up", label = "i64, i32 or f64 is expected")]
pub trait Numeric: SqlType {
    /// What the sum is.
    type Sum: SqlType<Base = Self::Sum>;
}

impl Numeric for i64 {
    type Sum = Self;
}

impl Numeric for i32 {
    type Sum = i64;
}

impl Numeric for f64 {
    type Sum = Self;
}

/// The number of rows.
#[must_use]
pub fn count() -> Aggregate<i64, Nil> {
    Aggregate::new("count(*)".to_owned())
}

/// The number of rows where `column` is not NULL.
#[must_use]
pub fn count_of<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<i64, Cons<T, Nil>> {
    Aggregate::new(format!("count({})", column.sql()))
}

/// The number of different values of `column`, NULL not counted.
#[must_use]
pub fn count_distinct<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<i64, Cons<T, Nil>> {
    Aggregate::new(format!("count(DISTINCT {})", column.sql()))
}

/// The sum; `None` over no values. A sum of integers beyond 64 bits is an error of the statement.
#[must_use]
pub fn sum<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<Option<<V::Base as Numeric>::Sum>, Cons<T, Nil>>
where
    V::Base: Numeric,
{
    Aggregate::new(format!("sum({})", column.sql()))
}

/// The mean; `None` over no values.
#[must_use]
pub fn avg<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<Option<f64>, Cons<T, Nil>>
where
    V::Base: Numeric,
{
    Aggregate::new(format!("avg({})", column.sql()))
}

/// The smallest value; `None` over no values.
#[must_use]
pub fn min<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<Option<V::Base>, Cons<T, Nil>> {
    Aggregate::new(format!("min({})", column.sql()))
}

/// The largest value; `None` over no values.
#[must_use]
pub fn max<T: Table, V: SqlType>(column: Column<T, V>) -> Aggregate<Option<V::Base>, Cons<T, Nil>> {
    Aggregate::new(format!("max({})", column.sql()))
}
