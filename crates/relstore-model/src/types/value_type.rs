//! What a declared type says beyond the logical type: widths, lengths, digits.
//!
//! SQLite stores every integer in up to 64 bits and every float in 64, whatever the declaration says; Parquet, Iceberg and typed readers do
//! not. So the declaration is taken at its word:
//!
//! | declared | type |
//! |---|---|
//! | `INT`, `INT2`, `INT4`, `INT32`, `INT16`, `SMALLINT`, `TINYINT`, `MEDIUMINT` | an integer of 32 bits |
//! | `INTEGER`, `BIGINT`, `INT8`, `INT64`, whatever else SQLite takes for an integer | an integer of 64 bits |
//! | `FLOAT4`, `FLOAT32`, `FLOAT(n)` with n ≤ 24 | a float of 32 bits |
//! | `REAL`, `DOUBLE`, `FLOAT`, whatever else SQLite takes for a float | a float of 64 bits |
//! | `DECIMAL(p)`, `DECIMAL(p, s)`, `NUMERIC(p, s)` | a decimal of p digits, s of them after the point |
//! | `VARCHAR(n)`, `CHAR(n)`, whatever else SQLite takes for text and has one number | text of at most n characters |

use crate::{Column, LogicalType, ValueRef};

/// The type of a column's cells as its declaration says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// A decimal number.
    Decimal {
        /// How many digits it has at most, at least 1.
        precision: u32,
        /// How many of them are after the point.
        scale: u32,
    },
    /// UTF-8 text.
    Text {
        /// How many characters it has at most.
        length_max: Option<u32>,
    },
    /// Bytes.
    Blob,
    /// An integer 0 or 1.
    Boolean,
    /// Whole seconds since 1970 in UTC.
    Timestamp,
    /// Milliseconds since 1970 in UTC.
    TimestampMs,
    /// A JSON document as text.
    Json,
    /// Any storage class.
    Any,
}

/// Characters of text: an upper bound on declared lengths is none.
fn is_longer(text: &[u8], length_max: u32) -> bool {
    String::from_utf8_lossy(text).chars().count() > length_max as usize
}

impl ValueType {
    /// The type of a column.
    #[must_use]
    pub fn of(column: &Column) -> Self {
        let upper = column.declared.to_ascii_uppercase();
        let (name, numbers) = parts(&upper);
        match column.logical {
            LogicalType::Integer => match name {
                "INT" | "INT2" | "INT4" | "INT16" | "INT32" | "SMALLINT" | "TINYINT" | "MEDIUMINT" => Self::Int32,
                _ => Self::Int64,
            },
            LogicalType::Real => match (name, numbers.as_slice()) {
                ("FLOAT4" | "FLOAT32", _) | ("FLOAT", [0..=24]) => Self::Float32,
                _ => Self::Float64,
            },
            LogicalType::Text => Self::Text { length_max: if let [n] = numbers.as_slice() { Some(*n) } else { None } },
            LogicalType::Blob => Self::Blob,
            LogicalType::Boolean => Self::Boolean,
            LogicalType::Timestamp => Self::Timestamp,
            LogicalType::TimestampMs => Self::TimestampMs,
            LogicalType::Json => Self::Json,
            LogicalType::Any => match (name, numbers.as_slice()) {
                ("DECIMAL" | "NUMERIC" | "DEC", [precision]) if *precision > 0 => Self::Decimal { precision: *precision, scale: 0 },
                ("DECIMAL" | "NUMERIC" | "DEC", [precision, scale]) if *precision > 0 && scale <= precision => {
                    Self::Decimal { precision: *precision, scale: *scale }
                }
                _ => Self::Any,
            },
        }
    }

    /// Whether `cell` is a value of this type. NULL is one of every type.
    #[must_use]
    pub fn fits(self, cell: ValueRef<'_>) -> bool {
        match self {
            Self::Int32 => matches!(cell, ValueRef::Integer(i) if i32::try_from(i).is_ok()) || matches!(cell, ValueRef::Null),
            Self::Int64 => LogicalType::Integer.fits(cell),
            Self::Float32 => match cell {
                ValueRef::Real(r) => f64::from(r as f32).to_bits() == r.to_bits(),
                ValueRef::Integer(i) => (i as f32) as i128 == i128::from(i),
                ValueRef::Null => true,
                ValueRef::Text(_) | ValueRef::Blob(_) => false,
            },
            Self::Float64 => match cell {
                ValueRef::Integer(i) => (i as f64) as i128 == i128::from(i),
                other => LogicalType::Real.fits(other),
            },
            Self::Decimal { precision, scale } => match cell {
                ValueRef::Integer(i) => digits(i.unsigned_abs()) <= precision - scale,
                ValueRef::Real(r) => is_decimal(r, precision, scale),
                ValueRef::Null => true,
                ValueRef::Text(_) | ValueRef::Blob(_) => false,
            },
            Self::Text { length_max } => match cell {
                ValueRef::Text(t) => LogicalType::Text.fits(cell) && !length_max.is_some_and(|max| is_longer(t, max)),
                other => LogicalType::Text.fits(other),
            },
            Self::Blob => LogicalType::Blob.fits(cell),
            Self::Boolean => LogicalType::Boolean.fits(cell),
            Self::Timestamp => LogicalType::Timestamp.fits(cell),
            Self::TimestampMs => LogicalType::TimestampMs.fits(cell),
            Self::Json => LogicalType::Json.fits(cell),
            Self::Any => true,
        }
    }
}

