//! What the hot tier asks of whoever keeps the cold rows.

use std::sync::Arc;

use relstore_model::{Result, TableId, ValueRef};

/// A file of evicted rows, as the hot file knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdFile {
    /// Its id in this store: from 1, growing with each eviction.
    pub id: i64,
    /// The table that its rows belong to.
    pub table: TableId,
    /// Where it lies, as the mover named it.
    pub path: String,
    /// Its date partition, as the mover named it.
    pub dt: String,
    /// How many rows it has, dead ones too.
    pub rows: u64,
    /// Its smallest rowid.
    pub rowid_min: i64,
    /// Its largest rowid.
    pub rowid_max: i64,
}

/// The rows of a cold file. Implementers MUST give them in the order of their rowids, each rowid once, and every cell with the storage
/// class and the bytes that [`crate::Database::scan_for_eviction`] gave.
pub trait ColdRows: Send + Sync {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rowid of the row at position `row`, which is below [`ColdRows::len`].
    fn rowid(&self, row: usize) -> i64;

    /// The cell of the row at position `row`, in the column at position `column` among the table's stored columns. The column that is
    /// the rowid (`INTEGER PRIMARY KEY`) is never asked for.
    fn cell(&self, row: usize, column: usize) -> ValueRef<'_>;
}

/// Where cold rows come from. It is asked once for each file that a statement may need, so implementers SHOULD cache.
pub trait ColdSource: Send + Sync {
    /// The rows of `file`.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be reached now, `Corrupt` if it is not what was written; the statement fails with this error.
    fn read(&self, file: &ColdFile) -> Result<Arc<dyn ColdRows>>;
}

/// A file that the mover has written, to be registered by [`crate::Database::commit_eviction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColdFile {
    /// Where it lies: what [`ColdFile::path`] will say.
    pub path: String,
    /// Its date partition.
    pub dt: String,
    /// The rowids of its rows, in ascending order, at least one.
    pub rowids: Vec<i64>,
}

/// How much of a table is cold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Cold files.
    pub files: u64,
    /// Rows in them, dead ones too.
    pub rows: u64,
    /// Rows that were reloaded since they were last evicted, so that their cold copies are dead.
    pub reloaded: u64,
}
