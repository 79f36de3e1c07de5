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
        while let Some(one) = self.deliver_next(0).await? {
            shipped.bytes += one.bytes;
            shipped.batches += one.batches;
            shipped.changes += one.changes;
        }
        shipped.watermark = self.start().await?;
        Ok(shipped)
    }

    /// Delivers one batch, if there is one, and moves the cursor.
    pub(crate) async fn deliver_next(&mut self, retries: u32) -> Result<Option<Shipped>> {
        let at = self.start().await?;
        let (db, ns, bytes) = (Arc::clone(&self.db), self.ns.clone(), self.sink.batch_bytes());
        let read = move || {
            let batch = ChangeBatch::read(&db, &ns, at, bytes)?;
            // What leaves the machine must not be taken back by a power cut: others would have seen what never was.
            if batch.is_some() {
                db.sync()?;
            }
            Ok(batch)
        };
        let Some(mut batch) = blocking(read).await? else { return Ok(None) };
        batch.retries = retries;
        let bytes = self.sink.deliver(&batch).await.map_err(|e| e.with("sink", self.sink.name()).with("ns", &self.ns))?;
        let watermark = batch.lsn_last();
        self.acknowledge(watermark).await?;
        Ok(Some(Shipped { batches: 1, changes: batch.changes(), bytes, watermark }))
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.db
    }

    pub(crate) fn sink(&self) -> &dyn Sink {
        &*self.sink
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
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|e| Err(Error::internal("a background task failed").with_source(e)))
}
