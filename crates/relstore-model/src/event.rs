//! The public form of a change: `UnifiedEvent`. A commit becomes events by [`Selection`], which says of which changes and how much of them.

mod row;
mod selection;
#[cfg(test)]
mod tests;
mod virtual_cells;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value as Json};

pub use selection::{Selection, SnapshotPlace, events_of};
pub use virtual_cells::{VirtualCells, WithoutVirtualCells};

use crate::types::json::to_json;
use crate::{Lsn, Namespace, Table, ValueRef};

/// Which columns an update's `before` and `after` hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// The changed columns alone.
    #[default]
    Changed,
    /// The whole row.
    Full,
}

/// The event that a mutation emits. Its JSON has the fields in this order, and leaves out those that are absent.
///
/// The same change gives the same event each time it is read, its id included, so a consumer that sees it twice can tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnifiedEvent {
    /// A ULID, unique and sortable by time.
    pub id: String,
    /// `cdc.insert`, `cdc.update`, `cdc.delete`; `cdc.read`, a row of an initial snapshot; `cdc.schema`, the shape changed; `Noun.verb`, an
    /// event of the program's domain.
    #[serde(rename = "type")]
    pub event_type: Cow<'static, str>,
    /// When the transaction was committed, ISO 8601 in UTC.
    pub timestamp: String,
    /// The store.
    pub ns: Namespace,
    /// What the request that made it is known by elsewhere, if that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// `c`, `u`, `d` or `r`; absent on a schema change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<&'static str>,
    /// Always `relational`.
    pub store: &'static str,
    /// The table's name in the schema in force; absent on a schema change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The primary key as text; a composite one as a JSON array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Column values before: on update and delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Map<String, Json>>,
    /// Column values after: on create, update and read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Map<String, Json>>,
    /// One id for all changes of the transaction.
    pub txid: String,
    /// The position in the store's log. All rows of an initial snapshot stand at the position that it was taken at.
    pub lsn: Lsn,
    /// The statement of a schema change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Who did it: on domain events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Json>,
    /// What it is about: on domain events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// Who may see it, `user`, `team` or `public`: on domain events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Cow<'static, str>>,
    /// What the event was made with.
    #[serde(rename = "_meta")]
    pub meta: Meta,
}

/// The envelope's `_meta`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The version of the schema in force.
    pub schema_version: u32,
    /// `relstore`.
    pub source: &'static str,
    /// How often delivery was tried before; 0 at first.
    pub retries: u32,
}

/// The key of a row as text: one column as its own text, several as a JSON array, none as the rowid. `image` has the cells of the
/// stored columns.
#[must_use]
pub fn key_text(table: &Table, rowid: Option<i64>, image: &[ValueRef<'_>]) -> String {
    let stored = |position: usize| table.columns[..position].iter().filter(|c| !c.is_virtual).count();
    let cell = |position: &usize| image.get(stored(*position)).copied().unwrap_or(ValueRef::Null);
    match table.primary_key.as_slice() {
        [] => rowid.map_or_else(String::new, |r| r.to_string()),
        [one] => match to_json(crate::LogicalType::Any, cell(one)) {
            Json::String(text) => text,
            other => other.to_string(),
        },
        several => Json::Array(several.iter().map(|p| to_json(crate::LogicalType::Any, cell(p))).collect()).to_string(),
    }
}
