//! The one connection that writes: transactions with capture, and the schema as they change it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;

use relstore_model::{Clock, Error, ErrorKind, HybridClock, Lsn, Result, Row, Schema, Table, Value};

use crate::authorizer::Authorizer;
use crate::capture::{Capture, ENLIST, LogHead};
use crate::eviction::{self, Shadow, Tier};
use crate::reader::{Each, step};
use crate::retention::Retention;
use crate::settings::{Durability, Settings};
use crate::sqlite::{Connection, cell, from_sqlite};
use crate::{catalog, log, sql};

/// What a statement did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The names of the columns that it gave, if it gives rows.
    pub columns: Vec<String>,
    /// The rows that it gave (`RETURNING`, or a query).
    pub rows: Vec<Row>,
    /// How many rows it inserted, updated or deleted; rows that cascades and triggers changed are not counted.
    pub changes: u64,
    /// The rowid of the last row it inserted.
    pub last_insert_rowid: i64,
}

/// What a commit was.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// The position of its last change; the one before it, if it changed nothing.
    pub(crate) lsn: Lsn,
    /// The schema, if it changed.
    pub(crate) schema: Option<Arc<Schema>>,
}

/// The writing connection. Held by one caller at a time.
pub(crate) struct Writer {
    // Dropped in this order: the connection is closed before the capture's state, which its callbacks use, is freed.
    pub(crate) connection: Connection,
    capture: Capture,
    authorizer: Arc<Authorizer>,
    clock: Arc<dyn Clock>,
    hybrid: HybridClock,
    last_lsn: Cell<Lsn>,
    retention: Retention,
    /// The schema as the open transaction sees it.
    schema: RefCell<Arc<Schema>>,
    /// The schema when the open transaction began.
    schema_before: RefCell<Arc<Schema>>,
    is_poisoned: Cell<bool>,
    /// The cold tier, as the open transaction sees it.
    shadow: Shadow,
    /// Whether the open transaction has changed what is cold, or the temp objects that show it.
    is_tier_touched: Cell<bool>,
    /// Whether a part of it was rolled back since, so that the shadow must be read from the file again.
    is_tier_in_doubt: Cell<bool>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.capture.remove(&self.connection.inner);
    }
}

