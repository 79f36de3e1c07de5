//! A VFS that hands the operating system the frames of a commit at once.
//!
//! SQLite writes each frame of the write-ahead log in two calls, 24 bytes of header and a page: a commit that touches five pages is ten system
//! calls, which for a small commit is most of what it costs. Here the frames of a WAL are gathered, and written when the frame that commits
//! (its header says so) is whole, when SQLite looks at the file, or when there is a mebibyte of them. Until then nobody needs them: a frame
//! counts for readers and for recovery only when the one that commits is there. What is not appended frame by frame is passed on as it comes.
//! All other files are the default VFS's own.
//!
//! A checkpoint begins with a sync of the WAL, of which SQLite lets nobody else know: a thread that makes one can have it go through a
//! [`SyncGate`].
//!
//! <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>, <https://www.sqlite.org/c3ref/io_methods.html>

#![expect(unsafe_code, reason = "a SQLite VFS is C functions over memory that SQLite allots; each block says why it is sound")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

/// The VFS's name.
pub(crate) const VFS: &CStr = c"relstore";

/// The size of a frame's header, whose bytes 4 to 8 are not zero in the frame that commits.
const HEADER_BYTES: usize = 24;
const GATHERED_BYTES_MAX: usize = 1 << 20;
/// Room for the file of whatever VFS is the default when a file is opened: SQLite's own takes some hundred bytes.
const REAL_FILE_BYTES: usize = 2048;

/// Registers the VFS, once in the process. If SQLite refuses, opening by its name fails and says so.
pub(crate) fn register() {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        // SAFETY: SQLite is initialised first; the default VFS lives as long as the process, and so does ours, which is leaked. The functions
        // that are copied do not look at the VFS they are given; those that do are replaced.
        unsafe {
            if ffi::sqlite3_initialize() != ffi::SQLITE_OK || real().is_null() {
                return;
            }
            let mut vfs = *real();
            vfs.pNext = ptr::null_mut();
            vfs.zName = VFS.as_ptr();
            vfs.szOsFile = (size_of::<Wal>() + REAL_FILE_BYTES) as c_int;
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0);
        }
    });
}

/// Who sees to it that syncs of one WAL do not come beside each other.
pub(crate) trait SyncGate {
    /// Has `sync` called when it may be, and gives its result; an error of its own if it may not be called at all.
    fn pass(&self, sync: &mut dyn FnMut() -> c_int) -> c_int;
}

thread_local! {
    static GATE: RefCell<Option<Arc<dyn SyncGate>>> = const { RefCell::new(None) };
}

/// Runs `run`, in which this thread syncs WALs through `gate`.
pub(crate) fn gated<T>(gate: Arc<dyn SyncGate>, run: impl FnOnce() -> T) -> T {
    struct Open;
    impl Drop for Open {
        fn drop(&mut self) {
            // A thread that is ending has none.
            let _ = GATE.try_with(|gate| gate.take());
        }
    }
    GATE.set(Some(gate));
    let _open = Open;
    run()
}

/// The default VFS as it is now.
fn real() -> *mut sqlite3_vfs {
    // SAFETY: a look-up by no name gives the default.
    unsafe { ffi::sqlite3_vfs_find(ptr::null()) }
}

/// An open WAL, with the real file right behind it.
#[repr(C)]
struct Wal {
    base: sqlite3_file,
    /// From `Box::into_raw`; freed by `close`.
    frames: *mut Frames,
}

/// The frames that are not written yet.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// Where the first of them goes.
    at: i64,
    /// The end of what was appended: a frame begins there, or behind.
    end: i64,
    /// The header of a frame was appended, and its page comes next.
    is_page_next: bool,
    is_commit: bool,
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { (*real()).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(real(), path, sync)) }
}

unsafe extern "C" fn open(_: *mut sqlite3_vfs, path: *const c_char, file: *mut sqlite3_file, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes for the file, which has room for ours and for the real one; the real VFS is called as SQLite would.
    unsafe {
        let real = real();
        let Some(open) = (*real).xOpen.filter(|_| (*real).szOsFile as usize <= REAL_FILE_BYTES) else {
            return ffi::SQLITE_CANTOPEN;
        };
        if flags & ffi::SQLITE_OPEN_WAL == 0 {
            return open(real, path, file, flags, out);
        }
        let wal = file.cast::<Wal>();
        (*wal).base.pMethods = ptr::null();
        let code = open(real, path, behind(file), flags, out);
        // Where the real file wants to be closed, so does ours, whatever the code.
        if !(*behind(file)).pMethods.is_null() {
            (*wal).frames = Box::into_raw(Box::default());
            (*wal).base.pMethods = &raw const METHODS;
        }
        code
    }
}

/// The real file behind ours.
///
/// # Safety
/// `file` is one that [`open`] was given.
unsafe fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: there is room, and ours is a multiple of a pointer's size, so the real one is aligned.
    unsafe { file.cast::<Wal>().add(1).cast::<sqlite3_file>() }
}

