//! The pump: reads the log after a cursor, delivers, acknowledges.

use std::sync::Arc;

use relstore_engine::Database;
use relstore_model::{Error, Lsn, Namespace, Result};

use crate::ChangeBatch;
use crate::sink::Sink;

/// What one run of a pump delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shipped {
    /// Batches delivered.
    pub batches: u64,
    /// Changes in them.
    pub changes: u64,
    /// Bytes the destination took.
    pub bytes: u64,
    /// Where the destination stands now.
    pub watermark: Lsn,
}

/// Moves one store's commits to one sink.
pub struct Pump {
    db: Arc<Database>,
    ns: Namespace,
    sink: Box<dyn Sink>,
    /// `None` until the sink has been asked where it stands.
    at: Option<Lsn>,
}

impl Pump {
    /// A pump from `db` to `sink`.
    #[must_use]
    pub fn new(db: Arc<Database>, ns: Namespace, sink: Box<dyn Sink>) -> Self {
        Self { db, ns, sink, at: None }
    }

    /// Delivers until the sink has everything that was committed before the call's end; the cursor moves after each batch.
    ///
    /// # Errors
    /// What the sink gives: nothing is lost, and the next run goes on where this one stopped. `Corrupt` if the log is damaged.
    pub async fn run_until_caught_up(&mut self) -> Result<Shipped> {
        let mut shipped = Shipped::default();
        let mut at = self.start().await?;
        loop {
            let (db, ns, bytes) = (Arc::clone(&self.db), self.ns.clone(), self.sink.batch_bytes());
            let Some(batch) = blocking(move || ChangeBatch::read(&db, &ns, at, bytes)).await? else { break };
            shipped.bytes += self.sink.deliver(&batch).await.map_err(|e| e.with("sink", self.sink.name()).with("ns", &self.ns))?;
            shipped.batches += 1;
            shipped.changes += batch.changes();
            at = batch.lsn_last();
            self.acknowledge(at).await?;
        }
        shipped.watermark = at;
        Ok(shipped)
    }

    async fn start(&mut self) -> Result<Lsn> {
        if let Some(at) = self.at {
            return Ok(at);
        }
        let cursor = self.db.cursor(self.sink.name())?;
        let at = self.sink.recover(cursor).await?;
        assert!(cursor <= at, "a sink never stands before its cursor");
        if at > self.db.high_water() {
            return Err(Error::corrupt("the bucket holds changes that the store never made: another store of this name wrote there")
                .with("ns", &self.ns)
                .with("bucket_lsn", at)
                .with("store_lsn", self.db.high_water()));
        }
        if at > cursor {
            self.acknowledge(at).await?;
        }
        self.at = Some(at);
        Ok(at)
    }

    async fn acknowledge(&mut self, at: Lsn) -> Result<()> {
        let (db, name) = (Arc::clone(&self.db), self.sink.name().to_owned());
        blocking(move || db.advance_cursor(&name, at)).await?;
        self.at = Some(at);
        Ok(())
    }
}

/// Runs what waits for the disk off the async threads.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|e| Err(Error::internal("a background task failed").with_source(e)))
}
