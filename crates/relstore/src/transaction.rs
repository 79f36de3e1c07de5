//! An open transaction, as the typed layer and SQL see it.

use relstore_engine::{Outcome, Transaction};
use relstore_model::{Error, Result, Value, ValueRef};
use relstore_orm::{Executor, Held};

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
        let mut statement = self.0.prepare(sql)?;
        if statement.is_read() {
            return statement.query_each(params, each).map(|_| ());
        }
        drop(statement);
        // Nested, so that a row that `each` refuses undoes what the statement wrote.
        self.0.transaction(|tx| tx.execute_each(sql, params, each).map(|_| ()))
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.0.execute_each(sql, params, &mut |_| Ok(())).map(|outcome| outcome.changes)
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        self.0.transaction(|tx| tx.execute_many(sql, rows))
    }

    fn query_held(&self, held: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        let mut statement = self.0.prepare(held.sql())?;
        if statement.is_read() {
            return statement.query_held(params, each).map(|_| ());
        }
        drop(statement);
        let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
        self.0.transaction(|tx| tx.execute_each(held.sql(), &params, each).map(|_| ()))
    }
}
