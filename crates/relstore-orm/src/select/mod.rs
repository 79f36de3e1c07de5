//! `SELECT`.
//!
//! What comes in: tables, conditions and projections that the compiler has checked against each other. What goes out: one statement,
//! and its rows as models or tuples. A query is a value until one of [`Select::all`], [`Select::first`] and [`Select::each`] runs it.

mod clauses;
mod group;
mod projection;
mod whole;

use std::marker::PhantomData;

pub use group::GroupKeys;
pub use projection::{Chosen, Projection};
pub use whole::{Join, Push, Whole, WholeRow};

use relstore_model::identifier::quote;
use relstore_model::{Result, Value};

use crate::executor::Executor;
use crate::expression::{Condition, Order};
use crate::scope::{Covers, Joined, Only, Optional, Required, WithAggregates};
use crate::table::{Table, TableRef};
use clauses::Clauses;

pub(crate) use clauses::add_condition;
pub(crate) use whole::columns_of;

/// A `SELECT` that lacks its table: call [`SelectFrom::from`].
#[must_use = "a query does nothing until it is run"]
pub struct SelectFrom<'e, P> {
    executor: &'e dyn Executor,
    projection: P,
}

impl<'e, P> SelectFrom<'e, P> {
    pub(crate) fn new(executor: &'e dyn Executor, projection: P) -> Self {
        Self { executor, projection }
    }

    /// The table whose rows are read.
    pub fn from<C: TableRef>(self, table: C) -> Select<'e, P::Out, Only<C::Model>>
    where
        P: Join<C::Model>,
    {
        let _ = table;
        Select {
            executor: self.executor,
            projection: self.projection.join::<C::Model>(),
            clauses: Clauses::new(quote(C::Model::NAME)),
            scope: PhantomData,
        }
    }
}

/// A `SELECT` that gives `P` from the tables in the list `S`.
#[must_use = "a query does nothing until it is run"]
pub struct Select<'e, P, S> {
    executor: &'e dyn Executor,
    projection: P,
    clauses: Clauses,
    scope: PhantomData<fn() -> S>,
}

impl<'e, P, S> Select<'e, P, S> {
    /// Adds the rows of `table` that match, and drops rows without a match.
    pub fn inner_join<C: TableRef, Ts, Is>(self, table: C, on: Condition<Ts>) -> Select<'e, P::Out, Joined<S, C::Model, Required>>
    where
        P: Join<C::Model>,
        Joined<S, C::Model, Required>: Covers<Ts, Is>,
    {
        let _ = table;
        self.join::<C::Model, C::Model, Ts, Required>(" INNER JOIN ", on)
    }

    /// Adds the rows of `table` that match; a row without a match is kept, with `None` for this table's model and columns.
    pub fn left_join<C: TableRef, Ts, Is>(self, table: C, on: Condition<Ts>) -> Select<'e, P::Out, Joined<S, C::Model, Optional>>
    where
        P: Join<Option<C::Model>>,
        Joined<S, C::Model, Optional>: Covers<Ts, Is>,
    {
        let _ = table;
        self.join::<C::Model, Option<C::Model>, Ts, Optional>(" LEFT JOIN ", on)
    }

    fn join<M: Table, R, Ts, Presence>(mut self, keyword: &str, on: Condition<Ts>) -> Select<'e, P::Out, Joined<S, M, Presence>>
    where
        P: Join<R>,
    {
        self.clauses.join(keyword, M::NAME, on.into_fragment());
        Select { executor: self.executor, projection: self.projection.join::<M>(), clauses: self.clauses, scope: PhantomData }
    }

    /// Keeps the rows for which `condition` holds. Several calls must all hold.
    pub fn where_<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        S: Covers<Ts, Is>,
    {
        self.clauses.require(condition.into_fragment());
        self
    }

    /// Gives one row for each combination of values of `keys`: a column, or a tuple of up to eight. Further calls add keys.
    pub fn group_by<K, Proof>(mut self, keys: K) -> Self
    where
        K: GroupKeys<S, Proof>,
    {
        self.clauses.group_by(keys.expressions());
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

    /// Orders the rows; further calls order among equals.
    pub fn order_by<O, Proof>(mut self, order: O) -> Self
    where
        O: Order<S, Proof>,
    {
        order.render(self.clauses.next_order());
        self
    }

    /// Gives at most `count` rows.
    pub fn limit(mut self, count: u64) -> Self {
        self.clauses.limit = Some(count);
        self
    }

    /// Leaves out the first `count` rows.
    pub fn offset(mut self, count: u64) -> Self {
        self.clauses.offset = Some(count);
        self
    }

    /// Gives each different row once.
    pub fn distinct(mut self) -> Self {
        self.clauses.is_distinct = true;
        self
    }

    /// The statement's text and its parameters, without running it.
    pub fn to_sql<Proof>(&self) -> (String, Vec<Value>)
    where
        P: Projection<S, Proof>,
    {
        self.clauses.to_fragment(&self.projection.expressions()).into_parts()
    }

    /// Runs the query and gives all its rows.
    ///
    /// # Errors
    /// What the executor gives; `Constraint` if a cell does not have the type of its column.
    pub fn all<Row, Proof>(self) -> Result<Vec<Row>>
    where
        P: Projection<S, Proof, Row = Row>,
    {
        let mut rows = Vec::new();
        self.each(|row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Runs the query for its first row; `None` if there is none.
    ///
    /// # Errors
    /// As [`Select::all`].
    pub fn first<Row, Proof>(self) -> Result<Option<Row>>
    where
        P: Projection<S, Proof, Row = Row>,
    {
        let limit = self.clauses.limit.map_or(1, |limit| limit.min(1));
        Ok(self.limit(limit).all()?.pop())
    }

    /// Runs the query and hands over its rows one by one, so that only one is in memory. An error from `each` ends it.
    ///
    /// # Errors
    /// As [`Select::all`], and what `each` gives.
    pub fn each<Row, Proof>(self, mut each: impl FnMut(Row) -> Result<()>) -> Result<()>
    where
        P: Projection<S, Proof, Row = Row>,
    {
        let (sql, params) = self.to_sql();
        self.executor.query(&sql, &params, &mut |cells| each(self.projection.decode(cells, 0)?))
    }
}
