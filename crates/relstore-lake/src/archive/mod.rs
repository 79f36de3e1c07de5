//! Segments into history: every change of every store, once.
//!
//! In come the stores and how far each was archived; out come new snapshots of history tables and the new watermarks. Rows go from the
//! packed segment straight into Arrow columns, are sorted by `_ns, key, _lsn` within each file, and written as Parquet. One commit a
//! table carries the rows of all stores and their offsets, so a crash between two tables loses nothing: the table that was committed
//! skips on the next call what it holds, by its own offsets. Not here: compaction and expiry.

mod binding;
mod buffer;
mod ingest;
mod log;
mod overflow;
mod plan;
mod schema;
mod write;

use std::collections::BTreeMap;

use relstore_model::{Lsn, Namespace};

pub use overflow::overflow_cells;
pub(crate) use plan::primary_key;
pub use schema::{PRIMARY_KEY_PROPERTY, SCHEMA_TABLE, SYSTEM_COLUMNS, system};

/// One store to archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestInput {
    /// The store.
    pub ns: Namespace,
    /// Its watermark: everything up to here is in history. An older one than the truth costs time and nothing else.
    pub after: Lsn,
}

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// By store: its new watermark, never below the one that was given.
    pub offsets: BTreeMap<Namespace, Lsn>,
    /// Rows written, over all tables.
    pub rows: u64,
    /// Rows written, by history table; tables without any are absent.
    pub tables: BTreeMap<String, u64>,
    /// Segments read.
    pub segments: u64,
    /// Snapshots committed.
    pub commits: u64,
}

/// Where the history of a table lies in the bucket.
///
/// Lowercase letters, digits, `-` and `_` of its name stand for themselves, every other byte as `.` and two digits of base 16: no two
/// names share a folder, even where the file system takes `A` and `a` for one. There is no `%`, because readers disagree on whether
/// it is to be decoded.
#[must_use]
pub fn table_path(name: &str) -> String {
    let mut path = String::from("lake/");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => path.push(byte as char),
            _ => path.push_str(&format!(".{byte:02x}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_folder() {
        let names = ["users", "Users", "a/b", "a.2fb", "..", "Ünï", "_schema"];
        let paths: std::collections::BTreeSet<String> = names.iter().map(|name| table_path(name).to_lowercase()).collect();
        assert_eq!(paths.len(), names.len());
        assert_eq!(table_path("users"), "lake/users");
        assert_eq!(table_path(".."), "lake/.2e.2e");
    }
}
