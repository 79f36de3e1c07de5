//! What a subscriber is given at a time, and how a consumer stands.

use relstore_model::{Lsn, UnifiedEvent};
use serde::Serialize;

/// The events of one commit, or a part of the initial snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What to acknowledge once it is done: the commit's last change, whether or not it is among the events.
    pub lsn: Lsn,
    /// The chosen events, in order; at least one.
    pub events: Vec<UnifiedEvent>,
    /// Which part of the initial snapshot it is; `None` for a commit.
    pub snapshot: Option<SnapshotPart>,
}

/// A part of the initial snapshot. All parts have one LSN, and acknowledging it counts once the last part was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPart {
    /// The first part. Whatever an earlier snapshot gave that was not acknowledged to its end is void from here.
    pub is_first: bool,
    /// The last part: the next delivery is the first commit after the snapshot.
    pub is_last: bool,
}

/// How a running consumer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConsumerStatus {
    /// It has finished everything up to here.
    pub watermark: Lsn,
    /// How many changes were committed after that.
    pub lag: u64,
    /// Why it is given nothing more, if so.
    pub parked: Option<String>,
    /// The last failure, also if a retry succeeded since.
    pub last_error: Option<String>,
    /// How often the delivery in hand was tried before.
    pub retries: u32,
}
