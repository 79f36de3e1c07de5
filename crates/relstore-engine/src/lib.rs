//! The hot tier: one SQLite file, its change log, and the capture that fills it.
//!
//! Statements with parameters come in; rows, outcomes and packed commits go out. Everything is synchronous: the crates to the right
//! bring the async. Invariants: a row and its log entry commit in one SQLite transaction or not at all; one process writes a store,
//! through one connection; a failed fsync poisons the handle. What is deliberately not here: buckets, Parquet, events as JSON.

mod authorizer;
mod capture;
mod catalog;
mod cursor;
mod database;
mod eviction;
mod listeners;
mod lock;
pub mod log;
mod read_transaction;
mod reader;
mod retention;
mod settings;
pub mod sql;
pub mod sqlite;
mod transaction;
mod writer;

pub use cursor::{Cursor, CursorClaim, Start};
pub use database::Database;
pub use eviction::{ColdFile, ColdRows, ColdSource, Evicted, NewColdFile};
pub use listeners::Listening;
pub use read_transaction::ReadTransaction;
pub use settings::{Durability, Settings};
pub use transaction::Transaction;
pub use writer::Outcome;

pub use reader::Rows;
