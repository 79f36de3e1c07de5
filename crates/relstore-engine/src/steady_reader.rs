//! Queries of one thread that must not be kept waiting, such as an event loop's: each has a budget, and one after another they share a snapshot.
//!
//! What a small query costs in WAL mode is for the most part the beginning and the end of its read transaction. So from the second of several
//! queries in quick succession on, the transaction is kept open for the next, for as long as nothing is committed: each query still sees every
//! commit that was acknowledged before it began. An open snapshot keeps the WAL from being begun anew, so whoever has this ends it
//! ([`SteadyReader::rest`]) when its thread turns to other things.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relstore_model::{ErrorKind, Result, ValueRef};

use crate::database::{Database, explained};
use crate::reader::Reader;
use crate::watchdog::Watchdog;
use crate::writer::Outcome;

/// A query that comes so soon after another is taken for one of several.
const SOON: Duration = Duration::from_micros(250);

/// The reader of one thread.
pub struct SteadyReader {
    // Dropped before the database: its readers are closed before its writer.
    reader: Option<Box<Reader>>,
    /// How many commits were made when the snapshot that is open was opened, or fewer.
    kept_at: Option<u64>,
    last: Option<Instant>,
    watchdog: Watchdog,
    database: Arc<Database>,
}

/// What became of a query that may take a moment.
#[derive(Debug)]
pub enum Attempted {
    /// It was run; the outcome has the columns only where they were asked for, and no rows.
    Done(Outcome),
    /// It would have taken longer. What it gave so far does not count.
    Late,
    /// It is no query, or one that the writer must judge: it was not run.
    Writes,
}

impl SteadyReader {
    /// A reader whose queries may each take `budget`.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub fn new(database: Arc<Database>, budget: Duration) -> Result<Self> {
        Ok(Self { reader: None, kept_at: None, last: None, watchdog: Watchdog::start(budget)?, database })
    }

    /// Runs a query as [`Database::execute_held`] does, if it is done within its budget. `with_columns` asks for their names. `each` may have seen
    /// rows of a query that was late.
    ///
    /// # Errors
    /// As [`Database::query_each`], and whatever `each` gives.
    pub fn attempt(
        &mut self,
        held: (u64, &str),
        params: &[ValueRef<'_>],
        with_columns: bool,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Attempted> {
        let attempted = self.attempt_now(held, params, with_columns, each);
        if !matches!(attempted, Ok(Attempted::Done(_))) {
            // It may not have come to a snapshot.
            self.rest();
        }
        match attempted {
            // Temporary tables and what rests on them are known to the writer alone: it judges.
            Err(e) if e.kind() == ErrorKind::NotFound && self.database.is_writable() => Ok(Attempted::Writes),
            result => result.map_err(|e| explained(e, &self.database.schema())),
        }
    }

    fn attempt_now(
        &mut self,
        (id, sql): (u64, &str),
        params: &[ValueRef<'_>],
        with_columns: bool,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Attempted> {
        if !self.database.tier().is_empty() {
            // It may have to fetch rows from the bucket, which no interrupt shortens.
            return self.database.is_read(sql).map(|is_read| if is_read { Attempted::Late } else { Attempted::Writes });
        }
        let now = Instant::now();
        let is_kept = self.keep(now)?;
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.database.take_reader()?),
        };
        let settle = || if is_kept { Ok(()) } else { self.database.settle() };
        let handle = reader.connection.inner.get_interrupt_handle();
        let (result, was_interrupted) = self.watchdog.watched(now, handle, || {
            if !with_columns && let Some(rows_scanned) = reader.try_held((id, sql), params, each, &settle)? {
                return Ok(Some((Vec::new(), rows_scanned)));
            }
            let columns = reader.try_each(sql, params, with_columns, each, &settle)?;
            Ok(columns.map(|columns| (columns, reader.rows_scanned())))
        });
        match result {
            // What else may have gone wrong will again.
            Err(_) if was_interrupted => Ok(Attempted::Late),
            Ok(Some((columns, rows_scanned))) => Ok(Attempted::Done(Outcome { columns, rows_scanned, ..Outcome::default() })),
            Ok(None) => Ok(Attempted::Writes),
            Err(e) => Err(e),
        }
    }

    /// Sees to it that a snapshot which is open is that of the last commit, and opens one if queries come one after another. Says whether an
    /// earlier query has used the one that is open.
    fn keep(&mut self, now: Instant) -> Result<bool> {
        // Before the snapshot: a commit that comes between the two is in it, and is taken for a later one.
        let written = self.database.written();
        let is_soon = self.last.replace(now).is_some_and(|last| now.duration_since(last) < SOON);
        if self.kept_at == Some(written) {
            return Ok(true);
        }
        self.rest();
        if is_soon
            && self.database.is_writable()
            && let Some(reader) = &self.reader
        {
            reader.keep()?;
            self.kept_at = Some(written);
        }
        Ok(false)
    }

    /// Whether a snapshot is open.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept_at.is_some()
    }

    /// Ends the snapshot, if one is open.
    pub fn rest(&mut self) {
        if self.kept_at.take().is_some()
            && let Some(reader) = &self.reader
        {
            reader.release();
        }
    }
}
