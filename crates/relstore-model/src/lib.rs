//! The vocabulary of RelationalStore.
//!
//! Everything here is a plain value: positions, cells, changes, schemas, events, and the bytes that changes are kept in. What comes
//! in is bytes or values, what goes out is values or bytes. There is no I/O, no async and no wall clock in this crate, so it builds
//! for any target; the other crates import from it and it imports from none of them.

pub mod change;
pub mod clock;
pub mod error;
pub mod event;
pub mod evolution;
pub mod identifier;
pub mod lsn;
pub mod namespace;
pub mod schema;
pub mod segment;
pub mod time;
pub mod types;
pub mod value;

pub use change::{Change, Commit, Op, RowChange, SchemaChange};
pub use clock::{Clock, HybridClock};
pub use error::{Error, ErrorKind, Result};
pub use event::UnifiedEvent;
pub use lsn::{Lsn, TxId};
pub use namespace::Namespace;
pub use schema::{Column, ColumnId, Schema, Table, TableId};
pub use time::Timestamp;
pub use types::LogicalType;
pub use value::{Row, Value, ValueRef};