/// How many digits a number has: none for 0.
fn digits(n: u64) -> u32 {
    n.checked_ilog10().map_or(0, |n| n + 1)
}

/// Whether the shortest way to write the float has no more digits than these. Where it needs an exponent it has.
fn is_decimal(r: f64, precision: u32, scale: u32) -> bool {
    let text = format!("{:?}", r.abs());
    if text.contains('e') || !r.is_finite() {
        return false;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    whole.trim_start_matches('0').len() <= (precision - scale) as usize && fraction.len() <= scale as usize
}

/// The words of a declared type and the numbers in its parentheses: none if what is there is not one or two numbers.
fn parts(upper: &str) -> (&str, Vec<u32>) {
    let Some((name, rest)) = upper.split_once('(') else { return (upper.trim(), Vec::new()) };
    let inside = rest.split(')').next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = inside.split(',').map(|n| n.trim().parse().ok()).collect();
    (name.trim(), numbers.filter(|n| n.len() <= 2).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnId, Value};

    fn of(declared: &str) -> ValueType {
        ValueType::of(&Column {
            id: ColumnId(1),
            name: "c".into(),
            declared: declared.into(),
            logical: LogicalType::from_declared(declared),
            not_null: false,
            added_in: 1,
            is_virtual: false,
            is_computed: false,
            initial_default: None,
        })
    }

    #[test]
    fn a_declaration_is_taken_at_its_word() {
        for (declared, wanted) in [
            ("INT", ValueType::Int32),
            ("smallint", ValueType::Int32),
            ("INTEGER", ValueType::Int64),
            ("BIGINT", ValueType::Int64),
            ("INT8", ValueType::Int64),
            ("UNSIGNED BIG INT", ValueType::Int64),
            ("FLOAT4", ValueType::Float32),
            ("FLOAT(24)", ValueType::Float32),
            ("FLOAT(53)", ValueType::Float64),
            ("REAL", ValueType::Float64),
            ("DECIMAL(10, 2)", ValueType::Decimal { precision: 10, scale: 2 }),
            ("NUMERIC(5)", ValueType::Decimal { precision: 5, scale: 0 }),
            ("NUMERIC", ValueType::Any),
            ("DECIMAL(2,5)", ValueType::Any),
            ("VARCHAR(20)", ValueType::Text { length_max: Some(20) }),
            ("TEXT", ValueType::Text { length_max: None }),
            ("TEXT(x)", ValueType::Text { length_max: None }),
            ("TIMESTAMP_MS", ValueType::TimestampMs),
        ] {
            assert_eq!(of(declared), wanted, "{declared}");
        }
    }

    #[test]
    fn cells_fit_within_width_length_and_digits() {
        for (declared, cell, wanted) in [
            ("INT", Value::Integer(i64::from(i32::MAX)), true),
            ("INT", Value::Integer(i64::from(i32::MAX) + 1), false),
            ("FLOAT4", Value::Real(0.5), true),
            ("FLOAT4", Value::Real(0.1), false),
            ("REAL", Value::Integer(1 << 53), true),
            ("REAL", Value::Integer((1 << 53) + 1), false),
            ("REAL", Value::Integer(i64::MAX), false),
            ("DECIMAL(4,2)", Value::Real(12.25), true),
            ("DECIMAL(4,2)", Value::Real(12.255), false),
            ("DECIMAL(4,2)", Value::Integer(100), false),
            ("DECIMAL(4,4)", Value::Real(0.5), true),
            ("DECIMAL(4,2)", Value::Real(1e300), false),
            ("VARCHAR(2)", Value::from("éé"), true),
            ("VARCHAR(2)", Value::from("abc"), false),
            ("VARCHAR(2)", Value::Null, true),
        ] {
            assert_eq!(of(declared).fits(cell.as_ref()), wanted, "{declared} {cell:?}");
        }
    }
}
