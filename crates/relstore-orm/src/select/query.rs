//! What every query can do, be it one `SELECT` or several joined by set operators: run, and stand in another statement.

use relstore_model::{Error, Result, Value};

use super::{Compound, Derived, Projection, Select};
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::prepared::Param;
use crate::scope::Nil;
use crate::table::{FilledBy, TableRef};
use crate::types::Slot;

/// A query, for statements that take one: [`exists`](crate::exists), [`in_array`](crate::in_array),
/// [`from_select`](crate::write::Insert::from_select), [`With`](super::With) and the set operators.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a query", label = "a `select()` or `select_cols(…)` with its table is expected")]
pub trait Query<Proof> {
    /// What a row becomes.
    type Row;
    /// The tables of the query around it that it uses, as a list of [`scope`](crate::scope).
    type Outer;

    /// Its SQL.
    fn into_fragment(self) -> Fragment;

    /// Its SQL as a member of a set operation, which takes no order and no limit without something around them.
    #[doc(hidden)]
    fn into_member(self) -> Fragment;
}

/// A number of rows: a number, or a [`Param`] of a prepared statement.
pub trait RowCount {
    /// What fills the `?`.
    fn slot(self) -> Slot;
}

impl RowCount for u64 {
    fn slot(self) -> Slot {
        // No table has more rows than `i64::MAX`.
        Slot::Value(Value::Integer(i64::try_from(self).unwrap_or(i64::MAX)))
    }
}

impl RowCount for Param<i64> {
    fn slot(self) -> Slot {
        Slot::Argument(self.number())
    }
}

macro_rules! running {
    ($query:ident) => {
        impl<P, S, O, Proof> Query<Proof> for $query<'_, P, S, O>
        where
            P: Projection<S, Proof>,
        {
            type Row = P::Row;
            type Outer = O;

            fn into_fragment(self) -> Fragment {
                self.to_fragment()
            }

            fn into_member(self) -> Fragment {
                self.to_member()
            }
        }

        impl<P, S, O> $query<'_, P, S, O> {
            /// Orders the rows; further calls order among equals. After set operators, the order must be by what the first query gives.
            pub fn order_by<K, Proof>(mut self, order: K) -> Self
            where
                K: crate::expression::Order<S, Proof>,
            {
                order.render(self.tail_mut().next_order());
                self
            }

            /// Gives at most `count` rows. A [`Param`] has SQLite compile the statement anew at each call; a number does not.
            pub fn limit(mut self, count: impl RowCount) -> Self {
                self.tail_mut().limit = Some(count.slot());
                self
            }

            /// Leaves out the first `count` rows.
            pub fn offset(mut self, count: impl RowCount) -> Self {
                self.tail_mut().offset = Some(count.slot());
                self
            }
        }

        impl<P, S> $query<'_, P, S, Nil> {
            /// The query as a table of another, in `FROM` or in a join. `table` is the constant of a struct with `#[derive(Table)]` whose
            /// fields are the columns of the query, in order; the table need not exist.
            pub fn as_table<C, Proof>(self, table: C) -> Derived<C>
            where
                C: TableRef,
                P: Projection<S, Proof>,
                C::Model: FilledBy<P::Row>,
            {
                let _ = table;
                Derived::new(self.to_fragment())
            }

            /// The statement's text and its parameters, without running it. What a prepared statement is called with is NULL here.
            pub fn to_sql<Proof>(&self) -> (String, Vec<Value>)
            where
                P: Projection<S, Proof>,
            {
                self.to_fragment().into_parts()
            }

            /// Runs the query and gives all its rows.
            ///
            /// # Errors
            /// What the executor gives; `Constraint` if a cell does not have the type of its column, or a parameter fits no cell.
            pub fn all<Row, Proof>(self) -> Result<Vec<Row>>
            where
                P: Projection<S, Proof, Row = Row>,
            {
                let (sql, params) = self.to_fragment().into_statement()?;
                let (executor, projection) = (self.executor(), self.projection());
                let mut rows = Vec::new();
                executor.query(&sql, &params, &mut |cells| {
                    rows.push(projection.decode(cells, 0)?);
                    Ok(())
                })?;
                Ok(rows)
            }

            /// Runs the query for its first row; `None` if there is none.
            ///
            /// # Errors
            /// As [`Self::all`].
            pub fn first<Row, Proof>(mut self) -> Result<Option<Row>>
            where
                P: Projection<S, Proof, Row = Row>,
            {
                self.tail_mut().limit_to(1);
                Ok(self.all()?.pop())
            }

            /// Runs the query for its only row.
            ///
            /// # Errors
            /// As [`Self::all`]; `NotFound` if there is no row; `Invalid` if there are several.
            pub fn one<Row, Proof>(mut self) -> Result<Row>
            where
                P: Projection<S, Proof, Row = Row>,
            {
                self.tail_mut().limit_to(2);
                let (sql, _) = self.to_sql();
                only(self.all()?, &sql)
            }

            /// Runs the query and hands over its rows one by one, so that only one is in memory. An error from `each` ends it.
            ///
            /// # Errors
            /// As [`Self::all`], and what `each` gives.
            pub fn each<Row, Proof>(self, mut each: impl FnMut(Row) -> Result<()>) -> Result<()>
            where
                P: Projection<S, Proof, Row = Row>,
            {
                let (sql, params) = self.to_fragment().into_statement()?;
                self.executor().query(&sql, &params, &mut |cells| each(self.projection().decode(cells, 0)?))
            }

            /// Runs the query for the number of its rows, which are counted where they are.
            ///
            /// # Errors
            /// What the executor gives; `Constraint` if a parameter fits no cell.
            pub fn count<Proof>(self) -> Result<u64>
            where
                P: Projection<S, Proof>,
            {
                let mut counting = Fragment::text("SELECT count(*) FROM (");
                counting.append(self.to_fragment());
                counting.push(")");
                count_of_rows(self.executor(), counting)
            }
        }
    };
}
running!(Select);
running!(Compound);

/// The only one of `rows`.
pub(crate) fn only<Row>(rows: Vec<Row>, sql: &str) -> Result<Row> {
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(Error::not_found("no row where one was asked for")
            .with("sql", sql)
            .with_hint("ask with .first(), which gives None, if the row may be missing")),
        (Some(_), Some(_)) => Err(Error::invalid("several rows where one was asked for")
            .with("sql", sql)
            .with_hint("narrow the condition, ask with .first() for the first, or with .all() for all of them")),
    }
}

/// Runs a statement that gives one number.
pub(crate) fn count_of_rows(executor: &dyn Executor, statement: Fragment) -> Result<u64> {
    let (sql, params) = statement.into_statement()?;
    let mut count = 0;
    executor.query(&sql, &params, &mut |cells| {
        count = crate::types::read_cell::<u64>(cells, 0, || ("(aggregate)".to_owned(), "count(*)".to_owned()))?;
        Ok(())
    })?;
    Ok(count)
}
