//! A statement that a connection keeps prepared under a number, and runs with borrowed parameters and without a copy of anything.
//!
//! rusqlite's statements borrow their connection, so a connection that moves between threads cannot keep one beside it, and its cache looks a
//! statement up by its text and puts it back at each call: on a point query that is an eighth of the time.

#![expect(unsafe_code, reason = "calls of SQLite's C interface; each block says why it is sound")]

use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};

use relstore_model::{Result, ValueRef};
use rusqlite::{Connection, ffi};

use super::from_sqlite;
use crate::sql;

/// How many cells a row has in a buffer on the stack.
const FEW: usize = 32;

/// A prepared statement. The connection that it was prepared on must be used by nobody else while it runs; it should be dropped first: a connection
/// that is closed with statements on it stays in memory.
pub(crate) struct HeldStatement {
    statement: NonNull<ffi::sqlite3_stmt>,
    parameter_count: usize,
}

// SAFETY: SQLite's objects are bound to no thread, and whoever has this has its connection too: both are fields of one reader.
unsafe impl Send for HeldStatement {}

impl HeldStatement {
    /// Prepares one statement; `None` if it cannot be prepared, or if another one follows it.
    pub(crate) fn prepare(connection: &Connection, text: &str) -> Option<Self> {
        let length = c_int::try_from(text.len()).ok()?;
        let (mut raw, mut tail, start) = (ptr::null_mut(), ptr::null(), text.as_ptr().cast::<c_char>());
        // SAFETY: the handle is valid for the call, the text has `length` bytes, and the places for the statement and its end are ours.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(connection.handle(), start, length, ffi::SQLITE_PREPARE_PERSISTENT, &raw mut raw, &raw mut tail)
        };
        let statement = NonNull::new(raw)?;
        // SAFETY: the statement is valid: SQLite gave it, and it is finalized only when this is dropped.
        let parameter_count = unsafe { ffi::sqlite3_bind_parameter_count(raw) };
        let held = Self { statement, parameter_count: usize::try_from(parameter_count).unwrap_or(0) };
        let end = (tail as usize).wrapping_sub(start as usize);
        let is_alone = text.get(end..).is_some_and(|rest| sql::trimmed(rest).is_empty());
        (code == ffi::SQLITE_OK && is_alone).then_some(held)
    }

    /// Whether it writes nothing.
    pub(crate) fn is_read(&self) -> bool {
        // SAFETY: the statement is valid.
        unsafe { ffi::sqlite3_stmt_readonly(self.statement.as_ptr()) != 0 }
    }

    /// Whether it can be run with these parameters. If not, rusqlite has the words to say why.
    pub(crate) fn takes(&self, params: &[ValueRef<'_>]) -> bool {
        self.parameter_count == params.len()
    }

    /// Binds, steps, and gives each row to `each`. `is_settled` is asked once, when it has its snapshot and `each` has seen nothing; if it
    /// says no, the statement stops there, and so is the answer. `sql` is for errors.
    ///
    /// # Errors
    /// SQLite's, `is_settled`'s and `each`'s.
    pub(crate) fn run(
        &mut self,
        sql: &str,
        params: &[ValueRef<'_>],
        each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>,
        is_settled: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        // Ended however this ends, also by a panic in `each`: a parameter is then no longer looked at.
        let running = Running(self);
        for (i, param) in (1..).zip(params) {
            running.bind(i, *param).map_err(|code| running.error(code, sql))?;
        }
        let mut has_row = running.step().map_err(|code| running.error(code, sql))?;
        if !is_settled()? {
            return Ok(false);
        }
        while has_row {
            running.give(sql, each)?;
            has_row = running.step().map_err(|code| running.error(code, sql))?;
        }
        Ok(true)
    }

    /// How many rows it met in scans of whole tables since this was last asked.
    pub(crate) fn rows_scanned(&self) -> u64 {
        // SAFETY: the statement is valid.
        let count = unsafe { ffi::sqlite3_stmt_status(self.statement.as_ptr(), ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP, 1) };
        u64::try_from(count).unwrap_or(0)
    }
}

impl Drop for HeldStatement {
    fn drop(&mut self) {
        // SAFETY: the statement is valid, and this is the last use of it. It reports the error of the last run, which was reported then.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}

/// A statement that was begun. It is reset when this is dropped.
struct Running<'a>(&'a mut HeldStatement);

impl Running<'_> {
    fn raw(&self) -> *mut ffi::sqlite3_stmt {
        self.0.statement.as_ptr()
    }

    /// Binds without copying: the parameters live until the statement is reset, and every run binds all of them before it steps.
    fn bind(&self, at: c_int, value: ValueRef<'_>) -> Result<(), c_int> {
        let raw = self.raw();
        // SAFETY: the statement is valid and not running; pointer and length are of one slice, which outlives `self`. A destructor of `None`
        // is SQLITE_STATIC: SQLite only reads it.
        let code = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(raw, at),
                ValueRef::Integer(i) => ffi::sqlite3_bind_int64(raw, at, i),
                ValueRef::Real(r) => ffi::sqlite3_bind_double(raw, at, r),
                ValueRef::Text(t) => {
                    let encoding = ffi::SQLITE_UTF8 as u8;
                    ffi::sqlite3_bind_text64(raw, at, t.as_ptr().cast(), t.len() as u64, ffi::SQLITE_STATIC(), encoding)
                }
                ValueRef::Blob(b) => ffi::sqlite3_bind_blob64(raw, at, b.as_ptr().cast(), b.len() as u64, ffi::SQLITE_STATIC()),
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
    }

    /// Whether there is a row.
    fn step(&self) -> Result<bool, c_int> {
        // SAFETY: the statement is valid, and what it was bound to is alive.
        match unsafe { ffi::sqlite3_step(self.raw()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(code),
        }
    }

    fn give(&self, sql: &str, each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        // SAFETY: the statement is valid. Asked of the row: where the shape changed, `*` is other columns than when it was prepared.
        let count = unsafe { ffi::sqlite3_data_count(self.raw()) };
        let cells = (0..count).map(|i| self.cell(i).ok_or_else(|| self.error(ffi::SQLITE_NOMEM, sql)));
        if count as usize > FEW {
            return each(&cells.collect::<Result<Vec<_>>>()?);
        }
        let mut row = [ValueRef::Null; FEW];
        for (place, cell) in row.iter_mut().zip(cells) {
            *place = cell?;
        }
        each(&row[..count as usize])
    }

    /// The cell of the row that the last step gave; `None` if there is no memory for it. It borrows from `self`, whose next step or end is after
    /// the last use of it: `give` is the only caller.
    fn cell(&self, at: c_int) -> Option<ValueRef<'_>> {
        let raw = self.raw();
        // SAFETY: the statement is on a row that has this column. The type is asked first; the pointer of a text or blob is asked before its
        // length, which is then that pointer's, and both hold until the next step.
        unsafe {
            Some(match ffi::sqlite3_column_type(raw, at) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(raw, at)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(raw, at)),
                ffi::SQLITE_TEXT => {
                    let start = NonNull::new(ffi::sqlite3_column_text(raw, at).cast_mut())?;
                    ValueRef::Text(bytes(start, ffi::sqlite3_column_bytes(raw, at)))
                }
                ffi::SQLITE_BLOB => match NonNull::new(ffi::sqlite3_column_blob(raw, at).cast_mut().cast::<u8>()) {
                    Some(start) => ValueRef::Blob(bytes(start, ffi::sqlite3_column_bytes(raw, at))),
                    None if ffi::sqlite3_errcode(ffi::sqlite3_db_handle(raw)) == ffi::SQLITE_NOMEM => return None,
                    None => ValueRef::Blob(&[]),
                },
                _ => ValueRef::Null,
            })
        }
    }

    fn error(&self, code: c_int, sql: &str) -> relstore_model::Error {
        // SAFETY: the statement's connection is alive as long as the statement; its message is a string that holds until the next call on it, and
        // is copied at once.
        let message = unsafe {
            let message = ffi::sqlite3_errmsg(ffi::sqlite3_db_handle(self.raw()));
            (!message.is_null()).then(|| std::ffi::CStr::from_ptr(message).to_string_lossy().into_owned())
        };
        from_sqlite(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), message), sql)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is valid. Its result is the last step's, which was seen.
        unsafe { ffi::sqlite3_reset(self.raw()) };
    }
}

/// # Safety
/// `start` has `length` bytes for as long as the caller uses them.
unsafe fn bytes<'a>(start: NonNull<u8>, length: c_int) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(start.as_ptr(), usize::try_from(length).unwrap_or(0)) }
}
