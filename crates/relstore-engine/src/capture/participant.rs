//! The participant: a virtual table without rows that takes part in each write transaction.
//!
//! It is written to once when a transaction begins, which makes SQLite tell it of everything that happens to the transaction.
//! <https://www.sqlite.org/vtab.html#xsavepoint>

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use relstore_model::{Error, Result};
use rusqlite::ffi;
use rusqlite::ffi::{sqlite3_context, sqlite3_index_info, sqlite3_module, sqlite3_value, sqlite3_vtab, sqlite3_vtab_cursor};

use super::{Db, State, guarded};

const INSERT_LOG: &CStr = c"INSERT INTO main._rs_log(lsn, count, ts, schema_version, txid, offset, body) VALUES(?, ?, ?, ?, ?, ?, ?)";

#[repr(C)]
struct Participant {
    base: sqlite3_vtab,
    state: *mut State,
    db: Db,
}

/// Registers the module. Its table is there by itself, under the same name, and only for this connection.
///
/// # Safety
/// `db` is open; `state` outlives the hook's use of it.
pub(super) unsafe fn register(db: Db, state: *mut State) -> Result<()> {
    // SAFETY: the module is static; the state pointer is only handed back to the callbacks below.
    unsafe {
        let code = ffi::sqlite3_create_module_v2(db, c"_rs_participant".as_ptr(), &raw const MODULE, state.cast::<c_void>(), None);
        if code != ffi::SQLITE_OK {
            return Err(Error::internal("registering the capture participant failed").with("sqlite_code", code));
        }
    }
    Ok(())
}

static MODULE: sqlite3_module = sqlite3_module {
    iVersion: 2,
    // None: the table needs no `CREATE`, and nothing of it lies in a file.
    xCreate: None,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xDestroy: Some(disconnect),
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(eof),
    xColumn: Some(column),
    xRowid: Some(rowid),
    xUpdate: Some(update),
    xBegin: Some(begin),
    xSync: Some(sync),
    xCommit: Some(commit),
    xRollback: Some(rollback),
    xFindFunction: None,
    xRename: None,
    xSavepoint: Some(savepoint),
    xRelease: Some(release),
    xRollbackTo: Some(rollback_to),
    xShadowName: None,
    xIntegrity: None,
};

