//! The write-ahead log as a file: synced for all who wait ([`crate::durability`]), and made whole on the disk again before SQLite trusts it.
//!
//! After a sync that failed, the kernel counts the pages as clean: the next sync succeeds, and what a process reads back is what it wrote,
//! but the disk may never get it. A store that is opened then would recover commits that a power cut takes away again, from under those
//! that follow them, or half way through a checkpoint. So whoever opens a store for writing writes the bytes of the WAL that was left behind
//! once more and syncs it. It costs one pass over a file of a few megabytes, and only after a crash: a store that was closed has no WAL.
//!
//! The file is reached through SQLite's VFS, as SQLite reaches it, so that a test's faulty disk sees it too.

#![expect(unsafe_code, reason = "SQLite's VFS is C functions; each block says why it is sound")]

use std::ffi::{CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;

use relstore_model::{Error, Result};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

/// Bytes copied at a time. SQLite's VFS takes less than 128 KiB in one write, as no page is larger than 64 KiB.
const CHUNK: usize = 64 << 10;

/// Writes the WAL of the store at `path` again, byte for byte, and syncs it. The caller holds the store's lock, and SQLite has not opened it.
///
/// # Errors
/// `Unavailable` if the file cannot be opened, read, written or synced.
pub(crate) fn renew(path: &Path) -> Result<()> {
    if std::fs::metadata(wal_path(path)).map_or(0, |m| m.len()) == 0 {
        return Ok(());
    }
    open(path)?.rewrite().map_err(|e| failed(path, e))
}

/// Opens the WAL of the store at `path`, to sync it.
///
/// # Errors
/// `Unavailable` if it cannot be opened.
pub(crate) fn open(path: &Path) -> Result<File> {
    let real = wal_path(path).canonicalize().map_err(|e| failed(path, ("found", 0)).with_source(e))?;
    let file = File::open(&real).map_err(|e| failed(path, e))?;
    // SQLite syncs the folder when it first syncs a WAL that it made; here it never does, so the name would not outlive a power cut.
    if let Some(folder) = real.parent() {
        std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failed(path, ("entered in its folder", 0)).with_source(e))?;
    }
    Ok(file)
}

/// Makes everything that was written to the WAL so far durable, through whatever handle it was written.
///
/// # Errors
/// `Unavailable` if the disk fails.
pub(crate) fn sync(file: &mut File, path: &Path) -> Result<()> {
    file.sync().map_err(|e| failed(path, e))
}

fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn failed(path: &Path, (what, code): Failed) -> Error {
    Error::unavailable(format!("the write-ahead log cannot be {what}"))
        .with("path", wal_path(path).display())
        .with("sqlite_code", code)
        .with_hint(
            "check the disk, its free space and that the folder may be written, and open the store again: what was committed is safe",
        )
}

/// A file opened through the default VFS, closed when dropped.
pub(crate) struct File {
    /// `szOsFile` bytes, aligned for pointers.
    memory: Vec<u64>,
    /// Read by the VFS as long as the file is open.
    _path: CString,
}

type Failed = (&'static str, c_int);

impl File {
    fn open(path: &Path) -> Result<Self, Failed> {
        // The bytes after the NUL are where SQLite's own paths keep parameters: none.
        let mut bytes = path.as_os_str().as_bytes().to_vec();
        bytes.retain(|b| *b != 0);
        let path = CString::new(bytes).map_err(|_| ("opened", ffi::SQLITE_CANTOPEN))?;
        // SAFETY: the default VFS is valid as long as the process; it is given its own size of zeroed memory and a path that outlives the
        // file. No parameter is looked for behind the path: that is done for database files with SQLITE_OPEN_URI alone.
        unsafe {
            let vfs: *mut sqlite3_vfs = ffi::sqlite3_vfs_find(ptr::null());
            let open = (!vfs.is_null()).then(|| (*vfs).xOpen).flatten().ok_or(("opened", ffi::SQLITE_CANTOPEN))?;
            let mut file = Self { memory: vec![0; ((*vfs).szOsFile as usize).div_ceil(size_of::<u64>())], _path: path };
            let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_WAL;
            let code = open(vfs, file._path.as_ptr(), file.raw(), flags, ptr::null_mut());
            if code == ffi::SQLITE_OK { Ok(file) } else { Err(("opened", code)) }
        }
    }

    fn raw(&mut self) -> *mut sqlite3_file {
        self.memory.as_mut_ptr().cast::<sqlite3_file>()
    }

    fn sync(&mut self) -> Result<(), Failed> {
        let file = self.raw();
        // SAFETY: the file is open, so its methods are set.
        let code = unsafe { (*(*file).pMethods).xSync.map_or(ffi::SQLITE_MISUSE, |sync| sync(file, ffi::SQLITE_SYNC_NORMAL)) };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(("synced", code)) }
    }

    fn rewrite(mut self) -> Result<(), Failed> {
        let file = self.raw();
        let mut buffer = vec![0u8; CHUNK];
        let done = |what, code| if code == ffi::SQLITE_OK { Ok(()) } else { Err((what, code)) };
        // SAFETY: the file is open, so its methods are set; every version has those called here. The buffer has `count` bytes.
        unsafe {
            let methods: &sqlite3_io_methods = &*(*file).pMethods;
            let missing = ("used", ffi::SQLITE_MISUSE);
            let (size_of, read, write, sync) = (
                methods.xFileSize.ok_or(missing)?,
                methods.xRead.ok_or(missing)?,
                methods.xWrite.ok_or(missing)?,
                methods.xSync.ok_or(missing)?,
            );
            let mut size = 0i64;
            done("measured", size_of(file, &raw mut size))?;
            let mut at = 0i64;
            while at < size {
                let count = (size - at).min(CHUNK as i64) as c_int;
                done("read", read(file, buffer.as_mut_ptr().cast::<c_void>(), count, at))?;
                done("written", write(file, buffer.as_ptr().cast::<c_void>(), count, at))?;
                at += i64::from(count);
            }
            done("synced", sync(file, ffi::SQLITE_SYNC_NORMAL))
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let file = self.raw();
        // SAFETY: methods are set if the VFS opened the file, or asks to be closed after a failure; then it is closed once.
        unsafe {
            if let Some(methods) = (*file).pMethods.as_ref()
                && let Some(close) = methods.xClose
            {
                close(file);
            }
        }
    }
}
