//! Durable subscribers: a named cursor in the hot file, which the program moves by acknowledging.
//!
//! Delivery is at least once, in order, a commit at a time: what was given and not acknowledged when the program ended is given again,
//! with the same LSNs and event ids. The log is kept for the subscriber until it has acknowledged or is dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relstore_engine::{Cursor, CursorClaim, Database, Start};
use relstore_model::event::{Images, Selection};
use relstore_model::{Error, Lsn, Namespace, Op, Result};

use crate::delivery::Delivery;
use crate::follower::{Follower, Step};
use crate::snapshot::{Next, Snapshot};
use crate::subscription::{Handled, Subscription};
use crate::wake::Woken;

/// How a durable subscriber is to be: where it begins if it is new, and what it is given.
pub struct Subscribe {
    db: Arc<Database>,
    ns: Namespace,
    name: String,
    start: Start,
    selection: Selection,
}

impl Subscribe {
    /// The subscriber `name` of a store. A new one begins with the next commit.
    #[must_use]
    pub fn new(db: Arc<Database>, ns: Namespace, name: impl Into<String>) -> Self {
        Self { db, ns, name: name.into(), start: Start::Now, selection: Selection::default() }
    }

    /// Where it begins if it is new. One that exists goes on where it stood.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// If it is new, it is first given every row that is there, as `r` events, and then the commits after: none missing, none twice.
    #[must_use]
    pub fn with_snapshot(self) -> Self {
        self.start(Start::Snapshot)
    }

    /// Changes of these tables alone.
    #[must_use]
    pub fn tables<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.selection.tables.extend(names.into_iter().map(Into::into));
        self
    }

    /// Changes of these kinds alone.
    #[must_use]
    pub fn ops(mut self, ops: impl IntoIterator<Item = Op>) -> Self {
        self.selection.ops.extend(ops);
        self
    }

    /// Which columns of an update; the changed ones alone otherwise.
    #[must_use]
    pub fn images(mut self, images: Images) -> Self {
        self.selection.images = images;
        self
    }

    /// Opens it, to be asked for deliveries.
    ///
    /// # Errors
    /// `Invalid` for a bad name; `Conflict` if it runs already; `NotFound` if the log does not hold where it is to begin; `Unavailable` if
    /// the store is open for reading alone.
    pub fn open(self) -> Result<Subscriber> {
        let claim = self.db.claim_cursor(&self.name)?;
        let cursor = self.db.create_cursor(&self.name, self.start)?;
        let follower = Follower::new(self.db, self.ns, cursor.lsn, self.selection);
        let phase = if cursor.is_snapshot_due { Phase::SnapshotDue } else { Phase::Stream };
        Ok(Subscriber { phase, follower, cursor, given: VecDeque::new(), settled: Instant::now(), _claim: claim })
    }

    /// Starts it, on a thread of its own that gives each delivery to `handler` and acknowledges it when the handler has succeeded. An
    /// `Unavailable` error is retried with backoff; any other, or a panic, parks the subscriber with its reason, durably.
    ///
    /// # Errors
    /// As [`Subscribe::open`]; `Unavailable` if no thread can be started.
    pub fn each<R: Handled>(self, handler: impl FnMut(&Delivery) -> R + Send + 'static) -> Result<Subscription> {
        Subscription::of_subscriber(self.open()?, handler)
    }
}

enum Phase {
    SnapshotDue,
    Snapshot(Snapshot),
    /// The whole snapshot was given and not yet acknowledged.
    SnapshotGiven(Lsn),
    Stream,
}

/// A durable subscriber, which asks for what comes next.
pub struct Subscriber {
    phase: Phase,
    follower: Follower,
    /// As the hot file has it.
    cursor: Cursor,
    /// What was given and not acknowledged, by the last LSN of each.
    given: VecDeque<Lsn>,
    /// When the cursor was last moved over commits of which nothing is chosen.
    settled: Instant,
    _claim: CursorClaim,
}

