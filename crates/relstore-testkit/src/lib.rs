//! Test support: a clock that is set by hand, and randomness that a seed replays. A dev-dependency only.

mod clock;
mod rng;

pub use clock::ManualClock;
pub use rng::{Rng, seeds};
