//! Statements that are held: prepared once in a transaction, and run many times.

use relstore_model::{Error, Result, Value, ValueRef};
use rusqlite::CachedStatement;

use crate::database::explained;
use crate::eviction;
use crate::reader::{column_names, rows_scanned, step};
use crate::sql;
use crate::sqlite::{Bound, Parameters, from_sqlite};
use crate::writer::{Outcome, Writer};

/// A statement of a [`crate::Transaction`], for running it many times with other parameters: [`crate::Transaction::prepare`].
pub struct Statement<'a> {
    writer: &'a Writer,
    text: String,
    /// `None`: the statement changes the shape, and is prepared each time.
    held: Option<CachedStatement<'a>>,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(writer: &'a Writer, text: &str) -> Result<Self> {
        let text = sql::statement(text)?;
        eviction::refuse_quiet(text)?;
        let (prepared, is_ddl) = writer.prepare_unless_ddl(|c| c.prepare_cached(text).map_err(|e| from_sqlite(&e, text)));
        let held = match (prepared?, is_ddl) {
            (held, false) => Some(held),
            (held, true) => {
                held.discard();
                None
            }
        };
        Ok(Self { writer, text: text.to_owned(), held })
    }

    /// Runs the statement and gives how many rows it inserted, updated or deleted. Rows that it gives are passed over.
    ///
    /// # Errors
    /// As [`crate::Transaction::execute`].
    pub fn execute(&mut self, params: &[Value]) -> Result<u64> {
        self.writer.check_open()?;
        let mark = self.writer.capture().mark();
        let result = match &mut self.held {
            Some(held) if self.writer.is_hot() && held.column_count() == 0 => {
                let is_read = held.readonly();
                let changes = held.execute(rusqlite::params_from_iter(params.iter().map(Bound)));
                changes.map(|n| if is_read { 0 } else { n as u64 }).map_err(|e| from_sqlite(&e, &self.text))
            }
            _ => self.run(params, &mut |_| Ok(())).map(|outcome| outcome.changes),
        };
        if result.is_err() {
            self.writer.drop_phantom(mark)?;
        }
        result.map_err(|e| explained(e, &self.writer.schema()))
    }

    /// Runs the statement and gives each row to `each`; the outcome has no columns and no rows.
    ///
    /// # Errors
    /// As [`crate::Transaction::execute`], and whatever `each` gives.
    pub fn query_each(&mut self, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        self.writer.check_open()?;
        self.run(params, each).map_err(|e| explained(e, &self.writer.schema()))
    }

    /// As [`Statement::query_each`], with borrowed parameters.
    ///
    /// # Errors
    /// As [`Statement::query_each`].
    pub fn query_held(&mut self, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        self.writer.check_open()?;
        let result = if self.is_held() {
            self.run_held(params, each)
        } else {
            let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
            self.run(&params, each)
        };
        result.map_err(|e| explained(e, &self.writer.schema()))
    }

    /// Whether the statement writes nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.readonly())
    }

    fn is_held(&self) -> bool {
        self.held.is_some() && self.writer.is_hot()
    }

    /// The names of the columns that it gives, as of its last run.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.held.as_ref().map_or_else(Vec::new, |held| column_names(held))
    }

    fn run(&mut self, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        if self.is_held() {
            return self.run_held(params, each);
        }
        self.writer.run(&self.text, params, each).map(|outcome| Outcome { columns: Vec::new(), ..outcome })
    }

    fn run_held<P: Parameters + ?Sized>(&mut self, params: &P, each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        let Some(held) = &mut self.held else { return Err(Error::internal("a statement that is not held")) };
        let inner = &self.writer.connection.inner;
        let before = inner.total_changes();
        let mark = self.writer.capture().mark();
        let stepped = step(held, &self.text, params, each, || Ok(true));
        if stepped.is_err() {
            self.writer.drop_phantom(mark)?;
        }
        stepped?;
        let rows_written = if held.readonly() { 0 } else { inner.total_changes().wrapping_sub(before) };
        let changes = if rows_written == 0 { 0 } else { inner.changes() };
        let rows_scanned = rows_scanned(held, &self.text);
        Ok(Outcome { changes, rows_written, rows_scanned, last_insert_rowid: inner.last_insert_rowid(), ..Outcome::default() })
    }
}
