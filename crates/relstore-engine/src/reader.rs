//! Reading: connections that see a snapshot and cannot write.

use std::path::Path;
use std::sync::Arc;

use relstore_model::{Error, Result, Row, Value, ValueRef};
use rusqlite::params_from_iter;

use crate::authorizer::Authorizer;
use crate::settings::Settings;
use crate::sql;
use crate::sqlite::{Bound, Connection, cell, from_sqlite};

/// The answer of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names of the columns, in order.
    pub columns: Vec<String>,
    /// The rows, in order; each has a cell for each column.
    pub rows: Vec<Row>,
}

/// A connection for reading.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    _authorizer: Arc<Authorizer>,
}

impl Reader {
    pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Self> {
        let mut connection = Connection::open_read_only(path)?;
        connection.execute_batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size=-{}", settings.cache_kib))?;
        let authorizer = Authorizer::install(&mut connection.inner).map_err(|e| from_sqlite(&e, ""))?;
        Ok(Self { connection, _authorizer: authorizer })
    }

    /// Whether the statement writes nothing.
    pub(crate) fn is_read(&self, sql: &str) -> Result<bool> {
        let sql = sql::trimmed(sql);
        let prepared = self.connection.inner.prepare_cached(sql).map_err(|e| from_sqlite(&e, sql))?;
        Ok(prepared.readonly())
    }

    /// Runs a query and gives each row to `each`; gives the names of the columns.
    pub(crate) fn query_each(&self, sql: &str, params: &[Value], each: Each<'_>) -> Result<Vec<String>> {
        let sql = sql::trimmed(sql);
        let mut statement = self.connection.inner.prepare_cached(sql).map_err(|e| from_sqlite(&e, sql))?;
        if !statement.readonly() {
            return Err(Error::invalid("the statement writes").with("sql", sql).with_hint("run it with execute, or in a transaction"));
        }
        step(&mut statement, sql, params, each)
    }
}

/// What is done with each row.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>;

/// Binds, steps, and gives each row to `each`; gives the names of the columns.
pub(crate) fn step(statement: &mut rusqlite::Statement<'_>, sql: &str, params: &[Value], each: Each<'_>) -> Result<Vec<String>> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(params_from_iter(params.iter().map(Bound))).map_err(|e| from_sqlite(&e, sql))?;
    let mut cells: Vec<ValueRef<'_>> = Vec::with_capacity(columns.len());
    while let Some(row) = rows.next().map_err(|e| from_sqlite(&e, sql))? {
        let mut cells_of_row = reuse(cells);
        for i in 0..columns.len() {
            cells_of_row.push(cell(row.get_ref(i).map_err(|e| from_sqlite(&e, sql))?));
        }
        each(&cells_of_row)?;
        cells = reuse(cells_of_row);
    }
    Ok(columns)
}

/// The vector's allocation, empty, for cells of another lifetime. The compiler turns it into nothing.
fn reuse<'b>(mut cells: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    cells.clear();
    cells.into_iter().map(|_| ValueRef::Null).collect()
}

/// Collects rows.
pub(crate) fn collect(run: impl FnOnce(Each<'_>) -> Result<Vec<String>>) -> Result<Rows> {
    let mut rows = Vec::new();
    let columns = run(&mut |cells| {
        rows.push(cells.iter().map(|c| c.to_value()).collect());
        Ok(())
    })?;
    Ok(Rows { columns, rows })
}
