//! From commits and rows to events: which, and how much of each.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Images, Meta, UnifiedEvent, key_text};
use crate::change::codec::{ChangeRef, Reader, RowRef};
use crate::lsn::{ulid_of, ulid_of_row};
use crate::types::json::to_json;
use crate::{Change, Commit, Error, Lsn, Namespace, Op, Result, Schema, Table, Timestamp, TxId, ValueRef};

/// Which changes become events, and how much of a row an event holds. The default is every change, in the short form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which columns of an update.
    pub images: Images,
    /// Changes of these tables alone, whatever the case of their names; empty: of all.
    pub tables: Vec<String>,
    /// Changes of these kinds alone; empty: of all. Rows of an initial snapshot are chosen by table alone.
    pub ops: Vec<Op>,
}

impl From<Images> for Selection {
    fn from(images: Images) -> Self {
        Self { images, ..Self::default() }
    }
}

/// The events of one commit, in order: [`Selection::events_of`] with every change.
///
/// # Errors
/// `Corrupt` if the commit's bytes are no changes.
pub fn events_of(namespace: &Namespace, commit: &Commit, schema: &mut Arc<Schema>, images: Images) -> Result<Vec<UnifiedEvent>> {
    Selection::from(images).events_of(namespace, commit, schema)
}

impl Selection {
    /// Whether every change is chosen. Changes of shape are passed over where changes are chosen by table or kind.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.tables.is_empty() && self.ops.is_empty()
    }

    /// Whether rows of the table `name` are chosen.
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|t| t.eq_ignore_ascii_case(name))
    }

    fn has(&self, op: Op, table: &Table) -> bool {
        (self.ops.is_empty() || self.ops.contains(&op)) && self.has_table(&table.name)
    }

    /// The chosen events of one commit, in order. `schema` is the one in force at its first change; it is moved on by the changes of shape
    /// inside, so that after the call it is the one in force at the next commit.
    ///
    /// # Errors
    /// `Corrupt` if the commit's bytes are no changes.
    pub fn events_of(&self, namespace: &Namespace, commit: &Commit, schema: &mut Arc<Schema>) -> Result<Vec<UnifiedEvent>> {
        let txid = TxId::derive(namespace, commit.timestamp, commit.lsn_first).to_string();
        let timestamp = commit.timestamp.to_iso_millis();
        let mut out = Vec::with_capacity(if self.is_all() { commit.count as usize } else { 0 });
        let mut reader = Reader::new(&commit.packed);
        let mut lsn = commit.lsn_first;
        let event = |lsn: Lsn, schema: &Schema| UnifiedEvent {
            id: ulid_of(namespace, commit.timestamp, lsn).to_string(),
            event_type: Cow::Borrowed("cdc.schema"),
            timestamp: timestamp.clone(),
            ns: namespace.clone(),
            correlation_id: None,
            op: None,
            store: "relational",
            table: None,
            key: None,
            before: None,
            after: None,
            txid: txid.clone(),
            lsn,
            sql: None,
            actor: None,
            data: None,
            visibility: None,
            meta: Meta { schema_version: schema.version, source: "relstore", retries: 0 },
        };
        while let Some(change) = reader.next()? {
            match &change {
                ChangeRef::Schema(_) => {
                    if let Change::Schema(new) = change.to_change()? {
                        *schema = Arc::new(new.schema);
                        if self.is_all() {
                            out.push(UnifiedEvent { sql: Some(new.sql), ..event(lsn, schema) });
                        }
                    }
                }
                ChangeRef::Row(row) => {
                    let table = schema.by_id(row.table).ok_or_else(|| {
                        Error::corrupt("a change of a table that its schema does not have").with("lsn", lsn).with("table_id", row.table.0)
                    })?;
                    if self.has(row.op, table) {
                        let mut event = event(lsn, schema);
                        fill_row(&mut event, row, table, self.images);
                        out.push(event);
                    }
                }
            }
            lsn = lsn.next();
        }
        Ok(out)
    }

    /// The event of a row that an initial snapshot found: `op` is `r`, and `lsn` and `timestamp` are the snapshot's. `cells` are those of
    /// [`Table::stored_columns`].
    #[must_use]
    pub fn row_found(place: &SnapshotPlace<'_>, table: &Table, rowid: Option<i64>, cells: &[ValueRef<'_>]) -> UnifiedEvent {
        let key = key_text(table, rowid, cells);
        let SnapshotPlace { namespace, lsn, timestamp, schema_version } = *place;
        UnifiedEvent {
            id: ulid_of_row(namespace, timestamp, lsn, table.id.0, &key).to_string(),
            event_type: Cow::Borrowed("cdc.read"),
            timestamp: timestamp.to_iso_millis(),
            ns: namespace.clone(),
            correlation_id: None,
            op: Some(Op::Read.letter()),
            store: "relational",
            table: Some(table.name.clone()),
            key: Some(key),
            before: None,
            after: Some(table.stored_columns().zip(cells).map(|(c, cell)| (c.name.clone(), to_json(c.logical, *cell))).collect()),
            txid: ulid_of_row(namespace, timestamp, lsn, 0, "").to_string(),
            lsn,
            sql: None,
            actor: None,
            data: None,
            visibility: None,
            meta: Meta { schema_version, source: "relstore", retries: 0 },
        }
    }
}

/// Where an initial snapshot stands.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPlace<'a> {
    /// The store.
    pub namespace: &'a Namespace,
    /// The last change that it holds.
    pub lsn: Lsn,
    /// When that was committed.
    pub timestamp: Timestamp,
    /// The version of the schema in it.
    pub schema_version: u32,
}

fn fill_row(event: &mut UnifiedEvent, row: &RowRef<'_>, table: &Table, images: Images) {
    event.event_type = Cow::Borrowed(match row.op {
        Op::Create => "cdc.insert",
        Op::Update => "cdc.update",
        Op::Delete => "cdc.delete",
        Op::Read => "cdc.read",
    });
    event.op = Some(row.op.letter());
    event.table = Some(table.name.clone());
    event.key = Some(key_text(table, row.rowid, row.image()));
    let object = |cells: &[ValueRef<'_>]| -> Map<String, Json> {
        let wanted = |i: usize| row.op != Op::Update || images == Images::Full || row.is_changed(i);
        let named = table.stored_columns().zip(cells).enumerate().filter(|(i, _)| wanted(*i));
        named.map(|(_, (column, cell))| (column.name.clone(), to_json(column.logical, *cell))).collect()
    };
    if matches!(row.op, Op::Update | Op::Delete) {
        event.before = Some(object(row.before));
    }
    if row.op != Op::Delete {
        event.after = Some(object(row.after));
    }
}
