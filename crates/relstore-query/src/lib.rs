//! One SQL over all stores.
//!
//! What comes in is history tables (Iceberg), views (Parquet files) and SQL text; what goes out is rows. A [`Session`] is one
//! catalog of all of them: `current.<table>` (the default schema) is the newest version of every row of every store,
//! `history.<table>` is every version, `views.<view>` is a materialised view. Each table of `current` and `history` has `_ns`, the
//! store that a row belongs to.
//!
//! Invariants: a session only reads; its tables are the snapshots that it was given, so one session answers one state of the lake
//! however long it lives; no query changes identifiers' case in its answer.
//!
//! Deliberately not here: writing (relstore-lake), finding the tables (the façade hands them over), the hot tail, and SQLite's
//! dialect: the SQL is DataFusion's.

mod answer;
mod error;
mod lake;
mod names;
mod provider;
mod session;

pub use answer::{Answer, AnswerColumn};
pub use lake::session_of;
pub use provider::current::current_table;
pub use provider::history::HistoryProvider;
pub use session::{HistoryInput, Session, SessionLimits, ViewFiles, ViewInput};
