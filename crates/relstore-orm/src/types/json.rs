//! JSON documents, by serde.

use std::ops::{Deref, DerefMut};

use relstore_model::{Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SqlType, Unfit};

/// A value kept as a JSON document: the column type `JSON`. `T` is anything that serde reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Serialize + DeserializeOwned> SqlType for Json<T> {
    const DECLARED: &'static str = "JSON";
    const EXPECTED: &'static str = "a JSON document as text";

    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        match cell {
            ValueRef::Text(bytes) => serde_json::from_slice(bytes).map(Self).map_err(Unfit::because),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err(Unfit::CLASS),
        }
    }

    fn into_cell(self) -> Result<Value, Unfit> {
        serde_json::to_string(&self.0).map(Value::Text).map_err(Unfit::because)
    }
}
