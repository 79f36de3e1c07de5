//! Positions in a store's log, and the id of a transaction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Namespace, Result, Timestamp};

/// The position of one change in one store's log: from 1, gapless, in commit order. [`Lsn::ZERO`] stands before the first change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(u64);

impl Lsn {
    /// Before the first change.
    pub const ZERO: Self = Self(0);
    /// After every change.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The position `n`.
    #[must_use]
    pub const fn new(n: u64) -> Self {
        Self(n)
    }

    /// The position as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `count` changes later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// The next position.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The position as SQLite and Iceberg keep it. LSNs stay far below `i64::MAX`.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The position that SQLite or Iceberg kept.
    ///
    /// # Errors
    /// `Corrupt` if it is negative.
    pub fn from_i64(n: i64) -> Result<Self> {
        u64::try_from(n).map(Self).map_err(|_| Error::corrupt("a negative LSN").with("lsn", n))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Lsn {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        s.parse().map(Self).map_err(|_| Error::invalid("not an LSN: a whole number is expected").with("lsn", s))
    }
}

/// The id that all changes of one transaction share: the caller's own, or a ULID, sortable by time and unique over all stores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(String);

impl TxId {
    /// The longest id that a caller may give, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// The id that a caller gives to a transaction: 1 to [`TxId::BYTES_MAX`] bytes of UTF-8 without control characters. A UUID is a good one.
    ///
    /// # Errors
    /// `Invalid` if it is empty, too long, or has a control character.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let what = match text.len() {
            0 => "a transaction's id is empty",
            n if n > Self::BYTES_MAX => "a transaction's id is too long",
            _ if text.chars().any(char::is_control) => "a transaction's id has a control character",
            _ => return Ok(Self(text)),
        };
        Err(Error::invalid(what).with("txid", text.escape_debug()).with_hint("give 1 to 128 bytes of text, such as a UUID"))
    }

    /// The id of the transaction whose first change stands at `lsn_first`, where the caller gave none.
    ///
    /// It is derived, not drawn, so that a commit read twice from the log has one id: 48 bits of milliseconds, 40 bits of the
    /// namespace's hash, 40 bits of the LSN. Two commits share it only if they share all three.
    #[must_use]
    pub fn derive(namespace: &Namespace, timestamp: Timestamp, lsn_first: Lsn) -> Self {
        Self(ulid_of(namespace, timestamp, lsn_first).to_string())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the event of the change at `lsn`, by the same derivation as [`TxId::derive`].
pub(crate) fn ulid_of(namespace: &Namespace, timestamp: Timestamp, lsn: Lsn) -> ulid::Ulid {
    const BITS_40: u128 = (1 << 40) - 1;
    let millis = u64::try_from(timestamp.micros() / 1000).unwrap_or(0);
    let low = ((u128::from(namespace.hash()) & BITS_40) << 40) | (u128::from(lsn.get()) & BITS_40);
    ulid::Ulid::from_parts(millis, low)
}

/// The id of the event of a row that an initial snapshot at `lsn` found: 80 bits of a hash of the store, the position, the table and the
/// key, so that it does not depend on the order in which the rows were read.
pub(crate) fn ulid_of_row(namespace: &Namespace, timestamp: Timestamp, lsn: Lsn, table: u32, key: &str) -> ulid::Ulid {
    /// FNV-1a of 128 bits.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = (1 << 88) | 0x13b;
    let millis = u64::try_from(timestamp.micros() / 1000).unwrap_or(0);
    let fixed = [namespace.hash().to_le_bytes(), lsn.get().to_le_bytes(), u64::from(table).to_le_bytes()];
    let hash = fixed.iter().flatten().chain(key.as_bytes()).fold(BASIS, |h, b| (h ^ u128::from(*b)).wrapping_mul(PRIME));
    ulid::Ulid::from_parts(millis, (hash >> 48) ^ (hash & ((1 << 48) - 1)))
}
