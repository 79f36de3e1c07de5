//! The Node addon under the npm package `dotdo`: stores' statements, transactions, migrations, events and shape, and the tiers behind them.
//!
//! Numbers of statements and packed cells come in ([`cells`]); packed cells, one string and JSON go out. What is short runs on the calling
//! thread, what is long leaves it ([`statement`]); who may write when is the package's affair, which has the queue. Invariants: no panic
//! crosses the boundary ([`failure::shielded`]), and every error crosses it as JSON with its kind. A folder has one fleet in a process ([`home`]), from
//! which its stores are taken, so that the fleet can work on stores that are open. What is deliberately not here: Drizzle, the mapping of rows, and
//! promises' order.

#![expect(clippy::missing_errors_doc, reason = "JavaScript alone calls what is public: it throws what the engine's function gives")]

pub mod answer;
mod cells;
mod constraint;
pub mod evolution;
mod failure;
pub mod feed;
pub mod fleet;
mod home;
mod jobs;
pub mod migration;
mod numbered;
pub mod rows;
pub mod shape;
pub mod statement;
pub mod store;
pub mod tiers;
pub mod transaction;
mod view;
