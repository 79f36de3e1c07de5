//! The shim between SQLite and the operating system's files: asks its disk before each call, passes it on, tells the disk after it.
//! <https://www.sqlite.org/c3ref/io_methods.html>
//!
//! A file of an attached folder is a [`ShimFile`] with the real file right behind it, in the memory that SQLite allots by the shim's
//! `szOsFile`. A file elsewhere is the real file itself. The real VFS is the one that was the default before.

#![expect(unsafe_code, reason = "a SQLite VFS is C functions over memory that SQLite allots; each block says why it is sound")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;
use rusqlite::ffi::{sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::{Call, Disk, Failure, FileId, Part, is_kept};

/// The VFS that was the default before ours.
struct Real(*mut sqlite3_vfs);

// SAFETY: SQLite's VFS objects are used from all threads and live as long as the process.
unsafe impl Send for Real {}
// SAFETY: as above.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

/// Makes the shim the default VFS of the process, once.
pub(super) fn register() {
    REAL.get_or_init(|| {
        // SAFETY: SQLite is initialised by the first call; the default VFS is valid for ever, and so is ours, which is leaked. It copies
        // the functions of the real one, which do not look at the VFS they are given but for xOpen, which is given the real one.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK, "SQLite can be initialised");
            let real = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!real.is_null(), "SQLite has a default VFS");
            let mut shim = *real;
            shim.pNext = ptr::null_mut();
            shim.zName = c"relstore-faulty-disk".as_ptr();
            shim.szOsFile += size_of::<ShimFile>() as c_int;
            shim.xOpen = Some(open);
            shim.xDelete = Some(delete);
            let code = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(shim)), 1);
            assert_eq!(code, ffi::SQLITE_OK, "SQLite takes the shim");
            Real(real)
        }
    });
}

fn real() -> *mut sqlite3_vfs {
    REAL.get().expect("only a registered VFS is called").0
}

/// An open file of an attached folder. The real file follows it in memory.
#[repr(C)]
struct ShimFile {
    base: sqlite3_file,
    /// From `Box::into_raw`; freed by `close`.
    open: *mut Open,
}

struct Open {
    disk: Arc<Disk>,
    file: FileId,
    part: Part,
    /// Its next sync also syncs the folder.
    syncs_folder: bool,
}

/// The real file behind a shimmed one.
///
/// # Safety
/// `file` was opened by [`open`] as a shimmed file.
unsafe fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite allotted szOsFile bytes, ours and the real one's; ours is a multiple of a pointer's size, so the real one is aligned.
    unsafe { file.cast::<ShimFile>().add(1).cast::<sqlite3_file>() }
}

/// # Safety
/// As [`behind`]. SQLite uses a file from one thread at a time, so the reference is alone.
unsafe fn opened<'a>(file: *mut sqlite3_file) -> &'a mut Open {
    // SAFETY: `open` set the pointer, and `close` has not run.
    unsafe { &mut *(*file.cast::<ShimFile>()).open }
}

/// The disk and name of a path that SQLite gives.
///
/// # Safety
/// `path` is null or NUL-terminated.
unsafe fn disk_of(path: *const c_char) -> Option<(Arc<Disk>, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: by the caller.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Disk::under(Path::new(std::ffi::OsStr::from_bytes(bytes))).filter(|(_, name)| is_kept(name))
}

