//! From one type of cell to another: which rule of the table it is, and what a reader makes of a cell.

use super::rules::Kind;
use crate::types::ValueType;
use crate::{LogicalType, Value, ValueRef};

/// How the values of two types stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Every value of the old type is one of the new, in the same form.
    Wider,
    /// Every value of the new type is one of the old, in the same form.
    Narrower,
    /// Integers became floats.
    IntegerToReal,
    /// Floats became integers.
    RealToInteger,
    /// A value of the one is none of the other, or means something else there.
    Apart,
}

/// The rule of a column whose type `old` became `new`, and how they stand to each other. `None` if they are the same.
pub(super) fn rule_of(old: ValueType, new: ValueType) -> Option<(Kind, Fit)> {
    use ValueType::{Any, Blob, Boolean, Decimal, Float32, Float64, Int32, Int64, Json, Text, Timestamp, TimestampMs};
    if old == new {
        return None;
    }
    Some(match (old, new) {
        (Int32, Int64) => (Kind::WidenInteger, Fit::Wider),
        (Int64, Int32) => (Kind::NarrowInteger, Fit::Narrower),
        (Int32, Float64) => (Kind::Int32ToReal, Fit::IntegerToReal),
        (Float64, Int32) => (Kind::RealToInt32, Fit::RealToInteger),
        // A float of 32 bits holds whole numbers to 2^24 alone.
        (Int64, Float64 | Float32) | (Int32, Float32) => (Kind::Int64ToReal, Fit::IntegerToReal),
        (Float64 | Float32, Int64) | (Float32, Int32) => (Kind::RealToInt64, Fit::RealToInteger),
        (Float32, Float64) => (Kind::WidenFloat, Fit::Wider),
        (Float64, Float32) => (Kind::NarrowFloat, Fit::Narrower),
        (Decimal { precision: from, scale }, Decimal { precision: to, scale: new_scale }) => match (scale == new_scale, from < to) {
            (true, true) => (Kind::WidenDecimal, Fit::Wider),
            (true, false) => (Kind::NarrowDecimal, Fit::Narrower),
            (false, _) => (Kind::ScaleDecimal, Fit::Apart),
        },
        (Text { length_max: old }, Text { length_max: new }) => match (old, new) {
            (Some(old), Some(new)) if new < old => (Kind::Shorten, Fit::Narrower),
            (None, Some(_)) => (Kind::Shorten, Fit::Narrower),
            (Some(_) | None, Some(_) | None) => (Kind::Lengthen, Fit::Wider),
        },
        (Text { .. } | Json, Blob) | (Blob, Text { .. } | Json) => (Kind::TextBlob, Fit::Apart),
        (Text { .. }, Json) | (Json, Text { .. }) => (Kind::LogicalMode, Fit::Apart),
        (Int32 | Int64 | Boolean | Timestamp | TimestampMs, Int32 | Int64 | Boolean | Timestamp | TimestampMs) => {
            (Kind::LogicalMode, Fit::Apart)
        }
        (
            Int32 | Int64 | Float32 | Float64 | Decimal { .. } | Text { .. } | Blob | Boolean | Timestamp | TimestampMs | Json | Any,
            Int32 | Int64 | Float32 | Float64 | Decimal { .. } | Text { .. } | Blob | Boolean | Timestamp | TimestampMs | Json | Any,
        ) => (Kind::Unpromotable, Fit::Apart),
    })
}

/// How cells of one type are read as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promotion {
    /// As they are.
    Same,
    /// As they are, if the reader has room for them.
    Checked,
    /// A whole number as a float, if that is exact.
    IntegerToReal,
    /// Not at all.
    Refused,
}

impl Promotion {
    pub(super) fn between(writer: ValueType, reader: ValueType) -> Self {
        match rule_of(writer, reader).map(|(_, fit)| fit) {
            None => Self::Same,
            Some(Fit::Wider | Fit::Narrower) => Self::Checked,
            Some(Fit::IntegerToReal) => Self::IntegerToReal,
            Some(Fit::RealToInteger | Fit::Apart) => Self::Refused,
        }
    }

    /// The cell as the reader has it; why not otherwise. A cell that is none of the writer's type either (SQLite lets it in) is given as it
    /// is.
    pub(super) fn read(self, cell: ValueRef<'_>, writer: ValueType, reader: ValueType) -> Result<Value, &'static str> {
        let is_misfit = || !writer.fits(cell);
        match self {
            Self::Same => Ok(cell.to_value()),
            Self::Checked if reader.fits(cell) || is_misfit() => Ok(cell.to_value()),
            Self::Checked => Err("its type has no room for the value"),
            Self::IntegerToReal => match cell {
                ValueRef::Integer(i) if reader.fits(cell) => Ok(Value::Real(i as f64)),
                _ if is_misfit() => Ok(cell.to_value()),
                _ => Err("a float cannot hold the number exactly"),
            },
            Self::Refused => Err("its type cannot be read as the other"),
        }
    }
}

/// The storage class that a column of a `STRICT` table asks of its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageClass {
    Integer,
    Real,
    Text,
    Blob,
}

impl StorageClass {
    /// That of a declared type; `None` for `ANY`, which takes all.
    pub(super) fn of_strict(declared: &str) -> Option<Self> {
        match declared.to_ascii_uppercase().as_str() {
            "INT" | "INTEGER" => Some(Self::Integer),
            "REAL" => Some(Self::Real),
            "TEXT" => Some(Self::Text),
            "BLOB" => Some(Self::Blob),
            _ => None,
        }
    }

    pub(super) fn takes(self, cell: ValueRef<'_>) -> bool {
        match self {
            Self::Integer => matches!(cell, ValueRef::Integer(_) | ValueRef::Null),
            Self::Real => LogicalType::Real.fits(cell),
            Self::Text => matches!(cell, ValueRef::Text(_) | ValueRef::Null),
            Self::Blob => matches!(cell, ValueRef::Blob(_) | ValueRef::Null),
        }
    }
}

/// Whether SQLite takes the two for equal: a whole float is the integer it is.
pub(super) fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(i), Value::Real(r)) | (Value::Real(r), Value::Integer(i)) => *i as f64 == *r,
        (a, b) => a == b,
    }
}
