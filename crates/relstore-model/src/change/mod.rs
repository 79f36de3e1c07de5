//! What happened: one change, and the commit it belongs to.
//!
//! [`codec`] packs changes into the bytes that the log and the segments keep; a row is unpacked only where somebody looks at it.

pub mod codec;

use crate::{Lsn, Namespace, Row, Schema, TableId, Timestamp, TxId};

/// What a change did to its row. The letters are the public event's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The row came into being.
    Create,
    /// The row changed. Its key may have.
    Update,
    /// The row went.
    Delete,
    /// The row was there already when the log began (`r`, a row of an initial snapshot).
    Read,
}

impl Op {
    /// `c`, `u`, `d` or `r`.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Read => "r",
        }
    }
}

/// One row's change.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The table, by its id in the schema in force.
    pub table: TableId,
    /// What happened.
    pub op: Op,
    /// The rowid, where the row has no other key.
    pub rowid: Option<i64>,
    /// The row before: on update and delete. Cells in the order of [`crate::Table::stored_columns`].
    pub before: Option<Row>,
    /// The row after: on all but delete.
    pub after: Option<Row>,
}

impl RowChange {
    /// The row as it is after the change, or as it last was.
    #[must_use]
    pub fn image(&self) -> &Row {
        static EMPTY: Row = Row::new();
        self.after.as_ref().or(self.before.as_ref()).unwrap_or(&EMPTY)
    }
}

/// A change of shape: the schema from here on.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaChange {
    /// The whole schema after the change; its version is one more than before.
    pub schema: Schema,
    /// The statement that made it.
    pub sql: String,
}

/// One change, which has one LSN.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A row changed.
    Row(RowChange),
    /// The schema changed.
    Schema(Box<SchemaChange>),
}

/// One transaction's changes, packed: the atom of capture, delivery, shipping, archiving and restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The position of the first change.
    pub lsn_first: Lsn,
    /// How many changes, at least 1.
    pub count: u64,
    /// When it was committed; never before an earlier commit of the store.
    pub timestamp: Timestamp,
    /// The schema version in force at its first change.
    pub schema_version: u32,
    /// The id that the caller gave to the transaction, if any.
    pub txid: Option<TxId>,
    /// The changes, by [`codec`].
    pub packed: Vec<u8>,
}

impl Commit {
    /// The transaction's id in the store `namespace`: the caller's, or the derived one.
    #[must_use]
    pub fn txid(&self, namespace: &Namespace) -> TxId {
        self.txid.clone().unwrap_or_else(|| TxId::derive(namespace, self.timestamp, self.lsn_first))
    }

    /// The position of the last change.
    #[must_use]
    pub fn lsn_last(&self) -> Lsn {
        Lsn::new(self.lsn_first.get() + self.count - 1)
    }
}
