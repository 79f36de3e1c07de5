//! Text and blobs, owned in models and borrowed in statements.

use relstore_model::{Value, ValueRef};

use super::{IntoValue, Slot, SqlType, Unfit};

impl SqlType for String {
    const DECLARED: &'static str = "TEXT";
    const EXPECTED: &'static str = "text in UTF-8";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(str::to_owned).map_err(Unfit::because),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
        }
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Text(self))
    }
}

impl SqlType for Vec<u8> {
    const DECLARED: &'static str = "BLOB";
    const EXPECTED: &'static str = "a blob";

    #[inline]
    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => Err(Unfit::CLASS),
        }
    }

    #[inline]
    fn into_cell(self) -> Result<Value, Unfit> {
        Ok(Value::Blob(self))
    }
}

macro_rules! borrowed {
    ($($from:ty => $column:ty, |$value:ident| $cell:expr;)+) => { $(
        impl IntoValue<$column> for $from {
            fn into_value(self) -> Result<Slot, Unfit> {
                let $value = self;
                Ok(Slot::Value($cell))
            }
        }

        impl IntoValue<Option<$column>> for $from {
            fn into_value(self) -> Result<Slot, Unfit> {
                IntoValue::<$column>::into_value(self)
            }
        }
    )+ };
}
borrowed! {
    &str => String, |text| Value::Text(text.to_owned());
    &String => String, |text| Value::Text(text.clone());
    &[u8] => Vec<u8>, |bytes| Value::Blob(bytes.to_owned());
}
