//! Segments in the bucket: immutable objects named by their LSN range.

use async_trait::async_trait;
use relstore_model::segment::Segment;
use relstore_model::{Lsn, Namespace, Result};

use super::Sink;
use crate::ChangeBatch;
use crate::bucket::{Bucket, layout};

/// Ships the log to `stores/<ns>/log/<epoch>/<lsn_first>-<lsn_last>.seg`.
pub struct SegmentSink {
    bucket: Bucket,
    ns: Namespace,
    epoch: u64,
}

impl SegmentSink {
    /// The name of its cursor: everything up to there is in the bucket.
    pub const CURSOR: &'static str = "segments";
    /// Large enough that a bulk load is a few objects, small enough to be held in memory many times over.
    const BATCH_BYTES: usize = 4 << 20;

    /// The sink of one store.
    #[must_use]
    pub fn new(bucket: Bucket, ns: Namespace, epoch: u64) -> Self {
        Self { bucket, ns, epoch }
    }
}

#[async_trait]
impl Sink for SegmentSink {
    fn name(&self) -> &str {
        Self::CURSOR
    }

    fn batch_bytes(&self) -> usize {
        Self::BATCH_BYTES
    }

    /// A crash between the put and the cursor leaves a segment that the cursor does not know. Writing its range again, with other
    /// bounds, would give two segments that overlap; so the cursor moves over what is there.
    async fn recover(&mut self, cursor: Lsn) -> Result<Lsn> {
        let mut at = cursor;
        for object in self.bucket.list(&layout::log_prefix(&self.ns)).await? {
            let Ok(name) = layout::parse_segment_path(&object.path) else { continue };
            if name.epoch == self.epoch && name.lsn_first == at.next() {
                let bytes = self.bucket.get(&object.path).await?;
                at = Segment::decode(&object.path, &bytes)?.lsn_last();
            }
        }
        Ok(at)
    }

    async fn deliver(&mut self, batch: &ChangeBatch) -> Result<u64> {
        let segment =
            Segment { namespace: batch.ns.clone(), epoch: self.epoch, commits: batch.commits.clone(), schemas: batch.schemas.clone() };
        let path = layout::segment_path(&self.ns, self.epoch, segment.lsn_first(), segment.lsn_last());
        let bytes = segment.encode();
        let size = bytes.len() as u64;
        self.bucket.put_new(&path, bytes.into()).await?;
        Ok(size)
    }
}
