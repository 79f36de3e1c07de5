//! A reader of the log without a cursor: commits after a position, as events. Nothing holds the log for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relstore_engine::{Computed, Database};
use relstore_model::event::Selection;
use relstore_model::{Commit, Lsn, Namespace, Result, Schema};

use crate::delivery::Delivery;
use crate::wake::{Alarm, Wake, Woken};

/// Follows the commits of one store. It works on a store opened for reading alone too, and then sees what another process commits.
pub struct Follower {
    // Before the database: what is told of commits goes first.
    wake: Wake,
    db: Arc<Database>,
    ns: Namespace,
    selection: Selection,
    at: Lsn,
    /// The schema in force at the commit after `at`, as far as it is known.
    schema: Arc<Schema>,
    computed: Computed,
    commits: VecDeque<Commit>,
}

/// What one step came to.
pub(crate) enum Step {
    Given(Delivery),
    /// Commits of which nothing was chosen; more may follow.
    Passed,
    CaughtUp,
}

impl Follower {
    /// How many bytes of changes are read at a time. One commit may be larger and is never split.
    const READ_BYTES: usize = 1 << 20;

    /// Follows the commits after `after`. A position inside a commit passes over that commit.
    #[must_use]
    pub fn new(db: Arc<Database>, ns: Namespace, after: Lsn, selection: Selection) -> Self {
        Self {
            wake: Wake::new(&db),
            schema: db.schema(),
            db,
            ns,
            selection,
            at: after,
            commits: VecDeque::new(),
            computed: Computed::default(),
        }
    }

    /// Everything up to here was given or passed over.
    #[must_use]
    pub fn position(&self) -> Lsn {
        self.at
    }

    /// The next commit of which something is chosen, waiting up to `timeout` for it; `None` if there was none in that time.
    ///
    /// # Errors
    /// `NotFound` if the log was trimmed past the position; `Corrupt`, `Unavailable` by the disk. The next call tries again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Delivery>> {
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
            match self.step()? {
                Step::Given(delivery) => return Ok(Some(delivery)),
                Step::Passed if left.is_zero() && !timeout.is_zero() => return Ok(None),
                Step::Passed => {}
                Step::CaughtUp => {
                    if self.wait(left)? != Woken::Commit {
                        return Ok(None);
                    }
                }
            }
        }
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.db
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.ns
    }

    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    pub(crate) fn alarm(&self) -> Alarm {
        self.wake.alarm()
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    pub(crate) fn wait(&self, timeout: Duration) -> Result<Woken> {
        self.wake.wait(&self.db, self.at, timeout)
    }

    pub(crate) fn seek(&mut self, at: Lsn) {
        self.commits.clear();
        self.at = at;
    }

    /// Gives the next commit in hand, or reads more, without waiting.
    pub(crate) fn step(&mut self) -> Result<Step> {
        if self.commits.is_empty() {
            self.commits = self.db.commits_after(self.at, Self::READ_BYTES)?.into();
            if self.commits.is_empty() {
                return Ok(Step::CaughtUp);
            }
        }
        // Taken off only when it has become events: a failure passes over nothing.
        while let Some(commit) = self.commits.front() {
            let mut schema = Arc::clone(&self.schema);
            if schema.version != commit.schema_version {
                schema = self.db.schema_at(commit.schema_version)?;
            }
            let events = self.selection.events_of(&self.ns, commit, &mut schema, &self.computed)?;
            (self.schema, self.at) = (schema, commit.lsn_last());
            self.commits.pop_front();
            if !events.is_empty() {
                return Ok(Step::Given(Delivery { lsn: self.at, events, snapshot: None }));
            }
        }
        Ok(Step::Passed)
    }
}
