//! How a store is opened: plain values, chosen by name.

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process. A power cut may take the last commits, whole, and never the store (`synchronous=NORMAL`).
    #[default]
    Normal,
    /// A power cut too: each commit is on the disk before it is acknowledged (`synchronous=FULL`).
    Full,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a commit survives.
    pub durability: Durability,
    /// The page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// How much of the log stays after every consumer has passed it, in bytes of packed changes: what `tail` can still show.
    pub log_retained_bytes: u64,
    /// How many reading connections are kept open while nobody reads. More readers than that at once have a connection each, for as long as
    /// they read; opening one takes some tenths of a millisecond.
    pub readers_idle_max: usize,
    /// How many prepared statements each connection keeps, by their text; the one not used for the longest time goes first.
    pub statements_cached: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Normal,
            cache_kib: 16 << 10,
            log_retained_bytes: 64 << 20,
            readers_idle_max: 4,
            statements_cached: 256,
        }
    }
}
