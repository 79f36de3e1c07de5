//! `DELETE`.

use std::marker::PhantomData;

use relstore_model::Result;
use relstore_model::identifier::quote;

use super::returning_methods;
use crate::executor::Executor;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::prepared::{Changes, Preparable, Prepared, prepared_write};
use crate::scope::{Covers, Only};
use crate::select::add_condition;
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
        let (sql, params) = self.statement(Fragment::default())?.into_statement()?;
        executor.execute(&sql, &params)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the other writes can fail here, and share their methods with it")]
    fn statement(self, returning: Fragment) -> Result<Fragment> {
        let mut out = Fragment::text(format!("DELETE FROM {}", quote(<T as Table>::NAME)));
        if !self.condition.is_empty() {
            out.push(" WHERE ");
            out.append(self.condition);
        }
        out.append(returning);
        Ok(out)
    }
}

returning_methods!(Delete, "the rows as they were");

impl<'e, T: Table> Preparable<'e, ()> for Delete<'e, T> {
    type Outcome = Changes;

    fn prepare<Ps>(self) -> Result<Prepared<'e, Ps, Changes>> {
        let executor = self.executor;
        prepared_write(executor, self.statement(Fragment::default())?)
    }
}
