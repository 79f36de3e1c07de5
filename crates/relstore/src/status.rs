//! What a store is now.

use std::collections::BTreeMap;

use relstore_cdc::sink::SegmentSink;
use relstore_model::{Lsn, Namespace, Result, Timestamp};
use serde::Serialize;

use crate::RelationalStore;
use crate::archive::ARCHIVE_CURSOR;

/// What a store is now.
#[derive(Clone, Debug, Serialize)]
pub struct StoreStatus {
    /// Its name.
    pub ns: Namespace,
    /// Rows in the hot file, by table.
    pub tables: BTreeMap<String, u64>,
    /// Rows that were evicted and not reloaded, over all tables.
    pub evicted_rows: u64,
    /// The last change.
    pub high_water: Lsn,
    /// Everything up to here is in the bucket.
    pub shipped: Lsn,
    /// Everything up to here is in history.
    pub archived: Lsn,
    /// The size of the hot file, without its WAL.
    pub hot_bytes: u64,
    /// The schema in force.
    pub schema_version: u32,
    /// When the last change was committed.
    pub last_commit: Option<Timestamp>,
}

impl RelationalStore {
    /// The store as it is now.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn status(&self) -> Result<StoreStatus> {
        let db = self.database();
        let range = db.log_range()?;
        let mut tables = BTreeMap::new();
        let mut evicted_rows = 0;
        for table in &db.schema().tables {
            tables.insert(table.name.clone(), db.hot_rows(&table.name)?);
            let evicted = db.evicted(&table.name)?;
            evicted_rows += evicted.rows.saturating_sub(evicted.reloaded);
        }
        Ok(StoreStatus {
            ns: self.namespace().clone(),
            tables,
            evicted_rows,
            high_water: range.last,
            shipped: db.cursor(SegmentSink::CURSOR)?,
            archived: db.cursor(ARCHIVE_CURSOR)?,
            hot_bytes: std::fs::metadata(db.path()).map_or(0, |m| m.len()),
            schema_version: db.schema().version,
            last_commit: (range.last > Lsn::ZERO).then_some(range.timestamp),
        })
    }
}
