//! What SQLite makes of a cell on its way into a column: its affinity, by the declared type.

use crate::Value;

/// The affinity of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Whole numbers, also those written as text.
    Integer,
    /// Text.
    Text,
    /// Every cell as it is.
    Blob,
    /// Floats, also whole ones.
    Real,
    /// Numbers, also those written as text.
    Numeric,
}

impl Affinity {
    /// The affinity of a declared type (<https://www.sqlite.org/datatype3.html>, section 3.1).
    #[must_use]
    pub fn of(declared: &str) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |part: &str| upper.contains(part);
        if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || declared.trim().is_empty() {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// The cell as a column of this affinity keeps it.
    #[must_use]
    pub fn convert(self, value: Value) -> Value {
        match (self, value) {
            (Self::Text, Value::Integer(i)) => Value::Text(i.to_string()),
            (Self::Text, Value::Real(r)) => Value::Text(format!("{r:?}")),
            (Self::Real, Value::Integer(i)) => Value::Real(i as f64),
            (Self::Real, Value::Text(t)) => match number(&t) {
                Some(Value::Integer(i)) => Value::Real(i as f64),
                Some(real) => real,
                None => Value::Text(t),
            },
            (Self::Integer | Self::Numeric, Value::Text(t)) => number(&t).map_or(Value::Text(t), whole),
            (Self::Integer | Self::Numeric, real @ Value::Real(_)) => whole(real),
            (
                Self::Integer | Self::Text | Self::Blob | Self::Real | Self::Numeric,
                value @ (Value::Null | Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_)),
            ) => value,
        }
    }
}

/// The number that the whole text is.
fn number(text: &str) -> Option<Value> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if !is_number {
        return None;
    }
    text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Real)).ok()
}

/// A float that is a whole number of 64 bits, as that number.
fn whole(value: Value) -> Value {
    match value {
        Value::Real(r) if r == r.trunc() && r.abs() < 9_007_199_254_740_992.0 => Value::Integer(r as i64),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_kept_as_its_column_has_it() {
        for (declared, given, wanted) in [
            ("INTEGER", Value::from("12"), Value::Integer(12)),
            ("INTEGER", Value::from("1.0"), Value::Integer(1)),
            ("INTEGER", Value::from("abc"), Value::from("abc")),
            ("VARCHAR(3)", Value::Integer(5), Value::from("5")),
            ("REAL", Value::Integer(5), Value::Real(5.0)),
            ("DECIMAL(5,2)", Value::from("1.5"), Value::Real(1.5)),
            ("", Value::from("12"), Value::from("12")),
            ("BLOB", Value::Integer(1), Value::Integer(1)),
        ] {
            assert_eq!(Affinity::of(declared).convert(given), wanted, "{declared}");
        }
    }
}
