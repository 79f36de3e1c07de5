//! An open transaction, as the typed layer and SQL see it.

use relstore_engine::{Outcome, Transaction};
use relstore_model::{Error, Result, Value, ValueRef};
use relstore_orm::Executor;

/// An open write transaction of a [`crate::RelationalStore`]: typed statements by [`relstore_orm::Typed`], SQL by [`Tx::sql`].
pub struct Tx<'a>(pub(crate) &'a Transaction<'a>);

impl Tx<'_> {
    /// Runs one SQL statement in the transaction.
    ///
    /// # Errors
    /// By what SQLite says, as [`Transaction::execute`].
    pub fn sql(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        self.0.execute(sql, params)
    }

    /// Runs `body` in a nested transaction: what it did is undone if it fails, and this one goes on.
    ///
    /// # Errors
    /// Whatever `body` gives.
    pub fn transaction<T, E: From<Error>>(&self, body: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.0.transaction(|nested| body(&Tx(nested)))
    }
}

impl Executor for Tx<'_> {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        // Nested, so that a row that `each` refuses undoes what the statement wrote; a statement that only reads has nothing to undo.
        self.0.transaction(|tx| tx.execute_each(sql, params, each).map(|_| ()))
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.0.execute_each(sql, params, &mut |_| Ok(())).map(|outcome| outcome.changes)
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        self.0.transaction(|tx| tx.execute_many(sql, rows))
    }
}
