//! Plain SQLite: a connection that speaks [`Value`] and [`relstore_model::Error`].
//!
//! The engine's own database is built on it, and so is the catalog of history tables, which is a SQLite file that other programs read.
//! No capture, no log, no policy: only the translation of values and errors. This module and its children alone name rusqlite.

mod error;
pub(crate) mod frames;
pub(crate) mod held;
pub(crate) mod raw;

use std::path::Path;
use std::time::Duration;

use relstore_model::{Result, Row, Value, ValueRef};
use rusqlite::types::{ToSqlOutput, ValueRef as SqliteRef};

pub(crate) use error::from_sqlite;

/// A connection to one SQLite file. It may move between threads and be used by one at a time.
pub struct Connection {
    pub(crate) inner: rusqlite::Connection,
}

/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Connection {
    /// Opens `path` for reading and writing, and makes the file if there is none. Foreign keys are enforced, the journal is a WAL.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be opened; `Corrupt` if it is no SQLite file.
    pub fn open(path: &Path) -> Result<Self> {
        frames::register();
        let inner = rusqlite::Connection::open_with_flags_and_vfs(path, rusqlite::OpenFlags::default(), frames::VFS)
            .map_err(|e| from_sqlite(&e, "").with("path", path.display()))?;
        let this = Self { inner };
        this.inner.busy_timeout(BUSY_TIMEOUT).map_err(|e| from_sqlite(&e, ""))?;
        // Where the disk fails in it, SQLite says so only by the mode that it gives, which is then the old one.
        let mode = this.query("PRAGMA journal_mode=WAL", &[]).map_err(|e| e.with("path", path.display()))?;
        if mode != [[Value::from("wal")]] {
            return Err(relstore_model::Error::unavailable("the file cannot be given a write-ahead log")
                .with("path", path.display())
                .with_hint("check the disk, its free space and that the folder may be written"));
        }
        this.enforce_foreign_keys(true).map_err(|e| e.with("path", path.display()))?;
        Ok(this)
    }

    /// An empty database in memory, gone when it is closed. Foreign keys are enforced, and it takes and refuses the statements that a store
    /// takes and refuses.
    ///
    /// # Errors
    /// `Unavailable` if there is no memory.
    pub fn scratch() -> Result<Self> {
        let this = Self { inner: rusqlite::Connection::open_in_memory().map_err(|e| from_sqlite(&e, ""))? };
        this.harden()?;
        Ok(this)
    }

    /// Opens `path` for reading alone. Another process may be writing it meanwhile.
    ///
    /// # Errors
    /// `Unavailable` if the file is not there or cannot be opened; `Corrupt` if it is no SQLite file.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = rusqlite::Connection::open_with_flags(path, flags).map_err(|e| from_sqlite(&e, "").with("path", path.display()))?;
        inner.busy_timeout(BUSY_TIMEOUT).map_err(|e| from_sqlite(&e, ""))?;
        Ok(Self { inner })
    }

    /// Shuts the doors by which SQL could go around the engine: shadow tables and `sqlite_schema` cannot be written, functions and virtual
    /// tables that are not harmless cannot be called by a schema that somebody else wrote, and a name in double quotes is a name: one that
    /// is misspelt is an error, not a string.
    pub(crate) fn harden(&self) -> Result<()> {
        use rusqlite::config::DbConfig;
        let set = |what, on| self.inner.set_db_config(what, on).map(|_| ()).map_err(|e| from_sqlite(&e, ""));
        set(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        set(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        set(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        set(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)
    }

    /// Runs one statement with its parameters bound by position and gives how many rows it inserted, updated or deleted.
    ///
    /// # Errors
    /// By SQLite's result: `Constraint`, `Invalid`, `NotFound`, `Unavailable` (busy, full, read-only), `Corrupt`.
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        let run = || self.inner.prepare_cached(sql)?.execute(rusqlite::params_from_iter(params.iter().map(Bound)));
        run().map(|n| n as u64).map_err(|e| from_sqlite(&e, sql))
    }

    /// Runs one statement and gives its rows.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let run = || {
            let mut statement = self.inner.prepare_cached(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(Bound)))?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                // Asked of the row: where the schema changed, SQLite prepared the statement again, and `*` is other columns than before.
                let cells = (0..row.as_ref().column_count()).map(|i| row.get_ref(i).map(|v| cell(v).to_value()));
                out.push(cells.collect::<rusqlite::Result<Row>>()?);
            }
            Ok(out)
        };
        run().map_err(|e| from_sqlite(&e, sql))
    }

    /// What a `PRAGMA` says of `name` in `main`. Asked so it costs a fraction of what the same question costs as a table-valued function, which
    /// prepares this very statement inside.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub(crate) fn pragma(&self, pragma: &str, name: &str) -> Result<Vec<Row>> {
        let sql = format!("/*rs*/ PRAGMA main.{pragma}({})", relstore_model::identifier::quote(name));
        let read = || {
            let mut statement = self.inner.prepare(&sql)?;
            let mut rows = statement.query([])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                let cells = (0..row.as_ref().column_count()).map(|i| row.get_ref(i).map(|v| cell(v).to_value()));
                out.push(cells.collect::<rusqlite::Result<Row>>()?);
            }
            Ok(out)
        };
        read().map_err(|e| from_sqlite(&e, &sql))
    }

    /// Switches the enforcement of foreign keys; gives whether it is on now.
    ///
    /// # Errors
    /// As SQLite gives them.
    pub(crate) fn enforce_foreign_keys(&self, on: bool) -> Result<bool> {
        self.inner.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, on).map_err(|e| from_sqlite(&e, ""))
    }

    /// Runs several statements separated by semicolons, without parameters.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        self.inner.execute_batch(sql).map_err(|e| from_sqlite(&e, sql))
    }
}

