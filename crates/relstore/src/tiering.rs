//! The mover: rows that nobody touches, out of the hot file into Parquet.

use std::sync::{Arc, OnceLock, Weak};

use relstore_cdc::bucket::Bucket;
use relstore_engine::{ColdFile, ColdRows, ColdSource, Database, NewColdFile};
use relstore_lake::rows::{self, ParquetRows, RowsFile};
use relstore_model::{Clock, Error, ErrorKind, Result, Row, Value, ValueRef};
use serde::Serialize;

use crate::archive::ARCHIVE_CURSOR;
use crate::lake_place::LakePlace;
use crate::{RelationalStore, SystemClock};

/// What an eviction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvictReport {
    /// Rows that left the hot file.
    pub rows: u64,
    /// Files they are in now.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

/// How often rows that changed meanwhile are looked at again.
const ATTEMPTS_MAX: u32 = 3;

/// Lets the store read its evicted rows.
pub(crate) fn connect(lake: &Arc<LakePlace>, store: &RelationalStore) {
    let db = store.database();
    db.set_cold_source(Arc::new(Evicted { lake: Arc::clone(lake), db: Arc::downgrade(db), rows: OnceLock::new() }));
}

/// The evicted rows of one store, whose bucket is opened when the first of them is read.
struct Evicted {
    lake: Arc<LakePlace>,
    db: Weak<Database>,
    rows: OnceLock<ParquetRows>,
}

impl ColdSource for Evicted {
    fn read(&self, file: &ColdFile) -> Result<Arc<dyn ColdRows>> {
        if let Some(rows) = self.rows.get() {
            return rows.read(file);
        }
        let bucket = self.lake.open()?.bucket().clone();
        self.rows.get_or_init(|| ParquetRows::new(bucket, self.db.clone())).read(file)
    }
}

/// Moves the rows of `table` for which `predicate` holds. What it may take is in history.
pub(crate) async fn evict(bucket: &Bucket, store: &RelationalStore, table: &str, predicate: &str) -> Result<EvictReport> {
    let mut attempt = 1;
    loop {
        match evict_once(bucket, store, table, predicate).await {
            Err(e) if e.kind() == ErrorKind::Conflict && attempt < ATTEMPTS_MAX => attempt += 1,
            result => return result.map_err(|e| e.with("ns", store.namespace())),
        }
    }
}

async fn evict_once(bucket: &Bucket, store: &RelationalStore, table: &str, predicate: &str) -> Result<EvictReport> {
    let db = store.database();
    let mut taken: Vec<(i64, Row)> = Vec::new();
    let snapshot = db.scan_for_eviction(table, predicate, &[], &mut |rowid, cells| {
        // Text that is not UTF-8 has no place in Parquet: such a row stays where it is.
        if cells.iter().all(|c| !matches!(c, ValueRef::Text(t) if std::str::from_utf8(t).is_err())) {
            taken.push((rowid, cells.iter().map(|c| c.to_value()).collect::<Vec<Value>>()));
        }
        Ok(())
    })?;
    if taken.is_empty() {
        return Ok(EvictReport::default());
    }
    let archived = db.cursor(ARCHIVE_CURSOR)?;
    if snapshot > archived {
        return Err(Error::new(ErrorKind::Conflict, "rows changed after the archive").with_hint("archive the store and evict again"));
    }
    let schema = db.schema();
    let files = rows::write(bucket, store.namespace(), schema.table(table)?, taken, SystemClock.now()).await?;
    let named = |f: &RowsFile| NewColdFile { path: f.path.clone(), dt: f.dt.clone(), rowids: f.rowids.clone() };
    match db.commit_eviction(table, &files.iter().map(named).collect::<Vec<_>>(), snapshot, archived) {
        Ok(rows) => Ok(EvictReport { rows, files: files.len() as u64, bytes: files.iter().map(|f| f.bytes).sum() }),
        Err(e) => {
            // The files are nobody's now; that one cannot be deleted is no second error.
            for file in &files {
                let _ = bucket.delete(&file.path).await;
            }
            Err(e)
        }
    }
}
