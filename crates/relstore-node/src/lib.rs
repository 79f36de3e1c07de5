//! The Node addon under the npm package `dotdo`: one store's statements, transactions, migrations, events and shape.
//!
//! Numbers of statements and packed cells come in ([`cells`]); packed cells, one string and JSON go out. What is short runs on the calling
//! thread, what is long leaves it ([`statement`]); who may write when is the package's affair, which has the queue. Invariants: no panic
//! crosses the boundary ([`failure::shielded`]), and every error crosses it as JSON with its kind. What is deliberately not here: Drizzle, the
//! mapping of rows, promises' order, and every other tier: the addon stands on the engine and on what follows its log, so that it stays small.

#![expect(clippy::missing_errors_doc, reason = "JavaScript alone calls what is public: it throws what the engine's function gives")]

pub mod answer;
mod cells;
mod clock;
mod constraint;
pub mod evolution;
mod failure;
pub mod feed;
mod folder;
mod jobs;
pub mod migration;
mod numbered;
pub mod rows;
pub mod shape;
pub mod statement;
pub mod store;
pub mod transaction;
