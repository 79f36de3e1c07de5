//! The one arrow that runs back: history and the segments after it into an empty store, as it was at an LSN or a time.
//!
//! [`Restore::plan`] finds the commit to stop at and the schema then in force; [`Restore::fill`] makes the tables, puts into each the
//! newest version of every key up to there, then the indexes, triggers and views, all in one transaction, and checks the whole. The rows
//! are logged in the new store as rows that were there when its log began (`r`). Commits are atoms here too: a position inside one means
//! the commit before it.
//!
//! Bounds: the rows of the store, once as Arrow and once as packed changes, are held in memory.

mod fill;
mod fold;
mod schemas;
mod target;

use std::collections::BTreeMap;

use relstore_model::{Lsn, Namespace, Result, Schema, Timestamp};
use serde::Serialize;

pub use target::At;

use crate::Lake;
use fold::Fold;
use schemas::Schemas;

/// A store to be restored: what was decided before anything is written.
#[derive(Debug)]
pub struct Restore {
    ns: Namespace,
    /// The last change that the restored store will have.
    lsn: Lsn,
    /// When it was committed.
    timestamp: Timestamp,
    schemas: Schemas,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestoreReport {
    /// The store it comes from.
    pub ns: Namespace,
    /// The last change of that store that is in it.
    pub lsn: Lsn,
    /// When that change was committed.
    pub timestamp: Timestamp,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Rows in all.
    pub rows: u64,
}

impl Restore {
    /// Finds what `at` means for the store `ns`.
    ///
    /// # Errors
    /// `NotFound` if nothing of the store was archived or shipped; `Invalid` if `at` lies outside its history, with the range;
    /// `Corrupt`, `Unavailable` by the bucket.
    pub async fn plan(lake: &Lake, ns: &Namespace, at: At) -> Result<Self> {
        let (lsn, timestamp) = target::resolve(lake, ns, at).await?;
        let schemas = Schemas::load(lake, ns, lsn).await?;
        Ok(Self { ns: ns.clone(), lsn, timestamp, schemas })
    }

    /// The last change that the restored store will have.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// When that change was committed.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The schema that the restored store will have.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.schemas.at_target()
    }

    /// Reads the rows from history and segments, and fills `into`, which must be an empty store. On failure it stays empty.
    ///
    /// # Errors
    /// `Conflict` if `into` has tables; `Corrupt` if the history contradicts itself or the result fails its checks; `Unavailable` by the
    /// bucket or the disk.
    pub async fn fill(&self, lake: &Lake, into: &relstore_engine::Database) -> Result<RestoreReport> {
        let mut fold = Fold::new(&self.schemas);
        fold.read_history(lake, &self.ns, self.lsn).await?;
        fold.read_segments(lake.bucket(), &self.ns, self.lsn).await?;
        let tables = fill::fill(self.schema(), &fold, into)?;
        let rows = tables.values().sum();
        Ok(RestoreReport { ns: self.ns.clone(), lsn: self.lsn, timestamp: self.timestamp, tables, rows })
    }
}
