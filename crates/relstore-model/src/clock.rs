//! Where times come from. The wall clock itself lives in the façade; below it, time is a parameter.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::Timestamp;

/// A source of the current time. It may stand still or run backwards: [`HybridClock`] mends that.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// A clock that never runs backwards: the larger of the wall clock and the last time given.
#[derive(Debug, Default)]
pub struct HybridClock(AtomicI64);

impl HybridClock {
    /// A clock that gives no time before `last`.
    #[must_use]
    pub fn starting_at(last: Timestamp) -> Self {
        Self(AtomicI64::new(last.micros()))
    }

    /// The time now: `wall`, or the last time given if `wall` is earlier.
    pub fn observe(&self, wall: Timestamp) -> Timestamp {
        let before = self.0.fetch_max(wall.micros(), Ordering::Relaxed);
        Timestamp::from_micros(before.max(wall.micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards() {
        let clock = HybridClock::starting_at(Timestamp::from_micros(10));
        let given: Vec<i64> = [5, 12, 11, 20].map(|t| clock.observe(Timestamp::from_micros(t)).micros()).to_vec();
        assert_eq!(given, [10, 12, 12, 20]);
    }
}
