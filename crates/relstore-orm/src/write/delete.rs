//! `DELETE`.

use std::marker::PhantomData;

use relstore_model::Result;
use relstore_model::identifier::quote;

use super::{models, projected, returning_all, returning_of};
use crate::executor::Executor;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::scope::{Covers, Only};
use crate::select::{Projection, add_condition};
use crate::table::Table;

/// A `DELETE` from the table of `T`. Without a condition it deletes every row.
#[must_use = "a delete does nothing until it is run"]
pub struct Delete<'e, T> {
    executor: &'e dyn Executor,
    condition: Fragment,
    table: PhantomData<fn() -> T>,
}

impl<'e, T: Table> Delete<'e, T> {
    pub(crate) fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, condition: Fragment::default(), table: PhantomData }
    }

    /// Deletes only the rows for which `condition` holds. Several calls must all hold.
    pub fn where_<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        Only<T>: Covers<Ts, Is>,
    {
        add_condition(&mut self.condition, condition.into_fragment());
        self
    }

    /// Deletes the rows and gives their number.
    ///
    /// # Errors
    /// `Constraint` if another row still refers to one of them; else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let executor = self.executor;
        let statement = self.statement("");
        executor.execute(statement.sql(), statement.params())
    }

    /// Deletes the rows and gives them as they were, in no promised order.
    ///
    /// # Errors
    /// As [`Delete::execute`]; `Constraint` if a cell does not have the type of its column.
    pub fn returning(self) -> Result<Vec<T>> {
        let executor = self.executor;
        let mut rows = Vec::new();
        models(executor, &self.statement(&returning_all::<T>()), &mut rows)?;
        Ok(rows)
    }

    /// Deletes the rows and gives a column of each, or a tuple of columns, in no promised order.
    ///
    /// # Errors
    /// As [`Delete::returning`].
    pub fn returning_cols<P, Row, Proof>(self, projection: P) -> Result<Vec<Row>>
    where
        P: Projection<Only<T>, Proof, Row = Row>,
    {
        let executor = self.executor;
        let mut rows = Vec::new();
        let statement = self.statement(&returning_of::<T, _, _>(&projection));
        projected::<T, _, _>(executor, &statement, &projection, &mut rows)?;
        Ok(rows)
    }

    fn statement(self, returning: &str) -> Fragment {
        let mut out = Fragment::text(format!("DELETE FROM {}", quote(T::NAME)));
        if !self.condition.is_empty() {
            out.push(" WHERE ");
            out.append(self.condition);
        }
        out.push(returning);
        out
    }
}
