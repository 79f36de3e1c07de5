//! Expressions: columns, aggregates, arithmetic, conditions, and orders by them.

mod aggregate;
mod arithmetic;
mod case;
mod comparison;
mod condition;
mod function;
mod list;
mod order;
mod raw;
mod subquery;

pub use aggregate::{Aggregate, Numeric, avg, count, count_distinct, count_of, max, min, sum, total};
pub use case::{Case, case};
pub use comparison::{between, eq, glob, gt, gte, ilike, is_null, like, lt, lte, ne, not_between, not_like};
pub use comparison::{is_not_null, not_glob, not_ilike};
pub use condition::{Condition, all_of, and, any_of, not, or};
pub use function::{abs, cast, coalesce, concat, length, lower, round, trim, upper, value};
pub use list::{ListOf, in_array, not_in_array};
pub use order::{Order, Ordered, asc, desc};
pub use raw::{Part, Sql, check_template};
pub use subquery::{exists, not_exists, scalar};

use std::marker::PhantomData;

use crate::column::{Column, Excluded};
use crate::fragment::Fragment;
use crate::prepared::Param;
use crate::scope::{Conflicting, Cons, Nil, Nullness, Optional, Required, Uses};
use crate::table::{Source, Table};
use crate::types::{ColumnType, IntoValue, Slot, SqlType};

/// Something with a value in each row, or in each group of rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column or another expression",
    label = "a column such as `flights.dest`, an aggregate such as `count()`, or another expression is expected"
)]
pub trait Expression {
    /// Its type, where every table that it uses has a row.
    type Value: ColumnType;
    /// What it uses, as a list of [`scope`](crate::scope).
    type Tables;

    /// Appends its SQL, which stands as one operand: in parentheses unless it is a name, a parameter or a call.
    fn render(&self, out: &mut Fragment);

    /// Table and column for the message of an error.
    #[doc(hidden)]
    fn place(&self) -> (String, String) {
        let mut out = Fragment::default();
        self.render(&mut out);
        ("(expression)".to_owned(), out.sql().to_owned())
    }
}

/// An expression made of others, with a value of type `V`.
pub struct Expr<V, Ts> {
    fragment: Fragment,
    types: PhantomData<fn() -> (V, Ts)>,
}

impl<V, Ts> Expr<V, Ts> {
    pub(crate) fn new(fragment: Fragment) -> Self {
        Self { fragment, types: PhantomData }
    }
}

impl<V, Ts> Clone for Expr<V, Ts> {
    fn clone(&self) -> Self {
        Self::new(self.fragment.clone())
    }
}

impl<V, Ts> std::fmt::Debug for Expr<V, Ts> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fragment.fmt(f)
    }
}

impl<V: ColumnType, Ts> Expression for Expr<V, Ts> {
    type Value = V;
    type Tables = Ts;

    fn render(&self, out: &mut Fragment) {
        out.append_copy(&self.fragment);
    }
}

/// The SQL of `expression`, to be added to.
fn rendered(expression: &impl Expression) -> Fragment {
    let mut out = Fragment::default();
    expression.render(&mut out);
    out
}

/// What can be compared with an expression of type `B` or `Option<B>`: a value, or another such expression.
///
/// NULL is no operand, since SQL finds nothing equal to it: use [`is_null`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with a column of type `{B}`",
    label = "a value or a column of type `{B}` is expected"
)]
pub trait Operand<B> {
    /// Whether it can be NULL by itself.
    type Nullness: Nullness;
    /// What it uses, as a list of [`scope`](crate::scope).
    type Tables;

    /// Appends its SQL.
    fn render(self, out: &mut Fragment);
}

impl<B: SqlType> Operand<B> for B {
    type Nullness = Required;
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        out.push_value::<B>(self);
    }
}

impl<B: SqlType> Operand<B> for Param<B> {
    type Nullness = Required;
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        out.push_slot(Slot::Argument(self.number()));
    }
}

macro_rules! borrowed_operand {
    ($($value:ty => $base:ty),+) => { $(
        impl Operand<$base> for $value {
            type Nullness = Required;
            type Tables = Nil;

            fn render(self, out: &mut Fragment) {
                out.push_value::<$base>(self);
            }
        }
    )+ };
}
borrowed_operand!(&str => String, &String => String, &[u8] => Vec<u8>);

macro_rules! expression_operand {
    ($(<$($G:ident $(: $bound:path)?),+> $type:ty => $tables:ty;)+) => { $(
        impl<$($G $(: $bound)?,)+ V: ColumnType, B> Operand<B> for $type
        where
            V::Base: ComparedWith<B>,
        {
            type Nullness = V::Nullness;
            type Tables = $tables;

            fn render(self, out: &mut Fragment) {
                Expression::render(&self, out);
            }
        }
    )+ };
}
expression_operand! {
    <T: Source> Column<T, V> => Cons<Uses<T>, Nil>;
    <T: Table> Excluded<T, V> => Cons<Uses<Conflicting<T>>, Nil>;
    <Ts> Expr<V, Ts> => Ts;
    <Ts> Aggregate<V, Ts> => Ts;
}

impl<Ts> Operand<bool> for Condition<Ts> {
    type Nullness = Optional;
    type Tables = Ts;

    fn render(self, out: &mut Fragment) {
        Expression::render(&self, out);
    }
}

/// A column of this type can be compared with one of type `B`: they are the same.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot be compared with, or stand for, one of type `{B}`",
    label = "a value or a column of type `{B}` is expected",
    note = "`cast::<{B}, _>(…)` makes one of the other"
)]
pub trait ComparedWith<B> {}

impl<B> ComparedWith<B> for B {}

/// A value where `V` is expected, for the functions of this folder.
fn push<V: ColumnType>(out: &mut Fragment, value: impl IntoValue<V>) {
    out.push_value::<V>(value);
}
