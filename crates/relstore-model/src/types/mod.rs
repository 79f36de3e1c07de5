//! What a column means, beyond SQLite's storage class: one enum, and one total function to each neighbour.
//!
//! `sqlite` reads it from a declared type, [`json`] gives it to events; Arrow and Iceberg types are given in relstore-lake, which names
//! them. A cell that does not fit its logical type (SQLite lets it in) is never dropped: [`LogicalType::fits`] says so, and the
//! neighbours keep the raw cell.

mod affinity;
pub mod json;
mod sqlite;
mod value_type;

pub use affinity::Affinity;
pub use value_type::ValueType;

use serde::{Deserialize, Serialize};

use crate::ValueRef;

/// What the cells of a column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogicalType {
    /// A 64-bit signed integer.
    Integer,
    /// A 64-bit float. An integer cell fits: SQLite stores whole floats so.
    Real,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Blob,
    /// An integer 0 or 1.
    Boolean,
    /// A moment as whole seconds since 1970 in UTC.
    Timestamp,
    /// A moment as milliseconds since 1970 in UTC.
    TimestampMs,
    /// A JSON document as text.
    Json,
    /// Any storage class: a column without a declared type.
    Any,
}

impl LogicalType {
    /// The logical type's name, as schemas are written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Blob => "blob",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::TimestampMs => "timestamp_ms",
            Self::Json => "json",
            Self::Any => "any",
        }
    }

    /// Whether `cell` is a value of this type. NULL fits every type: whether a column takes it is the column's affair.
    #[must_use]
    pub fn fits(self, cell: ValueRef<'_>) -> bool {
        match (self, cell) {
            (_, ValueRef::Null) | (Self::Any, _) => true,
            (Self::Boolean, ValueRef::Integer(i)) => i == 0 || i == 1,
            // Outside these bounds the moment has no microseconds in 64 bits.
            (Self::Timestamp, ValueRef::Integer(i)) => i.checked_mul(1_000_000).is_some(),
            (Self::TimestampMs, ValueRef::Integer(i)) => i.checked_mul(1_000).is_some(),
            (Self::Integer, ValueRef::Integer(_)) | (Self::Real, ValueRef::Integer(_) | ValueRef::Real(_)) => true,
            (Self::Text | Self::Json, ValueRef::Text(t)) => std::str::from_utf8(t).is_ok(),
            (Self::Blob, ValueRef::Blob(_)) => true,
            (
                Self::Boolean | Self::Timestamp | Self::TimestampMs | Self::Integer | Self::Real | Self::Text | Self::Json | Self::Blob,
                ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_),
            ) => false,
        }
    }
}
