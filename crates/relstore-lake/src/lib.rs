//! Warm and cold: what follows the log into Iceberg, and how it is read back.
//!
//! Segments of many stores come in from the bucket; out come Iceberg history tables, one per logical table, which every engine reads.
//! A row of a segment is in history once, whatever crashes between. Invariants: a history table is only ever appended to; the offsets
//! (`store → LSN`) ride on the snapshot that holds the rows up to them; nothing but the catalog's pointer moves, by compare-and-swap.
//! Deliberately not here: deciding when to archive (the façade), SQL (relstore-query), and SQLite (relstore-engine).

pub mod archive;
pub mod catalog;
mod commit;
mod error;
mod history;
mod lake;
mod parquet_file;
pub mod restore;
pub mod rows;
mod storage;
pub mod types;
pub mod view;

pub use archive::{IngestInput, IngestReport};
pub use commit::OFFSETS_PROPERTY;
pub use history::{HistoryColumn, HistoryTable};
/// The Iceberg of this crate's interface, so that its users have the same version.
pub use iceberg;
pub use lake::Lake;
