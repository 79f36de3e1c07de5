//! The hot tier: one SQLite file, its change log, and the capture that fills it.
//!
//! Statements with parameters come in; rows, outcomes and packed commits go out. Everything is synchronous: the crates to the right
//! bring the async. Invariants: a row and its log entry commit in one SQLite transaction or not at all; one process writes a store,
//! through one connection; a failed fsync poisons the handle. What is deliberately not here: buckets, Parquet, events as JSON.

mod adopt;
mod affinity;
mod authorizer;
mod backup;
mod capture;
mod catalog;
mod check;
mod checkpoint;
mod compatibility;
mod cursor;
mod database;
mod ddl;
mod deadline;
mod description;
mod durability;
mod eviction;
mod explain;
mod facts;
mod group_commit;
mod held_statements;
mod limits;
mod listeners;
mod lock;
pub mod log;
pub mod migration;
mod once;
mod outcome;
mod owned_transaction;
mod phantom;
mod read_transaction;
mod reader;
mod reconcile;
mod recovery;
mod retention;
mod retry;
mod seal;
mod settings;
pub mod sql;
pub mod sqlite;
mod statement;
mod statistics;
mod steady_reader;
mod transaction;
mod trust;
mod virtual_cells;
mod wal;
mod watchdog;
mod writer;
mod writer_place;

pub use adopt::Adopted;
pub use backup::BackupProgress;
pub use catalog::schema_of;
pub use check::Finding;
pub use compatibility::Compatibility;
pub use cursor::{Cursor, CursorClaim, Start};
pub use database::Database;
pub use description::{ForeignKeyDescription, IndexDescription, StoreDescription, TableDescription, TriggerDescription};
pub use eviction::{ColdFile, ColdRows, ColdSource, Evicted, NewColdFile};
pub use explain::{PlanStep, QueryPlan};
pub use limits::{CancelToken, QueryOptions};
pub use listeners::Listening;
pub use once::Once;
pub use owned_transaction::OwnedTransaction;
pub use read_transaction::ReadTransaction;
pub use reconcile::{Reconciled, ReconciledTable};
pub use retry::Retry;
pub use settings::{Durability, Settings};
pub use statement::Statement;
pub use statistics::{ColumnStatistics, Extreme, TableStatistics};
pub use steady_reader::{Attempted, SteadyReader};
pub use transaction::Transaction;
pub use virtual_cells::Computed;
pub use writer::Outcome;

pub use reader::Rows;
