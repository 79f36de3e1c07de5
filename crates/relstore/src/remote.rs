//! Durability `remote`: a commit is acknowledged when the bucket has its segment.
//!
//! A pump of the store's own ships each commit as soon as it is on the disk, on a thread of its own. Whoever commits waits until it has come
//! that far; many who wait at once share a segment.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use relstore_cdc::sink::SegmentSink;
use relstore_cdc::{Backoff, Pump, RunningPump};
use relstore_engine::{Database, Start};
use relstore_model::{Error, Lsn, Namespace, Result};
use tokio::runtime::Runtime;

/// Ships one store's commits while it lives.
pub(crate) struct Remote {
    running: Option<(Runtime, Arc<RunningPump>)>,
    timeout: Duration,
}

/// How long a delivery in hand may take when the store is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl Remote {
    /// Starts shipping. A commit that the bucket has not after `timeout` is not acknowledged.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started; those of [`Pump::start_running`].
    pub(crate) fn start(db: &Arc<Database>, ns: &Namespace, sink: SegmentSink, timeout: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(format!("relstore-remote-{ns}"))
            .enable_all()
            .build()
            .map_err(|e| Error::unavailable("the thread that ships the log cannot be started").with("ns", ns).with_source(e))?;
        let pump = Pump::new(Arc::clone(db), ns.clone(), Box::new(sink));
        // Only the pauses between attempts are drawn from it.
        let seed = BuildHasher::hash_one(&RandomState::new(), ns.as_str());
        let (tell, told) = channel();
        runtime.spawn(async move {
            // Nobody listens any more only if the store was given up meanwhile.
            let _ = tell.send(pump.start_running(Start::Oldest, Backoff::standard(seed)).await);
        });
        let pump = told.recv().unwrap_or_else(|_| Err(Error::internal("the pump did not start")))?;
        Ok(Self { running: Some((runtime, Arc::new(pump))), timeout })
    }

    /// Waits until the bucket has everything up to `lsn`.
    ///
    /// # Errors
    /// `Unavailable` if it has not in time: the commit stands on this machine, and is shipped as soon as the bucket takes it.
    pub(crate) fn wait_for(&self, lsn: Lsn) -> Result<()> {
        let Some((runtime, pump)) = &self.running else { return Ok(()) };
        let late = |error: Error| {
            error
                .with("lsn", lsn)
                .with("in_bucket_lsn", pump.status().watermark)
                .with_hint("do not commit it again: it is shipped as soon as the bucket answers; see that it does")
        };
        let (tell, told) = channel();
        let waits = Arc::clone(pump);
        runtime.spawn(async move {
            // Nobody listens any more if it took too long.
            let _ = tell.send(waits.wait_for(lsn).await);
        });
        match told.recv_timeout(self.timeout) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => {
                Err(late(Error::unavailable("the commit is safe on this machine, and the bucket refuses its segment").with_source(e)))
            }
            Err(RecvTimeoutError::Timeout) => {
                let last = pump.status().last_error.unwrap_or_default();
                let error = Error::unavailable("the commit is safe on this machine, and not yet in the bucket");
                Err(late(error.with("timeout_ms", self.timeout.as_millis()).with("last_error", last)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(late(Error::internal("the pump that ships the log has ended"))),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let Some((runtime, pump)) = self.running.take() else { return };
        // The store is closed, its lock given back, when this returns. On a thread of its own: a runtime cannot be ended from inside of another.
        let end = move || {
            runtime.shutdown_timeout(CLOSE_TIMEOUT);
            drop(pump);
        };
        if let Ok(thread) = std::thread::Builder::new().spawn(end) {
            let _ = thread.join();
        }
    }
}
