//! Test support: a clock that is set by hand, randomness that a seed replays, a disk that fails, and what every decoder must survive.
//! A dev-dependency only.

mod clock;
pub mod decoders;
pub mod disk;
mod rng;

pub use clock::ManualClock;
pub use rng::{Rng, seeds};
