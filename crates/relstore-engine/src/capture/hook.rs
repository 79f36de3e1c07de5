//! The preupdate hook: packs each changed row.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use relstore_model::change::codec;
use relstore_model::{Error, Op, ValueRef};
use rusqlite::ffi;

use super::ffi::{sqlite3_preupdate_blobwrite, sqlite3_preupdate_new, sqlite3_preupdate_old};
use super::{CapturedTable, Db, State, guarded};

/// SQLite calls this before it changes a row of any table.
///
/// # Safety
/// Installed with a live [`State`] as its argument; SQLite gives a valid connection and names.
pub(super) unsafe extern "C" fn on_change(
    argument: *mut c_void,
    db: Db,
    operation: c_int,
    database: *const c_char,
    table: *const c_char,
    rowid_before: i64,
    rowid_after: i64,
) {
    // SAFETY: the argument is the state; SQLite's names are NUL-terminated and live during the call.
    unsafe {
        guarded(argument.cast::<State>(), (), |state| {
            if state.is_suspended || CStr::from_ptr(database).to_bytes() != b"main" {
                return;
            }
            let name = CStr::from_ptr(table).to_bytes();
            if state.last.0 != name {
                let found = state.tables.get(name).cloned().flatten();
                state.last = (name.to_vec(), found);
            }
            let State { last, packed, created_as, count, failure, .. } = state;
            let Some(table) = &last.1 else { return };
            match pack(db, operation, table, (rowid_before, rowid_after), *created_as, packed) {
                Ok(changes) => *count += changes,
                Err(code) => {
                    let name = String::from_utf8_lossy(&last.0).into_owned();
                    let why = if sqlite3_preupdate_blobwrite(db) >= 0 {
                        "an incremental blob write has no new value"
                    } else {
                        "a cell could not be read"
                    };
                    let message = format!("change capture failed, so the commit was refused: {why}");
                    // A page of the row's overflow chain could not be read, or there is no memory for it: no fault of the capture's.
                    let error = match code & 0xff {
                        ffi::SQLITE_IOERR | ffi::SQLITE_NOMEM => {
                            Error::unavailable(message).with_hint("check the disk and the memory, and run the transaction again")
                        }
                        ffi::SQLITE_CORRUPT => Error::corrupt(message),
                        _ => Error::internal(message),
                    };
                    *failure = Some(error.with("table", name).with("sqlite_code", code));
                }
            }
        });
    }
}

/// Packs the change that SQLite is about to make, and says how many changes it is in the log.
///
/// # Safety
/// Only inside the hook: the preupdate functions are valid nowhere else.
unsafe fn pack(
    db: Db,
    operation: c_int,
    table: &CapturedTable,
    rowids: (i64, i64),
    created_as: Op,
    packed: &mut Vec<u8>,
) -> Result<u64, c_int> {
    let rowid = |n: i64| table.with_rowid.then_some(n);
    // The cells live until the hook returns; a short row needs no allocation.
    let mut before = Cells::new();
    let mut after = Cells::new();
    // SAFETY: inside the hook, `old` is defined for updates and deletes, `new` for updates and inserts.
    unsafe {
        match operation {
            ffi::SQLITE_INSERT => {
                after.read(db, &table.stored, sqlite3_preupdate_new)?;
                codec::put_row(packed, created_as, table.id, rowid(rowids.1), after.iter());
            }
            ffi::SQLITE_DELETE => {
                // An incremental blob write comes as a delete whose new value is not known.
                if sqlite3_preupdate_blobwrite(db) >= 0 {
                    return Err(ffi::SQLITE_MISUSE);
                }
                before.read(db, &table.stored, sqlite3_preupdate_old)?;
                codec::put_row(packed, Op::Delete, table.id, rowid(rowids.0), before.iter());
            }
            _ => {
                before.read(db, &table.stored, sqlite3_preupdate_old)?;
                after.read(db, &table.stored, sqlite3_preupdate_new)?;
                if table.with_rowid && rowids.0 != rowids.1 {
                    // The rowid is the key here, and a key that changes is one row gone and another come.
                    codec::put_row(packed, Op::Delete, table.id, rowid(rowids.0), before.iter());
                    codec::put_row(packed, Op::Create, table.id, rowid(rowids.1), after.iter());
                    return Ok(2);
                }
                codec::put_update(packed, table.id, rowid(rowids.1), before.as_slice(), after.as_slice());
            }
        }
    }
    Ok(1)
}

type ReadCell = unsafe extern "C" fn(Db, c_int, *mut *mut ffi::sqlite3_value) -> c_int;

/// The cells of one image, borrowed from SQLite for the length of the hook.
struct Cells<'a>(Vec<ValueRef<'a>>);

impl<'a> Cells<'a> {
    fn new() -> Self {
        Self(Vec::new())
    }

    unsafe fn read(&mut self, db: Db, columns: &[c_int], read: ReadCell) -> Result<(), c_int> {
        self.0.reserve_exact(columns.len());
        for column in columns {
            let mut value: *mut ffi::sqlite3_value = ptr::null_mut();
            // SAFETY: inside the hook; the pointer is set when the code is OK, and stays valid until the hook returns.
            unsafe {
                let code = read(db, *column, &raw mut value);
                if code != ffi::SQLITE_OK || value.is_null() {
                    return Err(code);
                }
                self.0.push(borrow(value));
            }
        }
        Ok(())
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = ValueRef<'a>> + '_ {
        self.0.iter().copied()
    }

    fn as_slice(&self) -> &[ValueRef<'a>] {
        &self.0
    }
}

/// The cell that SQLite holds in `value`.
///
/// # Safety
/// `value` is valid for `'a`, and no conversion is asked of it that would move its bytes.
unsafe fn borrow<'a>(value: *mut ffi::sqlite3_value) -> ValueRef<'a> {
    // SAFETY: the accessor matches the type, so nothing is converted; length is read after the bytes, as SQLite asks.
    unsafe {
        let bytes = |start: *const u8| {
            let length = ffi::sqlite3_value_bytes(value) as usize;
            if start.is_null() || length == 0 { &[][..] } else { std::slice::from_raw_parts(start, length) }
        };
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => ValueRef::Text(bytes(ffi::sqlite3_value_text(value))),
            ffi::SQLITE_BLOB => ValueRef::Blob(bytes(ffi::sqlite3_value_blob(value).cast::<u8>())),
            _ => ValueRef::Null,
        }
    }
}
