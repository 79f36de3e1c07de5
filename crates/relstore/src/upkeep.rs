//! One store's upkeep: what is known of it, whether it is whole, copies of it, queries within limits.

use std::path::Path;

use relstore_engine::{BackupProgress, Finding, QueryOptions, QueryPlan, Reconciled, Rows, StoreDescription, TableStatistics};
use relstore_model::{Error, Lsn, Result, Value};

use crate::RelationalStore;

impl RelationalStore {
    /// The store's shape: its schema, and each table's defaults, indexes, foreign keys and triggers.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn describe(&self) -> Result<StoreDescription> {
        self.named(self.database().describe())
    }

    /// Rows, bytes, NULLs, bounds and distinct values of every table and column, as of the last commit.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::statistics`].
    pub fn statistics(&self) -> Result<Vec<TableStatistics>> {
        self.named(self.database().statistics())
    }

    /// Reads the whole of `table` and counts its statistics anew.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::analyze`].
    pub fn analyze(&self, table: &str) -> Result<TableStatistics> {
        self.named(self.database().analyze(table))
    }

    /// Lets SQLite gather what its planner chooses indexes by, where it has become worth it.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::optimize`].
    pub fn optimize(&self) -> Result<()> {
        self.named(self.database().optimize())
    }

    /// Looks at everything there is and says what is wrong with it; nothing, if all is well.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::check`].
    pub fn check(&self) -> Result<Vec<Finding>> {
        self.named(self.database().check())
    }

    /// Logs what another program wrote to the store, and lets it be written again.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::reconcile`].
    pub fn reconcile(&self) -> Result<Reconciled> {
        self.named(self.database().reconcile())
    }

    /// Copies the store into the new file `path`, as of the last commit, and gives the position of its last change.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::backup`].
    pub fn backup(&self, path: &Path, progress: &mut dyn FnMut(BackupProgress)) -> Result<Lsn> {
        self.named(self.database().backup(path, progress))
    }

    /// Gives the room that deleted rows left in the hot file back, and how many bytes that is. It is no change.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::vacuum`].
    pub fn vacuum(&self) -> Result<u64> {
        self.named(self.database().vacuum())
    }

    /// How SQLite would run the statement, which is not run.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::explain`].
    pub fn explain(&self, sql: &str, params: &[Value]) -> Result<QueryPlan> {
        self.named(self.database().explain(sql, params))
    }

    /// Runs a query within limits of rows, bytes and time, and until it is cancelled.
    ///
    /// # Errors
    /// As [`relstore_engine::Database::query_with`].
    pub fn query_with(&self, sql: &str, params: &[Value], options: &QueryOptions) -> Result<Rows> {
        self.named(self.database().query_with(sql, params, options))
    }

    pub(crate) fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e: Error| e.with("ns", self.namespace()))
    }
}