unsafe extern "C" fn connect(
    db: Db,
    state: *mut c_void,
    _argc: c_int,
    _argv: *const *const c_char,
    out: *mut *mut sqlite3_vtab,
    _error: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a live connection and a place for the table, which `disconnect` frees.
    unsafe {
        let code = ffi::sqlite3_declare_vtab(db, c"CREATE TABLE x(x)".as_ptr());
        if code != ffi::SQLITE_OK {
            return code;
        }
        let base = sqlite3_vtab { pModule: ptr::null(), nRef: 0, zErrMsg: ptr::null_mut() };
        let table = Box::new(Participant { base, state: state.cast::<State>(), db });
        *out = Box::into_raw(table).cast::<sqlite3_vtab>();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn disconnect(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: `connect` made it, and SQLite gives it back once.
    drop(unsafe { Box::from_raw(table.cast::<Participant>()) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn best_index(_: *mut sqlite3_vtab, _: *mut sqlite3_index_info) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn open(_: *mut sqlite3_vtab, out: *mut *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite gives a place for the cursor, which `close` frees.
    unsafe { *out = Box::into_raw(Box::new(sqlite3_vtab_cursor { pVtab: ptr::null_mut() })) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: `open` made it, and SQLite gives it back once.
    drop(unsafe { Box::from_raw(cursor) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn filter(_: *mut sqlite3_vtab_cursor, _: c_int, _: *const c_char, _: c_int, _: *mut *mut sqlite3_value) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn next(_: *mut sqlite3_vtab_cursor) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn eof(_: *mut sqlite3_vtab_cursor) -> c_int {
    1
}

unsafe extern "C" fn column(_: *mut sqlite3_vtab_cursor, _: *mut sqlite3_context, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn rowid(_: *mut sqlite3_vtab_cursor, out: *mut i64) -> c_int {
    // SAFETY: SQLite gives a place for the number.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn update(table: *mut sqlite3_vtab, _: c_int, _: *mut *mut sqlite3_value, out: *mut i64) -> c_int {
    // SAFETY: SQLite gives the table that `connect` made and a place for the rowid. Nothing is stored: being written to is the point. The
    // rowid becomes last_insert_rowid(), which therefore stays what it was.
    unsafe { *out = ffi::sqlite3_last_insert_rowid((*table.cast::<Participant>()).db) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn begin(_: *mut sqlite3_vtab) -> c_int {
    ffi::SQLITE_OK
}

/// Runs a callback on the state of `table`.
///
/// # Safety
/// `table` was made by `connect`, and its state is alive and not otherwise borrowed.
unsafe fn with_state(table: *mut sqlite3_vtab, body: impl FnOnce(&mut State)) -> c_int {
    // SAFETY: by the caller.
    unsafe { guarded((*table.cast::<Participant>()).state, (), body) };
    ffi::SQLITE_OK
}

/// COMMIT has begun and may still fail: writes the log row, as one more write of the same transaction.
unsafe extern "C" fn sync(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite gives the table that `connect` made, and calls nothing else of the capture meanwhile. The hook runs for the log row too,
    // finds no captured table of that name, and borrows the state alone.
    unsafe {
        let participant = &*table.cast::<Participant>();
        put_log_row(participant.db, participant.state)
    }
}

/// Writes the log row of what was captured since the last one, if it is anything.
///
/// # Safety
/// `db` is open and in a transaction; `state` is alive and nobody borrows it. It is not borrowed while SQLite runs: the blob is bound from a
/// buffer taken out of it.
pub(super) unsafe fn put_log_row(db: Db, state: *mut State) -> c_int {
    // SAFETY: by the caller.
    unsafe {
        if (*state).failure.is_some() {
            return ffi::SQLITE_ABORT;
        }
        if (*state).count == 0 {
            return ffi::SQLITE_OK;
        }
        let (head, count) = (std::mem::take(&mut (*state).head), (*state).count);
        let packed = std::mem::take(&mut (*state).packed);
        let code = insert_log_row(db, &raw mut (*state).insert, &head, count, &packed);
        (*state).packed = packed;
        (*state).head = head;
        code
    }
}

/// # Safety
/// `db` is open and in a transaction; `insert` is null or a statement of it.
unsafe fn insert_log_row(db: Db, insert: *mut *mut ffi::sqlite3_stmt, head: &super::LogHead, count: u64, packed: &[u8]) -> c_int {
    // SAFETY: the statement is prepared from static text; the blob outlives the step, and is unbound before it goes.
    unsafe {
        if (*insert).is_null() {
            let flags = ffi::SQLITE_PREPARE_PERSISTENT;
            let code = ffi::sqlite3_prepare_v3(db, INSERT_LOG.as_ptr(), -1, flags, insert, ptr::null_mut());
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        let last_insert_rowid = ffi::sqlite3_last_insert_rowid(db);
        let statement = *insert;
        ffi::sqlite3_bind_int64(statement, 1, head.lsn_before + count as i64);
        ffi::sqlite3_bind_int64(statement, 2, count as i64);
        ffi::sqlite3_bind_int64(statement, 3, head.timestamp.micros());
        ffi::sqlite3_bind_int64(statement, 4, i64::from(head.schema_version));
        if let Some(txid) = head.txid.as_ref().map(|t| t.as_str()) {
            ffi::sqlite3_bind_text(statement, 5, txid.as_ptr().cast::<c_char>(), txid.len() as c_int, ffi::SQLITE_STATIC());
        }
        ffi::sqlite3_bind_int64(statement, 6, head.offset);
        let code = ffi::sqlite3_bind_blob64(statement, 7, packed.as_ptr().cast::<c_void>(), packed.len() as u64, ffi::SQLITE_STATIC());
        let code = if code == ffi::SQLITE_OK { ffi::sqlite3_step(statement) } else { code };
        ffi::sqlite3_reset(statement);
        ffi::sqlite3_clear_bindings(statement);
        // The log row is not the user's: last_insert_rowid() answers as if it were not there.
        ffi::sqlite3_set_last_insert_rowid(db, last_insert_rowid);
        if code == ffi::SQLITE_DONE { ffi::SQLITE_OK } else { code }
    }
}

unsafe extern "C" fn commit(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite gives the table that `connect` made.
    unsafe { with_state(table, State::clear) }
}

unsafe extern "C" fn rollback(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: as above.
    unsafe { with_state(table, |s| s.cut_all()) }
}

unsafe extern "C" fn savepoint(table: *mut sqlite3_vtab, number: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        with_state(table, |s| {
            s.drop_marks_from(number);
            s.marks.push((number, s.packed.len(), s.count));
        })
    }
}

unsafe extern "C" fn release(table: *mut sqlite3_vtab, number: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { with_state(table, |s| s.drop_marks_from(number)) }
}

unsafe extern "C" fn rollback_to(table: *mut sqlite3_vtab, number: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        with_state(table, |s| {
            s.drop_marks_from(number + 1);
            // A savepoint older than the participant's part in the transaction has no mark: all that was captured is younger.
            let (packed, count) = s.marks.last().filter(|m| m.0 == number).map_or((0, 0), |m| (m.1, m.2));
            s.cut(packed, count);
        })
    }
}

impl State {
    fn drop_marks_from(&mut self, number: c_int) {
        while self.marks.last().is_some_and(|m| m.0 >= number) {
            self.marks.pop();
        }
    }

    /// The transaction is gone. A failure stays, to be told.
    fn cut_all(&mut self) {
        self.cut(0, 0);
        self.marks.clear();
    }
}
