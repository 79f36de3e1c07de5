//! Rust types as column types: how each is declared, read and written.
//!
//! What comes in: cells as SQLite has them. What goes out: Rust values, and cells again. [`SqlType`] is what a type implements to be a
//! column's; [`ColumnType`] is that type or `Option` of it, and follows by itself. A type that is not here is one `impl` away, or one
//! `#[derive(SqlType)]`.

mod json;
mod moment;
mod number;
mod text;

pub use json::Json;
pub use moment::TimestampMs;

use std::fmt;

use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};

use crate::scope::{Nullness, Optional, Required};

/// A Rust type whose values fill the cells of a column.
///
/// | Rust | declared | cell |
/// |---|---|---|
/// | `i8` … `i64`, `u8` … `u32` | `INTEGER` | an integer within the type's bounds |
/// | `u64` | `INTEGER` | an integer; a value above `i64::MAX` is refused when it is written |
/// | `i128` | `BLOB` | its decimal digits as bytes, as Drizzle's `blob` of mode `bigint`: good for `eq`, not for order |
/// | `bool` | `BOOLEAN` | 0 or 1 |
/// | `f64`, `f32` | `REAL` | a number; NaN is written as NULL, as SQLite does |
/// | `String` | `TEXT` | text in UTF-8 |
/// | `Vec<u8>` | `BLOB` | a blob |
/// | `jiff::Timestamp`, [`relstore_model::Timestamp`] | `TIMESTAMP` | whole seconds since 1970; written rounded down, towards the past |
/// | [`TimestampMs`] | `TIMESTAMP_MS` | milliseconds since 1970; written rounded down |
/// | [`Json<T>`] | `JSON` | a JSON document as text, by serde |
/// | `#[derive(SqlType)]` enum | `TEXT` | the variant's name in `snake_case` |
/// | `#[derive(SqlType)]` struct of one field | that of the field | that of the field |
///
/// `Option` of each is a column that takes NULL. Implement the trait for any other type:
///
/// ```
/// use relstore_model::{Value, ValueRef};
/// use relstore_orm::{SqlType, Unfit};
///
/// /// An IPv4 address, kept as text.
/// struct Address(std::net::Ipv4Addr);
///
/// impl SqlType for Address {
///     const DECLARED: &'static str = "TEXT";
///     const EXPECTED: &'static str = "an IPv4 address as text";
///
///     fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
///         String::from_cell(cell)?.parse().map(Self).map_err(Unfit::because)
///     }
///
///     fn into_cell(self) -> Result<Value, Unfit> {
///         self.0.to_string().into_cell()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a column cannot have the type `{Self}`",
    label = "not a column type",
    note = "column types are the integers up to 64 bits, f64, f32, bool, String, Vec<u8>, jiff::Timestamp, TimestampMs, Json<T>, and Option of each",
    note = "for a type of your own: `#[derive(SqlType)]` on an enum without fields or on a struct of one field, or `impl SqlType`"
)]
pub trait SqlType: Sized {
    /// The declared type in DDL. It decides the column's logical type: see [`relstore_model::LogicalType::from_declared`].
    const DECLARED: &'static str;
    /// What its cells are, in words, for messages.
    const EXPECTED: &'static str;

    /// The value of a cell.
    ///
    /// # Errors
    /// [`Unfit`] if the cell is no value of this type; a NULL never is.
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit>;

    /// The cell that holds the value.
    ///
    /// # Errors
    /// [`Unfit`] if no cell can hold it.
    fn into_cell(self) -> Result<Value, Unfit>;
}

/// Why a cell is no value of a type, or a value fits no cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(Option<Box<str>>);

impl Unfit {
    /// The cell is of another storage class.
    pub const CLASS: Self = Self(None);

    /// The class is right and the content is not.
    #[must_use]
    pub fn because(reason: impl fmt::Display) -> Self {
        Self(Some(reason.to_string().into_boxed_str()))
    }

    /// The reason, where it is not the class.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// What a field of a model can be: a [`SqlType`], or `Option` of one for a column that takes NULL. It follows from [`SqlType`].
#[diagnostic::on_unimplemented(
    message = "a column cannot have the type `{Self}`",
    label = "not a column type",
    note = "column types are the integers up to 64 bits, f64, f32, bool, String, Vec<u8>, jiff::Timestamp, TimestampMs, Json<T>, and Option of each",
    note = "for a type of your own: `#[derive(SqlType)]` on an enum without fields or on a struct of one field, or `impl SqlType`"
)]
pub trait ColumnType: Sized {
    /// The type without `Option`.
    type Base: SqlType;
    /// Whether NULL is one of its values: [`Optional`] or [`Required`].
    type Nullness: Nullness;
    /// The declared type in DDL.
    const DECLARED: &'static str = <Self::Base as SqlType>::DECLARED;
    /// What its cells are, in words.
    const EXPECTED: &'static str = <Self::Base as SqlType>::EXPECTED;
    /// Whether NULL is one of its values.
    const NULLABLE: bool = <Self::Nullness as Nullness>::IS_OPTIONAL;

