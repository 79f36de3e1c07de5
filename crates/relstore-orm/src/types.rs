//! Rust types as column types: how each is declared, read and written.

use relstore_model::{Error, ErrorKind, Result, Timestamp, Value, ValueRef};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A Rust type that a column can have.
///
/// `i64` and `i32` (INTEGER), `f64` (REAL), `bool` (BOOLEAN), `String` (TEXT), `Vec<u8>` (BLOB), [`Timestamp`] (TIMESTAMP), and
/// `Option` of each for a column that takes NULL. A NaN is written as NULL, as SQLite does.
///
/// A [`Timestamp`] counts microseconds; a TIMESTAMP column holds whole seconds since 1970 as an integer. Writing rounds down to the
/// second (towards the past, also before 1970) and refuses nothing.
#[diagnostic::on_unimplemented(
    message = "a column cannot have the type `{Self}`",
    label = "not a column type",
    note = "column types are i64, i32, f64, bool, String, Vec<u8>, Timestamp, and Option of each"
)]
pub trait SqlType: Sized {
    /// The type without `Option`.
    type Base: SqlType<Base = Self::Base>;
    /// The declared type in DDL.
    const DECLARED: &'static str;
    /// Whether NULL is one of its values.
    const NULLABLE: bool;
    /// What its cells are, in words, for messages.
    const EXPECTED: &'static str;

    /// The value of a cell; `None` if the cell is of another type.
    fn from_cell(cell: ValueRef<'_>) -> Option<Self>;

    /// The cell that holds the value.
    fn into_cell(self) -> Value;
}

/// A Rust value that can be stored in a column of type `V`, or compared with one.
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be stored in a column of type `{V}`",
    label = "a value for `{V}` is expected"
)]
pub trait IntoValue<V> {
    /// The cell.
    fn into_value(self) -> Value;
}

macro_rules! sql_type {
    ($type:ty, $declared:literal, $expected:literal, |$cell:ident| $read:expr, |$value:ident| $write:expr) => {
        impl SqlType for $type {
            type Base = Self;
            const DECLARED: &'static str = $declared;
            const NULLABLE: bool = false;
            const EXPECTED: &'static str = $expected;

            fn from_cell($cell: ValueRef<'_>) -> Option<Self> {
                $read
            }

            fn into_cell(self) -> Value {
                let $value = self;
                $write
            }
        }

        // Spelt out for each type, not written once for all: so `None` and bare numbers have one type they can be.
        into_value!($type => $type, Option<$type>);
        into_value!(Option<$type> => Option<$type>);
    };
}
macro_rules! into_value {
    ($from:ty => $($column:ty),+) => { $(
        impl IntoValue<$column> for $from {
            fn into_value(self) -> Value {
                SqlType::into_cell(self)
            }
        }
    )+ };
}

sql_type!(
    i64,
    "INTEGER",
    "an integer",
    |cell| match cell {
        ValueRef::Integer(i) => Some(i),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    i32,
    "INTEGER",
    "an integer of 32 bits",
    |cell| match cell {
        ValueRef::Integer(i) => Self::try_from(i).ok(),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    f64,
    "REAL",
    "a number",
    |cell| match cell {
        ValueRef::Real(r) => Some(r),
        ValueRef::Integer(i) => Some(i as Self),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    bool,
    "BOOLEAN",
    "an integer 0 or 1",
    |cell| match cell {
        ValueRef::Integer(i @ (0 | 1)) => Some(i == 1),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    String,
    "TEXT",
    "text in UTF-8",
    |cell| match cell {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    Vec<u8>,
    "BLOB",
    "a blob",
    |cell| match cell {
        ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        _ => None,
    },
    |value| Value::from(value)
);
sql_type!(
    Timestamp,
    "TIMESTAMP",
    "whole seconds since 1970 as an integer",
    |cell| match cell {
        ValueRef::Integer(seconds) => seconds.checked_mul(MICROS_PER_SECOND).map(Self::from_micros),
        _ => None,
    },
    |value| Value::Integer(value.micros().div_euclid(MICROS_PER_SECOND))
);

impl<V: SqlType<Base = V>> SqlType for Option<V> {
    type Base = V;
    const DECLARED: &'static str = V::DECLARED;
    const NULLABLE: bool = true;
    const EXPECTED: &'static str = V::EXPECTED;

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        match cell {
            ValueRef::Null => Some(None),
            _ => V::from_cell(cell).map(Some),
        }
    }

    fn into_cell(self) -> Value {
        self.map_or(Value::Null, V::into_cell)
    }
}

macro_rules! borrowed_text {
    ($($from:ty),+) => { $(
        impl IntoValue<String> for $from {
            fn into_value(self) -> Value {
                Value::Text(self.to_owned())
            }
        }

        impl IntoValue<Option<String>> for $from {
            fn into_value(self) -> Value {
                Value::Text(self.to_owned())
            }
        }
    )+ };
}
borrowed_text!(&str, &String);

/// Reads cell `at` of a row as `V`. `table` and `column` are where it comes from, for the error.
///
/// # Errors
/// `Constraint` if the cell is of another type; `Internal` if the row is too short.
pub(crate) fn read_cell<V: SqlType>(cells: &[ValueRef<'_>], at: usize, table: &str, column: &str) -> Result<V> {
    let Some(cell) = cells.get(at).copied() else {
        return Err(Error::internal("a row has fewer cells than its statement has columns").with("table", table).with("column", column));
    };
    V::from_cell(cell).ok_or_else(|| mismatch::<V>(cell, table, column))
}

#[cold]
fn mismatch<V: SqlType>(cell: ValueRef<'_>, table: &str, column: &str) -> Error {
    let error = Error::new(ErrorKind::Constraint, "a cell does not have the type of its column")
        .with("table", table)
        .with("column", column)
        .with("expected", V::EXPECTED)
        .with("found", cell.type_name());
    match cell {
        ValueRef::Null => error.with_hint("make the field an Option, or give the row a value"),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
            error.with_hint("change the field's type to what the column holds, or mend the row: SQLite stores cells of any type")
        }
    }
}
