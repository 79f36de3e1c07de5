//! Moments: Drizzle's `timestamp` (seconds) and `timestamp_ms`.

use relstore_model::{Timestamp, Value, ValueRef};

use super::{SqlType, Unfit};

const MICROS_PER_SECOND: i64 = 1_000_000;

fn integer(cell: ValueRef<'_>) -> Result<i64, Unfit> {
    match cell {
        ValueRef::Integer(i) => Ok(i),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
    }
}

impl SqlType for Timestamp {
    const DECLARED: &'static str = "TIMESTAMP";
    const EXPECTED: &'static str = "whole seconds since 1970 as an integer";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        let seconds = integer(cell)?;
        let micros = seconds.checked_mul(MICROS_PER_SECOND);
        micros.map(Self::from_micros).ok_or_else(|| Unfit::because(format_args!("{seconds} seconds are beyond 64 bits of microseconds")))
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Integer(self.micros().div_euclid(MICROS_PER_SECOND)))
    }
}

impl SqlType for jiff::Timestamp {
    const DECLARED: &'static str = "TIMESTAMP";
    const EXPECTED: &'static str = "whole seconds since 1970 as an integer";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        Self::from_second(integer(cell)?).map_err(Unfit::because)
    }

    /// Rounded down to the second.
    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Integer(self.as_nanosecond().div_euclid(1_000_000_000) as i64))
    }
}

/// A moment with milliseconds: the column type `TIMESTAMP_MS`. It is a [`jiff::Timestamp`] in all but the cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampMs(pub jiff::Timestamp);

impl From<jiff::Timestamp> for TimestampMs {
    fn from(moment: jiff::Timestamp) -> Self {
        Self(moment)
    }
}

impl From<TimestampMs> for jiff::Timestamp {
    fn from(moment: TimestampMs) -> Self {
        moment.0
    }
}

impl std::ops::Deref for TimestampMs {
    type Target = jiff::Timestamp;

    fn deref(&self) -> &jiff::Timestamp {
        &self.0
    }
}

impl std::fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl SqlType for TimestampMs {
    const DECLARED: &'static str = "TIMESTAMP_MS";
    const EXPECTED: &'static str = "milliseconds since 1970 as an integer";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        jiff::Timestamp::from_millisecond(integer(cell)?).map(Self).map_err(Unfit::because)
    }

    /// Rounded down to the millisecond.
    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Integer(self.0.as_nanosecond().div_euclid(1_000_000) as i64))
    }
}
