//! The public form of a change: `UnifiedEvent`, and a commit as events.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::change::codec::{ChangeRef, Reader, RowRef};
use crate::lsn::ulid_of;
use crate::types::json::to_json;
use crate::{Change, Commit, Error, Lsn, Namespace, Op, Result, Row, Schema, Table, Value, ValueRef};

/// Which columns an update's `before` and `after` hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// The changed columns alone.
    #[default]
    Changed,
    /// The whole row.
    Full,
}

/// The event that a mutation emits.
///
/// The same change gives the same event each time it is read, its id included, so a consumer that sees it twice can tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnifiedEvent {
    /// A ULID, unique and sortable by time.
    pub id: String,
    /// `cdc.insert`, `cdc.update`, `cdc.delete`, `cdc.read` (a row of an initial snapshot), or `cdc.schema` (the shape changed).
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// When the transaction was committed, ISO 8601 in UTC.
    pub timestamp: String,
    /// The store.
    pub ns: Namespace,
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
    /// Column values after: on all but delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Map<String, Json>>,
    /// The statement of a schema change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// One id for all changes of the transaction.
    pub txid: String,
    /// The position in the store's log.
    pub lsn: Lsn,
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

/// Computes the cells of virtual generated columns, which changes do not have.
pub trait VirtualCells {
    /// The cells of the virtual columns of `table`, in the order of its columns, for a row whose stored cells are `stored`; `None` if an
    /// expression fails for the row, so that a read of it fails too. Asked of tables that have virtual columns only.
    ///
    /// # Errors
    /// `Internal` if nothing can be computed for the table.
    fn virtual_cells(&self, table: &Table, stored: &[ValueRef<'_>]) -> Result<Option<Row>>;
}

/// Computes nothing: virtual columns are left out of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutVirtualCells;

impl VirtualCells for WithoutVirtualCells {
    fn virtual_cells(&self, _: &Table, _: &[ValueRef<'_>]) -> Result<Option<Row>> {
        Ok(None)
    }
}

/// The events of one commit, in order. `schema` is the one in force at its first change; it is moved on by the changes of shape inside,
/// so that after the call it is the one in force at the next commit. Virtual generated columns are as `computed` gives them for the schema
/// in force at the change, so a row from before their definition changed has the value of then.
///
/// # Errors
/// `Corrupt` if the commit's bytes are no changes, or another number of them than it says; as `computed` gives them.
pub fn events_of(
    namespace: &Namespace,
    commit: &Commit,
    schema: &mut std::sync::Arc<Schema>,
    images: Images,
    computed: &dyn VirtualCells,
) -> Result<Vec<UnifiedEvent>> {
    let txid = commit.txid(namespace).to_string();
    let timestamp = commit.timestamp.to_iso_millis();
    // A change takes two bytes at least, so a count that lies does not become an allocation.
    let count_max = (commit.packed.len() / 2) as u64;
    let mut out = Vec::with_capacity(commit.count.min(count_max) as usize);
    let mut reader = Reader::new(&commit.packed);
    let mut lsn = commit.lsn_first;
    while let Some(change) = reader.next()? {
        let mut event = UnifiedEvent {
            id: ulid_of(namespace, commit.timestamp, lsn).to_string(),
            event_type: "cdc.schema",
            timestamp: timestamp.clone(),
            ns: namespace.clone(),
            op: None,
            store: "relational",
            table: None,
            key: None,
            before: None,
            after: None,
            sql: None,
            txid: txid.clone(),
            lsn,
            meta: Meta { schema_version: schema.version, source: "relstore", retries: 0 },
        };
        match &change {
            ChangeRef::Schema(_) => {
                if let Change::Schema(new) = change.to_change()? {
                    *schema = std::sync::Arc::new(new.schema);
                    event.sql = Some(new.sql);
                    event.meta.schema_version = schema.version;
                }
            }
            ChangeRef::Row(row) => fill_row(&mut event, row, schema, images, computed)?,
        }
        out.push(event);
        lsn = Lsn::new(lsn.get().wrapping_add(1));
    }
    if out.len() as u64 != commit.count {
        return Err(Error::corrupt("a commit holds another number of changes than it says")
            .with("ns", namespace)
            .with("lsn", commit.lsn_first));
    }
    Ok(out)
}

fn fill_row(event: &mut UnifiedEvent, row: &RowRef<'_>, schema: &Schema, images: Images, computed: &dyn VirtualCells) -> Result<()> {
    event.event_type = match row.op {
        Op::Create => "cdc.insert",
        Op::Update => "cdc.update",
        Op::Delete => "cdc.delete",
        Op::Read => "cdc.read",
    };
    event.op = Some(row.op.letter());
    let Some(table) = schema.by_id(row.table) else { return Ok(()) };
    event.table = Some(table.name.clone());
    event.key = Some(key_text(table, row.rowid, row.image()));
    let has_virtual = table.columns.iter().any(|c| c.is_virtual);
    let cells_of = |cells: &[ValueRef<'_>]| if has_virtual { computed.virtual_cells(table, cells) } else { Ok(None) };
    let has_before = matches!(row.op, Op::Update | Op::Delete);
    let has_after = row.op != Op::Delete;
    let before = if has_before { cells_of(row.before)? } else { None };
    let after = if has_after { cells_of(row.after)? } else { None };
    let shows_all = row.op != Op::Update || images == Images::Full;
    let object = |cells: &[ValueRef<'_>], computed: Option<&Row>| -> Map<String, Json> {
        let mut out = Map::new();
        let (mut stored, mut virtuals) = (0, 0);
        for column in &table.columns {
            let (cell, is_wanted) = if column.is_virtual {
                virtuals += 1;
                let cell = |row: Option<&Row>| row.and_then(|r| r.get(virtuals - 1)).cloned();
                let is_changed = cell(before.as_ref()) != cell(after.as_ref());
                (computed.and_then(|r| r.get(virtuals - 1)).map(Value::as_ref), shows_all || is_changed)
            } else {
                stored += 1;
                (cells.get(stored - 1).copied(), shows_all || row.is_changed(stored - 1))
            };
            if let Some(cell) = cell.filter(|_| is_wanted) {
                out.insert(column.name.clone(), to_json(column.logical, cell));
            }
        }
        out
    };
    if has_before {
        event.before = Some(object(row.before, before.as_ref()));
    }
    if has_after {
        event.after = Some(object(row.after, after.as_ref()));
    }
    Ok(())
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
