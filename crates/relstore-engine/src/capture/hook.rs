//! The preupdate hook: packs each changed row.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

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
            // What has failed is refused as a whole: there is no use in capturing the rest.
            if state.is_suspended || state.failure.is_some() || CStr::from_ptr(database).to_bytes() != b"main" {
                return;
            }
            let name = CStr::from_ptr(table).to_bytes();
            if state.last.as_ref().is_none_or(|last| last.name != name) {
                match state.tables.get(name) {
                    Some(found) => state.last = Some(Arc::clone(found)),
                    None => return,
                }
            }
            let State { last: Some(table), packed, created_as, count, failure, scratch, .. } = state else { return };
            let begun = packed.len();
            match pack(db, operation, table, (rowid_before, rowid_after), *created_as, packed, scratch) {
                Ok(changes) => {
                    *count += changes;
                    state.check_size();
                }
                Err(code) => {
                    packed.truncate(begun);
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
                    *failure = Some(error.with("table", String::from_utf8_lossy(name)).with("sqlite_code", code));
                }
            }
        });
    }
}

/// The two images of an update, borrowed from SQLite for the length of the hook; the allocations are kept between rows.
#[derive(Default)]
pub(super) struct Scratch {
    before: Vec<ValueRef<'static>>,
    after: Vec<ValueRef<'static>>,
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
    scratch: &mut Scratch,
) -> Result<u64, c_int> {
    let rowid = |n: i64| table.with_rowid.then_some(n);
    // SAFETY: inside the hook, `old` is defined for updates and deletes, `new` for updates and inserts.
    unsafe {
        match operation {
            ffi::SQLITE_INSERT => pack_row(db, created_as, table, rowid(rowids.1), sqlite3_preupdate_new, packed)?,
            ffi::SQLITE_DELETE => {
                // An incremental blob write comes as a delete whose new value is not known.
                if sqlite3_preupdate_blobwrite(db) >= 0 {
                    return Err(ffi::SQLITE_MISUSE);
                }
                pack_old(db, table, rowid(rowids.0), packed, scratch)?;
            }
            _ if table.with_rowid && rowids.0 != rowids.1 => {
                // The rowid is the key here, and a key that changes is one row gone and another come.
                pack_old(db, table, rowid(rowids.0), packed, scratch)?;
                pack_row(db, Op::Create, table, rowid(rowids.1), sqlite3_preupdate_new, packed)?;
                return Ok(2);
            }
            _ => {
                let mut before = reuse(std::mem::take(&mut scratch.before));
                let mut after = reuse(std::mem::take(&mut scratch.after));
                for column in &table.stored {
                    before.push(read(db, *column, sqlite3_preupdate_old)?);
                    after.push(read(db, *column, sqlite3_preupdate_new)?);
                }
                realify(&mut before, &table.late_reals);
                codec::put_update(packed, table.id, rowid(rowids.1), &before, &after);
                (scratch.before, scratch.after) = (reuse(before), reuse(after));
            }
        }
    }
    Ok(1)
}

/// Packs one image, cell by cell as SQLite gives them.
///
/// # Safety
/// Only inside the hook, with the function that is defined for its operation.
unsafe fn pack_row(db: Db, op: Op, table: &CapturedTable, rowid: Option<i64>, image: ReadCell, packed: &mut Vec<u8>) -> Result<(), c_int> {
    codec::put_row_head(packed, op, table.id, rowid, table.stored.len());
    for column in &table.stored {
        // SAFETY: by the caller; the cell is packed before SQLite is asked again.
        codec::put_cell(packed, unsafe { read(db, *column, image)? });
    }
    Ok(())
}

/// Packs the image of a row that goes.
///
/// # Safety
/// Only inside the hook, where `old` is defined.
unsafe fn pack_old(db: Db, table: &CapturedTable, rowid: Option<i64>, packed: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), c_int> {
    if table.late_reals.is_empty() {
        // SAFETY: by the caller.
        return unsafe { pack_row(db, Op::Delete, table, rowid, sqlite3_preupdate_old, packed) };
    }
    let mut before = reuse(std::mem::take(&mut scratch.before));
    for column in &table.stored {
        // SAFETY: by the caller; the cells are gone before the hook returns.
        before.push(unsafe { read(db, *column, sqlite3_preupdate_old)? });
    }
    realify(&mut before, &table.late_reals);
    codec::put_row(packed, Op::Delete, table.id, rowid, before.iter().copied());
    scratch.before = reuse(before);
    Ok(())
}

/// A row from before a column was added has no cell of it, and of such a cell the hook is given the default as its literal says it, an
/// integer perhaps, where a read gives a float.
#[inline]
fn realify(cells: &mut [ValueRef<'_>], late_reals: &[usize]) {
    for at in late_reals {
        if let ValueRef::Integer(i) = cells[*at] {
            cells[*at] = ValueRef::Real(i as f64);
        }
    }
}

type ReadCell = unsafe extern "C" fn(Db, c_int, *mut *mut ffi::sqlite3_value) -> c_int;

/// One cell, borrowed from SQLite for the length of the hook.
///
/// # Safety
/// Only inside the hook, with the function that is defined for its operation; the cell must be gone when the hook returns.
unsafe fn read<'a>(db: Db, column: c_int, image: ReadCell) -> Result<ValueRef<'a>, c_int> {
    let mut value: *mut ffi::sqlite3_value = ptr::null_mut();
    // SAFETY: by the caller. The pointer is set when the code is OK, and stays valid until the hook returns.
    unsafe {
        let code = image(db, column, &raw mut value);
        if code != ffi::SQLITE_OK || value.is_null() {
            return Err(code);
        }
        borrow(value)
    }
}

/// The vector's allocation, empty, for cells of another lifetime. The compiler turns it into nothing.
fn reuse<'b>(mut cells: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    cells.clear();
    cells.into_iter().map(|_| ValueRef::Null).collect()
}

/// The cell that SQLite holds in `value`.
///
/// # Safety
/// `value` is valid for `'a`, and no conversion is asked of it that would move its bytes.
unsafe fn borrow<'a>(value: *mut ffi::sqlite3_value) -> Result<ValueRef<'a>, c_int> {
    // SAFETY: nothing is converted: text is UTF-8 in every store, and taken as a blob, because as text SQLite would copy it to put a zero
    // behind it. The length is read after the bytes, as SQLite asks.
    unsafe {
        let bytes = || {
            let start = ffi::sqlite3_value_blob(value).cast::<u8>();
            let length = ffi::sqlite3_value_bytes(value) as usize;
            match (start.is_null(), length) {
                (true, 0) => Ok(&[][..]),
                // Zeros that there was no memory to write out.
                (true, _) => Err(ffi::SQLITE_NOMEM),
                (false, _) => Ok(std::slice::from_raw_parts(start, length)),
            }
        };
        Ok(match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => ValueRef::Text(bytes()?),
            ffi::SQLITE_BLOB => ValueRef::Blob(bytes()?),
            _ => ValueRef::Null,
        })
    }
}
