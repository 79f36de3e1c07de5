//! Errors on their way into JavaScript: as JSON in the reason of napi's own, which the package turns into a `RelationalStoreError`.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};

use relstore_engine::Database;
use relstore_model::{Error, Result, Schema};
use serde_json::json;

use crate::constraint::Constraint;

/// Runs `body`, whose panic is an error like any other.
pub(crate) fn shielded<T>(body: impl FnOnce() -> Result<T>) -> napi::Result<T> {
    caught(body).map_err(|e| crossing(&e, None))
}

/// As [`shielded`], for statements: what broke a constraint is told with the table and columns that the store's schema knows.
pub(crate) fn shielded_in<T>(database: &Database, body: impl FnOnce() -> Result<T>) -> napi::Result<T> {
    caught(body).map_err(|e| crossing(&e, Some(&database.schema())))
}

/// Runs `body`, whose panic is an error like any other.
pub(crate) fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::internal("the addon panicked")
            .with("panic", said.unwrap_or_default())
            .with_hint("report it: it is a bug of this package"))
    })
}

/// The error as napi carries it.
pub(crate) fn crossing(error: &Error, schema: Option<&Schema>) -> napi::Error {
    let constraint = Constraint::of(error, schema);
    let document = json!({
        "kind": error.kind().code(),
        "message": error.message(),
        "context": error.context(),
        "hint": error.hint(),
        "cause": error.source().map(ToString::to_string),
        "constraint": constraint.map(|c| json!({"code": c.code, "table": c.table, "columns": c.columns, "name": c.name})),
    });
    napi::Error::from_reason(document.to_string())
}
