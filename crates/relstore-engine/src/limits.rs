//! Queries that end: after so many rows, bytes or milliseconds, or when another thread says so.
//!
//! SQLite asks a progress handler every thousand steps of its machine whether to go on. The handler belongs to the one connection that runs the
//! query and is taken off when it is done, so no other statement is disturbed, and the connection goes back to the pool as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};

use crate::database::Database;
use crate::log;
use crate::reader::{Each, Reader, Rows, collect};

/// How many steps SQLite's machine takes between two looks: some ten microseconds.
const STEPS: i32 = 1000;

/// How far a query may go. The default sets no limit.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// The most rows that it may give. A row more is an error of kind `Invalid`: ask for less, or allow more.
    pub rows_max: Option<u64>,
    /// The most bytes that the cells of all its rows may have: 8 a number, text and blobs by their length. More is `Invalid` too.
    pub bytes_max: Option<u64>,
    /// How long it may take, its rows' handling included. Longer is `Unavailable`: it may be quicker when there is less to do.
    pub timeout: Option<Duration>,
    /// Stops it from another thread. It then ends with `Conflict`.
    pub cancel: Option<CancelToken>,
}

/// Stops queries from another thread: those that run with it now, within milliseconds, and those that will. A query that waits for evicted
/// rows from the bucket stops when they have come.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that has not been used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the queries. There is no way back: take a new token for new queries.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the token was used.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Why a query was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stop {
    No,
    Cancelled,
    Late,
}

/// What the progress handler looks at.
#[derive(Debug)]
struct Watch {
    deadline: Option<Instant>,
    cancel: Option<CancelToken>,
    stopped: AtomicU8,
}

impl Watch {
    /// Why to stop now.
    fn look(&self) -> Stop {
        let stop = if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            Stop::Cancelled
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Stop::Late
        } else {
            Stop::No
        };
        if stop != Stop::No {
            self.stopped.store(stop as u8, Ordering::Relaxed);
        }
        stop
    }

    /// The error of a query that was stopped, in place of the one that SQLite gave; `error` if it was not.
    fn explain(&self, error: Error, options: &QueryOptions) -> Error {
        let stopped = self.stopped.load(Ordering::Relaxed);
        if stopped == Stop::Cancelled as u8 {
            Error::new(ErrorKind::Conflict, "the query was cancelled").with_hint("run it again if it is still wanted")
        } else if stopped == Stop::Late as u8 {
            Error::unavailable("the query took longer than it may")
                .with("timeout_ms", options.timeout.unwrap_or_default().as_millis())
                .with_hint("see with explain whether it scans a table that an index would spare, or allow more time")
        } else {
            error
        }
    }
}

impl Database {
    /// As [`Database::query`], within limits.
    ///
    /// # Errors
    /// As [`Database::query`], and by [`QueryOptions`]: `Invalid` for more rows or bytes, `Unavailable` for more time, `Conflict` if cancelled.
    pub fn query_with(&self, sql: &str, params: &[Value], options: &QueryOptions) -> Result<Rows> {
        collect(|each| self.query_each_with(sql, params, options, each))
    }

    /// As [`Database::query_each`], within limits. `each` has seen the rows within the limits when it ends with an error.
    ///
    /// # Errors
    /// As [`Database::query_with`], and whatever `each` gives.
    pub fn query_each_with(
        &self,
        sql: &str,
        params: &[Value],
        options: &QueryOptions,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Vec<String>> {
        self.within_limits(options, each, |counted, watch| {
            self.reload_for(sql)?;
            let run = |reader: &Reader| reader.try_each(sql, params, true, counted, &|| self.settle());
            self.with_reader_mut(|reader| watched(reader, sql, watch, run))?.ok_or_else(|| crate::database::writes(sql))
        })
    }

    /// Counts what `run` gives to `each`, and says why it was stopped if it was.
    fn within_limits<T>(&self, options: &QueryOptions, each: Each<'_>, run: impl FnOnce(Each<'_>, &Arc<Watch>) -> Result<T>) -> Result<T> {
        let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let watch = Arc::new(Watch { deadline, cancel: options.cancel.clone(), stopped: AtomicU8::new(Stop::No as u8) });
        let stopped = || watch.explain(Error::internal("the query was stopped"), options);
        if watch.look() != Stop::No {
            return Err(stopped());
        }
        let (mut rows, mut bytes) = (0, 0);
        let mut counted = |cells: &[ValueRef<'_>]| {
            rows += 1;
            bytes += cells.iter().map(|c| size(*c)).sum::<u64>();
            within("rows_max", rows, options.rows_max)?;
            within("bytes_max", bytes, options.bytes_max)?;
            // A short query over a slow handler never reaches the progress handler.
            if watch.look() != Stop::No {
                return Err(stopped());
            }
            each(cells)
        };
        run(&mut counted, &watch).map_err(|e| watch.explain(crate::database::explained(e, &self.schema()), options))
    }

    /// As [`Database::query_each_with`] on one state of the store, with the names of the columns before the rows: `columns` is given them.
    ///
    /// # Errors
    /// As [`Database::query_each_with`], and whatever `columns` gives; `Unsupported` if the statement asks for what a table with evicted rows
    /// cannot answer.
    pub fn query_named_each_with(
        &self,
        sql: &str,
        params: &[Value],
        options: &QueryOptions,
        columns: impl FnOnce(Vec<String>) -> Result<()>,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<()> {
        self.within_limits(options, each, |counted, watch| {
            self.reload_for(sql)?;
            self.with_reader_mut(|reader| {
                reader.hold(log::range)?;
                let result = self.settle().and_then(|()| {
                    watched(reader, sql, watch, |reader| {
                        columns(reader.names_held(sql)?)?;
                        reader.query_held(sql, params, counted).map(|_| ())
                    })
                });
                reader.release();
                result
            })
        })
    }
}

/// Has the reader's connection look at `watch` while `run` uses it.
fn watched<T>(reader: &mut Reader, sql: &str, watch: &Arc<Watch>, run: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
    let asked = Arc::clone(watch);
    let failed = |e: rusqlite::Error| crate::sqlite::from_sqlite(&e, sql);
    reader.connection.inner.progress_handler(STEPS, Some(move || asked.look() != Stop::No)).map_err(failed)?;
    let result = run(reader);
    reader.connection.inner.progress_handler(0, None::<fn() -> bool>).map_err(failed)?;
    result
}

fn size(cell: ValueRef<'_>) -> u64 {
    match cell {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 8,
        ValueRef::Text(b) | ValueRef::Blob(b) => b.len() as u64,
    }
}

fn within(limit: &'static str, found: u64, max: Option<u64>) -> Result<()> {
    match max {
        Some(max) if found > max => Err(Error::invalid("the query gives more than it may")
            .with(limit, max)
            .with_hint("add a LIMIT or a narrower WHERE, or allow more")),
        _ => Ok(()),
    }
}
