//! `SELECT`.
//!
//! What comes in: tables, conditions and projections that the compiler has checked against each other. What goes out: one statement,
//! and its rows as models or tuples. A query is a value until one of [`Select::all`], [`Select::first`], [`Select::one`],
//! [`Select::each`] and [`Select::count`] runs it, or until it stands in another statement.

mod clauses;
mod compound;
mod group;
mod item;
mod join;
mod projection;
mod query;
mod whole;

use std::marker::PhantomData;

pub use compound::Compound;
pub use group::GroupKeys;
pub use item::{Derived, FromItem, With};
pub use projection::{Chosen, Projection};
pub use query::{Query, RowCount};
pub use whole::{Join, LoosenProjection, Push, Whole, WholeRow};

use crate::executor::Executor;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::scope::{Covers, Nil, Only, WithAggregates};
use crate::table::Source;
use clauses::{Clauses, Tail};

pub(crate) use clauses::add_condition;
pub(crate) use query::count_of_rows;
pub(crate) use whole::render_columns;

/// A `SELECT` that lacks its table: call [`SelectFrom::from`].
#[must_use = "a query does nothing until it is run"]
pub struct SelectFrom<'e, P> {
    executor: &'e dyn Executor,
    projection: P,
    with: Fragment,
}

impl<'e, P> SelectFrom<'e, P> {
    pub(crate) fn new(executor: &'e dyn Executor, projection: P) -> Self {
        Self { executor, projection, with: Fragment::default() }
    }

    /// The same after the named queries `with`.
    fn after(self, with: Fragment) -> Self {
        Self { with, ..self }
    }

    /// The table whose rows are read.
    pub fn from<C: FromItem>(self, table: C) -> Select<'e, P::Out, Only<C::Source>>
    where
        P: Join<<C::Source as Source>::Model>,
    {
        let mut from = Fragment::default();
        table.render(&mut from);
        Select {
            executor: self.executor,
            projection: self.projection.join::<C::Source>(),
            clauses: Clauses::new(self.with, from),
            scope: PhantomData,
        }
    }
}

/// A `SELECT` that gives `P` from the tables in the list `S`, and uses the tables `O` of a query around it.
#[must_use = "a query does nothing until it is run"]
pub struct Select<'e, P, S, O = Nil> {
    executor: &'e dyn Executor,
    projection: P,
    clauses: Clauses,
    scope: PhantomData<fn() -> (S, O)>,
}

impl<'e, P, S, O> Select<'e, P, S, O> {
    /// Keeps the rows for which `condition` holds. Several calls must all hold.
    pub fn where_<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        S: Covers<Ts, Is>,
    {
        self.clauses.require(condition.into_fragment());
        self
    }

    /// As [`Select::where_`] if there is a condition; else it changes nothing.
    pub fn where_some<Ts, Is>(self, condition: Option<Condition<Ts>>) -> Self
    where
        S: Covers<Ts, Is>,
    {
        match condition {
            Some(condition) => self.where_(condition),
            None => self,
        }
    }

    /// Gives one row for each combination of values of `keys`: an expression, or a tuple of up to twelve. Further calls add keys.
    pub fn group_by<K, Proof>(mut self, keys: K) -> Self
    where
        K: GroupKeys<S, Proof>,
    {
        keys.render(self.clauses.next_key());
        self
    }

    /// Keeps the groups for which `condition` holds; it may use aggregates. Several calls must all hold.
    pub fn having<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        WithAggregates<S>: Covers<Ts, Is>,
    {
        self.clauses.require_of_groups(condition.into_fragment());
        self
    }

    /// Gives each different row once.
    pub fn distinct(mut self) -> Self {
        self.clauses.is_distinct = true;
        self
    }

    pub(crate) fn executor(&self) -> &'e dyn Executor {
        self.executor
    }

    fn projection(&self) -> &P {
        &self.projection
    }

    fn tail_mut(&mut self) -> &mut Tail {
        &mut self.clauses.tail
    }

    pub(crate) fn into_projection(self) -> P {
        self.projection
    }

    pub(crate) fn to_fragment<Proof>(&self) -> Fragment
    where
        P: Projection<S, Proof>,
    {
        let mut expressions = Fragment::default();
        self.projection.render(&mut expressions);
        self.clauses.to_fragment(&expressions)
    }
}
