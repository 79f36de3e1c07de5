//! `UPDATE`.

use std::marker::PhantomData;

use relstore_model::Result;
use relstore_model::identifier::quote;

use super::assignment::Assignments;
use super::{models, projected, returning_all, returning_of};
use crate::executor::Executor;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::scope::{Covers, Only};
use crate::select::{Projection, add_condition};
use crate::table::Table;

/// An `UPDATE` of the table of `T`. Without a condition it updates every row.
#[must_use = "an update does nothing until it is run"]
pub struct Update<'e, T> {
    executor: &'e dyn Executor,
    assignments: Assignments,
    condition: Fragment,
    table: PhantomData<fn() -> T>,
}

impl<'e, T: Table> Update<'e, T> {
    pub(crate) fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, assignments: Assignments::default(), condition: Fragment::default(), table: PhantomData }
    }

    /// What to set. Several calls add up, the last one for a column wins.
    pub fn set(mut self, set: T::Set) -> Self {
        self.assignments.merge(set.into());
        self
    }

    /// Updates only the rows for which `condition` holds. Several calls must all hold.
    pub fn where_<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        Only<T>: Covers<Ts, Is>,
    {
        add_condition(&mut self.condition, condition.into_fragment());
        self
    }

    /// Updates the rows and gives their number.
    ///
    /// # Errors
    /// `Invalid` if nothing is set; `Constraint` if a row breaks one; else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let executor = self.executor;
        let statement = self.statement("")?;
        executor.execute(statement.sql(), statement.params())
    }

    /// Updates the rows and gives them as they are now, in no promised order.
    ///
    /// # Errors
    /// As [`Update::execute`]; `Constraint` if a cell does not have the type of its column.
    pub fn returning(self) -> Result<Vec<T>> {
        let executor = self.executor;
        let mut rows = Vec::new();
        models(executor, &self.statement(&returning_all::<T>())?, &mut rows)?;
        Ok(rows)
    }

    /// Updates the rows and gives a column of each, or a tuple of columns, in no promised order.
    ///
    /// # Errors
    /// As [`Update::returning`].
    pub fn returning_cols<P, Row, Proof>(self, projection: P) -> Result<Vec<Row>>
    where
        P: Projection<Only<T>, Proof, Row = Row>,
    {
        let executor = self.executor;
        let mut rows = Vec::new();
        let statement = self.statement(&returning_of::<T, _, _>(&projection))?;
        projected::<T, _, _>(executor, &statement, &projection, &mut rows)?;
        Ok(rows)
    }

    fn statement(self, returning: &str) -> Result<Fragment> {
        let mut out = Fragment::text(format!("UPDATE {}", quote(T::NAME)));
        self.assignments.render(T::NAME, false, &mut out)?;
        if !self.condition.is_empty() {
            out.push(" WHERE ");
            out.append(self.condition);
        }
        out.push(returning);
        Ok(out)
    }
}
