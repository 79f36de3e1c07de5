//! Randomness that a seed replays.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng};

/// A seeded generator.
#[derive(Debug)]
pub struct Rng(SmallRng);

impl Rng {
    /// The generator of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.random_range(0..n)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of the items.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// The seeds that a test runs: those of the environment variable `RELSTORE_SEED` (one number) alone if it is set, so that a failure can be
/// run again; `1..=count` otherwise.
#[must_use]
pub fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("RELSTORE_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=count).collect(),
    }
}
