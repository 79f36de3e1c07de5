//! The hot database of one store: its writer, its readers, its log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use relstore_model::{Clock, Commit, Error, ErrorKind, Lsn, Result, Schema, TxId, Value, ValueRef, identifier};

use crate::checkpoint::Checkpoints;
use crate::cursor::Claimed;
use crate::durability::Disk;
use crate::eviction::Tier;
use crate::group_commit::Queue;
use crate::listeners::{Listeners, Listening};
use crate::lock::WriterLock;
use crate::log::LogRange;
use crate::reader::{Reader, Rows, collect};
use crate::settings::{Durability, Settings};
use crate::sql::surely_writes;
use crate::sqlite::{Connection, Parameters};
use crate::transaction::Transaction;
use crate::writer::{Committed, Outcome, Writer};
use crate::writer_place::{WriterGuard, WriterPlace};
use crate::{catalog, log};

/// One store's hot database. Share it by reference or in an `Arc`: writers wait for each other, readers for nobody.
pub struct Database {
    path: PathBuf,
    settings: Settings,
    // Closed before the writer: the last connection to close copies the WAL into the file, and one that cannot write cannot.
    #[expect(clippy::vec_box, reason = "one is taken out and put back at every query: a pointer, not the whole reader")]
    readers: Mutex<Vec<Box<Reader>>>,
    checkpoints: Option<EndedCheckpoints>,
    writer: Option<Arc<WriterPlace>>,
    tier: Arc<Tier>,
    schema: RwLock<Arc<Schema>>,
    high_water: AtomicU64,
    listeners: Listeners,
    claimed: Claimed,
    /// Statements that wait for the writer.
    queue: Queue,
    disk: Option<Arc<Disk>>,
    /// One at a time makes commits known, so that listeners hear of rising positions.
    publishing: Mutex<()>,
    _lock: Option<WriterLock>,
}

/// A store's share of the thread that takes its WAL in, given back when this is dropped: before the writer's connection is closed.
struct EndedCheckpoints(Arc<Checkpoints>);

impl Drop for EndedCheckpoints {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Database {
    /// Opens the store whose hot file is `path`, and makes it if there is none; its folder must exist.
    ///
    /// # Errors
    /// `Unavailable` if another handle has it open for writing, or the file cannot be opened or written; `Corrupt` if it is no store.
    pub fn open(path: &Path, settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let (lock, found) = WriterLock::take(path)?;
        let (tier, checkpoints) = (Arc::new(Tier::default()), Arc::new(Checkpoints::new(Arc::new(Disk::new(path)))));
        let writer = Writer::open(path, &settings, clock, Arc::clone(&tier), &checkpoints, (&found, Arc::clone(&lock.leaving)))?;
        let (schema, lsn) = (writer.schema(), writer.last_lsn());
        let mut this = Self::assemble(path, settings, Some((writer, lock)), tier, schema, lsn);
        if let Some(place) = &this.writer {
            checkpoints.opened(path, place);
        }
        this.checkpoints = Some(EndedCheckpoints(checkpoints));
        Ok(this)
    }

