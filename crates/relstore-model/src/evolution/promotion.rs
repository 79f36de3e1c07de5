//! From one type of cell to another: which rule of the table it is, and what a reader makes of a cell.

use super::rules::Kind;
use crate::types::ValueType;
use crate::{LogicalType, Value, ValueRef};

/// The rule of a column whose type `old` became `new`. `None` if they are the same.
pub(super) fn rule_of(old: ValueType, new: ValueType) -> Option<Kind> {
    use ValueType::{Any, Blob, Boolean, Decimal, Float32, Float64, Int32, Int64, Json, Text, Timestamp, TimestampMs};
    Some(match (old, new) {
        _ if old == new => return None,
        (Int32, Int64) => Kind::WidenInteger,
        (Int64, Int32) => Kind::NarrowInteger,
        (Int32, Float64) => Kind::Int32ToReal,
        (Float64, Int32) => Kind::RealToInt32,
        // A float of 32 bits holds whole numbers to 2^24 alone.
        (Int64, Float64 | Float32) | (Int32, Float32) => Kind::Int64ToReal,
        (Float64 | Float32, Int64) | (Float32, Int32) => Kind::RealToInt64,
        (Float32, Float64) => Kind::WidenFloat,
        (Float64, Float32) => Kind::NarrowFloat,
        (Decimal { precision: from, scale }, Decimal { precision: to, scale: new_scale }) => match (scale == new_scale, from < to) {
            (true, true) => Kind::WidenDecimal,
            (true, false) => Kind::NarrowDecimal,
            (false, _) => Kind::ScaleDecimal,
        },
        (Text { length_max: old }, Text { length_max: new }) => match (old, new) {
            (Some(old), Some(new)) if new < old => Kind::Shorten,
            (None, Some(_)) => Kind::Shorten,
            (Some(_) | None, Some(_) | None) => Kind::Lengthen,
        },
        (Text { .. } | Json, Blob) | (Blob, Text { .. } | Json) => Kind::TextBlob,
        (Text { .. }, Json) | (Json, Text { .. }) => Kind::LogicalMode,
        (Int32 | Int64 | Boolean | Timestamp | TimestampMs, Int32 | Int64 | Boolean | Timestamp | TimestampMs) => Kind::LogicalMode,
        (
            Int32 | Int64 | Float32 | Float64 | Decimal { .. } | Text { .. } | Blob | Boolean | Timestamp | TimestampMs | Json | Any,
            Int32 | Int64 | Float32 | Float64 | Decimal { .. } | Text { .. } | Blob | Boolean | Timestamp | TimestampMs | Json | Any,
        ) => Kind::Unpromotable,
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
        match rule_of(writer, reader) {
            None => Self::Same,
            Some(
                Kind::WidenInteger
                | Kind::NarrowInteger
                | Kind::WidenFloat
                | Kind::NarrowFloat
                | Kind::WidenDecimal
                | Kind::NarrowDecimal
                | Kind::Lengthen
                | Kind::Shorten,
            ) => Self::Checked,
            Some(Kind::Int32ToReal | Kind::Int64ToReal) => Self::IntegerToReal,
            Some(_) => Self::Refused,
        }
    }

    /// The cell as the reader has it; why not otherwise. A cell that is none of the writer's type either (SQLite lets it in) is given as it is.
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
