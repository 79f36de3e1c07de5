//! Evicted rows: Parquet files of one store's table, written once and read back by the engine.
//!
//! ```text
//! stores/<ns>/rows/<table>/dt=<date>/<id>.parquet
//! ```
//! A file has the table's stored columns with their ids, rows in the order of their rowids, and `_overflow` for cells that do not fit
//! their column's type: every cell comes back with the class and the bytes it had. Which files count is the hot file's affair.

mod source;
mod writer;

pub use source::ParquetRows;
pub use writer::{RowsFile, write};

/// The column of cells that do not fit: a JSON object by column id, NULL where all fit.
const OVERFLOW: &str = "_overflow";
