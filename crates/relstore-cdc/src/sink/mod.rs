//! Where the pump delivers: one file per destination.

mod file;
mod segment;
#[cfg(feature = "sink-webhook")]
mod webhook;

use std::time::Duration;

pub use file::{FileSink, Fsync};
pub use segment::SegmentSink;

#[cfg(feature = "sink-webhook")]
pub use webhook::{Body, Webhook, WebhookSink};

use async_trait::async_trait;
use relstore_model::{Lsn, Result};

use crate::ChangeBatch;

/// A destination of commits.
#[async_trait]
pub trait Sink: Send {
    /// The name of its cursor in the hot file: the same for the same destination, always.
    fn name(&self) -> &str;

    /// How many bytes of packed changes a batch may hold before it is delivered. One commit may be larger and is never split.
    fn batch_bytes(&self) -> usize;

    /// Where the destination stands, if it knows better than the cursor: a delivery that arrived just before a crash. `cursor` is what
    /// the hot file says; the answer is not before it.
    ///
    /// # Errors
    /// As [`Sink::deliver`].
    async fn recover(&mut self, cursor: Lsn) -> Result<Lsn> {
        Ok(cursor)
    }

    /// Delivers whole commits. It returns when the destination has them for good; gives the bytes written.
    ///
    /// Delivery is at least once: a batch that was delivered may come again, so implementers MUST make repeated LSNs harmless.
    ///
    /// # Errors
    /// `Unavailable`: the pump may try this batch again. Any other kind: nothing more is delivered, and the cursor stays.
    async fn deliver(&mut self, batch: &ChangeBatch) -> Result<u64>;

    /// How long the destination asked to be left alone when it last refused; the pump waits that long at least.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
