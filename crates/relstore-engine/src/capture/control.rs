//! The statements that every write transaction runs: held as SQLite's own, since looking them up costs as much as running them.

use std::ffi::{CStr, c_int};
use std::ptr;

use relstore_model::Result;
use rusqlite::ffi::{self, sqlite3_stmt};

use super::Db;
use crate::sqlite::from_sqlite;

/// Begins, enlists and commits.
#[derive(Debug)]
pub(super) struct Control {
    db: Db,
    statements: [*mut sqlite3_stmt; TEXTS.len()],
}

/// Which statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Takes the write lock.
    Begin,
    /// Enlists the participant in the open transaction: being written to is all it needs, no row need be.
    Enlist,
    /// Commits.
    Commit,
}

const TEXTS: [&CStr; 3] = [c"BEGIN IMMEDIATE", c"DELETE FROM main._rs_participant WHERE 0", c"COMMIT"];

impl Control {
    /// For `db`, which must be open for as long as a statement is run. Statements are prepared when they are first run.
    pub(super) fn new(db: Db) -> Self {
        Self { db, statements: [ptr::null_mut(); TEXTS.len()] }
    }

    /// Runs one.
    ///
    /// # Safety
    /// The connection is open, and nobody else uses it meanwhile.
    pub(super) unsafe fn run(&mut self, step: Step) -> Result<()> {
        let text = TEXTS[step as usize];
        let statement = &mut self.statements[step as usize];
        // SAFETY: by the caller; the statement is prepared from static text for this connection.
        let code = unsafe {
            let mut code = ffi::SQLITE_OK;
            if statement.is_null() {
                let flags = ffi::SQLITE_PREPARE_PERSISTENT;
                code = ffi::sqlite3_prepare_v3(self.db, text.as_ptr(), -1, flags, statement, ptr::null_mut());
            }
            if code == ffi::SQLITE_OK {
                code = ffi::sqlite3_step(*statement);
                // The message is asked for before it is reset away; the code of the reset is that of the step.
                if code == ffi::SQLITE_DONE {
                    ffi::sqlite3_reset(*statement);
                    return Ok(());
                }
            }
            code
        };
        // SAFETY: as above.
        let error = unsafe { self.error(code) };
        // SAFETY: as above; resetting a statement that is null does nothing.
        unsafe { ffi::sqlite3_reset(self.statements[step as usize]) };
        Err(from_sqlite(&error, &text.to_string_lossy()))
    }

    unsafe fn error(&self, code: c_int) -> rusqlite::Error {
        // SAFETY: the connection is open, and its message lives until its next call.
        let (code, message) = unsafe {
            let extended = ffi::sqlite3_extended_errcode(self.db);
            let code = if extended & 0xff == code & 0xff { extended } else { code };
            (code, CStr::from_ptr(ffi::sqlite3_errmsg(self.db)).to_string_lossy().into_owned())
        };
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message))
    }

    /// Gives the statements back. To be called before the connection is closed.
    ///
    /// # Safety
    /// As [`Control::run`].
    pub(super) unsafe fn finalize(&mut self) {
        for statement in &mut self.statements {
            // SAFETY: each was prepared for this connection, and is given back once; null does nothing.
            unsafe { ffi::sqlite3_finalize(std::mem::replace(statement, ptr::null_mut())) };
        }
    }
}