    /// Opens a store that exists for reading alone; another process may be writing it meanwhile.
    ///
    /// # Errors
    /// `NotFound` if there is no file; `Unavailable` if it cannot be read; `Corrupt` if it is no store.
    pub fn open_read_only(path: &Path, settings: Settings) -> Result<Self> {
        if !path.exists() {
            return Err(Error::not_found("no such store").with("path", path.display()));
        }
        let connection = Connection::open_read_only(path)?;
        let schema = Arc::new(catalog::newest(&connection).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::corrupt("not a store: its log is missing").with("path", path.display()).with_source(e),
            _ => e,
        })?);
        let range = log::range(&connection)?;
        Ok(Self::assemble(path, settings, None, Arc::default(), schema, range.last))
    }

    fn assemble(
        path: &Path,
        settings: Settings,
        writer: Option<(Writer, WriterLock)>,
        tier: Arc<Tier>,
        schema: Arc<Schema>,
        lsn: Lsn,
    ) -> Self {
        let (writer, lock) = writer.unzip();
        let disk = writer.as_ref().map(|w| Arc::clone(w.disk()));
        Self {
            path: path.to_owned(),
            settings,
            checkpoints: None,
            writer: writer.map(|writer| Arc::new(WriterPlace::new(writer))),
            readers: Mutex::new(Vec::new()),
            tier,
            schema: RwLock::new(schema),
            high_water: AtomicU64::new(lsn.get()),
            listeners: Listeners::default(),
            claimed: Claimed::default(),
            queue: Queue::default(),
            disk,
            publishing: Mutex::default(),
            _lock: lock,
        }
    }

    /// Where the hot file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was opened.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it was opened for reading alone, so that commits are another process's and nobody is told of them.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.writer.is_none()
    }

    pub(crate) fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// The schema in force.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The position of the last change committed through this handle, or found when it was opened.
    #[must_use]
    pub fn high_water(&self) -> Lsn {
        Lsn::new(self.high_water.load(Ordering::Acquire))
    }

    /// Calls `listener` after commits that changed something, on a committing thread, with the position up to which all is committed, and as
    /// safe as the store promises. Positions rise from call to call; one call may stand for several commits. It must be quick and must not
    /// write to this database: the next writer waits for it. It is called until what this gives is dropped.
    pub fn on_commit(&self, listener: impl Fn(Lsn) + Send + Sync + 'static) -> Listening {
        self.listeners.add(listener)
    }

    /// Runs a query on a snapshot and collects its rows.
    ///
    /// # Errors
    /// `Invalid` if the SQL is wrong or writes; `NotFound` for a table or column; `Unavailable`, `Corrupt` by the disk.
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows> {
        collect(|each| self.query_each(sql, params, each))
    }

    /// Runs a query on a snapshot and gives each row to `each`; gives the names of the columns.
    ///
    /// # Errors
    /// As [`Database::query`], and whatever `each` gives.
    pub fn query_each(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Vec<String>> {
        match self.run_reading(sql, params, true, each)? {
            Some((columns, _)) => Ok(columns),
            None => Err(writes(sql)),
        }
    }

    /// Runs one statement: a query on a snapshot, anything else in a transaction of its own. Where many callers write at the same time, their
    /// statements share a commit, each with its own outcome.
    ///
    /// # Errors
    /// As [`Database::query`] and [`Database::transaction`].
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        if surely_writes(sql) {
            return self.execute_writing(sql, params);
        }
        let mut rows = Vec::new();
        let columns = self.run_reading(sql, params, true, &mut |cells| {
            rows.push(cells.iter().map(|c| c.to_value()).collect());
            Ok(())
        });
        match columns {
            Ok(Some((columns, rows_scanned))) => Ok(Outcome { columns, rows, rows_scanned, ..Outcome::default() }),
            // Temporary tables and what rests on them are known to the writer alone: it judges.
            Err(e) if e.kind() != ErrorKind::NotFound || self.writer.is_none() => Err(e),
            Ok(None) | Err(_) => self.execute_writing(sql, params),
        }
    }

    /// As [`Database::execute`], for a caller that takes the rows as they come: each is given to `each`, in order. The names of the columns are
    /// not in the outcome. An error of `each` undoes what the statement wrote.
    ///
    /// # Errors
    /// As [`Database::execute`], and whatever `each` gives.
    pub fn execute_each(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<Outcome> {
        if self.run_reading(sql, params, false, each)?.is_some() {
            return Ok(Outcome::default());
        }
        self.write(|writer| Transaction::new(writer).execute_each(sql, params, each))
    }

    /// As [`Database::execute_each`], with borrowed parameters, for statements that are run often. `id` is the statement's number: the same
    /// number always comes with the same text. A query is kept prepared under it on each connection, so that a call looks nothing up by its text.
    ///
    /// # Errors
    /// As [`Database::execute_each`].
    pub fn execute_held(
        &self,
        (id, sql): (u64, &str),
        params: &[ValueRef<'_>],
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Outcome> {
        if surely_writes(sql) {
            return self.write(|writer| Transaction::new(writer).execute_held((id, sql), params, each));
        }
        let held = self.with_reader_mut(|reader| reader.try_held((id, sql), params, each, &|| self.settle()));
        if let Some(rows_scanned) = held.map_err(|e| explained(e, &self.schema()))? {
            return Ok(Outcome { rows_scanned, ..Outcome::default() });
        }
        match self.run_reading(sql, params, false, each) {
            Ok(Some((_, rows_scanned))) => Ok(Outcome { rows_scanned, ..Outcome::default() }),
            Err(e) if e.kind() != ErrorKind::NotFound || self.writer.is_none() => Err(e),
            Ok(None) | Err(_) => self.write(|writer| Transaction::new(writer).execute_held((id, sql), params, each)),
        }
    }

    /// Runs the statement if it only reads, and gives the names of its columns if they are asked for, and how many rows it scanned; `None` if it
    /// writes.
    fn run_reading<P: Parameters + ?Sized>(
        &self,
        sql: &str,
        params: &P,
        with_columns: bool,
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
    ) -> Result<Option<(Vec<String>, u64)>> {
        let read = |reader: &Reader| {
            let columns = reader.try_each(sql, params, with_columns, each, &|| self.settle())?;
            Ok(columns.map(|columns| (columns, reader.rows_scanned())))
        };
        self.reload_for(sql).and_then(|()| self.with_reader(read)).map_err(|e| explained(e, &self.schema()))
    }

    /// Whether the statement writes nothing.
    ///
    /// # Errors
    /// As [`Database::query`], by the statement's text.
    pub fn is_read(&self, sql: &str) -> Result<bool> {
        self.with_reader(|reader| reader.is_read(sql)).map_err(|e| explained(e, &self.schema()))
    }

    /// Runs `body` in a write transaction. It commits when `body` gives `Ok`, and leaves no trace otherwise, or if it panics.
    ///
    /// # Errors
    /// Whatever `body` gives; `Constraint` if a deferred foreign key fails at the commit; `Unavailable` if the disk is full or the
    /// handle reads only; `Closed` after a failed fsync.
    pub fn transaction<T, E: From<Error>>(&self, body: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.write(|writer| body(&Transaction::new(writer)))
    }

    /// As [`Database::transaction`], if it can begin at once ([`Database::try_begin`]): for a thread that must not wait. `None` if it cannot, and
    /// nothing was done.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub fn try_transaction<T, E: From<Error>>(&self, body: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<Option<T>, E> {
        self.writer_place()?;
        let Some(writer) = self.try_lock_writer().filter(|writer| !writer.checkpoints().is_far_ahead()) else { return Ok(None) };
        self.write_with(writer, None, |writer| body(&Transaction::new(writer))).map(Some)
    }

    /// Runs `body` in a write transaction, on the writer itself.
    pub(crate) fn write<T, E: From<Error>>(&self, body: impl FnOnce(&Writer) -> Result<T, E>) -> Result<T, E> {
        self.write_as(None, body)
    }

    /// As [`Database::write`]; the transaction has the id that the caller gave it.
    pub(crate) fn write_as<T, E: From<Error>>(&self, txid: Option<&TxId>, body: impl FnOnce(&Writer) -> Result<T, E>) -> Result<T, E> {
        self.write_with(self.lock_writer()?, txid, body)
    }

    fn write_with<T, E: From<Error>>(
        &self,
        writer: WriterGuard<'_>,
        txid: Option<&TxId>,
        body: impl FnOnce(&Writer) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, committed) = writer.in_transaction(txid, body)?;
        self.announce(&committed);
        drop(writer);
        self.acknowledge(&committed)?;
        Ok(value)
    }

    /// The first half of making a commit known, inside the writer's lock: its schema is in force for whoever comes next. Where nobody waits for
    /// the disk it is the second half too, so that listeners hear of commits in order.
    pub(crate) fn announce(&self, committed: &Committed) {
        if let Some(schema) = &committed.schema {
            *self.schema.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(schema);
        }
        if self.settings.durability == Durability::Normal {
            self.publish(committed.lsn);
        }
    }

    /// The second half, outside of the lock: waits until the commit is as safe as the store promises, and tells the listeners.
    pub(crate) fn acknowledge(&self, committed: &Committed) -> Result<()> {
        if self.settings.durability == Durability::Normal {
            return Ok(());
        }
        self.make_safe(committed.number)?;
        self.publish(committed.lsn);
        Ok(())
    }

    fn publish(&self, lsn: Lsn) {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.high_water.fetch_max(lsn.get(), Ordering::AcqRel);
        if before < lsn.get() {
            self.listeners.tell(lsn);
        }
    }

    fn make_safe(&self, number: u64) -> Result<()> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.make_safe(number))
    }

    /// Waits until everything that was committed so far through this handle would survive a power cut, whatever the store's durability. What
    /// leaves the machine must be safe on it first.
    ///
    /// # Errors
    /// `Closed` if the disk failed.
    pub fn sync(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        disk.make_safe(disk.written())
    }

    /// How many commits were made through this handle.
    pub(crate) fn written(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.written())
    }

    /// What was read may rest on commits that are not safe yet: in a store that promises that they are, nobody is to see them earlier.
    pub(crate) fn settle(&self) -> Result<()> {
        if self.settings.durability == Durability::Normal { Ok(()) } else { self.sync() }
    }

    /// What the log holds now, also by other processes' commits.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn log_range(&self) -> Result<LogRange> {
        self.with_reader(|reader| log::range(&reader.connection))
    }

    /// The commits after `after`, in order, until they hold `bytes_max` bytes of changes; one at least, if there is one.
    ///
    /// # Errors
    /// `NotFound` if the log does not reach back that far any more; `Corrupt` if it has a gap.
    pub fn commits_after(&self, after: Lsn, bytes_max: usize) -> Result<Vec<Commit>> {
        self.with_reader(|reader| {
            let range = log::range(&reader.connection)?;
            if after.next() < range.first {
                return Err(Error::not_found("the log does not reach back that far")
                    .with("after_lsn", after)
                    .with("first_lsn", range.first)
                    .with_hint(format!("start after LSN {} or read the history", range.first.get() - 1)));
            }
            let commits = log::commits_after(&reader.connection, after, bytes_max)?;
            self.settle()?;
            Ok(commits)
        })
    }

    /// The schema of this version, current or past.
    ///
    /// # Errors
    /// `Corrupt` if the store has no such version.
    pub fn schema_at(&self, version: u32) -> Result<Arc<Schema>> {
        let current = self.schema();
        if current.version == version {
            return Ok(current);
        }
        self.with_reader(|reader| catalog::at_version(&reader.connection, version)).map(Arc::new)
    }

    /// Whether this handle may write.
    pub(crate) fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    pub(crate) fn writer_place(&self) -> Result<&WriterPlace> {
        self.writer.as_deref().ok_or_else(|| {
            Error::unavailable("the store is open for reading alone").with("path", self.path.display()).with_hint("open it for writing")
        })
    }

    pub(crate) fn lock_writer(&self) -> Result<WriterGuard<'_>> {
        self.writer_place().map(WriterPlace::lock)
    }

    /// The disk under the WAL, if this handle writes.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_deref()
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The writer, if this handle writes and nobody has it just now.
    pub(crate) fn try_lock_writer(&self) -> Option<WriterGuard<'_>> {
        self.writer.as_ref()?.try_lock()
    }

    /// What is cold, and where it is read from.
    pub(crate) fn tier(&self) -> &Tier {
        &self.tier
    }

    /// Brings back the tables that a query asks for what only a whole table answers. A handle that reads only leaves them, and the query
    /// then says so.
    pub(crate) fn reload_for(&self, sql: &str) -> Result<()> {
        if self.writer.is_none() || self.tier.is_empty() {
            return Ok(());
        }
        let tables = self.with_reader(|reader| reader.needs_reload(sql))?;
        if tables.is_empty() { Ok(()) } else { self.write(|writer| writer.reload_tables(&tables)) }
    }

    /// Runs a short look of the engine's own at the file, in one read transaction: on a reader that is idle, or else on the writer, if it is
    /// free, since to open a connection costs more than such a look. Tables are to be named with `main`.
    pub(crate) fn look<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let has_reader = !self.readers.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if let Some(writer) = self.try_lock_writer().filter(|writer| !has_reader && writer.is_at_rest()) {
            return writer.look(run);
        }
        self.with_reader(|reader| reader.in_snapshot(run))
    }

    pub(crate) fn with_reader<T>(&self, run: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        self.with_reader_mut(|reader| run(reader))
    }

    /// As `with_reader`, for what sets something of the connection; it sets it back.
    pub(crate) fn with_reader_mut<T>(&self, run: impl FnOnce(&mut Reader) -> Result<T>) -> Result<T> {
        let mut reader = self.take_reader()?;
        let result = run(&mut reader);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < self.settings.readers_idle_max {
            readers.push(reader);
        }
        result
    }

    /// A reader that is not put back.
    pub(crate) fn take_reader(&self) -> Result<Box<Reader>> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let open = || Reader::open(&self.path, &self.settings, Arc::clone(&self.tier), self.writer.is_none()).map(Box::new);
        idle.map_or_else(open, Ok)
    }
}

/// The error of a query that is none.
pub(crate) fn writes(sql: &str) -> Error {
    Error::invalid("the statement writes").with("sql", sql).with_hint("run it with execute, or in a transaction")
}

/// Adds the nearest name to an error that names a table or column which does not exist.
pub(crate) fn explained(error: Error, schema: &Schema) -> Error {
    if error.hint().is_some() {
        return error;
    }
    if let Some(name) = error.message().strip_prefix("no such table: ") {
        let name = name.rsplit('.').next().unwrap_or(name).to_owned();
        let hint = schema.table(&name).err().and_then(|e| e.hint().map(str::to_owned));
        return match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
    }
    let column = error.message().strip_prefix("no such column: ").or_else(|| error.message().split(" has no column named ").nth(1));
    if let Some(name) = column {
        let name = name.rsplit('.').next().unwrap_or(name).to_owned();
        let columns = schema.tables.iter().flat_map(|t| t.columns.iter().map(|c| c.name.as_str()));
        if let Some(near) = identifier::nearest(&name, columns) {
            return error.with_hint(format!("did you mean {near}?"));
        }
    }
    error
}
