//! Statements that change the shape: the schema as SQLite has it afterwards, and rows that come or go without the hook being told.

use relstore_model::identifier::quote;
use relstore_model::{Error, Op, Result, Schema, Table, Value};
use rusqlite::CachedStatement;
use std::sync::Arc;

use crate::catalog;
use crate::eviction::set_last_insert_rowid;
use crate::reader::{Each, column_names, step};
use crate::sqlite::{cell, from_sqlite};
use crate::writer::{Outcome, Writer};

/// A statement that fails while SQLite reads the shape again makes it forget that the transaction has changed the shape before, and a later
/// `ROLLBACK TO` would then leave it with the shape of before that. A change of shape that leaves nothing lets it know again.
const KNOW_OF_CHANGES: &str = "CREATE TEMP TABLE _rs_touch(x); DROP TABLE temp._rs_touch";

impl Writer {
    /// Runs a prepared statement that changes the shape, and logs the change. If either fails, neither happened.
    ///
    /// `dropped` is the table of a `DROP TABLE`. Its rows are logged as deleted before the statement runs, because SQLite tells the hook of
    /// them only where a foreign key makes it delete them one by one; the hook then hears of that table no more, and of the children that
    /// cascades reach as ever.
    pub(crate) fn run_ddl(
        &self,
        mut statement: CachedStatement<'_>,
        dropped: Option<&str>,
        text: &str,
        params: &[Value],
        each: Each<'_>,
    ) -> Result<Outcome> {
        let known = self.schema();
        self.internally(|c| c.execute("/*rs*/ SAVEPOINT _rs_ddl", &[]))?;
        let dropped = dropped.filter(|_| statement.is_explain() == 0).and_then(|name| known.by_name(name));
        let mut run = || {
            if let Some(table) = dropped {
                self.record_rows_of(table, Op::Delete)?;
                self.capture().forget(&table.name);
            }
            step(&mut statement, text, params, each, || Ok(true))?;
            let columns = column_names(&statement);
            // What the engine inserts beside is not the user's.
            let last_insert_rowid = self.connection.inner.last_insert_rowid();
            let recorded = self.record_ddl(text);
            set_last_insert_rowid(&self.connection.inner, last_insert_rowid);
            recorded.map(|()| columns)
        };
        let result = run();
        // Not kept: a prepared statement that is run again is not seen by the authorizer again.
        statement.discard();
        if result.is_err() {
            self.set_captured(&known);
            if self.is_open() {
                self.internally(|c| c.execute_batch(KNOW_OF_CHANGES).and_then(|()| c.execute_batch("/*rs*/ ROLLBACK TO _rs_ddl")))?;
            }
            self.restore_schema(known);
        }
        if self.is_open() {
            self.internally(|c| c.execute("/*rs*/ RELEASE _rs_ddl", &[]))?;
        }
        let last_insert_rowid = self.connection.inner.last_insert_rowid();
        result.map(|columns| Outcome { columns, last_insert_rowid, ..Outcome::default() })
    }

    /// Records what a statement did to the shape that did not look as if it would: SQLite prepared it again as it ran, and found in it what it
    /// had not found before. It is too late then to log the rows of a table that it dropped.
    pub(crate) fn record_late_ddl(&self, text: &str) -> Result<()> {
        let known = self.schema();
        let result = self.record_ddl(text);
        if result.is_err() || known.tables.iter().any(|t| self.schema().by_id(t.id).is_none()) {
            self.capture().refuse(Error::internal("a statement changed the shape unseen, so the commit was refused").with("sql", text));
        }
        result
    }

    /// Puts the schema as SQLite has it now into the open transaction, if it differs from the one in force.
    pub(crate) fn record_ddl(&self, text: &str) -> Result<()> {
        let known = self.schema();
        let Some(schema) = self.internally(|c| catalog::evolved_beside(c, &known, &self.overlay()))? else { return Ok(()) };
        check_rows_can_be_told_apart(&schema)?;
        let schema = self.record_schema(schema, text)?;
        // `CREATE TABLE … AS` fills its table without telling the hook.
        for table in schema.tables.iter().filter(|t| t.id.0 > known.last_table_id) {
            self.record_rows_of(table, Op::Create)?;
        }
        Ok(())
    }

    /// Puts `schema` into the open transaction: it is in force from here on.
    pub(crate) fn record_schema(&self, schema: Schema, text: &str) -> Result<Arc<Schema>> {
        self.internally(|c| catalog::put(c, &schema))?;
        self.capture().put_schema(&schema, text);
        self.set_captured(&schema);
        let schema = Arc::new(schema);
        self.set_schema(Arc::clone(&schema));
        Ok(schema)
    }

    /// Logs every row of the table as created or deleted, in the order of its rowid or key.
    pub(crate) fn record_rows_of(&self, table: &Table, op: Op) -> Result<()> {
        let rowid = table.rowid_name().filter(|_| table.is_keyed_by_rowid()).map(str::to_owned);
        let rowid_columns = usize::from(rowid.is_some());
        let columns: Vec<String> = rowid.into_iter().chain(table.stored_columns().map(|c| quote(&c.name))).collect();
        let key: Vec<String> = table.primary_key.iter().filter(|_| table.without_rowid).map(|i| quote(&table.columns[*i].name)).collect();
        let order = match table.rowid_name() {
            Some(rowid) => format!("ORDER BY {rowid}"),
            None if table.without_rowid => format!("ORDER BY {}", key.join(", ")),
            None => String::new(),
        };
        let select = format!("/*rs*/ SELECT {} FROM main.{} NOT INDEXED {order}", columns.join(", "), quote(&table.name));
        let mut sealed = Ok(());
        self.internally(|c| {
            let mut read = || {
                let mut statement = c.inner.prepare(&select)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let rowid = if rowid_columns == 1 { Some(row.get(0)?) } else { None };
                    let cells = (rowid_columns..columns.len()).map(|i| row.get_ref(i).map(cell));
                    self.capture().put_row(op, table.id, rowid, &cells.collect::<rusqlite::Result<Vec<_>>>()?);
                    sealed = self.seal_adopted();
                    if sealed.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            read().map_err(|e| from_sqlite(&e, &select))
        })?;
        sealed
    }
}

/// # Errors
/// `Unsupported` for a table whose rows have no key and no name for their rowid.
pub(crate) fn check_rows_can_be_told_apart(schema: &Schema) -> Result<()> {
    match schema.tables.iter().find(|t| t.is_keyed_by_rowid() && t.rowid_name().is_none()) {
        None => Ok(()),
        Some(table) => Err(Error::unsupported("the rows of this table could not be told apart: its columns take all names of the rowid")
            .with("table", &table.name)
            .with_hint("give it a PRIMARY KEY, or another name to one of rowid, oid and _rowid_")),
    }
}