/// A value on its way into a statement.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        BoundRef(self.0.as_ref()).to_sql_ref()
    }
}

/// A borrowed value on its way into a statement.
struct BoundRef<'a>(ValueRef<'a>);

impl<'a> BoundRef<'a> {
    fn to_sql_ref(&self) -> rusqlite::Result<ToSqlOutput<'a>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => SqliteRef::Null,
            ValueRef::Integer(i) => SqliteRef::Integer(i),
            ValueRef::Real(r) => SqliteRef::Real(r),
            ValueRef::Text(t) => SqliteRef::Text(t),
            ValueRef::Blob(b) => SqliteRef::Blob(b),
        }))
    }
}

impl rusqlite::ToSql for BoundRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql_ref()
    }
}

/// Parameters, owned or borrowed.
pub(crate) trait Parameters {
    /// Begins the statement with these parameters.
    fn query<'s>(&self, statement: &'s mut rusqlite::Statement<'_>) -> rusqlite::Result<rusqlite::Rows<'s>>;
}

impl Parameters for [Value] {
    fn query<'s>(&self, statement: &'s mut rusqlite::Statement<'_>) -> rusqlite::Result<rusqlite::Rows<'s>> {
        statement.query(rusqlite::params_from_iter(self.iter().map(Bound)))
    }
}

impl Parameters for [ValueRef<'_>] {
    fn query<'s>(&self, statement: &'s mut rusqlite::Statement<'_>) -> rusqlite::Result<rusqlite::Rows<'s>> {
        statement.query(rusqlite::params_from_iter(self.iter().map(|cell| BoundRef(*cell))))
    }
}

/// A cell that SQLite gave.
pub(crate) fn cell(value: SqliteRef<'_>) -> ValueRef<'_> {
    match value {
        SqliteRef::Null => ValueRef::Null,
        SqliteRef::Integer(i) => ValueRef::Integer(i),
        SqliteRef::Real(r) => ValueRef::Real(r),
        SqliteRef::Text(t) => ValueRef::Text(t),
        SqliteRef::Blob(b) => ValueRef::Blob(b),
    }
}
