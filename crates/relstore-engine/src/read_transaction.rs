//! Several statements on one state of the store.

use std::sync::Arc;

use relstore_model::{Lsn, Result, Schema, Timestamp, Value, ValueRef};

use crate::catalog;
use crate::database::{Database, explained};
use crate::log::{self, LogRange};
use crate::reader::{Each, Reader, Rows, collect};

/// A read transaction: every statement in it sees the store as it was after one commit, whatever is committed meanwhile, and evicted rows
/// with it. It holds up no writer; while it lasts, the WAL grows.
pub struct ReadTransaction<'a> {
    reader: &'a Reader,
    range: LogRange,
    schema: Arc<Schema>,
}

impl ReadTransaction<'_> {
    /// The last change that it sees.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.range.last
    }

    /// When that was committed; 1970 for a store without changes.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.range.timestamp
    }

    /// The schema that it sees.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Runs a query and collects its rows.
    ///
    /// # Errors
    /// As [`ReadTransaction::query_each`].
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows> {
        collect(|each| self.query_each(sql, params, each))
    }

    /// Runs a query and gives each row to `each`; gives the names of the columns.
    ///
    /// # Errors
    /// As [`Database::query`]; `Unsupported` if the statement asks for what a table with evicted rows cannot answer; whatever `each` gives.
    pub fn query_each(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Vec<String>> {
        self.reader.query_held(sql, params, each as Each<'_>).map_err(|e| explained(e, &self.schema))
    }
}

impl Database {
    /// Runs `body` in a read transaction.
    ///
    /// # Errors
    /// Whatever `body` gives; `Unavailable` or `Corrupt` by the disk.
    pub fn read<T, E: From<relstore_model::Error>>(&self, body: impl FnOnce(&ReadTransaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut result = None;
        self.with_reader(|reader| {
            let range = reader.hold(log::range)?;
            let held = Held(reader);
            self.settle()?;
            let current = self.schema();
            let version = reader.held(catalog::newest_version)?;
            let schema = if version == current.version { current } else { Arc::new(reader.held(catalog::newest)?) };
            result = Some(body(&ReadTransaction { reader, range, schema }));
            drop(held);
            Ok(())
        })?;
        result.unwrap_or_else(|| Err(relstore_model::Error::internal("a read transaction did not run").into()))
    }
}

/// Ends the read transaction, also when a panic unwinds.
struct Held<'a>(&'a Reader);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}
