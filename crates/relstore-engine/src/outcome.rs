//! What statements and commits give.

use std::sync::Arc;
use std::time::Duration;

use relstore_model::{Lsn, Row, Schema};

/// What a statement did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The names of the columns that it gave, if it gives rows.
    pub columns: Vec<String>,
    /// The rows that it gave (`RETURNING`, or a query).
    pub rows: Vec<Row>,
    /// How many rows it inserted, updated or deleted; rows that cascades and triggers changed are not counted.
    pub changes: u64,
    /// The rowid of the last row it inserted.
    pub last_insert_rowid: i64,
    /// How many rows it met in scans of whole tables or indexes; 0 if each table was reached by what it asked for. Rows that an index found
    /// are not counted by SQLite.
    pub rows_scanned: u64,
    /// How many rows it wrote in all, those of cascades and triggers and those that came back from the cold tier for it included.
    pub rows_written: u64,
    /// How long the writer ran it, without the wait for the writer and without the commit; zero for a query outside of transactions.
    pub elapsed: Duration,
}

/// What a commit was.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// The position of its last change; the one before it, if it changed nothing.
    pub(crate) lsn: Lsn,
    /// The schema, if it changed.
    pub(crate) schema: Option<Arc<Schema>>,
    /// Its number among the commits in the WAL, for [`crate::durability::Disk::make_safe`].
    pub(crate) number: u64,
}
