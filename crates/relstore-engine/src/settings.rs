//! How a store is opened: plain values, chosen by name.

use std::time::Duration;

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process. A power cut may take the last commits, whole, and never the store (`synchronous=NORMAL`).
    #[default]
    Normal,
    /// A power cut too: each commit is on the disk before it is acknowledged. Callers that commit at the same time share a sync.
    Full,
    /// The loss of the machine too: as `Full`, and the commit is in the bucket before it is acknowledged. The engine knows no bucket, and
    /// does as for `Full`; the rest is the façade's.
    Remote,
}

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a commit survives.
    pub durability: Durability,
    /// The page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// How much of the log stays after every consumer has passed it, in bytes of packed changes: what `tail` can still show. At most half
    /// of [`Settings::log_bytes_max`] counts.
    pub log_retained_bytes: u64,
    /// How long a write transaction may be open. One that is open longer is rolled back, its running statement interrupted. `None`: for ever.
    pub transaction_timeout: Option<Duration>,
    /// How long a commit waits for the bucket, where the store promises that it is there ([`Durability::Remote`]).
    pub remote_timeout: Duration,
    /// How long the outcome of a transaction that was given an id is kept, so that the same id again does not apply it twice.
    pub txid_retention: Duration,
    /// How many reading connections are kept open while nobody reads. More readers than that at once have a connection each, for as long as
    /// they read; opening one takes some tenths of a millisecond.
    pub readers_idle_max: usize,
    /// How many prepared statements each connection keeps, by their text; the one not used for the longest time goes first.
    pub statements_cached: usize,
    /// How large the log may grow behind a consumer that does not keep up, in bytes of packed changes. A commit that would exceed it is
    /// refused with `Unavailable`, and reads go on.
    pub log_bytes_max: u64,
    /// Consumers that hold the log before they have a cursor too: what ships the log to where it is kept. A store without any consumer
    /// keeps its log until it is full, and drops the oldest of it then.
    pub log_held_for: &'static [&'static str],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Normal,
            cache_kib: 16 << 10,
            log_retained_bytes: 64 << 20,
            transaction_timeout: None,
            remote_timeout: Duration::from_secs(30),
            txid_retention: Duration::from_secs(7 * 24 * 60 * 60),
            readers_idle_max: 4,
            statements_cached: 256,
            log_bytes_max: 1 << 30,
            log_held_for: &[],
        }
    }
}
