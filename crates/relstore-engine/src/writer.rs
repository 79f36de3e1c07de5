//! The one connection that writes: transactions with capture, and the schema as they change it.

use std::cell::{Cell, Ref, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use relstore_model::{Clock, Error, ErrorKind, HybridClock, Lsn, Result, Schema, Timestamp, TxId, Value};
use rusqlite::config::DbConfig;

use crate::authorizer::{self, Authorizer};
use crate::capture::{Capture, LogHead, Step};
use crate::checkpoint::Checkpoints;
use crate::deadline::Deadline;
use crate::durability::Disk;
use crate::eviction::{self, Shadow, Tier};
use crate::held_statements::HeldStatements;
use crate::lock::{Found, Leaving};
pub(crate) use crate::outcome::Committed;
pub use crate::outcome::Outcome;
use crate::reader::{Each, column_names, rows_scanned, step};
use crate::retention::Retention;
use crate::settings::Settings;
use crate::sqlite::{Connection, from_sqlite};
use crate::trust::Trust;
use crate::{catalog, log, recovery, sql, wal};

/// The writing connection. Held by one caller at a time.
pub(crate) struct Writer {
    // Dropped in this order: statements before their connection, and that before the capture's state, which its callbacks use.
    pub(crate) held: HeldStatements,
    pub(crate) connection: Connection,
    capture: Capture,
    authorizer: Arc<Authorizer>,
    clock: Arc<dyn Clock>,
    hybrid: HybridClock,
    /// The position of the last change that is in the log: the open transaction's count only once they are sealed.
    last_lsn: Cell<Lsn>,
    /// The same when the open transaction began.
    lsn_before: Cell<Lsn>,
    deadline: Arc<Deadline>,
    checkpoints: Arc<Checkpoints>,
    retention: Retention,
    /// The schema as the open transaction sees it.
    schema: RefCell<Arc<Schema>>,
    /// The schema when the open transaction began.
    schema_before: RefCell<Arc<Schema>>,
    /// The version that the commit of the log that is being made began under.
    version_before: Cell<u32>,
    /// A plain file is being made a store: its rows go into the log in many commits of one transaction.
    is_adopting: Cell<bool>,
    /// The cold tier, as the open transaction sees it.
    shadow: Shadow,
    /// Whether the open transaction has changed what is cold, or the temp objects that show it.
    is_tier_touched: Cell<bool>,
    /// Whether a part of it was rolled back since, so that the shadow must be read from the file again.
    is_tier_in_doubt: Cell<bool>,
    trust: Trust,
    /// Tables that the open migration has between two shapes.
    overlay: RefCell<catalog::Overlay>,
}

/// How many bytes of changes the commits have that a file is adopted in.
const ADOPTED_BYTES: u64 = 4 << 20;

impl Drop for Writer {
    fn drop(&mut self) {
        // Sees to it that a poisoned connection does not checkpoint when it closes.
        let _ = self.check_disk();
        self.capture.remove(&self.connection.inner);
    }
}

impl Writer {
    /// Opens the hot file for writing and makes what is missing in it. The caller holds the store's lock.
    pub(crate) fn open(
        path: &Path,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        tier: Arc<Tier>,
        checkpoints: &Arc<Checkpoints>,
        (found, leaving): (&Found, Arc<Leaving>),
    ) -> Result<Self> {
        wal::renew(path)?;
        let mut connection = Connection::open(path)?;
        // Commits are synced by `Disk`, for all who wait at once; SQLite itself syncs where it must for the file to stay whole.
        let pragmas = format!("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-{}; PRAGMA temp_store=MEMORY", settings.cache_kib);
        connection.execute_batch(&pragmas)?;
        // One transaction for all that is looked at: each costs locks of its own.
        let begin = || {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            if catalog::has_engine_tables(&connection)? {
                return Ok(());
            }
            connection.execute_batch(&format!("{} COMMIT; BEGIN IMMEDIATE", catalog::ENGINE_TABLES))
        };
        begin().map_err(|e: Error| e.with("path", path.display()))?;
        connection.harden()?;
        connection.inner.set_prepared_statement_cache_capacity(settings.statements_cached);
        let schema = Arc::new(catalog::newest(&connection)?);
        let range = log::range(&connection)?;
        let trust = Trust::new(&connection, recovery::check(&connection, path, found)?, leaving)?;
        let capture = Capture::install(&connection.inner)?;
        capture.set_schema(&schema);
        let authorizer = Authorizer::install(&mut connection.inner).map_err(|e| from_sqlite(&e, ""))?;
        let shadow = Shadow::install(&connection, tier, Some(capture.suspender()))?;
        checkpoints.watch(&mut connection.inner)?;
        let deadline = Deadline::install(&mut connection, settings.transaction_timeout)?;
        let writer = Self {
            held: HeldStatements::new(settings.statements_cached),
            connection,
            capture,
            authorizer,
            clock,
            hybrid: HybridClock::starting_at(range.timestamp),
            last_lsn: Cell::new(range.last),
            lsn_before: Cell::new(range.last),
            deadline,
            checkpoints: Arc::clone(checkpoints),
            retention: Retention::new(settings, range.extent),
            schema: RefCell::new(Arc::clone(&schema)),
            version_before: Cell::new(schema.version),
            is_adopting: Cell::new(false),
            schema_before: RefCell::new(schema),
            shadow,
            is_tier_touched: Cell::new(false),
            is_tier_in_doubt: Cell::new(false),
            trust,
            overlay: RefCell::default(),
        };
        let cold = writer.internally(|c| {
            let is_as_known = catalog::evolved(c, &writer.schema())?.is_none();
            let cold = is_as_known.then(|| eviction::load(c, &writer.schema())).transpose()?;
            c.execute("/*rs*/ COMMIT", &[])?;
            Ok(cold)
        })?;
        let cold = match cold {
            Some(cold) => cold,
            None => {
                writer.record_foreign_ddl()?;
                writer.internally(|c| eviction::load(c, &writer.schema()))?
            }
        };
        writer.shadow.tier().set(cold);
        Ok(writer)
    }

    /// A change of shape that bypassed the engine is noticed at open and recorded as what it is now.
    fn record_foreign_ddl(&self) -> Result<()> {
        self.begin_unchecked()?;
        // A file that was no store: its rows were there before the log.
        self.is_adopting.set(self.schema().version == 0);
        self.capture.set_created_as_read(self.is_adopting.get());
        let recorded = self.record_outside_ddl();
        self.capture.set_created_as_read(false);
        self.is_adopting.set(false);
        match recorded {
            Ok(()) => self.commit(None).map(|_| ()),
            Err(e) => {
                self.rollback();
                Err(e)
            }
        }
    }

    /// The schema as the open transaction sees it.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.borrow())
    }

    /// The position of the last change committed.
    pub(crate) fn last_lsn(&self) -> Lsn {
        self.last_lsn.get()
    }

    /// How much of the log stays.
    pub(crate) fn retention(&self) -> &Retention {
        &self.retention
    }

    pub(crate) fn capture(&self) -> &Capture {
        &self.capture
    }

    pub(crate) fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(crate) fn shadow(&self) -> &Shadow {
        &self.shadow
    }

    /// The open transaction changes what is cold, or the temp objects that show it.
    pub(crate) fn touch_tier(&self) {
        self.is_tier_touched.set(true);
    }

    /// Reads from the file what is cold in the open transaction, if a part of it that touched that was rolled back.
    fn settle_tier(&self) -> Result<()> {
        if self.is_tier_in_doubt.get() {
            self.internally(|c| self.shadow.show(c, &eviction::load(c, &self.schema())?))?;
            self.is_tier_in_doubt.set(false);
        }
        Ok(())
    }

    /// Runs a statement of the engine's own.
    pub(crate) fn internally<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.authorizer.internally(|| run(&self.connection))
    }

    /// Runs a statement of the engine's own that writes and is its own transaction.
    pub(crate) fn write_apart<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check_disk()?;
        self.internally(run).map_err(|e| self.poisoned_by(e))
    }

    /// Whether no transaction is open and the disk has not failed.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.is_open() && !self.disk().is_poisoned()
    }

    /// Runs what only reads in one read transaction of its own.
    pub(crate) fn look<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.internally(|c| {
            c.execute("/*rs*/ BEGIN", &[])?;
            let result = run(c);
            // A transaction that has only read ends without an error, or has ended.
            let _ = c.execute("/*rs*/ COMMIT", &[]);
            result
        })
    }

    fn check_disk(&self) -> Result<()> {
        if !self.disk().is_poisoned() {
            return Ok(());
        }
        self.checkpoints.end();
        // Closing the connection would checkpoint, out of a WAL of which nobody knows how much is on the disk.
        let _ = self.connection.inner.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        Err(Error::new(ErrorKind::Closed, "the store is closed: an earlier write to the disk failed")
            .with_hint("open the store again: what was acknowledged is there"))
    }

    /// A commit failed by `error`: if it was the disk, nothing more is written. After a failed fsync nobody can know what is on the disk: a
    /// page that failed may be dropped and never retried.
    fn poisoned_by(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Unavailable && error.message().contains("disk I/O error") {
            self.disk().poison();
            self.trust.doubt();
        }
        error
    }

    /// Begins a write transaction, once it is sure that the log says all that happened before.
    pub(crate) fn begin(&self) -> Result<()> {
        self.begin_unchecked()?;
        while !self.is_trusted().inspect_err(|_| self.rollback())? {
            self.rollback();
            self.verify()?;
            self.begin_unchecked()?;
        }
        Ok(())
    }

    /// Begins a write transaction and enlists the capture in it.
    pub(crate) fn begin_unchecked(&self) -> Result<()> {
        self.checkpoints.catch_up();
        self.check_disk()?;
        let cold = self.shadow.tier().cold();
        if !self.shadow.shows(&cold) {
            self.internally(|c| self.shadow.show(c, &cold))?;
        }
        self.internally(|_| self.capture.run(Step::Begin))?;
        *self.schema_before.borrow_mut() = self.schema();
        self.version_before.set(self.schema().version);
        self.lsn_before.set(self.last_lsn.get());
        self.retention.began();
        self.deadline.start();
        // What a statement outside of transactions left behind, or a snapshot whose body panicked, is not the next transaction's.
        self.capture.clear();
        self.capture.set_created_as_read(false);
        self.internally(|_| self.capture.run(Step::Enlist)).inspect_err(|_| self.rollback())
    }

    /// Commits. On any failure the transaction is rolled back: the state before or after, never between.
    ///
    /// `txid` is the id that the caller gave to the transaction.
    pub(crate) fn commit(&self, txid: Option<&TxId>) -> Result<Committed> {
        let packed_bytes = self.capture.packed_bytes();
        let prepared = if self.is_open() { self.deadline.check() } else { Err(self.ended()) };
        let prepared = prepared.and_then(|()| self.settle_tier());
        if let Err(error) = prepared.and_then(|()| self.internally(|c| self.retention.make_room(c, packed_bytes))) {
            self.rollback();
            return Err(error);
        }
        self.deadline.stop();
        let count = self.capture.count();
        self.set_head(txid);
        let moving = self.is_tier_touched.get().then(|| self.shadow.tier().moving());
        if let Err(error) = self.internally(|_| self.capture.run(Step::Commit)) {
            let refused = self.capture.take_failure();
            self.rollback();
            return Err(refused.unwrap_or_else(|| self.poisoned_by(error)));
        }
        if let Some(moving) = moving {
            moving.done(self.shadow.cold());
            self.is_tier_touched.set(false);
        }
        self.trust.ended(&self.connection);
        let lsn = self.last_lsn.get().plus(count);
        self.last_lsn.set(lsn);
        self.retention.put(packed_bytes);
        // The commit is done: what could not be taken in or trimmed now is tried again after another.
        if self.retention.is_half_full() {
            let _ = self.fold_some();
        }
        if self.retention.is_due() {
            let _ = self.internally(|c| self.retention.tidy(c));
        }
        let schema = self.schema();
        let changed = schema.version != self.schema_before.borrow().version;
        Ok(Committed { lsn, schema: changed.then_some(schema), number: self.disk().wrote() })
    }

    /// Runs `body` in a transaction: committed if it gives `Ok`, and without a trace otherwise, or if it panics.
    pub(crate) fn in_transaction<T, E: From<Error>>(
        &self,
        txid: Option<&TxId>,
        body: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<(T, Committed), E> {
        self.begin()?;
        let mut guard = Rollback(Some(self));
        let value = body(self).map_err(|e| self.deadline.check().err().map_or(e, E::from))?;
        // From here on the commit itself leaves nothing open.
        guard.0 = None;
        Ok((value, self.commit(txid)?))
    }

    /// Ends one commit of the log inside a SQLite transaction that goes on: what follows is the next one.
    pub(crate) fn seal(&self) -> Result<()> {
        let (count, packed_bytes) = (self.capture.count(), self.capture.packed_bytes());
        self.internally(|c| self.retention.make_room(c, packed_bytes))?;
        self.set_head(None);
        self.internally(|c| self.capture.seal(&c.inner))?;
        self.version_before.set(self.schema().version);
        self.retention.put(packed_bytes);
        self.last_lsn.set(self.last_lsn.get().plus(count));
        Ok(())
    }

    /// Whether a plain file is being made a store.
    pub(crate) fn is_adopting(&self) -> bool {
        self.is_adopting.get()
    }

    /// Ends the commit of the log, where a file is adopted and enough of it has gathered.
    pub(crate) fn seal_adopted(&self) -> Result<()> {
        let is_due = self.is_adopting.get() && self.capture.packed_bytes() >= ADOPTED_BYTES;
        if is_due { self.seal() } else { Ok(()) }
    }

    fn set_head(&self, txid: Option<&TxId>) {
        self.capture.set_head(LogHead {
            txid: txid.cloned(),
            lsn_before: self.last_lsn.get().as_i64(),
            offset: self.retention.end() as i64,
            timestamp: self.hybrid.observe(self.clock.now()),
            schema_version: self.version_before.get(),
        });
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn disk(&self) -> &Arc<Disk> {
        self.checkpoints.disk()
    }

    /// Refuses to go on with a transaction that is no longer open, or open for too long.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.deadline.check()?;
        if self.is_open() { Ok(()) } else { Err(self.ended()) }
    }

    fn ended(&self) -> Error {
        self.deadline.check().err().unwrap_or_else(|| {
            Error::new(ErrorKind::Conflict, "the transaction was rolled back by one of its statements")
                .with_hint("run the whole transaction again")
        })
    }

    /// Rolls back what is open, if anything is.
    pub(crate) fn rollback(&self) {
        if !self.connection.inner.is_autocommit() {
            // It can fail only where SQLite has rolled back by itself.
            let _ = self.internally(|c| c.execute("/*rs*/ ROLLBACK", &[]));
        }
        self.trust.ended(&self.connection);
        *self.overlay.borrow_mut() = catalog::Overlay::default();
        self.capture.clear();
        self.deadline.stop();
        self.last_lsn.set(self.lsn_before.get());
        self.retention.rolled_back();
        let before = Arc::clone(&self.schema_before.borrow());
        self.restore_schema(before);
        // The next transaction begins with what was committed.
        self.is_tier_touched.set(false);
        self.is_tier_in_doubt.set(false);
    }

    /// Whether a transaction is open. SQLite ends one by itself on `OR ROLLBACK`, `RAISE(ROLLBACK)` and some disk errors.
    pub(crate) fn is_open(&self) -> bool {
        !self.connection.inner.is_autocommit()
    }

    /// Puts the schema back, after a rollback to where it was in force.
    pub(crate) fn restore_schema(&self, schema: Arc<Schema>) {
        if self.is_tier_touched.get() {
            self.shadow.doubt();
            self.is_tier_in_doubt.set(true);
        }
        if schema.version != self.schema.borrow().version {
            self.set_captured(&schema);
            *self.schema.borrow_mut() = schema;
        }
    }

    /// Captures the changes of the schema's tables; not of one that a migration has put away, whose name may be another table's by now.
    pub(crate) fn set_captured(&self, schema: &Schema) {
        self.capture.set_schema(schema);
        self.overlay.borrow().away.iter().for_each(|table| self.capture.forget(&table.name));
    }

    /// The tables that the open migration has between two shapes.
    pub(crate) fn overlay(&self) -> Ref<'_, catalog::Overlay> {
        self.overlay.borrow()
    }

    pub(crate) fn change_overlay(&self, change: impl FnOnce(&mut catalog::Overlay)) {
        change(&mut self.overlay.borrow_mut());
    }

    /// The open transaction may last.
    pub(crate) fn lift_deadline(&self) {
        self.deadline.stop();
    }

    /// Nothing is written any more: the connection is not what it must be.
    pub(crate) fn poison(&self) {
        self.disk().poison();
    }

    /// Runs a user's statement that changes the shape of tables which the schema does not follow now. `is_legacy`: a rename changes the table
    /// alone, and no statement that names it.
    pub(crate) fn run_unrecorded(&self, text: &str, is_legacy: bool) -> Result<()> {
        authorizer::refuse_temporary(text).and_then(|()| eviction::refuse_quiet(text))?;
        let set =
            |on| self.connection.inner.set_db_config(DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, on).map_err(|e| from_sqlite(&e, ""));
        set(is_legacy)?;
        let run = || {
            let mut statement = self.connection.inner.prepare(text).map_err(|e| self.authorizer.explain(from_sqlite(&e, text)))?;
            step(&mut statement, text, &[] as &[Value], &mut |_| Ok(()), || Ok(true)).map(|_| ())
        };
        let result = run();
        self.authorizer.take_saw_ddl();
        self.authorizer.take_dropped();
        set(false).and(result)
    }

    /// Where SQLite finds the statement wrong: a byte of it.
    pub(crate) fn offset_of_error(&self, text: &str) -> Option<usize> {
        let error = self.connection.inner.prepare(text).err();
        self.authorizer.take_saw_ddl();
        self.authorizer.take_dropped();
        match error? {
            rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(offset).ok().filter(|at| text.is_char_boundary(*at)),
            _ => None,
        }
    }

    /// Runs one user statement in the open transaction and gives each row to `each`; gives columns and changes.
    pub(crate) fn run(&self, text: &str, params: &[Value], each: Each<'_>) -> Result<Outcome> {
        let text = sql::statement(text)?;
        self.settle_tier()?;
        if self.shadow.is_empty() {
            return self.run_natively(text, params, each);
        }
        eviction::refuse_quiet(text)?;
        let plan = self.shadow.plan(text);
        self.make_way(&plan, params)?;
        let result = self.run_natively(plan.text.as_deref().unwrap_or(text), params, each);
        // A trigger that failed half way has not done so itself.
        self.capture.set_suspended(false);
        if plan.is_bare {
            self.internally(|c| self.shadow.unhide(c))?;
        }
        result.map_err(|e| self.shadow.explain(e))
    }

    /// Whether nothing is cold, so that a statement means the hot tables and can be run as it is.
    pub(crate) fn is_hot(&self) -> bool {
        self.shadow.is_empty() && !self.is_tier_in_doubt.get()
    }

    /// Prepares a statement that is to be held by `prepare`; says whether it changes the shape, and must not be.
    pub(crate) fn prepare_unless_ddl<'a, T>(&'a self, prepare: impl FnOnce(&'a rusqlite::Connection) -> T) -> (T, bool) {
        self.authorizer.take_saw_ddl();
        let prepared = prepare(&self.connection.inner);
        let is_ddl = self.saw_ddl();
        if is_ddl {
            self.authorizer.take_dropped();
        }
        (prepared, is_ddl)
    }

    /// Whether a statement that was prepared since this was last asked changes the shape.
    pub(crate) fn saw_ddl(&self) -> bool {
        self.authorizer.take_saw_ddl()
    }

    /// Runs one statement as SQLite understands it, on the hot tables and what shadows them.
    fn run_natively(&self, text: &str, params: &[Value], each: Each<'_>) -> Result<Outcome> {
        let begun = Instant::now();
        self.authorizer.take_saw_ddl();
        let prepared = self.connection.inner.prepare_cached(text).map_err(|e| self.authorizer.explain(from_sqlite(&e, text)));
        let is_ddl = self.authorizer.take_saw_ddl();
        let dropped = if is_ddl { self.authorizer.take_dropped() } else { None };
        let mut statement = prepared?;
        if is_ddl && let Err(refused) = authorizer::refuse_temporary(text).and_then(|()| eviction::refuse_quiet(text)) {
            // Not kept: run again, it would not be seen as what it is.
            statement.discard();
            return Err(refused);
        }
        if is_ddl {
            let result = self.run_ddl(statement, dropped.as_deref(), text, params, each);
            // Virtual tables drop tables of their own as they go.
            self.authorizer.take_dropped();
            return result;
        }
        let changes_before = self.connection.inner.total_changes();
        let mark = self.capture.mark();
        let stepped = step(&mut statement, text, params, each, || Ok(true));
        if let Err(error) = stepped {
            drop(statement);
            self.drop_phantom(mark)?;
            return Err(error);
        }
        if self.authorizer.take_saw_ddl() {
            self.record_late_ddl(text)?;
        }
        let columns = column_names(&statement);
        let rows_scanned = rows_scanned(&statement, text);
        let rows_written = if statement.readonly() { 0 } else { self.connection.inner.total_changes().wrapping_sub(changes_before) };
        let wrote = rows_written != 0;
        Ok(Outcome {
            rows_scanned,
            rows_written,
            columns,
            rows: Vec::new(),
            changes: if wrote { self.connection.inner.changes() } else { 0 },
            last_insert_rowid: self.connection.inner.last_insert_rowid(),
            elapsed: begun.elapsed(),
        })
    }

    /// The schema as the open transaction has made it.
    pub(crate) fn set_schema(&self, schema: Arc<Schema>) {
        *self.schema.borrow_mut() = schema;
    }
}

/// Rolls back unless it is taken: also when a panic unwinds.
struct Rollback<'a>(Option<&'a Writer>);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.0.take() {
            writer.rollback();
        }
    }
}
