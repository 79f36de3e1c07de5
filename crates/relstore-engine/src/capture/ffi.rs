//! The functions of SQLite's preupdate interface, which libsqlite3-sys declares only with bindgen.
//! <https://www.sqlite.org/c3ref/preupdate_blobwrite.html>

use std::ffi::{c_char, c_int, c_void};

use rusqlite::ffi::{sqlite3, sqlite3_value};

/// The hook: argument, connection, operation, database name, table name, rowid before, rowid after.
pub(super) type PreupdateHook = unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_char, *const c_char, i64, i64);

unsafe extern "C" {
    pub(super) fn sqlite3_preupdate_hook(db: *mut sqlite3, hook: Option<PreupdateHook>, argument: *mut c_void) -> *mut c_void;
    pub(super) fn sqlite3_preupdate_old(db: *mut sqlite3, column: c_int, value: *mut *mut sqlite3_value) -> c_int;
    pub(super) fn sqlite3_preupdate_new(db: *mut sqlite3, column: c_int, value: *mut *mut sqlite3_value) -> c_int;
    pub(super) fn sqlite3_preupdate_blobwrite(db: *mut sqlite3) -> c_int;
}
