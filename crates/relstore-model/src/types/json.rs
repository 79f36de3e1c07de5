//! Cells as JSON, for events and for `--json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::LogicalType;
use crate::{Timestamp, ValueRef};

/// The cell as JSON: a boolean as `true`, a moment as ISO 8601, a JSON document as itself, bytes as base64, everything else as it is.
/// A cell that does not fit its type is given as its storage class has it.
#[must_use]
pub fn to_json(logical: LogicalType, cell: ValueRef<'_>) -> Json {
    match (logical, cell) {
        (_, ValueRef::Null) => Json::Null,
        (LogicalType::Boolean, ValueRef::Integer(i @ (0 | 1))) => Json::Bool(i == 1),
        (LogicalType::Timestamp, ValueRef::Integer(i)) => moment(i, 1_000_000),
        (LogicalType::TimestampMs, ValueRef::Integer(i)) => moment(i, 1_000),
        (LogicalType::Json, ValueRef::Text(t)) => {
            serde_json::from_slice(t).unwrap_or_else(|_| Json::String(String::from_utf8_lossy(t).into_owned()))
        }
        (_, ValueRef::Integer(i)) => Json::from(i),
        (_, ValueRef::Real(r)) => serde_json::Number::from_f64(r).map_or_else(|| Json::String(r.to_string()), Json::Number),
        (_, ValueRef::Text(t)) => Json::String(String::from_utf8_lossy(t).into_owned()),
        (_, ValueRef::Blob(b)) => Json::String(STANDARD.encode(b)),
    }
}

fn moment(n: i64, micros_per_unit: i64) -> Json {
    match n.checked_mul(micros_per_unit) {
        Some(micros) => Json::String(Timestamp::from_micros(micros).to_iso_millis()),
        None => Json::from(n),
    }
}
