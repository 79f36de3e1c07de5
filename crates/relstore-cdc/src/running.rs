//! A pump that runs by itself: it follows the commits live and drives its sink until it is stopped.
//!
//! A sink that is away is tried again with backoff; one that refuses for good is parked, with its reason in the hot file, and goes on
//! when it is unparked. Writers wait for neither.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use relstore_engine::{CursorClaim, Database, Listening, Start};
use relstore_model::{Error, ErrorKind, Lsn, Result};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::backoff::Backoff;
use crate::delivery::ConsumerStatus;
use crate::pump::{Pump, blocking};

/// The longest that a destination may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A pump at work. Dropped, it is cut off, and a delivery under way comes again; [`RunningPump::stop`] ends it cleanly.
pub struct RunningPump {
    shared: Arc<Shared>,
    db: Arc<Database>,
    name: String,
    task: Option<JoinHandle<()>>,
    moved: watch::Receiver<Lsn>,
    _listening: Listening,
}

#[derive(Default)]
struct State {
    parked: Option<(ErrorKind, String)>,
    last_error: Option<String>,
    retries: u32,
    /// Asked to try again at once.
    is_nudged: bool,
    is_stopping: bool,
}

struct Shared {
    state: Mutex<State>,
    /// Something has happened: a commit, `unpark`, or `stop`.
    wake: Notify,
    watermark: watch::Sender<Lsn>,
}

impl Shared {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_stopping(&self) -> bool {
        self.with(|s| s.is_stopping)
    }

    /// Waits for as long, unless the pump is stopped or unparked meanwhile.
    async fn pause(&self, delay: Duration) {
        let until = tokio::time::Instant::now() + delay;
        while !self.with(|s| s.is_stopping || std::mem::take(&mut s.is_nudged)) {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = self.wake.notified() => {}
            }
        }
    }
}

impl Pump {
    /// Starts the pump on the current tokio runtime. If its sink is new to the store it begins at `start`; otherwise where it stood, and if
    /// it was parked it stays so.
    ///
    /// # Errors
    /// `Conflict` if a consumer of the sink's name runs already; `Invalid` if that is no name for one; `Unsupported` for
    /// [`Start::Snapshot`], which sinks do not take; `NotFound` if the log does not hold where it is to begin.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start_running(self, start: Start, backoff: Backoff) -> Result<RunningPump> {
        if start == Start::Snapshot {
            return Err(Error::unsupported("a sink takes no initial snapshot")
                .with("sink", self.sink().name())
                .with_hint("begin with the oldest commit, or use a subscriber, which takes one"));
        }
        let (db, name) = (Arc::clone(self.database()), self.sink().name().to_owned());
        let claim = db.claim_cursor(&name)?;
        let cursor = {
            let db = Arc::clone(&db);
            let name = name.clone();
            blocking(move || db.create_cursor(&name, start)).await?
        };
        let (watermark, moved) = watch::channel(cursor.lsn);
        let parked = cursor.parked.map(|reason| (ErrorKind::Internal, reason));
        let shared = Arc::new(Shared { state: Mutex::new(State { parked, ..State::default() }), wake: Notify::new(), watermark });
        let told = Arc::clone(&shared);
        let listening = db.on_commit(move |_| told.wake.notify_one());
        let task = tokio::spawn(run(self, Arc::clone(&shared), backoff, claim));
        Ok(RunningPump { shared, db, name, task: Some(task), moved, _listening: listening })
    }
}

async fn run(mut pump: Pump, shared: Arc<Shared>, mut backoff: Backoff, _claim: CursorClaim) {
    let mut retries = 0;
    while !shared.is_stopping() {
        if shared.with(|s| s.parked.is_some()) {
            shared.wake.notified().await;
            retries = 0;
            continue;
        }
        let delivered = std::panic::AssertUnwindSafe(pump.deliver_next(retries)).catch_unwind().await;
        match delivered.unwrap_or_else(|_| Err(Error::internal("the sink panicked"))) {
            Ok(Some(done)) => {
                retries = 0;
                shared.with(|s| (s.retries, s.is_nudged) = (0, false));
                shared.watermark.send_replace(done.watermark);
            }
            Ok(None) => shared.wake.notified().await,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                let asked = pump.sink().retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
                let delay = backoff.delay(retries).max(asked);
                retries += 1;
                shared.with(|s| (s.last_error, s.retries) = (Some(error.to_string()), retries));
                shared.pause(delay).await;
            }
            Err(error) => {
                let reason = error.to_string();
                // If the disk refuses that too, it is parked in memory.
                let _ = park(Arc::clone(pump.database()), pump.sink().name().to_owned(), Some(reason.clone())).await;
                shared.with(|s| (s.last_error, s.parked) = (Some(reason.clone()), Some((error.kind(), reason))));
                shared.watermark.send_modify(|_| {});
            }
        }
    }
}

async fn park(db: Arc<Database>, name: String, reason: Option<String>) -> Result<()> {
    blocking(move || db.park_cursor(&name, reason.as_deref())).await
}

impl RunningPump {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> ConsumerStatus {
        let watermark = *self.moved.borrow();
        self.shared.with(|s| ConsumerStatus {
            watermark,
            lag: self.db.high_water().get().saturating_sub(watermark.get()),
            parked: s.parked.as_ref().map(|(_, reason)| reason.clone()),
            last_error: s.last_error.clone(),
            retries: s.retries,
        })
    }

    /// Waits until the sink has everything up to `lsn`.
    ///
    /// # Errors
    /// What parked it, as its kind; `Closed` if it was stopped.
    pub async fn wait_for(&self, lsn: Lsn) -> Result<()> {
        let mut moved = self.moved.clone();
        loop {
            let at = *moved.borrow_and_update();
            if at >= lsn {
                return Ok(());
            }
            if let Some((kind, reason)) = self.shared.with(|s| s.parked.clone()) {
                return Err(Error::new(kind, "the sink is parked")
                    .with("reason", reason)
                    .with("watermark", at)
                    .with_hint("mend the cause and unpark it: it goes on with the batch that failed"));
            }
            if self.task.as_ref().is_none_or(JoinHandle::is_finished) || moved.changed().await.is_err() {
                return Err(Error::new(ErrorKind::Closed, "the pump was stopped").with("watermark", at));
            }
        }
    }

    /// Lets a parked sink go on with the batch that failed; one that waits to try again does so now.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk; it stays parked then.
    pub async fn unpark(&self) -> Result<()> {
        let (db, name) = (Arc::clone(&self.db), self.name.clone());
        park(db, name, None).await?;
        self.shared.with(|s| (s.parked, s.is_nudged) = (None, true));
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Stops after the delivery in hand.
    ///
    /// # Errors
    /// `Internal` if the pump panicked.
    pub async fn stop(mut self) -> Result<()> {
        self.shared.with(|s| s.is_stopping = true);
        self.shared.wake.notify_one();
        match self.task.take() {
            Some(task) => task.await.map_err(|e| Error::internal("a pump panicked").with_source(e)),
            None => Ok(()),
        }
    }
}

impl Drop for RunningPump {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
