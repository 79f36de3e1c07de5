//! Eviction (being connected).

use relstore_cdc::bucket::Bucket;
use relstore_model::{Error, Result};
use serde::Serialize;

use crate::RelationalStore;

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

pub(crate) async fn evict(_bucket: &Bucket, _store: &RelationalStore, _table: &str, _predicate: &str) -> Result<EvictReport> {
    Err(Error::unsupported("eviction is being connected"))
}
