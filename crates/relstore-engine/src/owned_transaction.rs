//! A write transaction that its caller owns: for programs whose statements come one by one, from an event loop or from several threads.

use std::sync::Arc;

use relstore_model::{Error, Lsn, Result, Schema};

use crate::database::Database;
use crate::transaction::Transaction;
use crate::writer::Writer;

/// An open write transaction. It owns the store's writer until it ends: every other write waits for that. Dropped without
/// [`OwnedTransaction::commit`] it leaves no trace.
///
/// Savepoints have numbers from 1, and lie in one another: to end one ends those inside it.
pub struct OwnedTransaction {
    database: Arc<Database>,
    /// `None` once it has ended.
    writer: Option<Box<Writer>>,
    /// The schema at each open savepoint.
    savepoints: Vec<Arc<Schema>>,
}

impl Database {
    /// Begins a write transaction, waiting for the writer.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub fn begin(self: &Arc<Self>) -> Result<OwnedTransaction> {
        let writer = self.writer_place()?.take();
        OwnedTransaction::new(self, writer)
    }

    /// Begins a write transaction if that can be done at once: nobody is writing just now, and the WAL need not be waited for
    /// ([`Database::catch_up`]).
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub fn try_begin(self: &Arc<Self>) -> Result<Option<OwnedTransaction>> {
        let place = self.writer_place()?;
        let Some(writer) = place.try_take() else { return Ok(None) };
        if writer.checkpoints().is_far_ahead() {
            place.put(writer);
            return Ok(None);
        }
        OwnedTransaction::new(self, writer).map(Some)
    }

    /// Waits until the WAL is small enough to write on: a writer that is far ahead of what takes it into the file waits for that before its next
    /// transaction. For who must begin one at once, and may be held up for a moment.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub fn catch_up(&self) -> Result<()> {
        self.lock_writer().map(|writer| writer.checkpoints().catch_up())
    }
}

impl OwnedTransaction {
    fn new(database: &Arc<Database>, writer: Box<Writer>) -> Result<Self> {
        let begun = writer.begin();
        let mut this = Self { database: Arc::clone(database), writer: Some(writer), savepoints: Vec::new() };
        if let Err(error) = begun {
            // Nothing is open that could be rolled back.
            this.give_back();
            return Err(error);
        }
        Ok(this)
    }

    /// The schema as the transaction sees it.
    ///
    /// # Errors
    /// `Closed` if it has ended.
    pub fn schema(&self) -> Result<Arc<Schema>> {
        self.writer().map(Writer::schema)
    }

    /// What runs statements in it.
    ///
    /// # Errors
    /// `Closed` if it has ended.
    pub fn transaction(&self) -> Result<Transaction<'_>> {
        self.writer().map(Transaction::new)
    }

    /// Opens a savepoint inside those that are open, and gives its number.
    ///
    /// # Errors
    /// `Conflict` if a statement has ended the transaction; `Closed` if its owner has.
    pub fn savepoint(&mut self) -> Result<usize> {
        let (number, schema) = (self.savepoints.len() + 1, self.schema()?);
        self.run(&format!("/*rs*/ SAVEPOINT _rs_{number}"))?;
        self.savepoints.push(schema);
        Ok(number)
    }

    /// Ends a savepoint; what was done in it stays.
    ///
    /// # Errors
    /// `Invalid` if it is not open; otherwise as [`OwnedTransaction::savepoint`].
    pub fn release(&mut self, number: usize) -> Result<()> {
        self.check_savepoint(number)?;
        self.run(&format!("/*rs*/ RELEASE _rs_{number}"))?;
        self.savepoints.truncate(number - 1);
        Ok(())
    }

    /// Ends a savepoint and undoes what was done in it.
    ///
    /// # Errors
    /// As [`OwnedTransaction::release`].
    pub fn roll_back_to(&mut self, number: usize) -> Result<()> {
        let schema = Arc::clone(self.check_savepoint(number)?);
        let undone = self.run(&format!("/*rs*/ ROLLBACK TO _rs_{number}")).and_then(|()| self.run(&format!("/*rs*/ RELEASE _rs_{number}")));
        self.writer()?.restore_schema(schema);
        self.savepoints.truncate(number - 1);
        undone
    }

    /// Commits, waits until the commit is as safe as the store promises, and gives the position of the last change.
    ///
    /// # Errors
    /// As [`Database::transaction`]: it is rolled back then. `Closed` if it has ended.
    pub fn commit(mut self) -> Result<Lsn> {
        let committed = self.writer()?.commit(None);
        if let Ok(committed) = &committed {
            self.database.announce(committed);
        }
        self.give_back();
        let committed = committed?;
        self.database.acknowledge(&committed)?;
        Ok(committed.lsn)
    }

    fn writer(&self) -> Result<&Writer> {
        self.writer.as_deref().ok_or_else(|| Error::internal("the transaction has ended"))
    }

    fn run(&self, sql: &str) -> Result<()> {
        let writer = self.writer()?;
        writer.check_open()?;
        writer.internally(|c| c.execute(sql, &[])).map(|_| ())
    }

    fn check_savepoint(&self, number: usize) -> Result<&Arc<Schema>> {
        let schema = number.checked_sub(1).and_then(|i| self.savepoints.get(i));
        schema.ok_or_else(|| Error::invalid("no such savepoint is open").with("savepoint", number))
    }

    fn give_back(&mut self) {
        if let (Some(writer), Ok(place)) = (self.writer.take(), self.database.writer_place()) {
            place.put(writer);
        }
    }
}

impl Drop for OwnedTransaction {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            writer.rollback();
        }
        self.give_back();
    }
}
