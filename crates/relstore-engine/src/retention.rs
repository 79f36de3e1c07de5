//! How much of the log stays: until every consumer has passed it, and a little longer; and what happens when one does not keep up.
//!
//! The bytes are counted by the offsets in the log rows, so that neither opening nor committing looks at more than the log's two ends.
//! Trimming goes in steps of bounded size, each a transaction of its own or part of the commit that needs the room.

use std::cell::Cell;

use relstore_model::{Error, Lsn, Result, Value};

use crate::cursor;
use crate::log::{self, Extent};
use crate::settings::Settings;
use crate::sqlite::Connection;

/// What one step deletes at most, so that no writer waits long for it.
const STEP_COMMITS: i64 = 512;
const STEP_BYTES: u64 = 4 << 20;

/// The writer's account of the log.
pub(crate) struct Retention {
    retained_bytes: u64,
    bytes_max: u64,
    held_for: &'static [&'static str],
    extent: Cell<Extent>,
    /// The extent when the open transaction began.
    extent_before: Cell<Option<Extent>>,
    /// When it was last tried, a consumer held the oldest commits that were left, and none has moved since.
    is_held: Cell<bool>,
}

impl Retention {
    pub(crate) fn new(settings: &Settings, extent: Extent) -> Self {
        Self {
            retained_bytes: settings.log_retained_bytes.min(settings.log_bytes_max / 2),
            bytes_max: settings.log_bytes_max,
            held_for: settings.log_held_for,
            extent: Cell::new(extent),
            extent_before: Cell::new(None),
            is_held: Cell::new(false),
        }
    }

    /// How many bytes of changes were ever committed: the offset of the next commit.
    pub(crate) fn end(&self) -> u64 {
        self.extent.get().end
    }

    /// A consumer has moved or gone, so there may be something to trim.
    pub(crate) fn consumer_moved(&self) {
        self.is_held.set(false);
    }

    /// A transaction begins.
    pub(crate) fn began(&self) {
        self.extent_before.set(Some(self.extent.get()));
    }

    /// Whether so much of the log is used that what is only kept for the statistics should go into them soon, so that the log is never full
    /// for their sake.
    pub(crate) fn is_half_full(&self) -> bool {
        self.extent.get().bytes() > self.bytes_max / 2
    }

    /// Makes room in the log for a commit of `bytes`, in its own transaction.
    ///
    /// # Errors
    /// `Unavailable` if a consumer holds the log, naming it.
    pub(crate) fn make_room(&self, connection: &Connection, bytes: u64) -> Result<()> {
        if self.extent.get().bytes() + bytes <= self.bytes_max {
            return Ok(());
        }
        while self.extent.get().bytes() + bytes > self.bytes_max {
            if self.step(connection, self.end(), true)? == 0 {
                return Err(self.full(connection, bytes)?);
            }
        }
        Ok(())
    }

    /// A commit of `bytes` that there was room for is in the log.
    pub(crate) fn put(&self, bytes: u64) {
        let Extent { start, end } = self.extent.get();
        self.extent.set(Extent { start, end: end + bytes });
    }

    /// The open transaction was rolled back, and the log is as it was.
    pub(crate) fn rolled_back(&self) {
        if let Some(before) = self.extent_before.take() {
            self.extent.set(before);
        }
    }

    /// Whether a step of [`Retention::tidy`] is due after a commit. There is slack, so that it is not due after each.
    pub(crate) fn is_due(&self) -> bool {
        let slack = (self.retained_bytes / 8).max(64 << 10);
        !self.is_held.get() && self.extent.get().bytes() > self.retained_bytes + slack
    }

    /// Deletes a bounded part of what every consumer has passed and need not be retained. Gives how many commits went.
    pub(crate) fn tidy(&self, connection: &Connection) -> Result<u64> {
        let extent = self.extent.get();
        if extent.bytes() <= self.retained_bytes {
            return Ok(0);
        }
        self.step(connection, extent.end - self.retained_bytes, false)
    }

    /// Deletes commits that end at or before the offset `until` and that every consumer has passed; the last commit always stays, because
    /// it is the high-water mark.
    fn step(&self, connection: &Connection, until: u64, is_full: bool) -> Result<u64> {
        const OLDEST: &str = "/*rs*/ SELECT lsn, offset+length(body) FROM main._rs_log \
            WHERE lsn < (SELECT max(lsn) FROM main._rs_log) ORDER BY lsn LIMIT ?";
        let passed = match cursor::slowest(connection, self.held_for)? {
            Some((_, lsn)) => lsn,
            // Nobody has asked for the log: it is kept as long as there is room.
            None if is_full => Lsn::MAX,
            None => {
                self.is_held.set(true);
                return Ok(0);
            }
        };
        // The statistics are taken from the log: what they have not seen stays.
        let passed = passed.min(log::statistics_lsn(connection)?);
        let start = self.extent.get().start;
        let mut last = None;
        let mut count = 0;
        for row in connection.query(OLDEST, &[Value::Integer(STEP_COMMITS)])? {
            let [Value::Integer(lsn), Value::Integer(end)] = row.as_slice() else {
                return Err(Error::corrupt("a log row whose position is no number"));
            };
            let end = end.unsigned_abs();
            if Lsn::from_i64(*lsn)? > passed {
                self.is_held.set(true);
                break;
            }
            if end > until || (count > 0 && end > start + STEP_BYTES) {
                break;
            }
            last = Some((*lsn, end));
            count += 1;
        }
        let Some((lsn, end)) = last else { return Ok(0) };
        connection.execute("/*rs*/ DELETE FROM main._rs_log WHERE lsn <= ?", &[Value::Integer(lsn)])?;
        self.extent.set(Extent { start: end, end: self.end() });
        Ok(count)
    }

    fn full(&self, connection: &Connection, bytes: u64) -> Result<Error> {
        let error = Error::unavailable("the change log is full, so the commit was refused")
            .with("log_bytes", self.extent.get().bytes())
            .with("commit_bytes", bytes)
            .with("log_bytes_max", self.bytes_max);
        Ok(match cursor::slowest(connection, self.held_for)? {
            Some((name, lsn)) if self.held_for.contains(&name.as_str()) => error
                .with("consumer", &name)
                .with("consumer_lsn", lsn)
                .with_hint("archive the store, which ships its log and lets go of it, or raise log_bytes_max"),
            Some((name, lsn)) => error.with("consumer", &name).with("consumer_lsn", lsn).with_hint(format!(
                "let {name} acknowledge what it was given, drop it if nobody reads it any more, or raise log_bytes_max"
            )),
            None => error.with_hint("commit less at a time, or raise log_bytes_max"),
        })
    }
}