fn code(failure: Failure, call: Call) -> c_int {
    match (failure, call) {
        (Failure::Full, _) => ffi::SQLITE_FULL,
        (Failure::CannotOpen, _) | (_, Call::Open) => ffi::SQLITE_CANTOPEN,
        (_, Call::Read) => ffi::SQLITE_IOERR_READ,
        (_, Call::Write) => ffi::SQLITE_IOERR_WRITE,
        (_, Call::Truncate) => ffi::SQLITE_IOERR_TRUNCATE,
        (_, Call::Sync) => ffi::SQLITE_IOERR_FSYNC,
        (_, Call::ShmMap) => ffi::SQLITE_IOERR_SHMMAP,
        (_, Call::Delete) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn open(_: *mut sqlite3_vfs, path: *const c_char, file: *mut sqlite3_file, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a path that lives as long as the file, and szOsFile bytes for it; the real VFS is called as SQLite would.
    unsafe {
        let open_real = (*real()).xOpen.expect("a VFS opens files");
        let Some((disk, name)) = disk_of(path) else {
            return open_real(real(), path, file, flags, out);
        };
        (*file).pMethods = ptr::null();
        let part = Part::of(&name);
        if let Some(failure) = disk.ask(Call::Open, part) {
            return code(failure, Call::Open);
        }
        let existed = disk.folder.join(&name).exists();
        let inner = behind(file);
        (*inner).pMethods = ptr::null();
        let result = open_real(real(), path, inner, flags, out);
        if result != ffi::SQLITE_OK {
            return result;
        }
        let id = disk.opened(&name, !existed);
        // As SQLite's own: whoever may have made a journal or WAL syncs its folder too, once.
        let syncs_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && matches!(part, Part::Wal | Part::Journal);
        let open = Open { disk, file: id, part, syncs_folder };
        (*file.cast::<ShimFile>()).open = Box::into_raw(Box::new(open));
        (*file).pMethods = &raw const METHODS;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as `open`.
    unsafe {
        let delete_real = (*real()).xDelete.expect("a VFS deletes files");
        let Some((disk, name)) = disk_of(path) else {
            return delete_real(real(), path, sync_folder);
        };
        if let Some(failure) = disk.ask(Call::Delete, Part::of(&name)) {
            return code(failure, Call::Delete);
        }
        let result = delete_real(real(), path, 0);
        if result == ffi::SQLITE_OK {
            disk.deleted(&name, sync_folder != 0);
        }
        result
    }
}

/// Version 2: without memory-mapped reads, which SQLite does without.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Calls a method of the real file behind `$file`.
macro_rules! pass {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let inner = behind($file);
        ((*(*inner).pMethods).$method.expect("the real file has every method of version 2"))(inner $(, $argument)*)
    }};
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box came from `open`.
    unsafe {
        let result = pass!(file, xClose);
        drop(Box::from_raw((*file.cast::<ShimFile>()).open));
        (*file).pMethods = ptr::null();
        result
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `count` bytes of room.
    unsafe {
        let open = opened(file);
        match open.disk.ask(Call::Read, open.part) {
            Some(failure) => code(failure, Call::Read),
            None => pass!(file, xRead, into, count, at),
        }
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `count` bytes; a shorter write is one of their beginning.
    unsafe {
        let open = opened(file);
        let room = open.disk.room_for(open.file, at as u64, count as usize);
        let failure = open.disk.ask(Call::Write, open.part).or((room < count as usize).then_some(Failure::Full));
        let written = if failure.is_some() { room.min(count as usize / 2) } else { count as usize };
        if written > 0 {
            let result = pass!(file, xWrite, from, written as c_int, at);
            if result != ffi::SQLITE_OK {
                return result;
            }
            open.disk.written(open.file, at as u64, std::slice::from_raw_parts(from.cast::<u8>(), written));
        }
        failure.map_or(ffi::SQLITE_OK, |failure| code(failure, Call::Write))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: an open file.
    unsafe {
        let open = opened(file);
        if let Some(failure) = open.disk.ask(Call::Truncate, open.part) {
            return code(failure, Call::Truncate);
        }
        let result = pass!(file, xTruncate, size);
        if result == ffi::SQLITE_OK {
            open.disk.truncated(open.file, size as u64);
        }
        result
    }
}

/// The real file is not synced: nobody will cut the real power, and the page cache is what the process sees.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file.
    let open = unsafe { opened(file) };
    match open.disk.sync(open.file, open.part, open.syncs_folder) {
        Some(failure) => code(failure, Call::Sync),
        None => {
            open.syncs_folder = false;
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn shm_map(file: *mut sqlite3_file, page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int {
    // SAFETY: SQLite gives a place for the pointer.
    unsafe {
        let open = opened(file);
        match open.disk.ask(Call::ShmMap, open.part) {
            Some(failure) => {
                *out = ptr::null_mut();
                code(failure, Call::ShmMap)
            }
            None => pass!(file, xShmMap, page, size, extend, out),
        }
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: passed on as it is, here and below.
    unsafe { pass!(file, xFileSize, out) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xLock, level) }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xCheckReservedLock, out) }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xFileControl, operation, argument) }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xSectorSize) }
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xDeviceCharacteristics) }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xShmLock, offset, count, flags) }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as above.
    unsafe { pass!(file, xShmBarrier) }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { pass!(file, xShmUnmap, delete) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    /// How many rows a table of one database has after the power was cut at `position` and all that was not synced is gone.
    fn rows_after_cut(disk: &Disk, position: usize) -> i64 {
        // Among some cuts there is one whose luck is the worst.
        let count = |seed| {
            let left = tempfile::tempdir().unwrap();
            disk.power_cuts().cut(position, &mut Rng::new(seed), left.path());
            let db = rusqlite::Connection::open(left.path().join("a.db")).unwrap();
            db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap_or(0)
        };
        (0..40).map(count).min().unwrap()
    }

    fn database(folder: &Path, synchronous: &str) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(folder.join("a.db")).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; CREATE TABLE t(x)")).unwrap();
        db.execute_batch("INSERT INTO t VALUES(1)").unwrap();
        db
    }

    #[test]
    fn what_is_synced_is_kept_and_what_is_not_can_be_lost() {
        for (synchronous, kept) in [("FULL", 1), ("NORMAL", 0), ("OFF", 0)] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::attach(dir.path());
            let _db = database(dir.path(), synchronous);
            assert_eq!(rows_after_cut(&disk, disk.position()), kept, "{synchronous}");
        }
    }

    #[test]
    fn a_sync_through_another_handle_keeps_what_was_written_through_any() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::attach(dir.path());
        let db = database(dir.path(), "NORMAL");
        assert_eq!(rows_after_cut(&disk, disk.position()), 0);
        let path = std::ffi::CString::new(disk.folder.join("a.db-wal").to_str().unwrap()).unwrap();
        // SAFETY: a file of the VFS's own size, opened, synced and closed once, whose path outlives it.
        unsafe {
            let vfs = ffi::sqlite3_vfs_find(ptr::null());
            let mut memory = vec![0u64; (*vfs).szOsFile as usize];
            let file = memory.as_mut_ptr().cast::<sqlite3_file>();
            let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_WAL;
            assert_eq!((*vfs).xOpen.unwrap()(vfs, path.as_ptr(), file, flags, ptr::null_mut()), ffi::SQLITE_OK);
            assert_eq!((*(*file).pMethods).xSync.unwrap()(file, ffi::SQLITE_SYNC_NORMAL), ffi::SQLITE_OK);
            assert_eq!((*(*file).pMethods).xClose.unwrap()(file), ffi::SQLITE_OK);
        }
        let synced = disk.position();
        db.execute_batch("INSERT INTO t VALUES(2)").unwrap();
        assert_eq!(rows_after_cut(&disk, synced), 1);
        assert_eq!(rows_after_cut(&disk, disk.position()), 1, "what was written after the sync can be lost");
    }

    #[test]
    fn a_failed_sync_loses_pages_that_the_next_one_does_not_bring_back() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::attach(dir.path());
        let db = database(dir.path(), "FULL");
        disk.fail(super::super::Fault { call: Call::Sync, part: Part::Wal, nth: 1, failure: Failure::Io, lasts: false });
        assert!(db.execute_batch("INSERT INTO t SELECT hex(randomblob(9000))").is_err());
        assert_eq!(disk.heal(), 1);
        // The same frames are written anew, so this one is whole whatever the failed sync lost.
        db.execute_batch("INSERT INTO t VALUES(2)").unwrap();
        assert_eq!(rows_after_cut(&disk, disk.position()), 2);
    }

    #[test]
    fn files_elsewhere_are_not_touched_and_a_detached_disk_sees_nothing() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = Disk::attach(dir.path());
        drop(database(other.path(), "FULL"));
        assert_eq!(disk.position(), 0);
        let kept = Arc::clone(&disk);
        drop(disk);
        drop(database(dir.path(), "FULL"));
        assert_eq!(kept.position(), 0);
    }
}
