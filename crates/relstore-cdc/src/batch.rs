//! What a sink is given: whole commits, in order, with what it takes to read them.

use std::collections::BTreeMap;

use relstore_engine::Database;
use relstore_model::{Commit, Lsn, Namespace, Result, Schema};

/// Whole commits of one store: contiguous, at least one.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// The store.
    pub ns: Namespace,
    /// The commits, in order.
    pub commits: Vec<Commit>,
    /// The schemas in force at the first change of each commit, by version.
    pub schemas: BTreeMap<u32, Schema>,
}

impl ChangeBatch {
    /// The commits after `after` until they hold `bytes_max` bytes; `None` if there are none yet.
    ///
    /// # Errors
    /// `NotFound` if the log does not reach back that far any more; `Corrupt`, `Unavailable` by the disk.
    pub fn read(db: &Database, ns: &Namespace, after: Lsn, bytes_max: usize) -> Result<Option<Self>> {
        let commits = db.commits_after(after, bytes_max)?;
        if commits.is_empty() {
            return Ok(None);
        }
        let mut schemas = BTreeMap::new();
        for version in commits.iter().map(|c| c.schema_version) {
            if let std::collections::btree_map::Entry::Vacant(slot) = schemas.entry(version) {
                slot.insert((*db.schema_at(version)?).clone());
            }
        }
        Ok(Some(Self { ns: ns.clone(), commits, schemas }))
    }

    /// The position of the last change.
    #[must_use]
    pub fn lsn_last(&self) -> Lsn {
        self.commits.last().map_or(Lsn::ZERO, Commit::lsn_last)
    }

    /// How many changes it holds.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.commits.iter().map(|c| c.count).sum()
    }
}
