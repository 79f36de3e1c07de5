//! One store: typed statements, SQL, transactions, events.

use std::path::Path;
use std::sync::Arc;

use relstore_cdc::sink::Sink;
use relstore_cdc::{Follower, Handled, Pump, Subscribe, Subscription};
use relstore_engine::log::LogRange;
use relstore_engine::{Computed, Cursor, Database, Once, Outcome, ReadTransaction, Settings};
use relstore_model::event::{Images, Selection, events_of};
use relstore_model::{Error, Lsn, Namespace, Result, TxId, UnifiedEvent, Value, ValueRef};
use relstore_orm::{Executor, Held, TableDef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::remote::Remote;
use crate::{Fleet, Tx};

/// One store of a [`crate::Fleet`]. Typed statements are those of [`relstore_orm::Typed`].
///
/// It may be shared between threads: writers wait for each other, readers for nobody.
pub struct RelationalStore {
    ns: Namespace,
    // Dropped before the database: it ships its log.
    remote: Option<Remote>,
    db: Arc<Database>,
}

impl RelationalStore {
    pub(crate) fn new(ns: Namespace, db: Arc<Database>, remote: Option<Remote>) -> Self {
        Self { ns, remote, db }
    }

    /// Opens the store `ns` of the installation in the folder `dir`, for reading and writing. Folder and store are made if they are not there.
    /// The same folder opened as a [`Fleet`] archives, restores, and asks all stores at once.
    ///
    /// # Errors
    /// `Invalid` if `ns` is no name for a store; `Conflict` if the folder holds something else; `Unavailable` if another process has the store
    /// open for writing, or the disk cannot be written; `Corrupt` if the file is no store.
    pub fn open(dir: impl AsRef<Path>, ns: &str) -> Result<Arc<Self>> {
        Self::open_with(dir, ns, Settings::default())
    }

    /// As [`RelationalStore::open`], with settings of its own.
    ///
    /// # Errors
    /// As [`RelationalStore::open`].
    pub fn open_with(dir: impl AsRef<Path>, ns: &str, settings: Settings) -> Result<Arc<Self>> {
        let ns = Namespace::new(ns)?;
        Fleet::open_or_create(dir.as_ref())?.with_settings(settings).store(&ns)
    }

    /// Waits until the bucket has what was committed, where the store promises that.
    pub(crate) fn acknowledge(&self) -> Result<()> {
        match &self.remote {
            Some(remote) => remote.wait_for(self.db.high_water()).map_err(|e| e.with("ns", &self.ns)),
            None => Ok(()),
        }
    }

    /// The same after one statement, if it was one that writes.
    fn acknowledge_statement(&self, sql: &str) -> Result<()> {
        if self.remote.is_some() && !self.db.is_read(sql).unwrap_or(false) { self.acknowledge() } else { Ok(()) }
    }

    /// Whether the store ships its log by itself.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Waits until the bucket has everything up to `lsn`; at once where the store does not ship by itself.
    pub(crate) fn wait_for_bucket(&self, lsn: Lsn) -> Result<()> {
        self.remote.as_ref().map_or(Ok(()), |remote| remote.wait_for(lsn))
    }

    /// The store's name.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.ns
    }

    /// The hot database below.
    #[must_use]
    pub fn database(&self) -> &Arc<Database> {
        &self.db
    }

    /// Makes the tables and their indexes, all or none. Foreign keys may point to a table that comes later.
    ///
    /// # Errors
    /// `Invalid` if a table of that name exists.
    pub fn create_tables(&self, tables: &[TableDef]) -> Result<()> {
        self.db.transaction(|tx| {
            for table in tables {
                for sql in std::iter::once(table.create_sql()).chain(table.index_sql()) {
                    tx.execute(&sql, &[]).map_err(|e| e.with("table", table.name))?;
                }
            }
            Ok(())
        })
    }

    /// Runs one SQL statement: a query on a snapshot, anything else in a transaction of its own.
    ///
    /// # Errors
    /// By what SQLite says, as [`Database::execute`].
    pub fn sql(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        let outcome = self.db.execute(sql, params).map_err(|e| e.with("ns", &self.ns))?;
        self.acknowledge_statement(sql)?;
        Ok(outcome)
    }

    /// Runs `body` in a write transaction. It commits when `body` gives `Ok`, and leaves no trace otherwise.
    ///
    /// # Errors
    /// Whatever `body` gives; and those of a commit, as [`Database::transaction`].
    pub fn transaction<T, E: From<Error>>(&self, body: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let value = self.db.transaction(|tx| body(&Tx(tx)))?;
        self.acknowledge()?;
        Ok(value)
    }

    /// Runs `body` in a write transaction with an id of the caller's, unless one of that id was committed before: then nothing is done, and
    /// what that one gave is given again. So a caller who does not know whether a transaction came through may ask again. Its events carry
    /// the id as `txid`.
    ///
    /// # Errors
    /// As [`Database::transaction_once`].
    pub fn transaction_once<T, E>(&self, txid: &TxId, body: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<Once<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Error>,
    {
        let once = self.db.transaction_once(txid, |tx| body(&Tx(tx)))?;
        self.acknowledge()?;
        Ok(once)
    }

    /// Runs `body` in a read transaction: all its statements see the store as it was after one commit.
    ///
    /// # Errors
    /// Whatever `body` gives; `Unavailable` or `Corrupt` by the disk.
    pub fn read<T, E: From<Error>>(&self, body: impl FnOnce(&ReadTransaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.db.read(body)
    }

    /// Calls `handler` with the events of each commit after `after` of which something is chosen, in order, each exactly once while the
    /// subscription lives. It has no cursor; [`RelationalStore::subscribe`] makes one that outlives the program.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started. What stops it later is told by [`Subscription::wait_for`].
    pub fn on_event<R: Handled>(
        &self,
        after: Lsn,
        selection: impl Into<Selection>,
        handler: impl FnMut(&[UnifiedEvent]) -> R + Send + 'static,
    ) -> Result<Subscription> {
        Subscription::start(Arc::clone(&self.db), self.ns.clone(), after, selection, handler)
    }

    /// The durable subscriber `name`: its cursor lies in the store, the log is kept for it, and what it did not acknowledge comes again.
    #[must_use]
    pub fn subscribe(&self, name: &str) -> Subscribe {
        Subscribe::new(Arc::clone(&self.db), self.ns.clone(), name)
    }

    /// The commits after `after`, as events, for whoever keeps their own place; nothing holds the log for it.
    #[must_use]
    pub fn follow(&self, after: Lsn, selection: impl Into<Selection>) -> Follower {
        Follower::new(Arc::clone(&self.db), self.ns.clone(), after, selection.into())
    }

    /// A pump from the store to `sink`, to be run once or to run by itself.
    #[must_use]
    pub fn pump(&self, sink: impl Sink + 'static) -> Pump {
        Pump::new(Arc::clone(&self.db), self.ns.clone(), Box::new(sink))
    }

    /// Every durable consumer of the log: subscribers, sinks, and what ships the log.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn consumers(&self) -> Result<Vec<Cursor>> {
        self.db.cursors()
    }

    /// Forgets a durable consumer, which then holds the log no more.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, if there is none; `Conflict` if it runs; `Invalid` if the store itself needs it.
    pub fn drop_consumer(&self, name: &str) -> Result<()> {
        self.db.drop_cursor(name).map_err(|e| e.with("ns", &self.ns))
    }

    /// The events after `after` that the log retains: whole commits, until there are `limit` events or no more.
    ///
    /// # Errors
    /// `NotFound` if the log does not reach back that far any more, with its range.
    pub fn events_after(&self, after: Lsn, limit: usize) -> Result<Vec<UnifiedEvent>> {
        const READ_BYTES: usize = 1 << 20;
        let computed = Computed::default();
        let mut events = Vec::new();
        let mut at = after;
        while events.len() < limit {
            let commits = self.db.commits_after(at, READ_BYTES)?;
            if commits.is_empty() {
                break;
            }
            for commit in commits {
                let mut schema = self.db.schema_at(commit.schema_version)?;
                events.extend(events_of(&self.ns, &commit, &mut schema, Images::Changed, &computed)?);
                at = commit.lsn_last();
                if events.len() >= limit {
                    break;
                }
            }
        }
        Ok(events)
    }

    /// What the log holds now.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn log_range(&self) -> Result<LogRange> {
        self.db.log_range()
    }

    /// The position of the last change committed through this handle, or found when it was opened.
    #[must_use]
    pub fn high_water(&self) -> Lsn {
        self.db.high_water()
    }
}

impl Executor for RelationalStore {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.db.execute_each(sql, params, each)?;
        self.acknowledge_statement(sql)
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        let changes = self.db.execute(sql, params)?.changes;
        self.acknowledge()?;
        Ok(changes)
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        let changes = self.db.transaction(|tx| tx.execute_many(sql, rows))?;
        self.acknowledge()?;
        Ok(changes)
    }

    fn query_held(&self, held: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.db.execute_held((held.id(), held.sql()), params, each)?;
        self.acknowledge_statement(held.sql())
    }
}