    /// The value of a cell.
    ///
    /// # Errors
    /// As [`SqlType::from_cell`].
    fn decode(cell: ValueRef<'_>) -> Result<Self, Unfit>;

    /// The cell that holds the value.
    ///
    /// # Errors
    /// As [`SqlType::into_cell`].
    fn encode(self) -> Result<Value, Unfit>;
}

impl<V: SqlType> ColumnType for V {
    type Base = V;
    type Nullness = Required;

    #[inline]
    fn decode(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        SqlType::from_cell(cell)
    }

    #[inline]
    fn encode(self) -> Result<Value, Unfit> {
        SqlType::into_cell(self)
    }
}

impl<V: SqlType> ColumnType for Option<V> {
    type Base = V;
    type Nullness = Optional;

    #[inline]
    fn decode(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Null => Ok(None),
            _ => V::from_cell(cell).map(Some),
        }
    }

    #[inline]
    fn encode(self) -> Result<Value, Unfit> {
        self.map_or(Ok(Value::Null), V::into_cell)
    }
}

/// What fills a `?` of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// This value.
    Value(Value),
    /// The argument of this number, from 0, that a prepared statement is called with.
    Argument(usize),
}

impl From<Value> for Slot {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// What can be stored in a column of type `V`: a value, or a [`Param`](crate::Param) of a prepared statement.
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be stored in a column of type `{V}`",
    label = "a value for `{V}` is expected"
)]
pub trait IntoValue<V> {
    /// The cell.
    ///
    /// # Errors
    /// As [`SqlType::into_cell`].
    fn into_value(self) -> Result<Slot, Unfit>;
}

impl<V: ColumnType> IntoValue<V> for V {
    fn into_value(self) -> Result<Slot, Unfit> {
        self.encode().map(Slot::Value)
    }
}

impl<V: SqlType> IntoValue<Option<V>> for V {
    fn into_value(self) -> Result<Slot, Unfit> {
        SqlType::into_cell(self).map(Slot::Value)
    }
}

/// Reads cell `at` of a row as `V`. `place` gives the table and the column that it comes from, for the error.
///
/// # Errors
/// `Constraint` if the cell is of another type; `Internal` if the row is too short.
#[inline]
pub(crate) fn read_cell<V: ColumnType>(cells: &[ValueRef<'_>], at: usize, place: impl FnOnce() -> (String, String)) -> Result<V> {
    match cells.get(at) {
        Some(cell) => V::decode(*cell).map_err(|unfit| mismatch::<V>(*cell, &unfit, place())),
        None => Err(too_short(place())),
    }
}

#[cold]
fn too_short((table, column): (String, String)) -> Error {
    Error::internal("a row has fewer cells than its statement has columns").with("table", table).with("column", column)
}

#[cold]
fn mismatch<V: ColumnType>(cell: ValueRef<'_>, unfit: &Unfit, (table, column): (String, String)) -> Error {
    let error = Error::new(ErrorKind::Constraint, "a cell does not have the type of its column")
        .with("table", table)
        .with("column", column)
        .with("expected", V::EXPECTED)
        .with("found", cell.type_name());
    let error = match unfit.reason() {
        Some(reason) => error.with("because", reason),
        None => error,
    };
    match cell {
        ValueRef::Null => error.with_hint("make the field an Option, or give the row a value"),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
            error.with_hint("change the field's type to what the column holds, or mend the row: SQLite stores cells of any type")
        }
    }
}

/// The error of a value that fits no cell.
#[cold]
pub(crate) fn refused(unfit: &Unfit, expected: &str, table: &str, column: &str) -> Error {
    let error = Error::new(ErrorKind::Constraint, "a value cannot be kept in its column")
        .with("table", table)
        .with("column", column)
        .with("expected", expected);
    let error = match unfit.reason() {
        Some(reason) => error.with("because", reason),
        None => error,
    };
    error.with_hint("give a value that the column's type can hold, or change the field's type")
}
