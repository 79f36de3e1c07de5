//! What follows the change log: the pump, its sinks, in-process subscriptions, and the bucket they write to. Async begins here.
//!
//! Commits come in from the hot database, in order; they leave as segments in a bucket or as events to a handler. A consumer that lasts
//! has a cursor in the hot file, moved only after delivery: what is delivered twice after a crash carries the same LSNs. Deliberately
//! not here: what the bytes of a segment are (relstore-model) and what becomes of segments (relstore-lake).

mod backoff;
mod batch;
pub mod bucket;
mod delivery;
mod follower;
mod pump;
mod running;
pub mod sink;
mod snapshot;
mod subscriber;
mod subscription;
mod wake;

pub use backoff::Backoff;
pub use batch::ChangeBatch;
pub use delivery::{ConsumerStatus, Delivery, SnapshotPart};
pub use follower::Follower;
pub use pump::{Pump, Shipped};
pub use running::RunningPump;
pub use subscriber::{Subscribe, Subscriber};
pub use subscription::{Handled, Subscription};
