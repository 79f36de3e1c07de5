//! Functions of SQL on columns and other expressions. What is not here is one [`sql!`](crate::sql) away.

use super::{Expr, Expression, Numeric, Operand, rendered};
use crate::fragment::Fragment;
use crate::scope::{Both, Concat, Nullness, Seen, Shelter};
use crate::types::{ColumnType, SqlType};

/// The base type of an expression.
type Base<X> = <<X as Expression>::Value as ColumnType>::Base;
/// A type of as much NULL as the expression has.
type Like<X, B> = <<<X as Expression>::Value as ColumnType>::Nullness as Nullness>::Of<B>;

fn called<X: Expression>(opening: &str, expression: &X, closing: &str) -> Fragment {
    let mut fragment = Fragment::text(opening);
    expression.render(&mut fragment);
    fragment.push(closing);
    fragment
}

/// A value, or a parameter, as an expression: for a column of a query that is the same in every row, or for the left side of an operator.
#[must_use]
pub fn value<B: SqlType, A: Operand<B>>(value: A) -> Expr<<A::Nullness as Nullness>::Of<B>, A::Tables> {
    let mut fragment = Fragment::default();
    value.render(&mut fragment);
    Expr::new(fragment)
}

/// Two texts, one after the other: `left || right`.
#[must_use]
pub fn concat<L, R>(left: L, right: R) -> Expr<Seen<L::Value, R::Nullness>, Both<L::Tables, R::Tables>>
where
    L: Expression,
    L::Value: ColumnType<Base = String>,
    R: Operand<String>,
    L::Tables: Concat<R::Tables>,
{
    let mut fragment = Fragment::text("(");
    fragment.append(rendered(&left));
    fragment.push(" || ");
    right.render(&mut fragment);
    fragment.push(")");
    Expr::new(fragment)
}

macro_rules! text_functions {
    ($($(#[$doc:meta])* $name:ident $opening:literal;)+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name<X: Expression>(text: X) -> Expr<X::Value, X::Tables>
        where
            X::Value: ColumnType<Base = String>,
        {
            Expr::new(called($opening, &text, ")"))
        }
    )+ };
}
text_functions! {
    /// The text in lower case; only ASCII letters change.
    lower "lower(";
    /// The text in upper case; only ASCII letters change.
    upper "upper(";
    /// The text without spaces around it.
    trim "trim(";
}

/// How many characters a text has.
#[must_use]
pub fn length<X: Expression>(text: X) -> Expr<Like<X, i64>, X::Tables>
where
    X::Value: ColumnType<Base = String>,
{
    Expr::new(called("length(", &text, ")"))
}

/// The number without its sign.
#[must_use]
pub fn abs<X: Expression>(number: X) -> Expr<X::Value, X::Tables>
where
    Base<X>: Numeric,
{
    Expr::new(called("abs(", &number, ")"))
}

/// The number rounded to `digits` after the point, halves away from zero.
#[must_use]
pub fn round<X: Expression>(number: X, digits: u8) -> Expr<Like<X, f64>, X::Tables>
where
    Base<X>: Numeric,
{
    Expr::new(called("round(", &number, &format!(", {digits})")))
}

/// The expression as a value of type `B`, by SQLite's `CAST`: what is no number becomes 0.
#[must_use]
pub fn cast<B: SqlType, X: Expression>(expression: X) -> Expr<Like<X, B>, X::Tables> {
    Expr::new(called("CAST(", &expression, &format!(" AS {})", B::DECLARED)))
}

/// `expression`, or `fallback` where it is NULL. It is never NULL itself if `fallback` is not.
#[must_use]
pub fn coalesce<X, R>(
    expression: X,
    fallback: R,
) -> Expr<<R::Nullness as Nullness>::Of<Base<X>>, Both<<X::Tables as Shelter>::Out, R::Tables>>
where
    X: Expression,
    X::Tables: Shelter,
    R: Operand<Base<X>>,
    <X::Tables as Shelter>::Out: Concat<R::Tables>,
{
    let mut fragment = called("coalesce(", &expression, ", ");
    fallback.render(&mut fragment);
    fragment.place_refusal(|| expression.place());
    fragment.push(")");
    Expr::new(fragment)
}
