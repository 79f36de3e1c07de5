//! A clock that goes where the test says.

use std::sync::atomic::{AtomicI64, Ordering};

use relstore_model::{Clock, Timestamp};

/// A clock that moves on by a fixed step with each look, and can be set, backwards too.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    step_micros: i64,
}

impl ManualClock {
    /// A clock at `start_micros` that moves on by `step_micros` with each look.
    #[must_use]
    pub fn new(start_micros: i64, step_micros: i64) -> Self {
        Self { now: AtomicI64::new(start_micros), step_micros }
    }

    /// Sets the time.
    pub fn set(&self, micros: i64) {
        self.now.store(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.fetch_add(self.step_micros, Ordering::SeqCst))
    }
}
