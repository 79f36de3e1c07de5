//! Transactions: one at a time, nested to any depth, all or nothing.

use std::sync::Arc;

use relstore_model::{Error, Result, Schema, Value, ValueRef};

use crate::reader::{Rows, collect};
use crate::statement::Statement;
use crate::writer::{Outcome, Writer};

/// An open write transaction. It sees its own writes; nobody else does until it commits.
pub struct Transaction<'a> {
    writer: &'a Writer,
    depth: usize,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(writer: &'a Writer) -> Self {
        Self { writer, depth: 0 }
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &Writer {
        self.writer
    }

    /// The schema as the transaction sees it.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.writer.schema()
    }

    /// Runs one statement of any kind but those that drive transactions, and collects its rows.
    ///
    /// # Errors
    /// By what SQLite says: `Invalid`, `Constraint`, `NotFound`, `Unsupported` (not allowed in user SQL), `Unavailable`, `Corrupt`. The
    /// statement then did nothing (or, with `OR FAIL`, what it did before), and the transaction goes on; `Conflict` if the statement
    /// ended the transaction (`OR ROLLBACK`).
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let Rows { columns, rows } = collect(|each| {
            outcome = self.execute_each(sql, params, each)?;
            Ok(std::mem::take(&mut outcome.columns))
        })?;
        Ok(Outcome { columns, rows, ..outcome })
    }

    /// As [`Transaction::execute`], giving each row to `each` instead of collecting them.
    ///
    /// # Errors
    /// As [`Transaction::execute`], and whatever `each` gives.
    pub fn execute_each(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        self.check_open()?;
        let result = self.writer.run(sql, params, each);
        self.explained(result)
    }

    /// As [`Transaction::execute_each`], with borrowed parameters, for statements that are run often, also in other transactions. `id` is the
    /// statement's number: the same number always comes with the same text. The writer keeps it prepared under it. The outcome has no columns.
    ///
    /// # Errors
    /// As [`Transaction::execute_each`].
    pub fn execute_held(
        &self,
        held: (u64, &str),
        params: &[ValueRef<'_>],
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Outcome> {
        self.check_open()?;
        let result = self.writer.run_held(held, params, each);
        self.explained(result)
    }

    /// Prepares a statement to be run many times in this transaction.
    ///
    /// # Errors
    /// As [`Transaction::execute`], by the statement's text.
    pub fn prepare(&self, sql: &str) -> Result<Statement<'a>> {
        self.check_open()?;
        let result = Statement::new(self.writer, sql);
        self.explained(result)
    }

    /// Runs one statement once per row of parameters; gives how many rows changed in all. If one fails, those before it stay done: put
    /// it in a nested transaction to have all or nothing.
    ///
    /// # Errors
    /// As [`Transaction::execute`].
    pub fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        let mut statement = self.prepare(sql)?;
        let mut changes = 0;
        for params in rows {
            changes += statement.execute(&params)?;
        }
        Ok(changes)
    }

    /// Runs `body` in a nested transaction: what it did is undone if it fails, and the outer transaction goes on.
    ///
    /// # Errors
    /// Whatever `body` gives; or those of [`Transaction::execute`].
    pub fn transaction<T, E: From<Error>>(&self, body: impl FnOnce(&Transaction<'a>) -> Result<T, E>) -> Result<T, E> {
        self.check_open()?;
        let name = format!("_rs_{}", self.depth + 1);
        let schema = self.writer.schema();
        let run = |sql: String| self.writer.internally(|c| c.execute(&sql, &[])).map(|_| ());
        run(format!("/*rs*/ SAVEPOINT {name}"))?;
        let nested = Transaction { writer: self.writer, depth: self.depth + 1 };
        // Dropped by a panic in `body`, the guard undoes what it did.
        let mut guard = Undo { writer: self.writer, name: &name, schema: Some(schema) };
        let result = body(&nested);
        if result.is_ok() {
            self.check_open()?;
            run(format!("/*rs*/ RELEASE {name}"))?;
            guard.schema = None;
        }
        drop(guard);
        result
    }

    /// While `body` runs, new rows are logged as rows that were there already (`r`): a restore fills a store so.
    ///
    /// # Errors
    /// Whatever `body` gives.
    pub fn as_snapshot<T, E>(&self, body: impl FnOnce(&Self) -> Result<T, E>) -> Result<T, E> {
        self.writer.capture().set_created_as_read(true);
        let result = body(self);
        self.writer.capture().set_created_as_read(false);
        result
    }

    fn check_open(&self) -> Result<()> {
        self.writer.check_open()
    }

    fn explained<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e| crate::database::explained(e, &self.writer.schema()))
    }
}

struct Undo<'a> {
    writer: &'a Writer,
    name: &'a str,
    schema: Option<Arc<Schema>>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        let Some(schema) = self.schema.take() else { return };
        if self.writer.is_open() {
            let undo = format!("/*rs*/ ROLLBACK TO {0}", self.name);
            let release = format!("/*rs*/ RELEASE {0}", self.name);
            // Neither can fail on an open savepoint, and there is nobody to tell while a panic unwinds.
            let _ = self.writer.internally(|c| c.execute(&undo, &[]).and_then(|_| c.execute(&release, &[])));
        }
        self.writer.restore_schema(schema);
    }
}
