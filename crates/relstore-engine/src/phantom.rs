//! A change that was captured and never made.
//!
//! Where a row with the same rowid is replaced, SQLite tells the hook of a delete, and then lets the new row overwrite the old one. If the new
//! row is refused in between (a `STRICT` table refuses a type, a value is too long), nothing was changed, nothing has to be undone, and so
//! the participant hears of nothing: the delete stays in the buffer. It can only be the last change of the statement, and is known by the
//! row that is still there.

use relstore_model::identifier::quote;
use relstore_model::{Change, Op, Result, Value};

use crate::capture::Mark;
use crate::writer::Writer;

impl Writer {
    /// Drops the last change captured after `mark` if it never happened. Called after a statement that failed.
    pub(crate) fn drop_phantom(&self, mark: Mark) -> Result<()> {
        if !self.is_open() {
            return Ok(());
        }
        let Some((before_it, Change::Row(change))) = self.capture().last_change_after(mark)? else { return Ok(()) };
        let schema = self.schema();
        let Some(table) = schema.by_id(change.table).filter(|_| change.op == Op::Delete) else { return Ok(()) };
        let alias = table.rowid_alias();
        let stored = alias.map(|at| table.columns[..at].iter().filter(|c| !c.is_virtual).count());
        let (name, rowid) = match (alias, table.rowid_name()) {
            (Some(at), _) => (quote(&table.columns[at].name), change.image().get(stored.unwrap_or(at)).cloned()),
            (None, Some(name)) => (name.to_owned(), change.rowid.map(Value::Integer)),
            (None, None) => return Ok(()),
        };
        let Some(rowid) = rowid else { return Ok(()) };
        let is_there = format!("/*rs*/ SELECT 1 FROM main.{} WHERE {name}=?", quote(&table.name));
        if !self.internally(|c| c.query(&is_there, &[rowid]))?.is_empty() {
            self.capture().cut(before_it);
        }
        Ok(())
    }
}