impl Writer {
    /// Opens the hot file for writing and makes what is missing in it. The caller holds the store's lock.
    pub(crate) fn open(path: &Path, settings: &Settings, clock: Arc<dyn Clock>, tier: Arc<Tier>) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        let synchronous = match settings.durability {
            Durability::Normal => "NORMAL",
            Durability::Full => "FULL",
        };
        let pragmas = format!("PRAGMA synchronous={synchronous}; PRAGMA cache_size=-{}; PRAGMA temp_store=MEMORY", settings.cache_kib);
        connection.execute_batch(&pragmas)?;
        connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT", catalog::ENGINE_TABLES))
            .map_err(|e| e.with("path", path.display()))?;
        connection.inner.set_prepared_statement_cache_capacity(256);
        let schema = Arc::new(catalog::newest(&connection)?);
        let range = log::range(&connection)?;
        let capture = Capture::install(&connection.inner)?;
        capture.set_schema(&schema);
        let authorizer = Authorizer::install(&mut connection.inner).map_err(|e| from_sqlite(&e, ""))?;
        let shadow = Shadow::install(&connection, tier, Some(capture.suspender()))?;
        let writer = Self {
            connection,
            capture,
            authorizer,
            clock,
            hybrid: HybridClock::starting_at(range.timestamp),
            last_lsn: Cell::new(range.last),
            retention: Retention::new(settings, range.extent),
            schema: RefCell::new(Arc::clone(&schema)),
            schema_before: RefCell::new(schema),
            is_poisoned: Cell::new(false),
            shadow,
            is_tier_touched: Cell::new(false),
            is_tier_in_doubt: Cell::new(false),
        };
        writer.record_foreign_ddl()?;
        writer.shadow.tier().set(writer.internally(|c| eviction::load(c, &writer.schema()))?);
        Ok(writer)
    }

    /// A change of shape that bypassed the engine is noticed at open and recorded as what it is now.
    fn record_foreign_ddl(&self) -> Result<()> {
        if catalog::evolved(&self.connection, &self.schema())?.is_none() {
            return Ok(());
        }
        self.begin()?;
        match self.record_ddl("/* changed outside of the store */") {
            Ok(()) => self.commit().map(|_| ()),
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

    /// Begins a write transaction and enlists the capture in it.
    pub(crate) fn begin(&self) -> Result<()> {
        if self.is_poisoned.get() {
            return Err(Error::new(ErrorKind::Closed, "the store is closed: an earlier write to the disk failed")
                .with_hint("open the store again: what was acknowledged is there"));
        }
        let cold = self.shadow.tier().cold();
        if !self.shadow.shows(&cold) {
            self.internally(|c| self.shadow.show(c, &cold))?;
        }
        self.internally(|c| c.execute("/*rs*/ BEGIN IMMEDIATE", &[]))?;
        *self.schema_before.borrow_mut() = self.schema();
        // A snapshot whose body panicked must not name the rows of the next transaction.
        self.capture.set_created_as_read(false);
        self.internally(|c| c.execute(ENLIST, &[])).map(|_| ()).inspect_err(|_| self.rollback())
    }

    /// Commits. On any failure the transaction is rolled back: the state before or after, never between.
    pub(crate) fn commit(&self) -> Result<Committed> {
        let packed_bytes = self.capture.packed_bytes();
        let room = self.settle_tier().and_then(|()| self.internally(|c| self.retention.make_room(c, packed_bytes)));
        if let Err(error) = room {
            self.rollback();
            return Err(error);
        }
        let lsn_before = self.last_lsn.get();
        let count = self.capture.count();
        self.capture.set_head(LogHead {
            lsn_before: lsn_before.as_i64(),
            offset: self.retention.end() as i64,
            timestamp: self.hybrid.observe(self.clock.now()),
            schema_version: self.schema_before.borrow().version,
        });
        let moving = self.is_tier_touched.get().then(|| self.shadow.tier().moving());
        if let Err(error) = self.internally(|c| c.execute("/*rs*/ COMMIT", &[])) {
            let refused = self.capture.take_failure();
            self.rollback();
            // After a failed fsync nobody can know what is on the disk: a page that failed may be dropped and never retried.
            if refused.is_none() && error.kind() == ErrorKind::Unavailable && error.message().contains("disk I/O error") {
                self.is_poisoned.set(true);
            }
            return Err(refused.unwrap_or(error));
        }
        if let Some(moving) = moving {
            moving.done(self.shadow.cold());
            self.is_tier_touched.set(false);
        }
        let lsn = lsn_before.plus(count);
        self.last_lsn.set(lsn);
        self.retention.committed(packed_bytes);
        if self.retention.is_due() {
            // The commit is done: what could not be trimmed now is tried again after another.
            let _ = self.internally(|c| self.retention.tidy(c));
        }
        let schema = self.schema();
        let changed = schema.version != self.schema_before.borrow().version;
        Ok(Committed { lsn, schema: changed.then_some(schema) })
    }

    /// Rolls back what is open, if anything is.
    pub(crate) fn rollback(&self) {
        if !self.connection.inner.is_autocommit() {
            // It can fail only where SQLite has rolled back by itself.
            let _ = self.internally(|c| c.execute("/*rs*/ ROLLBACK", &[]));
        }
        self.capture.clear();
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
            self.capture.set_schema(&schema);
            *self.schema.borrow_mut() = schema;
        }
    }

    /// Runs one user statement in the open transaction and gives each row to `each`; gives columns and changes.
    pub(crate) fn run(&self, text: &str, params: &[Value], each: Each<'_>) -> Result<Outcome> {
        let text = sql::trimmed(text);
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

    /// Runs one statement as SQLite understands it, on the hot tables and what shadows them.
    fn run_natively(&self, text: &str, params: &[Value], each: Each<'_>) -> Result<Outcome> {
        self.authorizer.take_saw_ddl();
        let mut statement = self.connection.inner.prepare_cached(text).map_err(|e| from_sqlite(&e, text))?;
        let is_ddl = self.authorizer.take_saw_ddl();
        let changes_before = self.connection.inner.total_changes();
        let columns = step(&mut statement, text, params, each, || true)?.unwrap_or_default();
        let is_read = statement.readonly();
        if is_ddl {
            // Not kept: a prepared statement that is run again is not seen by the authorizer again.
            statement.discard();
            eviction::refuse_quiet(text)?;
            self.record_ddl(text)?;
        }
        let wrote = !is_read && self.connection.inner.total_changes() != changes_before;
        Ok(Outcome {
            columns,
            rows: Vec::new(),
            changes: if wrote && !is_ddl { self.connection.inner.changes() } else { 0 },
            last_insert_rowid: self.connection.inner.last_insert_rowid(),
        })
    }

    /// Runs one user statement once per row of parameters; gives how many rows it changed in all.
    pub(crate) fn run_many(&self, text: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        let mut changes = 0;
        for params in rows {
            changes += self.run(text, &params, &mut |_| Ok(()))?.changes;
        }
        Ok(changes)
    }

    /// Puts the schema as SQLite has it now into the open transaction, if it differs from the one in force.
    fn record_ddl(&self, text: &str) -> Result<()> {
        let known = self.schema();
        let Some(schema) = self.internally(|c| catalog::evolved(c, &known))? else { return Ok(()) };
        self.internally(|c| catalog::put(c, &schema))?;
        self.capture.put_schema(&schema, text);
        self.capture.set_schema(&schema);
        let schema = Arc::new(schema);
        *self.schema.borrow_mut() = Arc::clone(&schema);
        for table in schema.tables.iter().filter(|t| t.id.0 > known.last_table_id) {
            self.record_rows_of(table)?;
        }
        Ok(())
    }

    /// `CREATE TABLE … AS` fills its table without telling the hook.
    fn record_rows_of(&self, table: &Table) -> Result<()> {
        use relstore_model::identifier::quote;
        let rowid_columns = usize::from(table.is_keyed_by_rowid());
        let rowid = table.is_keyed_by_rowid().then(|| "rowid".to_owned());
        let columns: Vec<String> = rowid.into_iter().chain(table.stored_columns().map(|c| quote(&c.name))).collect();
        let select = format!("/*rs*/ SELECT {} FROM main.{}", columns.join(", "), quote(&table.name));
        self.internally(|c| {
            let read = || {
                let mut statement = c.inner.prepare(&select)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let rowid = if rowid_columns == 1 { Some(row.get(0)?) } else { None };
                    let cells = (rowid_columns..columns.len()).map(|i| row.get_ref(i).map(cell));
                    self.capture.put_created(table.id, rowid, &cells.collect::<rusqlite::Result<Vec<_>>>()?);
                }
                Ok(())
            };
            read().map_err(|e| from_sqlite(&e, &select))
        })
    }
}