impl Subscriber {
    /// How often the cursor moves over commits of which nothing is chosen.
    const SETTLE_EVERY: Duration = Duration::from_millis(100);

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cursor.name
    }

    /// What was acknowledged, durably.
    #[must_use]
    pub fn acknowledged(&self) -> Lsn {
        self.cursor.lsn
    }

    /// The next delivery, waiting up to `timeout` for it; `None` if there was none in that time. The program need not acknowledge one
    /// before it asks for the next.
    ///
    /// # Errors
    /// `NotFound` if the log was trimmed past its position, which happens only to one that was dropped; `Corrupt`, `Unavailable` by the
    /// disk. The next call tries again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Delivery>> {
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
            let step = match &self.phase {
                Phase::SnapshotDue | Phase::Snapshot(_) => self.snapshot_step(left)?,
                Phase::SnapshotGiven(_) | Phase::Stream => Some(self.follower.step()?),
            };
            match step {
                Some(Step::Given(delivery)) => {
                    if delivery.snapshot.is_none_or(|part| part.is_last) {
                        self.given.push_back(delivery.lsn);
                    }
                    return Ok(Some(delivery));
                }
                Some(Step::Passed) => {
                    self.settle()?;
                    if left.is_zero() && !timeout.is_zero() {
                        return Ok(None);
                    }
                }
                Some(Step::CaughtUp) => {
                    let woken = self.follower.wait(left)?;
                    if self.settled.elapsed() >= Self::SETTLE_EVERY {
                        self.settle()?;
                    }
                    if woken != Woken::Commit {
                        return Ok(None);
                    }
                }
                None if left.is_zero() => return Ok(None),
                None => {}
            }
            if self.follower.wake().is_closing() {
                return Ok(None);
            }
        }
    }

    /// `None` if the time has passed without a part, or the snapshot has come to its end without a row.
    fn snapshot_step(&mut self, timeout: Duration) -> Result<Option<Step>> {
        if matches!(self.phase, Phase::SnapshotDue) {
            let follower = &self.follower;
            let (db, ns) = (Arc::clone(follower.database()), follower.namespace().clone());
            self.phase = Phase::Snapshot(Snapshot::start(db, ns, follower.selection().clone())?);
        }
        let Phase::Snapshot(snapshot) = &mut self.phase else { return Ok(None) };
        match snapshot.next(timeout) {
            Ok(Next::Part(delivery)) => {
                if delivery.snapshot.is_some_and(|part| part.is_last) {
                    self.follower.seek(delivery.lsn);
                    self.phase = Phase::SnapshotGiven(delivery.lsn);
                }
                Ok(Some(Step::Given(delivery)))
            }
            Ok(Next::Empty(lsn)) => {
                self.follower.seek(lsn);
                self.finish_snapshot(lsn)?;
                Ok(None)
            }
            Ok(Next::Timeout) => Ok(None),
            Err(error) => {
                // From the beginning: a second read transaction would see another state.
                self.phase = Phase::SnapshotDue;
                Err(error)
            }
        }
    }

    fn finish_snapshot(&mut self, lsn: Lsn) -> Result<()> {
        self.follower.database().finish_snapshot(&self.cursor.name, lsn)?;
        self.cursor.lsn = self.cursor.lsn.max(lsn);
        self.phase = Phase::Stream;
        Ok(())
    }

    /// Everything given up to `lsn` is done and will not be given again; it is on the disk when this returns, as a commit would be. A
    /// position inside a commit acknowledges what came before that commit. The initial snapshot is acknowledged as a whole: before its
    /// last part was given, its LSN acknowledges nothing. It takes the writer's turn, so not inside a transaction of the same store.
    ///
    /// # Errors
    /// `Invalid` if nothing of `lsn` was given yet; `NotFound` if the subscriber was dropped; `Unavailable` or `Corrupt` by the disk.
    pub fn acknowledge(&mut self, lsn: Lsn) -> Result<()> {
        if lsn > self.follower.position() && !matches!(self.phase, Phase::Snapshot(_)) {
            return Err(Error::invalid("a subscriber cannot acknowledge what it was not given")
                .with("subscriber", self.name())
                .with("lsn", lsn)
                .with("given_lsn", self.follower.position())
                .with_hint("acknowledge the LSN of a delivery"));
        }
        let mut done = None;
        while self.given.front().is_some_and(|first| *first <= lsn) {
            done = self.given.pop_front();
        }
        let Some(mut done) = done else { return Ok(()) };
        if let Phase::SnapshotGiven(at) = self.phase {
            self.finish_snapshot(at)?;
        }
        if self.given.is_empty() {
            done = self.follower.position();
        }
        self.advance(done)
    }

    /// Moves the cursor over commits of which nothing is chosen, if nothing before them is still to be acknowledged.
    fn settle(&mut self) -> Result<()> {
        self.settled = Instant::now();
        let is_clear = self.given.is_empty() && matches!(self.phase, Phase::Stream);
        if is_clear { self.advance(self.follower.position()) } else { Ok(()) }
    }

    fn advance(&mut self, to: Lsn) -> Result<()> {
        if to > self.cursor.lsn {
            self.follower.database().advance_cursor(&self.cursor.name, to)?;
            self.cursor.lsn = to;
        }
        Ok(())
    }

    /// Goes to `after`, back too, durably: from there on it is given again what the log retains. A position inside a commit goes to that
    /// commit's beginning. Gives where it stands now.
    ///
    /// # Errors
    /// `NotFound` if the log does not hold the position, with its range.
    pub fn replay_after(&mut self, after: Lsn) -> Result<Lsn> {
        let at = self.follower.database().rewind_cursor(&self.cursor.name, after)?;
        self.given.clear();
        self.phase = Phase::Stream;
        self.follower.seek(at);
        self.cursor.lsn = at;
        Ok(at)
    }

    /// Why it is given nothing more, if it was parked.
    #[must_use]
    pub fn parked(&self) -> Option<&str> {
        self.cursor.parked.as_deref()
    }

    /// Keeps why it is given nothing more, durably; `None` lets it go on. [`Subscriber::next`] does not look at it: it is for whoever
    /// decides whether to ask.
    ///
    /// # Errors
    /// `NotFound` if it was dropped; `Unavailable` or `Corrupt` by the disk.
    pub fn park(&mut self, reason: Option<&str>) -> Result<()> {
        self.follower.database().park_cursor(&self.cursor.name, reason)?;
        self.cursor.parked = reason.map(str::to_owned);
        Ok(())
    }

    /// Whether the initial snapshot is under way: its parts come from a thread of their own, and may have to be waited for.
    #[must_use]
    pub fn is_in_snapshot(&self) -> bool {
        matches!(self.phase, Phase::SnapshotDue | Phase::Snapshot(_))
    }

    pub(crate) fn follower(&self) -> &Follower {
        &self.follower
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // Only how much of the log is kept depends on it.
        let _ = self.settle();
    }
}
