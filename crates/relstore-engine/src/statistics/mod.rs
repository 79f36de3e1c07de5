//! Statistics: rows, bytes, NULLs, bounds and distinct values of every table and column.
//!
//! They cost a write nothing: the change log already says what happened, and is folded into them when somebody asks, and before any of it is
//! trimmed. What is kept lies in `_rs_statistics` and is written in one transaction with its watermark, so it is always the statistics of
//! one moment. Rows, NULLs and bytes are exact; bounds say whether they are; distinct values are a sketch that only grows until
//! [`crate::Database::analyze`] counts anew. Eviction is no change, so cold rows count as the others do. The same rows also sum up to a
//! digest of each column, by which a store knows whether another program wrote to it.

mod access;
mod digest;
mod extreme;
mod kept;
mod sketch;
mod tally;

use relstore_model::{ColumnId, Lsn, TableId};

pub use extreme::Extreme;

pub(crate) use access::{each_hot_row, folded, scan_hot};
pub(crate) use digest::{Hasher, key_positions};
pub(crate) use extreme::order;

/// What is known of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableStatistics {
    /// Its lasting id.
    pub table: TableId,
    /// Its name now.
    pub name: String,
    /// How many rows it has, hot and cold.
    pub rows: u64,
    /// The sum of its columns' bytes.
    pub bytes: u64,
    /// Its stored columns, in order: all but virtual generated ones.
    pub columns: Vec<ColumnStatistics>,
    /// The change up to which all this holds.
    pub lsn: Lsn,
}

/// What is known of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnStatistics {
    /// Its lasting id.
    pub column: ColumnId,
    /// Its name now.
    pub name: String,
    /// How many cells are NULL.
    pub nulls: u64,
    /// How long the values are, as SQLite's records have them: 0 to 8 bytes a number, text and blobs by their length.
    pub bytes: u64,
    /// The least value; `None` if there is none but NULL. In SQLite's order: numbers, text by its bytes, blobs.
    pub min: Option<Extreme>,
    /// The greatest value.
    pub max: Option<Extreme>,
    /// About how many different values it has had since the table was made or analyzed, at most as many as there are now: within 5 %.
    /// Values that SQL takes for equal, such as 1 and 1.0, are one.
    pub distinct: u64,
}
