//! Moments, as microseconds since 1970 in UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// Microseconds since 1970-01-01T00:00:00Z. Commit times of one store never decrease with its LSN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after 1970 began.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// ISO 8601 in UTC with milliseconds, such as `2013-01-01T05:17:00.000Z`: the form that JavaScript's `toISOString` gives.
    /// A moment outside the years ±9999 is given as its microseconds.
    #[must_use]
    pub fn to_iso_millis(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => format!("{t:.3}"),
            Err(_) => self.0.to_string(),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads ISO 8601 with an offset or `Z`; a date alone is its midnight in UTC.
    fn from_str(s: &str) -> Result<Self> {
        if let Ok(t) = s.parse::<jiff::Timestamp>() {
            return Ok(Self(t.as_microsecond()));
        }
        if let Ok(t) = format!("{}T00:00:00Z", s.trim()).parse::<jiff::Timestamp>() {
            return Ok(Self(t.as_microsecond()));
        }
        Err(Error::invalid("not a time").with("time", s).with_hint("write it as 2013-06-30T12:00:00Z, or 2013-06-30 for midnight in UTC"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_and_reads_back() {
        let t: Timestamp = "2013-01-01T05:17:00.123456Z".parse().unwrap();
        assert_eq!(t.to_string(), "2013-01-01T05:17:00.123456Z");
        assert_eq!(t.to_iso_millis(), "2013-01-01T05:17:00.123Z");
        assert_eq!("2013-01-01".parse::<Timestamp>().unwrap().to_string(), "2013-01-01T00:00:00.000000Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
