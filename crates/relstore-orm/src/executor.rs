//! Who runs statements, and the words that start one.

use relstore_model::{Result, Value, ValueRef};

use crate::select::{Chosen, SelectFrom, Whole};
use crate::table::TableRef;
use crate::write::{Delete, Insert, Update};

/// Runs statements for the typed layer. The façade implements it for a store and for an open transaction.
///
/// `params` fill the `?` of `sql` from left to right. A statement is atomic: when it fails it has changed nothing.
pub trait Executor {
    /// Runs one statement that gives rows and hands each to `each`, in the statement's order.
    ///
    /// The cells are borrowed and live for one call. A statement with `RETURNING` comes this way too and writes, so implementers MUST
    /// run it to its end even though it gives rows. An error from `each` ends the statement, undoes its writes and is given back.
    ///
    /// # Errors
    /// Whatever the statement or `each` gives.
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()>;

    /// Runs one statement that gives no rows; gives the number of rows it changed.
    ///
    /// # Errors
    /// Whatever the statement gives.
    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64>;

    /// Runs one statement once per row of parameters, all in one transaction (nested in the open one, if any); gives the total number
    /// of rows changed.
    ///
    /// Implementers MUST take every row before they give `Ok`.
    ///
    /// # Errors
    /// What the first statement that fails gives; then none of the rows has changed anything.
    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64>;
}

/// The words that start a statement, on everything that runs statements.
///
/// It is implemented for every [`Executor`]; you need not, and cannot, implement it yourself.
pub trait Typed {
    /// This, as an executor.
    fn as_executor(&self) -> &dyn Executor;

    /// Starts a `SELECT` of whole rows: one table gives its model, joins give tuples of models.
    fn select(&self) -> SelectFrom<'_, Whole<()>> {
        SelectFrom::new(self.as_executor(), Whole::default())
    }

    /// Starts a `SELECT` of one expression, or of a tuple of up to eight: columns, [`count`](crate::count) and the other aggregates.
    fn select_cols<P>(&self, projection: P) -> SelectFrom<'_, Chosen<P>> {
        SelectFrom::new(self.as_executor(), Chosen::new(projection))
    }

    /// Starts an `INSERT`.
    fn insert<C: TableRef>(&self, table: C) -> Insert<'_, C::Model> {
        let _ = table;
        Insert::new(self.as_executor())
    }

    /// Starts an `UPDATE`. Without a condition it updates every row.
    fn update<C: TableRef>(&self, table: C) -> Update<'_, C::Model> {
        let _ = table;
        Update::new(self.as_executor())
    }

    /// Starts a `DELETE`. Without a condition it deletes every row.
    fn delete<C: TableRef>(&self, table: C) -> Delete<'_, C::Model> {
        let _ = table;
        Delete::new(self.as_executor())
    }
}

impl<E: Executor> Typed for E {
    fn as_executor(&self) -> &dyn Executor {
        self
    }
}

impl Typed for dyn Executor + '_ {
    fn as_executor(&self) -> &dyn Executor {
        self
    }
}
