//! Two questions to SQLite that rusqlite has no words for.

#![expect(unsafe_code, reason = "calls of SQLite's C interface; each block says why it is sound")]

use std::ffi::c_void;

use rusqlite::{Connection, ffi};

/// Whether the open transaction breaks a foreign key that is checked at its end.
pub(crate) fn breaks_deferred_keys(connection: &Connection) -> bool {
    let (mut now, mut highest) = (0, 0);
    // SAFETY: the handle is valid for the call; both places are ours.
    let code = unsafe { ffi::sqlite3_db_status(connection.handle(), ffi::SQLITE_DBSTATUS_DEFERRED_FKS, &raw mut now, &raw mut highest, 0) };
    code != ffi::SQLITE_OK || now != 0
}

/// A number that is another one whenever the content of the main file may have changed since it was last asked, by whatever connection; `None`
/// if SQLite does not say. It costs no statement.
pub(crate) fn content_version(connection: &Connection) -> Option<u32> {
    let mut version = 0u32;
    // SAFETY: the handle is valid for the call; this control writes one u32 to the place it is given, which is ours.
    let code = unsafe {
        let place = (&raw mut version).cast::<c_void>();
        ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_DATA_VERSION, place)
    };
    (code == ffi::SQLITE_OK).then_some(version)
}
