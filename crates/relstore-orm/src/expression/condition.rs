//! Conditions, and how they are joined.

use std::fmt;
use std::marker::PhantomData;

use super::Expression;
use crate::fragment::Fragment;
use crate::scope::{Both, Concat, Covers, On, Only};
use crate::table::TableRef;

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

    /// The same with a type that can be written down, for a condition over one table that only the run decides: conditions in a `Vec`, or in
    /// a variable that is set in several places.
    ///
    /// ```
    /// # use relstore_orm::{Condition, Executor, Table, Typed, all_of, eq, gt, scope::On};
    /// # #[derive(Table)] #[table(name = "users")] struct User { #[column(primary_key)] id: i64, name: String, age: i64 }
    /// # fn example(store: &dyn Executor, name: Option<&str>, over: Option<i64>) -> relstore_model::Result<Vec<User>> {
    /// let mut filters: Vec<Condition<On<User>>> = Vec::new();
    /// filters.extend(name.map(|name| eq(users.name, name).on(users)));
    /// filters.extend(over.map(|age| gt(users.age, age).on(users)));
    /// store.select().from(users).where_some(all_of(filters)).all()
    /// # }
    /// ```
    #[must_use]
    pub fn on<C: TableRef, Is>(self, table: C) -> Condition<On<C::Source>>
    where
        Only<C::Source>: Covers<Ts, Is>,
    {
        let _ = table;
        Condition::new(self.fragment)
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

/// All of `conditions` hold; `None` of none.
#[must_use]
pub fn all_of<Ts>(conditions: impl IntoIterator<Item = Condition<Ts>>) -> Option<Condition<Ts>> {
    listed(conditions, " AND ")
}

/// At least one of `conditions` holds; `None` of none.
#[must_use]
pub fn any_of<Ts>(conditions: impl IntoIterator<Item = Condition<Ts>>) -> Option<Condition<Ts>> {
    listed(conditions, " OR ")
}

fn listed<Ts>(conditions: impl IntoIterator<Item = Condition<Ts>>, operator: &str) -> Option<Condition<Ts>> {
    let mut fragment = Fragment::default();
    for condition in conditions {
        fragment.push(if fragment.is_empty() { "(" } else { operator });
        fragment.append(condition.fragment);
    }
    if fragment.is_empty() {
        return None;
    }
    fragment.push(")");
    Some(Condition::new(fragment))
}

/// The condition does not hold. Where it is NULL, so is this.
#[must_use]
pub fn not<Ts>(condition: Condition<Ts>) -> Condition<Ts> {
    let mut fragment = Fragment::text("NOT (");
    fragment.append(condition.fragment);
    fragment.push(")");
    Condition::new(fragment)
}
