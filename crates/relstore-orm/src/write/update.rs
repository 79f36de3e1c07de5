//! `UPDATE`.

use std::marker::PhantomData;

use relstore_model::Result;
use relstore_model::identifier::quote;

use super::assignment::Assignments;
use super::returning_methods;
use crate::executor::Executor;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::prepared::{Changes, Preparable, Prepared, prepared_write};
use crate::scope::{Covers, Only};
use crate::select::add_condition;
use crate::table::Table;

/// An `UPDATE` of the table of `T` that does not know yet what to set: call [`UpdateTable::set`].
#[must_use = "an update does nothing until it is run"]
pub struct UpdateTable<'e, T> {
    executor: &'e dyn Executor,
    table: PhantomData<fn() -> T>,
}

impl<'e, T: Table> UpdateTable<'e, T> {
    pub(crate) fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, table: PhantomData }
    }

    /// What to set.
    pub fn set(self, set: T::Set) -> Update<'e, T> {
        Update { executor: self.executor, assignments: set.into(), condition: Fragment::default(), table: PhantomData }
    }
}

/// An `UPDATE` of the table of `T`. Without a condition it updates every row.
#[must_use = "an update does nothing until it is run"]
pub struct Update<'e, T> {
    executor: &'e dyn Executor,
    assignments: Assignments,
    condition: Fragment,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Update<'_, T> {
    /// What to set besides. The last assignment of a column wins.
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
    /// `Invalid` if a `Set` that may be empty sets nothing; `Constraint` if a row breaks one; else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let executor = self.executor;
        let (sql, params) = self.statement(Fragment::default())?.into_statement()?;
        executor.execute(&sql, &params)
    }
}

impl<T: Table> Update<'_, T> {
    fn statement(self, returning: Fragment) -> Result<Fragment> {
        let mut out = Fragment::text(format!("UPDATE {}", quote(<T as Table>::NAME)));
        self.assignments.render::<T>(false, &mut out)?;
        if !self.condition.is_empty() {
            out.push(" WHERE ");
            out.append(self.condition);
        }
        out.append(returning);
        Ok(out)
    }
}

returning_methods!(Update, "the rows as they are now");

impl<'e, T: Table> Preparable<'e, ()> for Update<'e, T> {
    type Outcome = Changes;

    fn prepare<Ps>(self) -> Result<Prepared<'e, Ps, Changes>> {
        let executor = self.executor;
        prepared_write(executor, self.statement(Fragment::default())?)
    }
}
