//! Conditions, and how they are joined.

use std::fmt;
use std::marker::PhantomData;

use super::Expression;
use crate::fragment::Fragment;
use crate::scope::{Both, Concat};

/// A condition over what the list `Ts` uses. As an expression it is a `bool`, or NULL where SQL cannot say.
pub struct Condition<Ts> {
    fragment: Fragment,
    tables: PhantomData<fn() -> Ts>,
}

impl<Ts> Condition<Ts> {
    pub(crate) fn new(fragment: Fragment) -> Self {
        Self { fragment, tables: PhantomData }
    }

    /// Both hold.
    #[must_use]
    pub fn and<Us>(self, other: Condition<Us>) -> Condition<Both<Ts, Us>>
    where
        Ts: Concat<Us>,
    {
        and(self, other)
    }

    /// At least one holds.
    #[must_use]
    pub fn or<Us>(self, other: Condition<Us>) -> Condition<Both<Ts, Us>>
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

impl<Ts> Expression for Condition<Ts> {
    type Value = Option<bool>;
    type Tables = Ts;

    fn render(&self, out: &mut Fragment) {
        out.push("(");
        out.append_copy(&self.fragment);
        out.push(")");
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
