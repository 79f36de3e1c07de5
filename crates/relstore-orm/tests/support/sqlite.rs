//! An executor that is SQLite in memory.

use std::cell::{Cell, RefCell};

use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};
use relstore_orm::{Executor, Held, TableDef};
use rusqlite::types::{ToSqlOutput, ValueRef as Raw};
use rusqlite::{CachedStatement, Connection, Statement, ToSql};

/// SQLite in memory, with foreign keys.
pub(crate) struct Sqlite {
    connection: Connection,
    /// The texts of the statements that ran, except those of [`Sqlite::text`].
    pub(crate) ran: RefCell<Vec<String>>,
    /// How many held statements ran.
    pub(crate) held_count: Cell<usize>,
}

/// A cell, bound.
struct Param<'a>(ValueRef<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => Raw::Null,
            ValueRef::Integer(i) => Raw::Integer(i),
            ValueRef::Real(r) => Raw::Real(r),
            ValueRef::Text(text) => Raw::Text(text),
            ValueRef::Blob(blob) => Raw::Blob(blob),
        }))
    }
}

fn cell(raw: Raw<'_>) -> ValueRef<'_> {
    match raw {
        Raw::Null => ValueRef::Null,
        Raw::Integer(i) => ValueRef::Integer(i),
        Raw::Real(r) => ValueRef::Real(r),
        Raw::Text(text) => ValueRef::Text(text),
        Raw::Blob(blob) => ValueRef::Blob(blob),
    }
}

fn failed(error: &rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => ErrorKind::Constraint,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, error.to_string())
}

impl Sqlite {
    /// An empty database.
    pub(crate) fn open() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        Self { connection, ran: RefCell::default(), held_count: Cell::default() }
    }

    /// A database with these tables and their indexes.
    pub(crate) fn with(tables: &[TableDef]) -> Self {
        let store = Self::open();
        for table in tables {
            store.batch(&table.create_sql());
            table.index_sql().iter().for_each(|sql| store.batch(sql));
        }
        store
    }

    /// Runs statements as they are.
    pub(crate) fn batch(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// The rows of hand-written SQL: cells joined by `|`, one string a row, NULL as `NULL`.
    pub(crate) fn text(&self, sql: &str) -> Vec<String> {
        let mut rows = Vec::new();
        let mut statement = self.connection.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        step(&mut statement, &[], &mut |cells| {
            let cells: Vec<String> = cells.iter().map(|cell| text_of(*cell)).collect();
            rows.push(cells.join("|"));
            Ok(())
        })
        .unwrap();
        rows
    }

    /// Runs `body` in a transaction that is undone if it fails.
    pub(crate) fn transaction<T>(&self, body: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.batch("SAVEPOINT s");
        let result = body(self);
        self.batch(if result.is_ok() { "RELEASE s" } else { "ROLLBACK TO s; RELEASE s" });
        result
    }

    fn prepared(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql).map_err(|error| failed(&error).with("sql", sql))
    }
}

fn text_of(cell: ValueRef<'_>) -> String {
    match cell.to_value() {
        Value::Null => "NULL".to_owned(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => format!("{r:?}"),
        Value::Text(text) => text,
        Value::Blob(blob) => format!("{blob:?}"),
    }
}

fn step(statement: &mut Statement<'_>, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
    let width = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(|cell| Param(*cell)))).map_err(|error| failed(&error))?;
    while let Some(row) = rows.next().map_err(|error| failed(&error))? {
        let mut cells = [ValueRef::Null; 64];
        for (at, slot) in cells[..width].iter_mut().enumerate() {
            *slot = cell(row.get_ref(at).map_err(|error| failed(&error))?);
        }
        each(&cells[..width])?;
    }
    Ok(())
}

fn refs(params: &[Value]) -> Vec<ValueRef<'_>> {
    params.iter().map(Value::as_ref).collect()
}

impl Executor for Sqlite {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.ran.borrow_mut().push(sql.to_owned());
        self.transaction(|_| step(&mut *self.prepared(sql)?, &refs(params), each))
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.ran.borrow_mut().push(sql.to_owned());
        step(&mut *self.prepared(sql)?, &refs(params), &mut |_| Ok(()))?;
        Ok(self.connection.changes())
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        self.transaction(|_| {
            let mut changed = 0;
            for params in rows {
                changed += self.execute(sql, &params)?;
            }
            Ok(changed)
        })
    }

    fn query_held(&self, statement: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.held_count.set(self.held_count.get() + 1);
        step(&mut *self.prepared(statement.sql())?, params, each)
    }

    fn execute_held(&self, statement: &Held, params: &[ValueRef<'_>]) -> Result<u64> {
        self.held_count.set(self.held_count.get() + 1);
        step(&mut *self.prepared(statement.sql())?, params, &mut |_| Ok(()))?;
        Ok(self.connection.changes())
    }
}
