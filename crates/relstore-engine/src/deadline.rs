//! How long a write transaction may be open: it holds up every other writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use relstore_model::{Error, ErrorKind, Result};

use crate::sqlite::{Connection, from_sqlite};

/// The open transaction's end, which its running statement is interrupted at. The time is the machine's monotonic clock: this decides what fails,
/// never what is written.
#[derive(Debug)]
pub(crate) struct Deadline {
    opened: Instant,
    timeout: Option<Duration>,
    /// Nanoseconds after `opened`; [`NONE`] while no transaction is open.
    at: AtomicU64,
}

const NONE: u64 = u64::MAX;

/// How many of SQLite's instructions run between two looks at the clock: some tens of microseconds.
const INSTRUCTIONS: i32 = 10_000;

impl Deadline {
    /// The deadline of the transactions of `connection`.
    pub(crate) fn install(connection: &mut Connection, timeout: Option<Duration>) -> Result<Arc<Self>> {
        let this = Arc::new(Self { opened: Instant::now(), timeout, at: AtomicU64::new(NONE) });
        if timeout.is_some() {
            let asked = Arc::clone(&this);
            let is_over = move || asked.is_over();
            connection.inner.progress_handler(INSTRUCTIONS, Some(is_over)).map_err(|e| from_sqlite(&e, ""))?;
        }
        Ok(this)
    }

    /// A transaction begins.
    pub(crate) fn start(&self) {
        if let Some(timeout) = self.timeout {
            let at = (self.opened.elapsed() + timeout).as_nanos();
            self.at.store(u64::try_from(at).unwrap_or(NONE), Ordering::Relaxed);
        }
    }

    /// The transaction is being ended, one way or the other: that is not interrupted.
    pub(crate) fn stop(&self) {
        self.at.store(NONE, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != NONE && self.opened.elapsed().as_nanos() >= u128::from(at)
    }

    /// # Errors
    /// `Conflict` if the transaction has been open for too long.
    pub(crate) fn check(&self) -> Result<()> {
        if self.timeout.is_none() || !self.is_over() {
            return Ok(());
        }
        let timeout_ms = self.timeout.map_or(0, |t| t.as_millis());
        Err(Error::new(ErrorKind::Conflict, "the transaction was open for too long and is rolled back")
            .with("timeout_ms", timeout_ms)
            .with_hint("do less in one transaction, or open the store with a longer transaction_timeout"))
    }
}
