//! Conditions, in Drizzle's words.

use std::fmt;
use std::marker::PhantomData;

use super::{Expression, Operand};
use crate::fragment::Fragment;
use crate::scope::Concat;
use crate::types::{IntoValue, SqlType};

/// A condition over the models in the list `Ts`.
pub struct Condition<Ts> {
    fragment: Fragment,
    tables: PhantomData<fn() -> Ts>,
}

impl<Ts> Condition<Ts> {
    fn new(fragment: Fragment) -> Self {
        Self { fragment, tables: PhantomData }
    }

    /// Both hold.
    #[must_use]
    pub fn and<Us>(self, other: Condition<Us>) -> Condition<Ts::Out>
    where
        Ts: Concat<Us>,
    {
        and(self, other)
    }

    /// At least one holds.
    #[must_use]
    pub fn or<Us>(self, other: Condition<Us>) -> Condition<Ts::Out>
    where
        Ts: Concat<Us>,
    {
        or(self, other)
    }

    /// The SQL, without parentheses around it.
    #[must_use]
    pub fn into_fragment(self) -> Fragment {
        self.fragment
    }
}

impl<Ts> Clone for Condition<Ts> {
    fn clone(&self) -> Self {
        Self::new(self.fragment.clone())
    }
}

impl<Ts> fmt::Debug for Condition<Ts> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fragment.fmt(f)
    }
}

/// The list of models that two sides use together.
type Both<A, B> = <A as Concat<B>>::Out;

fn rendered<L: Expression>(left: &L) -> Fragment {
    let mut fragment = Fragment::default();
    left.render(&mut fragment);
    fragment
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name<L, R>(left: L, right: R) -> Condition<Both<L::Tables, R::Tables>>
        where
            L: Expression,
            R: Operand<<L::Value as SqlType>::Base>,
            L::Tables: Concat<R::Tables>,
        {
            let mut fragment = rendered(&left);
            fragment.push($operator);
            right.render(&mut fragment);
            Condition::new(fragment)
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

/// Both hold.
#[must_use]
pub fn and<A: Concat<B>, B>(left: Condition<A>, right: Condition<B>) -> Condition<A::Out> {
    joined(left, " AND ", right)
}

/// At least one holds.
#[must_use]
pub fn or<A: Concat<B>, B>(left: Condition<A>, right: Condition<B>) -> Condition<A::Out> {
    joined(left, " OR ", right)
}

fn joined<A: Concat<B>, B>(left: Condition<A>, operator: &str, right: Condition<B>) -> Condition<A::Out> {
    let mut fragment = Fragment::text("(");
    fragment.append(left.fragment);
    fragment.push(operator);
    fragment.append(right.fragment);
    fragment.push(")");
    Condition::new(fragment)
}

/// The condition does not hold. Where it is NULL, so is this.
#[must_use]
pub fn not<Ts>(condition: Condition<Ts>) -> Condition<Ts> {
    let mut fragment = Fragment::text("NOT (");
    fragment.append(condition.fragment);
    fragment.push(")");
    Condition::new(fragment)
}

/// `left` is one of `values`; of no values, it is none. Each value takes one of SQLite's 32,766 parameters.
#[must_use]
pub fn in_array<L, I>(left: L, values: I) -> Condition<L::Tables>
where
    L: Expression,
    I: IntoIterator,
    I::Item: IntoValue<<L::Value as SqlType>::Base>,
{
    listed(&left, " IN (", values)
}

/// `left` is none of `values`.
#[must_use]
pub fn not_in_array<L, I>(left: L, values: I) -> Condition<L::Tables>
where
    L: Expression,
    I: IntoIterator,
    I::Item: IntoValue<<L::Value as SqlType>::Base>,
{
    listed(&left, " NOT IN (", values)
}

fn listed<L, I>(left: &L, operator: &str, values: I) -> Condition<L::Tables>
where
    L: Expression,
    I: IntoIterator,
    I::Item: IntoValue<<L::Value as SqlType>::Base>,
{
    let mut fragment = rendered(left);
    fragment.push(operator);
    for (i, value) in values.into_iter().enumerate() {
        if i > 0 {
            fragment.push(", ");
        }
        fragment.push_param(value.into_value());
    }
    fragment.push(")");
    Condition::new(fragment)
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

/// Text matches `pattern`, where `%` stands for any characters and `_` for one; ASCII letters match in either case.
#[must_use]
pub fn like<L>(left: L, pattern: &str) -> Condition<L::Tables>
where
    L: Expression,
    L::Value: SqlType<Base = String>,
{
    let mut fragment = rendered(&left);
    fragment.push(" LIKE ");
    fragment.push_param(pattern.into());
    Condition::new(fragment)
}

/// `left` is at least `low` and at most `high`.
#[must_use]
pub fn between<L, A, B>(left: L, low: A, high: B) -> Condition<L::Tables>
where
    L: Expression,
    A: IntoValue<<L::Value as SqlType>::Base>,
    B: IntoValue<<L::Value as SqlType>::Base>,
{
    let mut fragment = rendered(&left);
    fragment.push(" BETWEEN ");
    fragment.push_param(low.into_value());
    fragment.push(" AND ");
    fragment.push_param(high.into_value());
    Condition::new(fragment)
}
