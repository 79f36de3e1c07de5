//! Statements that the writer keeps prepared under numbers, for callers that run the same ones again and again from transaction to transaction.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use relstore_model::{Result, Value, ValueRef};

use crate::outcome::Outcome;
use crate::reader::Each;
use crate::sql;
use crate::sqlite::held::HeldStatement;
use crate::writer::Writer;

/// Statements by their numbers; `None` for one that is not held, because it changes the shape or cannot be prepared.
pub(crate) struct HeldStatements {
    by_number: RefCell<HashMap<u64, Option<HeldStatement>>>,
    count_max: usize,
}

impl HeldStatements {
    pub(crate) fn new(count_max: usize) -> Self {
        Self { by_number: RefCell::default(), count_max }
    }
}

impl Writer {
    /// As [`Writer::run`], by the statement's number, which always comes with this text, and with borrowed parameters. The outcome has no columns.
    pub(crate) fn run_held(&self, (id, text): (u64, &str), params: &[ValueRef<'_>], each: Each<'_>) -> Result<Outcome> {
        if self.is_hot() {
            let mut by_number = self.held.by_number.borrow_mut();
            if !by_number.contains_key(&id) {
                if by_number.len() >= self.held.count_max {
                    by_number.clear();
                }
                by_number.insert(id, self.prepare_held(text)?);
            }
            if let Some(Some(held)) = by_number.get_mut(&id)
                && held.takes(params)
            {
                return self.step_held(held, text, params, each);
            }
        }
        let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
        self.run(text, &params, each).map(|outcome| Outcome { columns: Vec::new(), ..outcome })
    }

    fn prepare_held(&self, text: &str) -> Result<Option<HeldStatement>> {
        let text = sql::statement(text)?;
        crate::eviction::refuse_quiet(text)?;
        let (held, is_ddl) = self.prepare_unless_ddl(|c| HeldStatement::prepare(c, text));
        Ok(held.filter(|_| !is_ddl))
    }

    fn step_held(&self, held: &mut HeldStatement, text: &str, params: &[ValueRef<'_>], each: Each<'_>) -> Result<Outcome> {
        let (inner, begun) = (&self.connection.inner, Instant::now());
        let changes_before = inner.total_changes();
        let mark = self.capture().mark();
        let stepped = held.run(text, params, each, || Ok(true));
        if let Err(error) = stepped {
            self.drop_phantom(mark)?;
            return Err(error);
        }
        if self.saw_ddl() {
            self.record_late_ddl(text)?;
        }
        let rows_written = if held.is_read() { 0 } else { inner.total_changes().wrapping_sub(changes_before) };
        Ok(Outcome {
            rows_scanned: held.rows_scanned(),
            rows_written,
            changes: if rows_written == 0 { 0 } else { inner.changes() },
            last_insert_rowid: inner.last_insert_rowid(),
            elapsed: begun.elapsed(),
            ..Outcome::default()
        })
    }
}
