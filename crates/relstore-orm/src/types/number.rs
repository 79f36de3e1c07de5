//! Integers, floats and booleans.

use relstore_model::{Value, ValueRef};

use super::{SqlType, Unfit};

macro_rules! integer {
    ($($type:ty: $expected:literal;)+) => { $(
        impl SqlType for $type {
            const DECLARED: &'static str = "INTEGER";
            const EXPECTED: &'static str = $expected;

            #[inline]
            fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
                match cell {
                    ValueRef::Integer(i) => Self::try_from(i).map_err(|_| outside(i)),
                    ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
                }
            }

            #[inline]
            fn into_cell(self) -> Result<Value, Unfit> {
                i64::try_from(self).map(Value::Integer).map_err(|_| outside(self))
            }
        }
    )+ };
}
integer! {
    i64: "an integer";
    i32: "an integer of 32 bits";
    i16: "an integer of 16 bits";
    i8: "an integer of 8 bits";
    u32: "an integer from 0 to 4294967295";
    u16: "an integer from 0 to 65535";
    u8: "an integer from 0 to 255";
    u64: "an integer from 0 to 9223372036854775807";
}

#[cold]
fn outside(value: impl std::fmt::Display) -> Unfit {
    Unfit::because(format_args!("{value} is outside the bounds"))
}

impl SqlType for i128 {
    const DECLARED: &'static str = "BLOB";
    const EXPECTED: &'static str = "the decimal digits of a whole number of 128 bits, as a blob";

    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        let ValueRef::Blob(bytes) = cell else { return Err(Unfit::CLASS) };
        let digits = std::str::from_utf8(bytes).map_err(Unfit::because)?;
        digits.parse().map_err(Unfit::because)
    }

    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Blob(self.to_string().into_bytes()))
    }
}

impl SqlType for f64 {
    const DECLARED: &'static str = "REAL";
    const EXPECTED: &'static str = "a number";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Real(r) => Ok(r),
            ValueRef::Integer(i) => Ok(i as Self),
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
        }
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::from(self))
    }
}

/// Read by rounding to the nearest float of 32 bits, so a value written by this type reads back as itself.
impl SqlType for f32 {
    const DECLARED: &'static str = "REAL";
    const EXPECTED: &'static str = "a number";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        <f64 as SqlType>::from_cell(cell).map(|number| number as Self)
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        SqlType::into_cell(f64::from(self))
    }
}

impl SqlType for bool {
    const DECLARED: &'static str = "BOOLEAN";
    const EXPECTED: &'static str = "an integer 0 or 1";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Integer(i @ (0 | 1)) => Ok(i == 1),
            ValueRef::Integer(i) => Err(outside(i)),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
        }
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::from(self))
    }
}
