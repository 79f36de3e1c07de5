//! What a sink is given: whole commits, in order, with what it takes to read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use relstore_engine::{Computed, Database};
use relstore_model::event::Selection;
use relstore_model::{Commit, Error, Lsn, Namespace, Result, Schema, UnifiedEvent};

/// Whole commits of one store: contiguous, at least one.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// The store.
    pub ns: Namespace,
    /// The commits, in order.
    pub commits: Vec<Commit>,
    /// The schemas in force at the first change of each commit, by version.
    pub schemas: BTreeMap<u32, Schema>,
    /// How often its delivery was tried before.
    pub retries: u32,
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
        Ok(Some(Self { ns: ns.clone(), commits, schemas, retries: 0 }))
    }

    /// The chosen events of each commit, in order; a commit of which nothing is chosen has none.
    ///
    /// # Errors
    /// `Corrupt` if a commit's bytes are no changes.
    pub fn events(&self, selection: &Selection) -> Result<Vec<Vec<UnifiedEvent>>> {
        let mut schema: Option<Arc<Schema>> = None;
        let computed = Computed::default();
        let one = |commit: &Commit| {
            let known = schema.take().filter(|s| s.version == commit.schema_version);
            let mut in_force = match known {
                Some(schema) => schema,
                None => Arc::new(self.schemas.get(&commit.schema_version).cloned().ok_or_else(|| {
                    Error::internal("a batch without the schema of its commit").with("schema_version", commit.schema_version)
                })?),
            };
            let mut events = selection.events_of(&self.ns, commit, &mut in_force, &computed)?;
            events.iter_mut().for_each(|event| event.meta.retries = self.retries);
            schema = Some(in_force);
            Ok(events)
        };
        self.commits.iter().map(one).collect()
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
