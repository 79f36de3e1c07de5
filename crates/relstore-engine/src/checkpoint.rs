//! Taking the WAL into the file, beside the writer: a thread of the process does it for all its stores, so that no commit waits for the two syncs.
//!
//! A store asks for it when its WAL has [`FRAMES_MAX`] frames, and for each as many more. Most of the work is done while commits go on. What they
//! add meanwhile is taken in with the writer held, which is short; and if the WAL is not begun anew because one reader's snapshot reaches into the
//! next one's, those that are open are waited for then: new ones do not need the WAL any more. A reader that stays for longer is left alone until
//! the WAL has doubled. A writer that is far ahead of the thread waits for it.
//!
//! Whoever finds that the disk failed in it says so: SQLite by itself drops that error, and a WAL whose sync failed once must not be trusted
//! again. So a checkpoint syncs the WAL as whoever waits for a commit does, one at a time and never after a failure ([`Disk`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use relstore_model::Result;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::durability::Disk;
use crate::sqlite::frames::{self, SyncGate};
use crate::sqlite::from_sqlite;
use crate::writer::Writer;
use crate::writer_place::WriterPlace;

/// How many frames the WAL may have before it is taken into the file: SQLite's own number.
const FRAMES_MAX: i32 = 1000;
/// How many it has when its writer is held up until the thread has come to it.
const FRAMES_FAR_TOO_MANY: i32 = 4 * FRAMES_MAX;
/// How long the thread, which has other stores to look after, waits for a writer.
const WRITER_WAIT: Duration = Duration::from_millis(100);
/// How long a writer that is far ahead waits for it at the most.
const THREAD_WAIT: Duration = Duration::from_secs(2);
/// How long it holds a writer for the sake of readers.
const READERS_WAIT: Duration = Duration::from_millis(100);
const STACK_BYTES: usize = 512 << 10;

/// One store's share of the thread.
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    is_over: Condvar,
    /// The last commit left a WAL that the thread should have come to before: the next one waits.
    is_far_ahead: AtomicBool,
    disk: Arc<Disk>,
}

#[derive(Default)]
struct State {
    /// Where the file and its writer are, once the store is open.
    store: Option<(PathBuf, Weak<WriterPlace>)>,
    is_asked: bool,
    is_running: bool,
    has_ended: bool,
    /// Its last run came to nothing, so that the next checkpoint is the committing thread's.
    has_failed: bool,
    /// The writer waits for the thread, and commits nothing meanwhile.
    is_writer_waiting: bool,
    /// How many frames the WAL had when readers were waited for in vain.
    held_up_at: Option<i64>,
}

/// What a pass left.
struct Passed {
    /// A reader was in the way.
    is_busy: bool,
    frames: i64,
    /// How many of them are in the file.
    taken: i64,
}

