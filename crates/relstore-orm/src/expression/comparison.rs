//! Conditions that compare, in Drizzle's words.

use super::{Condition, Expression, Operand, rendered};
use crate::fragment::Fragment;
use crate::scope::{Both, Concat};
use crate::types::ColumnType;

/// The type that what is compared with `L` has.
type Base<L> = <<L as Expression>::Value as ColumnType>::Base;

/// `left operator right`.
fn compared<L, R, B>(left: &L, operator: &str, right: R) -> Fragment
where
    L: Expression,
    R: Operand<B>,
{
    let mut fragment = rendered(left);
    fragment.push(operator);
    right.render(&mut fragment);
    fragment.place_refusal(|| left.place());
    fragment
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name<L, R>(left: L, right: R) -> Condition<Both<L::Tables, R::Tables>>
        where
            L: Expression,
            R: Operand<Base<L>>,
            L::Tables: Concat<R::Tables>,
        {
            Condition::new(compared::<L, R, Base<L>>(&left, $operator, right))
        }
    )+ };
}
comparisons! {
    /// `left = right`.
    eq " = ";
    /// `left <> right`.
    ne " <> ";
    /// `left > right`.
    gt " > ";
    /// `left >= right`.
    gte " >= ";
    /// `left < right`.
    lt " < ";
    /// `left <= right`.
    lte " <= ";
}

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name<L, R>(left: L, pattern: R) -> Condition<Both<L::Tables, R::Tables>>
        where
            L: Expression,
            L::Value: ColumnType<Base = String>,
            R: Operand<String>,
            L::Tables: Concat<R::Tables>,
        {
            Condition::new(compared::<L, R, String>(&left, $operator, pattern))
        }
    )+ };
}
patterns! {
    /// Text matches `pattern`, where `%` stands for any characters and `_` for one; ASCII letters match in either case.
    like " LIKE ";
    /// Text does not match `pattern`: see [`like`].
    not_like " NOT LIKE ";
    /// The same as [`like`], which in SQLite does not tell ASCII letters by their case.
    ilike " LIKE ";
    /// The same as [`not_like`].
    not_ilike " NOT LIKE ";
    /// Text matches `pattern` to the letter, where `*` stands for any characters, `?` for one and `[a-c]` for one of these.
    glob " GLOB ";
    /// Text does not match `pattern`: see [`glob`].
    not_glob " NOT GLOB ";
}

/// `left` is NULL.
#[must_use]
pub fn is_null<L: Expression>(left: L) -> Condition<L::Tables> {
    let mut fragment = rendered(&left);
    fragment.push(" IS NULL");
    Condition::new(fragment)
}

/// `left` is not NULL.
#[must_use]
pub fn is_not_null<L: Expression>(left: L) -> Condition<L::Tables> {
    let mut fragment = rendered(&left);
    fragment.push(" IS NOT NULL");
    Condition::new(fragment)
}

/// What three sides use together.
type Three<A, B, C> = Both<Both<A, B>, C>;

macro_rules! betweens {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name<L, A, B>(left: L, low: A, high: B) -> Condition<Three<L::Tables, A::Tables, B::Tables>>
        where
            L: Expression,
            A: Operand<Base<L>>,
            B: Operand<Base<L>>,
            L::Tables: Concat<A::Tables>,
            Both<L::Tables, A::Tables>: Concat<B::Tables>,
        {
            let mut fragment = compared::<L, A, Base<L>>(&left, $operator, low);
            fragment.push(" AND ");
            high.render(&mut fragment);
            fragment.place_refusal(|| left.place());
            Condition::new(fragment)
        }
    )+ };
}
betweens! {
    /// `left` is at least `low` and at most `high`.
    between " BETWEEN ";
    /// `left` is below `low` or above `high`.
    not_between " NOT BETWEEN ";
}
