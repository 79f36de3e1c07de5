//! From commits and rows to events: which, and how much of each.

use std::borrow::Cow;
use std::sync::Arc;

use super::row::fill_row;
use super::virtual_cells::VirtualCells;
use super::{Images, Meta, UnifiedEvent, key_text};
use crate::change::codec::{ChangeRef, Reader, RowRef};
use crate::lsn::{ulid_of, ulid_of_row};
use crate::{Change, Commit, Error, Lsn, Namespace, Op, Result, Schema, Table, Timestamp, ValueRef};

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
pub fn events_of(
    namespace: &Namespace,
    commit: &Commit,
    schema: &mut Arc<Schema>,
    images: Images,
    computed: &dyn VirtualCells,
) -> Result<Vec<UnifiedEvent>> {
    Selection::from(images).events_of(namespace, commit, schema, computed)
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
    /// inside, so that after the call it is the one in force at the next commit. Virtual generated columns are as `computed` gives them for
    /// the schema in force at the change, so a row from before their definition changed has the value of then.
    ///
    /// # Errors
    /// `Corrupt` if the commit's bytes are no changes, or another number of them than it says; as `computed` gives them.
    pub fn events_of(
        &self,
        namespace: &Namespace,
        commit: &Commit,
        schema: &mut Arc<Schema>,
        computed: &dyn VirtualCells,
    ) -> Result<Vec<UnifiedEvent>> {
        let txid = commit.txid(namespace).to_string();
        let timestamp = commit.timestamp.to_iso_millis();
        // A change takes two bytes at least, so a count that lies does not become an allocation.
        let count_max = commit.count.min(commit.packed.len() as u64 / 2) as usize;
        let mut out = Vec::with_capacity(if self.is_all() { count_max } else { 0 });
        let mut found = 0;
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
                        fill_row(&mut event, row, table, self.images, computed)?;
                        out.push(event);
                    }
                }
            }
            lsn = Lsn::new(lsn.get().wrapping_add(1));
            found += 1;
        }
        if found != commit.count {
            return Err(Error::corrupt("a commit holds another number of changes than it says")
                .with("ns", namespace)
                .with("lsn", commit.lsn_first));
        }
        Ok(out)
    }

    /// The event of a row that an initial snapshot found: `op` is `r`, and `lsn` and `timestamp` are the snapshot's. `cells` are those of
    /// [`Table::stored_columns`].
    ///
    /// # Errors
    /// As `computed` gives them.
    pub fn row_found(
        place: &SnapshotPlace<'_>,
        table: &Table,
        rowid: Option<i64>,
        cells: &[ValueRef<'_>],
        computed: &dyn VirtualCells,
    ) -> Result<UnifiedEvent> {
        let key = key_text(table, rowid, cells);
        let SnapshotPlace { namespace, lsn, timestamp, schema_version } = *place;
        let row = RowRef { table: table.id, op: Op::Read, rowid, before: &[], after: cells, changed: &[] };
        let mut event = UnifiedEvent {
            id: ulid_of_row(namespace, timestamp, lsn, table.id.0, &key).to_string(),
            event_type: Cow::Borrowed("cdc.read"),
            timestamp: timestamp.to_iso_millis(),
            ns: namespace.clone(),
            correlation_id: None,
            op: None,
            store: "relational",
            table: None,
            key: None,
            before: None,
            after: None,
            txid: ulid_of_row(namespace, timestamp, lsn, 0, "").to_string(),
            lsn,
            sql: None,
            actor: None,
            data: None,
            visibility: None,
            meta: Meta { schema_version, source: "relstore", retries: 0 },
        };
        fill_row(&mut event, &row, table, Images::Full, computed)?;
        Ok(event)
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
