//! Expressions: columns, aggregates, conditions on them, and orders by them.

mod aggregate;
mod condition;
mod order;

pub use aggregate::{Aggregate, Numeric, avg, count, count_distinct, count_of, max, min, sum};
pub use condition::{Condition, and, between, eq, gt, gte, in_array, is_not_null, is_null, like, lt, lte, ne, not, not_in_array, or};
pub use order::{Order, Ordered, asc, desc};

use relstore_model::Timestamp;

use crate::column::Column;
use crate::fragment::Fragment;
use crate::scope::{Cons, Nil};
use crate::table::Table;
use crate::types::{IntoValue, SqlType};

/// Something with a value in each row, or in each group of rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column or an aggregate",
    label = "a column such as `flights.dest`, or an aggregate such as `count()`, is expected"
)]
pub trait Expression {
    /// Its type.
    type Value: SqlType;
    /// The models it uses, as a list of [`scope`](crate::scope).
    type Tables;

    /// Appends its SQL.
    fn render(&self, out: &mut Fragment);
}

impl<T: Table, V: SqlType> Expression for Column<T, V> {
    type Value = V;
    type Tables = Cons<T, Nil>;

    fn render(&self, out: &mut Fragment) {
        out.push(&self.sql());
    }
}

/// What can be compared with an expression of type `B` or `Option<B>`: a value, or another such expression.
///
/// NULL is no operand, since SQL finds nothing equal to it: use [`is_null`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with a column of type `{B}`",
    label = "a value or a column of type `{B}` is expected"
)]
pub trait Operand<B> {
    /// The models it uses.
    type Tables;

    /// Appends its SQL.
    fn render(self, out: &mut Fragment);
}

impl<T: Table, V: SqlType<Base = B>, B> Operand<B> for Column<T, V> {
    type Tables = Cons<T, Nil>;

    fn render(self, out: &mut Fragment) {
        Expression::render(&self, out);
    }
}

macro_rules! value_operand {
    ($($value:ty => $base:ty),+ $(,)?) => { $(
        impl Operand<$base> for $value {
            type Tables = Nil;

            fn render(self, out: &mut Fragment) {
                out.push_param(IntoValue::<$base>::into_value(self));
            }
        }
    )+ };
}
value_operand! {
    i64 => i64,
    i32 => i32,
    f64 => f64,
    bool => bool,
    String => String,
    &str => String,
    &String => String,
    Vec<u8> => Vec<u8>,
    Timestamp => Timestamp,
}
