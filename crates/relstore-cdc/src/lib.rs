//! What follows the change log: the pump, its sinks, in-process subscriptions, and the bucket they write to. Async begins here.
//!
//! Commits come in from the hot database, in order; they leave as segments in a bucket or as events to a handler. A consumer that lasts
//! has a cursor in the hot file, moved only after delivery: what is delivered twice after a crash carries the same LSNs. Deliberately
//! not here: what the bytes of a segment are (relstore-model) and what becomes of segments (relstore-lake).

mod batch;
pub mod bucket;
mod pump;
pub mod sink;
mod subscription;

pub use batch::ChangeBatch;
pub use pump::{Pump, Shipped};
pub use subscription::Subscription;