/// # Safety
/// `file` was opened by [`open`] as a WAL, and is not closed. SQLite uses a file from one thread at a time, so the reference is alone.
unsafe fn frames<'a>(file: *mut sqlite3_file) -> &'a mut Frames {
    // SAFETY: by the caller.
    unsafe { &mut *(*file.cast::<Wal>()).frames }
}

/// Calls a method of the real file.
macro_rules! pass_on {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let real = behind($file);
        match (*(*real).pMethods).$method {
            Some(method) => method(real $(, $argument)*),
            None => ffi::SQLITE_IOERR,
        }
    }};
}

/// Writes what was gathered. If that fails it is forgotten: the commit fails with it.
///
/// # Safety
/// As [`frames`].
unsafe fn flush(file: *mut sqlite3_file) -> c_int {
    // SAFETY: by the caller; the bytes live during the call.
    unsafe {
        let frames = frames(file);
        if frames.bytes.is_empty() {
            return ffi::SQLITE_OK;
        }
        let mut code = ffi::SQLITE_OK;
        let mut at = frames.at;
        // The default VFS takes less than 128 KiB in one write.
        for chunk in frames.bytes.chunks(64 << 10) {
            code = pass_on!(file, xWrite, chunk.as_ptr().cast::<c_void>(), chunk.len() as c_int, at);
            if code != ffi::SQLITE_OK {
                frames.end = frames.at;
                break;
            }
            at += chunk.len() as i64;
        }
        frames.bytes.clear();
        frames.bytes.shrink_to(256 << 10);
        frames.is_page_next = false;
        code
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `count` bytes and a file that `open` opened.
    unsafe {
        let gathered = frames(file);
        let written = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
        let is_header = written.len() == HEADER_BYTES;
        let is_page = gathered.is_page_next && !is_header && at == gathered.end;
        if !(is_page || (is_header && at >= gathered.end)) {
            let code = flush(file);
            let gathered = frames(file);
            gathered.is_page_next = false;
            if at == 0 {
                // The WAL begins anew.
                gathered.end = i64::from(count);
            }
            return if code == ffi::SQLITE_OK { pass_on!(file, xWrite, bytes, count, at) } else { code };
        }
        let follows = gathered.at + gathered.bytes.len() as i64 == at;
        if !gathered.bytes.is_empty() && !follows {
            let code = flush(file);
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        let gathered = frames(file);
        if gathered.bytes.is_empty() {
            gathered.at = at;
        }
        gathered.bytes.extend_from_slice(written);
        gathered.end = at + i64::from(count);
        gathered.is_page_next = is_header;
        if is_header {
            gathered.is_commit = written[4..8] != [0; 4];
            return ffi::SQLITE_OK;
        }
        if gathered.is_commit || gathered.bytes.len() >= GATHERED_BYTES_MAX { flush(file) } else { ffi::SQLITE_OK }
    }
}

/// A method before which everything must be in the file.
macro_rules! after_flush {
    ($name:ident, $method:ident $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: SQLite gives a file that `open` opened; the rest is passed on as it came.
            unsafe {
                let code = flush(file);
                if code == ffi::SQLITE_OK { pass_on!(file, $method $(, $argument)*) } else { code }
            }
        }
    };
}

/// A method that is passed on.
macro_rules! passed_on {
    ($name:ident, $method:ident $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: SQLite gives a file that `open` opened; the rest is passed on as it came.
            unsafe { pass_on!(file, $method $(, $argument)*) }
        }
    };
}

after_flush!(read, xRead, bytes: *mut c_void, count: c_int, at: i64);
after_flush!(truncate, xTruncate, size: i64);
after_flush!(sync_now, xSync, flags: c_int);
after_flush!(file_size, xFileSize, out: *mut i64);
passed_on!(lock, xLock, level: c_int);
passed_on!(unlock, xUnlock, level: c_int);
passed_on!(check_reserved_lock, xCheckReservedLock, out: *mut c_int);
passed_on!(file_control, xFileControl, operation: c_int, argument: *mut c_void);
passed_on!(sector_size, xSectorSize);
passed_on!(device_characteristics, xDeviceCharacteristics);

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let gate = GATE.try_with(|gate| gate.borrow().clone()).ok().flatten();
    // SAFETY: passed on as it came.
    let mut sync = || unsafe { sync_now(file, flags) };
    match gate {
        Some(gate) => gate.pass(&mut sync),
        None => sync(),
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the frames are freed after the last use.
    unsafe {
        // What is left belongs to no commit.
        let wal = file.cast::<Wal>();
        drop(Box::from_raw(std::mem::replace(&mut (*wal).frames, ptr::null_mut())));
        (*wal).base.pMethods = ptr::null();
        pass_on!(file, xClose)
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
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
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
