//! What interrupts a query that takes longer than its thread may wait ([`crate::SteadyReader`]).
//!
//! A progress handler would not do: SQLite asks it between two steps of its machine, and one step may be a whole `count(*)`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use relstore_model::{Error, Result};
use rusqlite::InterruptHandle;

/// How long after an interrupt the next one comes: one that falls between two statements is lost.
const AGAIN: Duration = Duration::from_micros(200);

/// A thread that interrupts what takes too long. One thread at a time is watched: each event loop has its own.
pub(crate) struct Watchdog {
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

impl Watchdog {
    /// Starts one that lets queries run for `budget`.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub(crate) fn start(budget: Duration) -> Result<Self> {
        let shared = Arc::new(Shared { budget, state: Mutex::default(), wake: Condvar::new() });
        let watching = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("relstore-watchdog".to_owned())
            .spawn(move || watching.watch())
            .map_err(|e| Error::unavailable("the watchdog's thread cannot be started").with_source(e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Runs `run`, which begins `now`, on the connection of `handle`; says whether it was interrupted too.
    pub(crate) fn watched<T>(&self, now: Instant, handle: InterruptHandle, run: impl FnOnce() -> T) -> (T, bool) {
        {
            let mut state = self.shared.lock();
            (state.running, state.was_interrupted) = (Some((now, handle)), false);
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