impl Checkpoints {
    pub(crate) fn new(disk: Arc<Disk>) -> Self {
        Self { state: Mutex::default(), is_over: Condvar::new(), is_far_ahead: AtomicBool::new(false), disk }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk that the WAL is on.
    pub(crate) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// From here on the thread can do it.
    pub(crate) fn opened(&self, path: &Path, writer: &Arc<WriterPlace>) {
        self.lock().store = Some((path.to_owned(), Arc::downgrade(writer)));
    }

    /// Looks at the WAL after each commit on the writer's connection.
    ///
    /// # Errors
    /// `Internal` if SQLite refuses the hook.
    pub(crate) fn watch(self: &Arc<Self>, writer: &mut Connection) -> Result<()> {
        let checkpoints = Arc::clone(self);
        let mut next = FRAMES_MAX;
        let mut last = 0;
        let hook = move |wal: &mut Wal, frames: i32| {
            if frames < last {
                // Begun anew.
                next = FRAMES_MAX;
            }
            last = frames;
            if frames >= next {
                next = frames.saturating_add(FRAMES_MAX);
                if !checkpoints.ask() {
                    checkpoints.note(checkpoints.gated(|| wal.checkpoint()));
                } else if frames >= FRAMES_FAR_TOO_MANY {
                    checkpoints.is_far_ahead.store(true, Ordering::Relaxed);
                }
            }
            // The commit is done, whatever became of the checkpoint.
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(|e| from_sqlite(&e, ""))
    }

    /// Asks the thread; says whether it will come to it.
    fn ask(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if std::mem::take(&mut state.has_failed) {
            return false;
        }
        if !state.is_asked && !state.is_running {
            let thread = thread().filter(|_| state.store.is_some() && !state.has_ended);
            state.is_asked = thread.is_some_and(|thread| thread.send(Arc::clone(self)).is_ok());
        }
        state.is_asked || state.is_running
    }

    /// Whether the writer's next transaction will wait.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.is_far_ahead.load(Ordering::Relaxed)
    }

    /// Before the writer begins a transaction: lets the thread catch up, if it is far behind.
    pub(crate) fn catch_up(&self) {
        if !self.is_far_ahead.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        state.is_writer_waiting = true;
        let is_at_it = |state: &mut State| state.is_asked || state.is_running;
        let waited = self.is_over.wait_timeout_while(state, THREAD_WAIT, is_at_it).unwrap_or_else(PoisonError::into_inner);
        let mut state = waited.0;
        state.is_writer_waiting = false;
    }

    /// Sees to it that nothing more is written if the disk failed. Anything else is tried again.
    fn note<T>(&self, done: rusqlite::Result<T>) {
        if done.err().and_then(|e| e.sqlite_error_code()) == Some(ErrorCode::SystemIoFailure) {
            self.disk.poison();
        }
    }

    /// Runs what syncs the WAL.
    pub(crate) fn gated<T>(&self, run: impl FnOnce() -> T) -> T {
        frames::gated(Arc::clone(&self.disk) as Arc<dyn SyncGate>, run)
    }

    /// On the thread.
    fn run(&self) {
        let store = {
            let mut state = self.lock();
            state.is_asked = false;
            let store = state.store.as_ref().and_then(|(path, writer)| Some((path.clone(), writer.upgrade()?)));
            let store = store.filter(|_| !state.has_ended);
            state.is_running = store.is_some();
            store
        };
        let Some((path, writer)) = store else { return };
        let running = Running { checkpoints: self, writer: Some(writer) };
        let taken_in = open(&path).and_then(|connection| self.take_in(&connection, &running));
        self.lock().has_failed = taken_in.is_err();
        self.note(taken_in);
    }

    fn take_in(&self, connection: &Connection, running: &Running<'_>) -> rusqlite::Result<()> {
        const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
        let first = self.pass(connection, PASSIVE)?;
        let second = if first.taken < first.frames { self.pass(connection, PASSIVE)? } else { first };
        let is_begun_anew_next = second.taken == second.frames && second.frames < 2 * i64::from(FRAMES_MAX);
        if is_begun_anew_next {
            self.lock().held_up_at = None;
            return Ok(());
        }
        let (held_up_at, is_writer_waiting) = {
            let state = self.lock();
            (state.held_up_at, state.is_writer_waiting)
        };
        let wait = if held_up_at.is_some_and(|at| second.frames < 2 * at) { Duration::ZERO } else { READERS_WAIT };
        let held = running.writer.as_ref().filter(|_| !is_writer_waiting).and_then(|writer| writer.lock_within(WRITER_WAIT));
        if held.is_none() && !self.lock().is_writer_waiting {
            // A long transaction: the next commit asks again.
            return Ok(());
        }
        connection.busy_timeout(wait)?;
        let last = self.pass(connection, "PRAGMA wal_checkpoint(RESTART)")?;
        // While it grows behind the same reader, the next wait is when it has doubled.
        let at = if wait.is_zero() { held_up_at } else { Some(last.frames) };
        self.lock().held_up_at = at.filter(|_| last.is_busy);
        Ok(())
    }

    /// Takes in what can be.
    fn pass(&self, connection: &Connection, checkpoint: &str) -> rusqlite::Result<Passed> {
        let read = |row: &rusqlite::Row<'_>| Ok(Passed { is_busy: row.get(0)?, frames: row.get(1)?, taken: row.get(2)? });
        self.gated(|| connection.query_row(checkpoint, [], read))
    }

    /// The store is being closed, or its disk has failed: the thread is done with it when this returns, and does not come back.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        while state.is_running {
            state = self.is_over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Writer {
    /// Takes the WAL into the file now.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let checkpoint = || self.internally(|c| c.query("/*rs*/ PRAGMA main.wal_checkpoint(PASSIVE)", &[]));
        self.checkpoints().gated(checkpoint).map(|_| ())
    }
}

/// The thread is at work on a store; not any more when this is dropped, also by a panic.
struct Running<'a> {
    checkpoints: &'a Checkpoints,
    writer: Option<Arc<WriterPlace>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // First: whoever closes the store closes the writer's connection, and not this thread.
        drop(self.writer.take());
        self.checkpoints.lock().is_running = false;
        self.checkpoints.is_over.notify_all();
    }
}

/// A connection that is never the last of its store: the writer's outlives it.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, frames::VFS)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.execute_batch("PRAGMA synchronous=NORMAL")?;
    Ok(connection)
}

/// The process's thread; `None` if it could not be started.
fn thread() -> Option<&'static Sender<Arc<Checkpoints>>> {
    static THREAD: OnceLock<Option<Sender<Arc<Checkpoints>>>> = OnceLock::new();
    let start = || {
        let (sender, asked) = channel::<Arc<Checkpoints>>();
        let work = move || {
            for checkpoints in asked {
                // What went wrong in one store is nothing to the next.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| checkpoints.run()));
            }
        };
        std::thread::Builder::new().name("relstore-wal".to_owned()).stack_size(STACK_BYTES).spawn(work).ok().map(|_| sender)
    };
    THREAD.get_or_init(start).as_ref()
}
