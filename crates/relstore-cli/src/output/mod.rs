//! What people and programs see: tables, JSON, errors, numbers.

pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod style;
pub(crate) mod table;
