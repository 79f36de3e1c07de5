//! How a follower waits for commits. The writer's side is an atomic store, and a lock only while somebody sleeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use relstore_engine::{Database, Listening};
use relstore_model::{Lsn, Result};

/// How often another process's commits are looked for. A look reads the two ends of the log.
const POLL: Duration = Duration::from_millis(10);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Commit,
    Timeout,
    Closing,
}

#[derive(Default)]
struct Shared {
    committed: AtomicU64,
    is_closing: AtomicBool,
    is_nudged: AtomicBool,
    has_sleeper: AtomicBool,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Shared {
    /// The store before it and this load are in one order with the sleeper's: one of both sides sees the other.
    fn rouse(&self) {
        if self.has_sleeper.load(Ordering::SeqCst) {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.moved.notify_all();
        }
    }
}

/// One follower's place to wait.
pub(crate) struct Wake {
    shared: Arc<Shared>,
    /// Absent on a store opened for reading alone, which hears of no commit and looks for them.
    _listening: Option<Listening>,
}

/// Ends or interrupts a wait from another thread.
#[derive(Clone)]
pub(crate) struct Alarm(Arc<Shared>);

impl Alarm {
    /// Every wait from now on ends at once.
    pub(crate) fn close(&self) {
        self.0.is_closing.store(true, Ordering::SeqCst);
        self.0.rouse();
    }

    /// One pause ends.
    pub(crate) fn nudge(&self) {
        self.0.is_nudged.store(true, Ordering::SeqCst);
        self.0.rouse();
    }
}

impl Wake {
    pub(crate) fn new(db: &Database) -> Self {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let listening = (!db.is_read_only()).then(|| {
            db.on_commit(move |lsn| {
                told.committed.fetch_max(lsn.get(), Ordering::SeqCst);
                told.rouse();
            })
        });
        // After the listener is in place: a commit in between is seen by one or the other.
        shared.committed.fetch_max(db.high_water().get(), Ordering::SeqCst);
        Self { shared, _listening: listening }
    }

    pub(crate) fn alarm(&self) -> Alarm {
        Alarm(Arc::clone(&self.shared))
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.shared.is_closing.load(Ordering::SeqCst)
    }

    /// Waits for a commit after `at`.
    pub(crate) fn wait(&self, db: &Database, at: Lsn, timeout: Duration) -> Result<Woken> {
        if !db.is_read_only() {
            return Ok(self.sleep(timeout, || self.shared.committed.load(Ordering::SeqCst) > at.get()));
        }
        let until = Instant::now().checked_add(timeout);
        loop {
            if db.log_range()?.last > at {
                return Ok(Woken::Commit);
            }
            let left = until.map_or(POLL, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(Woken::Timeout);
            }
            if self.sleep(left.min(POLL), || false) == Woken::Closing {
                return Ok(Woken::Closing);
            }
        }
    }

    /// Waits until the time has passed, or [`Alarm::nudge`] ends it, which it says.
    pub(crate) fn pause(&self, timeout: Duration) -> Woken {
        self.sleep(timeout, || self.shared.is_nudged.swap(false, Ordering::SeqCst))
    }

    fn sleep(&self, timeout: Duration, is_ready: impl Fn() -> bool) -> Woken {
        let until = Instant::now().checked_add(timeout);
        let mut guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = loop {
            self.shared.has_sleeper.store(true, Ordering::SeqCst);
            if self.is_closing() {
                break Woken::Closing;
            }
            if is_ready() {
                break Woken::Commit;
            }
            // A time too far off to be reckoned with is for ever.
            let left = until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break Woken::Timeout;
            }
            guard = self.shared.moved.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        self.shared.has_sleeper.store(false, Ordering::SeqCst);
        woken
    }
}
