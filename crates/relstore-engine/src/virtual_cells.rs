//! Virtual generated columns: SQLite computes them on each read, so no stored row and no change has them.
//!
//! What comes in is a row's stored cells, what goes out the cells that SQLite computes from them: it does so itself, in an empty table of
//! the same `CREATE TABLE` statement in a database in memory, so affinities, collations and functions are its own. A row from long ago is
//! computed by the statement of the schema that was in force then, because that schema is what the change is read with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use relstore_model::event::VirtualCells;
use relstore_model::identifier::quote;
use relstore_model::{Error, Result, Row, Table, ValueRef};
use rusqlite::types::{ToSqlOutput, ValueRef as SqliteRef};

use crate::sqlite::{Connection, cell, from_sqlite};

/// How many tables are kept ready.
const TABLES_KEPT: usize = 64;

/// Computes virtual generated columns. It belongs to no store: one serves any number of them, and threads take turns.
#[derive(Default)]
pub struct Computed {
    tables: Mutex<HashMap<String, Scratch>>,
}

impl std::fmt::Debug for Computed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Computed")
    }
}

impl VirtualCells for Computed {
    fn virtual_cells(&self, table: &Table, stored: &[ValueRef<'_>]) -> Result<Option<Row>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if !tables.contains_key(&table.sql) {
            if tables.len() >= TABLES_KEPT {
                tables.clear();
            }
            tables.insert(table.sql.clone(), Scratch::new(table)?);
        }
        let scratch = tables.get(&table.sql).expect("it was put there just now");
        scratch.compute(stored).map_err(|e| e.with("table", &table.name))
    }
}

/// A table of the same statement, with one row at the most.
struct Scratch {
    connection: Connection,
    /// For each stored column, whether a statement gives its cell.
    is_given: Vec<bool>,
    insert: String,
    select: String,
    columns: usize,
    delete: String,
}

impl Scratch {
    fn new(table: &Table) -> Result<Self> {
        let connection = Connection::scratch()?;
        // The row was let in once, among the others of its time: here it stands alone.
        connection.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON")?;
        connection.execute_batch(&table.sql).map_err(|e| e.with("table", &table.name))?;
        let name = quote(&table.name);
        let given: Vec<String> = table.stored_columns().filter(|c| !c.is_computed).map(|c| quote(&c.name)).collect();
        let computed: Vec<String> = table.columns.iter().filter(|c| c.is_virtual).map(|c| quote(&c.name)).collect();
        Ok(Self {
            connection,
            is_given: table.stored_columns().map(|c| !c.is_computed).collect(),
            insert: format!("INSERT INTO {name}({}) VALUES({})", given.join(", "), vec!["?"; given.len()].join(", ")),
            select: format!("SELECT {} FROM {name}", computed.join(", ")),
            columns: computed.len(),
            delete: format!("DELETE FROM {name}"),
        })
    }

    fn compute(&self, stored: &[ValueRef<'_>]) -> Result<Option<Row>> {
        let connection = &self.connection.inner;
        let given = stored.iter().zip(&self.is_given).filter(|(_, given)| **given).map(|(cell, _)| Given(*cell));
        let compute = || {
            connection.prepare_cached(&self.insert)?.execute(rusqlite::params_from_iter(given))?;
            let mut select = connection.prepare_cached(&self.select)?;
            select.query_row([], |row| {
                (0..self.columns).map(|i| row.get_ref(i).map(|v| cell(v).to_value())).collect::<rusqlite::Result<Row>>()
            })
        };
        let cells = compute();
        let clear = || connection.prepare_cached(&self.delete)?.execute([]);
        clear().map_err(|e| Error::internal("a row's virtual columns cannot be computed").with_source(from_sqlite(&e, "")))?;
        Ok(cells.ok())
    }
}

/// A borrowed cell on its way into a statement.
struct Given<'a>(ValueRef<'a>);

impl rusqlite::ToSql for Given<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => SqliteRef::Null,
            ValueRef::Integer(i) => SqliteRef::Integer(i),
            ValueRef::Real(r) => SqliteRef::Real(r),
            ValueRef::Text(t) => SqliteRef::Text(t),
            ValueRef::Blob(b) => SqliteRef::Blob(b),
        }))
    }
}
