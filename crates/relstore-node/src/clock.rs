//! The wall clock: here, and nowhere below.

use std::time::{SystemTime, UNIX_EPOCH};

use relstore_model::{Clock, Timestamp};

/// The machine's clock, in UTC.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
