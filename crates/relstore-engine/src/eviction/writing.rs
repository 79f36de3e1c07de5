//! The cold tier of the writing connection: statements that bring rows back, and tables that come back whole.

use std::sync::Arc;

use relstore_model::identifier::quote;
use relstore_model::{Error, Result, TableId, Value};
use rusqlite::functions::FunctionFlags;

use super::definition::ColdTable;
use super::load::bump_generation;
use super::objects::{alive, cold_name};
use super::tier::Cold;
use super::{Plan, set_last_insert_rowid};
use crate::capture::Suspender;
use crate::sqlite::{Connection, from_sqlite};
use crate::writer::Writer;

/// The function that the triggers stop the capture with.
const QUIET: &str = "_rs_quiet";

/// Gives the triggers their functions: whether changes are captured, and the switch.
pub(crate) fn register(connection: &Connection, capture: Suspender) -> Result<()> {
    let register = || {
        connection.inner.create_scalar_function("_rs_watching", 0, FunctionFlags::SQLITE_UTF8, move |_| Ok(!capture.is_suspended()))?;
        connection.inner.create_scalar_function(QUIET, 1, FunctionFlags::SQLITE_UTF8, move |context| {
            capture.set(context.get(0)?);
            Ok(rusqlite::types::Null)
        })
    };
    register().map_err(|e| from_sqlite(&e, ""))
}

/// Refuses a user's statement that would stop the capture.
pub(crate) fn refuse_quiet(sql: &str) -> Result<()> {
    let is_quiet = |at: usize| sql.as_bytes().get(at..at + QUIET.len()).is_some_and(|word| word.eq_ignore_ascii_case(QUIET.as_bytes()));
    if sql.match_indices('_').any(|(at, _)| is_quiet(at)) {
        return Err(Error::unsupported("the capture cannot be stopped by SQL").with("sql", sql).with_hint("leave _rs_quiet out"));
    }
    Ok(())
}

impl Writer {
    /// Brings back what the statement may touch. The temp objects are hidden afterwards if its plan says so.
    pub(crate) fn make_way(&self, plan: &Plan, params: &[Value]) -> Result<()> {
        self.reload_tables(&plan.reload)?;
        if let Some(touched) = &plan.touched
            && !self.quietly(|c| self.shadow().bring_back(c, touched, params))?
        {
            self.reload_tables(&[touched.table])?;
        }
        if plan.is_bare {
            self.touch_tier();
            self.internally(|c| self.shadow().hide(c))?;
        }
        Ok(())
    }

    /// Brings back every cold row of these tables, in the open transaction, and lets their files go.
    pub(crate) fn reload_tables(&self, ids: &[TableId]) -> Result<()> {
        let cold = self.shadow().cold();
        let (back, stay): (Vec<_>, Vec<_>) = cold.tables.iter().cloned().partition(|t| ids.contains(&t.id));
        if back.is_empty() {
            return Ok(());
        }
        self.touch_tier();
        let last_insert_rowid = self.connection.inner.last_insert_rowid();
        let result = self.quietly(|c| {
            back.iter().try_for_each(|table| reload_table(c, table))?;
            bump_generation(c)?;
            self.shadow().show(c, &Arc::new(Cold { tables: stay }))
        });
        set_last_insert_rowid(&self.connection.inner, last_insert_rowid);
        result.map_err(|e| self.shadow().explain(e))
    }

    /// Runs statements of the engine's own while nothing is captured: rows that move do not change.
    pub(crate) fn quietly<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.capture().set_suspended(true);
        let result = self.internally(run);
        self.capture().set_suspended(false);
        result
    }
}

fn reload_table(connection: &Connection, table: &ColdTable) -> Result<()> {
    let columns: Vec<String> = table.columns.iter().map(|c| quote(c)).collect();
    let (columns, cold) = (columns.join(", "), cold_name(table.id));
    let insert = format!(
        "/*rs*/ INSERT INTO main.{}({columns}) SELECT {columns} FROM {cold} AS _rs_c WHERE {} ORDER BY _rs_c.rowid",
        quote(&table.name),
        alive(table.id, "_rs_c")
    );
    connection.execute(&insert, &[])?;
    let id = [Value::from(i64::from(table.id.0))];
    connection.execute("/*rs*/ DELETE FROM main._rs_reloaded WHERE table_id=?", &id)?;
    connection.execute("/*rs*/ DELETE FROM main._rs_cold_file WHERE table_id=?", &id).map(|_| ())
}
