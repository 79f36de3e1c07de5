//! `INSERT … SELECT`.

use std::marker::PhantomData;

use relstore_model::Result;
use relstore_model::identifier::quote;

use super::assignment::Fits;
use super::conflict::{OnConflict, Resolution, Resolve};
use super::returning_methods;
use crate::column::ColumnsOf;
use crate::definition::quoted_list;
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::table::Table;
use crate::types::{ColumnType, SqlType};

/// An `INSERT` of what a query gives. Made by [`Insert::from_select`](super::Insert::from_select).
#[must_use = "an insert does nothing until it is run"]
pub struct InsertSelect<'e, T> {
    executor: &'e dyn Executor,
    columns: Vec<&'static str>,
    query: Fragment,
    resolution: Option<Resolution>,
    table: PhantomData<fn() -> T>,
}

/// A row of a query that can be inserted into columns of the types `Cells`.
#[diagnostic::on_unimplemented(
    message = "rows of type `{Self}` cannot be inserted into columns of type `{Cells}`",
    label = "the query must give the columns in their order and with their types"
)]
pub trait Feeds<Cells> {}

impl<V: ColumnType> Feeds<V> for V {}
impl<V: SqlType> Feeds<Option<V>> for V {}

macro_rules! feeds_tuple {
    ($($A:ident $B:ident $n:tt),+) => {
        impl<$($A: Fits<$B>, $B),+> Feeds<($($B,)+)> for ($($A,)+) {}
    };
}
crate::tuples::each_proven_tuple!(feeds_tuple);

impl<T: Table> Resolve for InsertSelect<'_, T> {
    fn resolving(self, resolution: Resolution) -> Self {
        Self { resolution: Some(resolution), ..self }
    }
}

impl<'e, T: Table> InsertSelect<'e, T> {
    pub(super) fn new(executor: &'e dyn Executor, columns: Vec<&'static str>, query: Fragment) -> Self {
        Self { executor, columns, query, resolution: None, table: PhantomData }
    }

    /// As [`Insert::on_conflict`](super::Insert::on_conflict).
    pub fn on_conflict(self, columns: impl ColumnsOf<T>) -> OnConflict<Self, T> {
        OnConflict::new(self, columns.names())
    }

    /// Inserts the rows and gives the number of rows inserted or, on conflict, updated.
    ///
    /// # Errors
    /// `Constraint` if a row breaks one; `Invalid` if `do_update` sets nothing; else what the executor gives.
    pub fn execute(self) -> Result<u64> {
        let executor = self.executor;
        let (sql, params) = self.statement(Fragment::default())?.into_statement()?;
        executor.execute(&sql, &params)
    }

    fn statement(self, returning: Fragment) -> Result<Fragment> {
        let mut out = Fragment::text(format!("INSERT INTO {} ({}) ", quote(<T as Table>::NAME), quoted_list(&self.columns)));
        match self.resolution {
            None => out.append(self.query),
            Some(resolution) => {
                // Without the WHERE, SQLite would take the ON of ON CONFLICT for that of a join.
                out.push("SELECT * FROM (");
                out.append(self.query);
                out.push(") WHERE true");
                out.append(resolution.render::<T>()?);
            }
        }
        out.append(returning);
        Ok(out)
    }
}

returning_methods!(InsertSelect, "the rows as the table has them now");
