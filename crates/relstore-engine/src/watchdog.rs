//! Queries that may take a moment on the thread that asks: a watchdog interrupts those that take longer, and they are run elsewhere.
//!
//! A progress handler would not do: SQLite asks it between two steps of its machine, and one step may be a whole `count(*)`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use relstore_model::{Error, ErrorKind, Result, ValueRef};
use rusqlite::InterruptHandle;

use crate::database::{Database, explained};
use crate::writer::Outcome;

/// How long after an interrupt the next one comes: one that falls between two statements is lost.
const AGAIN: Duration = Duration::from_micros(200);

/// A thread that interrupts what takes too long. One thread at a time is watched: each event loop has its own.
pub struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    budget: Duration,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    running: Option<(Instant, InterruptHandle)>,
    was_interrupted: bool,
    /// How many queries were begun. If none was since it last looked, the watchdog sleeps until it is woken.
    begun: u64,
    is_asleep: bool,
    is_closing: bool,
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

impl Watchdog {
    /// Starts one that lets queries run for `budget`.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub fn start(budget: Duration) -> Result<Self> {
        let shared = Arc::new(Shared { budget, state: Mutex::default(), wake: Condvar::new() });
        let watching = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("relstore-watchdog".to_owned())
            .spawn(move || watching.watch())
            .map_err(|e| Error::unavailable("the watchdog's thread cannot be started").with_source(e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    fn watched<T>(&self, handle: InterruptHandle, run: impl FnOnce() -> T) -> (T, bool) {
        {
            let mut state = self.shared.lock();
            (state.running, state.was_interrupted) = (Some((Instant::now(), handle)), false);
            state.begun = state.begun.wrapping_add(1);
            if state.is_asleep {
                state.is_asleep = false;
                self.shared.wake.notify_one();
            }
        }
        // Also when a panic unwinds: what runs after it is not to be interrupted.
        let watched = Watched(&self.shared);
        let value = run();
        let was_interrupted = watched.end();
        (value, was_interrupted)
    }
}

struct Watched<'a>(&'a Shared);

impl Watched<'_> {
    /// Under the lock that the watchdog interrupts under: from here on no interrupt comes.
    fn end(&self) -> bool {
        let mut state = self.0.lock();
        state.running = None;
        state.was_interrupted
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        let mut seen = state.begun;
        while !state.is_closing {
            let pause = match &state.running {
                Some((since, handle)) => {
                    let left = self.budget.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        handle.interrupt();
                        state.was_interrupted = true;
                        AGAIN
                    } else {
                        left
                    }
                }
                None if state.begun == seen => {
                    state.is_asleep = true;
                    state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                None => self.budget,
            };
            seen = state.begun;
            state = self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Database {
    /// Runs a query as [`Database::execute_held`] does, if it is done within the watchdog's budget. `with_columns` asks for their names. `each` may
    /// have seen rows of a query that was late.
    ///
    /// # Errors
    /// As [`Database::query_each`], and whatever `each` gives.
    pub fn attempt_query(
        &self,
        (id, sql): (u64, &str),
        params: &[ValueRef<'_>],
        with_columns: bool,
        watchdog: &Watchdog,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Attempted> {
        if !self.tier().is_empty() {
            // It may have to fetch rows from the bucket, which no interrupt shortens.
            return self.is_read(sql).map(|is_read| if is_read { Attempted::Late } else { Attempted::Writes });
        }
        let result = self.with_reader_mut(|reader| {
            let handle = reader.connection.inner.get_interrupt_handle();
            let (result, was_interrupted) = watchdog.watched(handle, || {
                if !with_columns && let Some(rows_scanned) = reader.try_held((id, sql), params, each, &|| self.settle())? {
                    return Ok(Some((Vec::new(), rows_scanned)));
                }
                let columns = reader.try_each(sql, params, with_columns, each, &|| self.settle())?;
                Ok(columns.map(|columns| (columns, reader.rows_scanned())))
            });
            match result {
                // What else may have gone wrong will again.
                Err(_) if was_interrupted => Ok(Attempted::Late),
                Ok(Some((columns, rows_scanned))) => Ok(Attempted::Done(Outcome { columns, rows_scanned, ..Outcome::default() })),
                Ok(None) => Ok(Attempted::Writes),
                Err(e) => Err(e),
            }
        });
        match result {
            // Temporary tables and what rests on them are known to the writer alone: it judges.
            Err(e) if e.kind() == ErrorKind::NotFound && self.is_writable() => Ok(Attempted::Writes),
            result => result.map_err(|e| explained(e, &self.schema())),
        }
    }
}
