//! Change capture: every row that a transaction changes, packed as it changes, in the log when it commits.
//!
//! Two parts of SQLite work together. The preupdate hook ([`hook`]) packs each row into a buffer. A tiny virtual table, the participant
//! ([`participant`]), is enlisted once in every write transaction: SQLite tells it of savepoints, of statements that are undone half way,
//! and of rollback, and it cuts the buffer back to where it stood; when the transaction commits, SQLite asks it to sync, and there it
//! writes the log row, inside the same transaction. So a row and its log entry commit together or not at all, and a COMMIT that fails
//! (a deferred foreign key) leaves no log row.
//!
//! Invariants: nothing is logged that did not happen, nothing happens that is not logged; if the hook fails, the commit fails.
//!
//! All of relstore-engine's FFI is here. The state is reached by SQLite's callbacks through a raw pointer and by the writer through
//! [`Capture`]; both run on the thread that holds the writer, and no method of [`Capture`] calls SQLite while it borrows the state.

#![expect(unsafe_code, reason = "SQLite's preupdate hook and transaction callbacks are C functions; each block says why it is sound")]

mod control;
mod ffi;
mod hook;
mod participant;
#[cfg(test)]
mod tests;

pub(crate) use control::Step;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use relstore_model::change::codec;
use relstore_model::{Change, Error, Op, Result, Schema, TableId, Timestamp, TxId, ValueRef};
use rusqlite::ffi::{sqlite3, sqlite3_stmt};

use crate::affinity::is_real;
use control::Control;

/// What the hook has to know of a table.
#[derive(Debug)]
struct CapturedTable {
    /// Its name, as SQLite says it.
    name: Vec<u8>,
    id: TableId,
    /// The columns that have cells: their numbers in the table.
    stored: Vec<c_int>,
    /// Whether the rowid is the row's only key and is kept beside the cells.
    with_rowid: bool,
    /// Positions among the stored columns of floats that were added with a default to a table that may have had rows.
    late_reals: Vec<usize>,
}

/// What a commit becomes in the log, beside its changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogHead {
    /// The id that the caller gave to the transaction.
    pub(crate) txid: Option<TxId>,
    /// The last LSN before this commit.
    pub(crate) lsn_before: i64,
    /// How many bytes of changes were committed before, over the store's life.
    pub(crate) offset: i64,
    /// The commit's time.
    pub(crate) timestamp: Timestamp,
    /// The schema version in force at its first change.
    pub(crate) schema_version: u32,
}

/// How far the changes of the open transaction go: bytes and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    packed: usize,
    count: u64,
}

/// The state behind the callbacks.
struct State {
    packed: Vec<u8>,
    count: u64,
    /// Savepoints: SQLite's number, and how much of the buffer is older.
    marks: Vec<(c_int, usize, u64)>,
    tables: HashMap<Vec<u8>, Arc<CapturedTable>>,
    /// The table of the last change: runs of changes to one table are the rule.
    last: Option<Arc<CapturedTable>>,
    scratch: hook::Scratch,
    /// Set while rows move between tiers: that is no change.
    is_suspended: bool,
    /// How a new row is logged: `Create`, or `Read` while a restore fills the store.
    created_as: Op,
    /// Why the next commit must fail.
    failure: Option<Error>,
    /// How many bytes of changes one commit may have.
    packed_bytes_max: usize,
    head: LogHead,
    insert: *mut sqlite3_stmt,
}

/// How large the buffer of changes stays between transactions.
const PACKED_KEPT_BYTES: usize = 4 << 20;

/// What the log row needs beside its changes: a record header and four integers.
const LOG_ROW_BYTES: usize = 64;

impl State {
    fn cut(&mut self, packed: usize, count: u64) {
        self.packed.truncate(packed);
        self.count = count;
    }

    fn clear(&mut self) {
        self.cut(0, 0);
        self.marks.clear();
        self.failure = None;
        // A transaction of the usual size finds its buffer again; what a huge one needed goes back.
        self.packed.shrink_to(PACKED_KEPT_BYTES);
    }

    /// Refuses the commit once its changes do not fit in one log row, and keeps no more of them.
    #[inline]
    fn check_size(&mut self) {
        if self.packed.len() > self.packed_bytes_max {
            self.refuse_size();
        }
    }

    #[cold]
    fn refuse_size(&mut self) {
        let error = Error::invalid("the transaction changes more than one commit can hold, so it was refused");
        self.failure = Some(
            error
                .with("bytes", self.packed.len())
                .with("bytes_max", self.packed_bytes_max)
                .with("changes", self.count)
                .with_hint("divide it into several transactions"),
        );
        self.packed = Vec::new();
    }
}

/// The capture of one writing connection.
pub(crate) struct Capture {
    state: NonNull<State>,
    control: RefCell<Control>,
}

// SAFETY: the state is reached only by whoever holds the writer, one thread at a time; SQLite calls back on that same thread.
unsafe impl Send for Capture {}

impl Capture {
    /// Installs the hook and the participant on `connection`, which must outlive the capture's use and whose log table must exist.
    ///
    /// # Errors
    /// As SQLite gives them.
    pub(crate) fn install(connection: &rusqlite::Connection) -> Result<Self> {
        let state = Box::new(State {
            packed: Vec::new(),
            count: 0,
            marks: Vec::new(),
            tables: HashMap::new(),
            last: None,
            scratch: hook::Scratch::default(),
            is_suspended: false,
            created_as: Op::Create,
            failure: None,
            packed_bytes_max: 0,
            head: LogHead::default(),
            insert: std::ptr::null_mut(),
        });
        // A pointer from a box that is given up: both sides reach the state through it, and `Drop` takes it back.
        let state = NonNull::from(Box::leak(state));
        // SAFETY: the handle is only kept; whoever runs a statement with it sees to it that the connection is open.
        let capture = Self { state, control: RefCell::new(Control::new(unsafe { connection.handle() })) };
        // SAFETY: the handle is valid for the call, and the state lives until `remove`.
        unsafe {
            let db = connection.handle();
            participant::register(db, state.as_ptr())?;
            // SQLite's limit on the length of a row, which is one gigabyte unless it was compiled otherwise.
            let row_bytes_max = rusqlite::ffi::sqlite3_limit(db, rusqlite::ffi::SQLITE_LIMIT_LENGTH, -1);
            (*state.as_ptr()).packed_bytes_max = (row_bytes_max as usize).saturating_sub(LOG_ROW_BYTES);
            ffi::sqlite3_preupdate_hook(db, Some(hook::on_change), state.as_ptr().cast::<c_void>());
        }
        Ok(capture)
    }

    /// Takes the hook off and frees the log statement. To be called before the connection is closed.
    pub(crate) fn remove(&mut self, connection: &rusqlite::Connection) {
        // SAFETY: the handle is valid for the call; the statement belongs to this connection and is finalised once.
        unsafe {
            ffi::sqlite3_preupdate_hook(connection.handle(), None, std::ptr::null_mut());
            self.control.get_mut().finalize();
            let state = self.state.as_mut();
            rusqlite::ffi::sqlite3_finalize(std::mem::replace(&mut state.insert, std::ptr::null_mut()));
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // SAFETY: the caller holds the writer, `f` does not call SQLite, so no callback runs and no other reference exists.
        f(unsafe { &mut *self.state.as_ptr() })
    }

    /// Sets the tables whose changes are captured. Changes of tables not in the schema (SQLite's, the engine's, shadow tables) are not.
    pub(crate) fn set_schema(&self, schema: &Schema) {
        let positions = |t: &relstore_model::Table, wanted: fn(&relstore_model::Column) -> bool| {
            t.stored_columns().enumerate().filter(|(_, c)| wanted(c)).map(|(i, _)| i).collect()
        };
        let captured = |t: &relstore_model::Table| CapturedTable {
            name: t.name.clone().into_bytes(),
            id: t.id,
            stored: t.columns.iter().enumerate().filter(|(_, c)| !c.is_virtual).map(|(i, _)| i as c_int).collect(),
            with_rowid: t.is_keyed_by_rowid(),
            late_reals: positions(t, |c| is_real(&c.declared) && c.initial_default.is_some()),
        };
        let tables = schema.tables.iter().map(|t| (t.name.clone().into_bytes(), Arc::new(captured(t)))).collect();
        self.with(|s| {
            s.tables = tables;
            s.last = None;
        });
    }

    /// Sets what the log row of the next commit says beside its changes.
    pub(crate) fn set_head(&self, head: LogHead) {
        self.with(|s| s.head = head);
    }

    /// Runs a statement that every write transaction runs.
    ///
    /// # Errors
    /// As SQLite gives them.
    pub(crate) fn run(&self, step: Step) -> Result<()> {
        // SAFETY: the caller holds the writer, so its connection is open and nobody else uses it.
        unsafe { self.control.borrow_mut().run(step) }
    }

    /// Writes the log row of what was captured since the transaction began, or since the last seal, and begins anew: what follows is another
    /// commit in the log, though SQLite commits them together. No savepoint may be open.
    ///
    /// # Errors
    /// Why the capture failed, if it did; as SQLite gives them otherwise. The transaction must then be rolled back.
    pub(crate) fn seal(&self, connection: &rusqlite::Connection) -> Result<()> {
        // SAFETY: the handle is valid for the call, the caller holds the writer, and nothing borrows the state.
        let code = unsafe { participant::put_log_row(connection.handle(), self.state.as_ptr()) };
        if code != rusqlite::ffi::SQLITE_OK {
            let failed = || Error::unavailable("the log row could not be written").with("sqlite_code", code);
            return Err(self.take_failure().unwrap_or_else(failed));
        }
        self.with(|s| {
            s.cut(0, 0);
            s.marks.clear();
        });
        Ok(())
    }

    /// How many changes the open transaction holds.
    pub(crate) fn count(&self) -> u64 {
        self.with(|s| s.count)
    }

    /// Where the open transaction's changes stand.
    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        self.with(|s| Mark { packed: s.packed.len(), count: s.count })
    }

    /// Forgets the changes after `mark`.
    pub(crate) fn cut(&self, mark: Mark) {
        self.with(|s| s.cut(mark.packed, mark.count));
    }

    /// The last change after `mark`, and where it begins. `None` if there is none, or the capture has failed.
    pub(crate) fn last_change_after(&self, mark: Mark) -> Result<Option<(Mark, Change)>> {
        self.with(|s| {
            let Some(packed) = s.packed.get(mark.packed..).filter(|_| s.failure.is_none()) else { return Ok(None) };
            let mut reader = codec::Reader::new(packed);
            let mut last = None;
            let mut at = mark;
            while let Some(change) = reader.next()? {
                last = Some((at, change.to_change()?));
                at = Mark { packed: mark.packed + reader.position(), count: at.count + 1 };
            }
            Ok(last)
        })
    }

    /// How many bytes they take, packed.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.with(|s| s.packed.len() as u64)
    }

    /// Adds a change of shape to the open transaction.
    pub(crate) fn put_schema(&self, schema: &Schema, sql: &str) {
        self.with(|s| {
            codec::put_schema(&mut s.packed, schema, sql);
            s.count += 1;
        });
    }

    /// Adds a row that came or went without the hook being told: those of `CREATE TABLE … AS` and of `DROP TABLE`.
    pub(crate) fn put_row(&self, op: Op, table: TableId, rowid: Option<i64>, cells: &[ValueRef<'_>]) {
        self.with(|s| {
            let op = if op == Op::Create { s.created_as } else { op };
            codec::put_row(&mut s.packed, op, table, rowid, cells.iter().copied());
            s.count += 1;
            s.check_size();
        });
    }

    /// No more changes of this table are captured until the schema is set again.
    pub(crate) fn forget(&self, table: &str) {
        self.with(|s| {
            s.tables.remove(table.as_bytes());
            s.last = None;
        });
    }

    /// Adds changes that the hook did not see: `pack` appends them and says how many they are.
    pub(crate) fn put(&self, pack: impl FnOnce(&mut Vec<u8>) -> u64) {
        self.with(|s| {
            s.count += pack(&mut s.packed);
            s.check_size();
        });
    }

    /// While suspended, changes are not captured: rows that move between tiers do not change.
    pub(crate) fn set_suspended(&self, suspended: bool) {
        self.with(|s| s.is_suspended = suspended);
    }

    /// The same switch, for a SQL function of this connection: it is called where the writer is not at hand.
    pub(crate) fn suspender(&self) -> Suspender {
        Suspender(self.state)
    }

    /// Whether new rows are logged as rows that were there already (`r`), as a restore's are.
    pub(crate) fn set_created_as_read(&self, read: bool) {
        self.with(|s| s.created_as = if read { Op::Read } else { Op::Create });
    }

    /// Makes the commit fail with `error`.
    pub(crate) fn refuse(&self, error: Error) {
        self.with(|s| s.failure = Some(error));
    }

    /// Why the commit was refused, if the capture refused it.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.with(|s| s.failure.take())
    }

    /// Forgets the open transaction's changes. SQLite's callbacks do so on rollback; this is for one that never enlisted.
    pub(crate) fn clear(&self) {
        self.with(State::clear);
    }
}

/// Suspends the capture from inside a statement of its connection. It must not outlive the connection.
#[derive(Clone, Copy)]
pub(crate) struct Suspender(NonNull<State>);

// SAFETY: as for `Capture`: whoever runs a statement holds the writer.
unsafe impl Send for Suspender {}

impl Suspender {
    /// As [`Capture::set_suspended`].
    pub(crate) fn set(self, suspended: bool) {
        // SAFETY: the state lives as long as the connection, and SQLite calls a function while no callback of the capture runs.
        unsafe { (*self.0.as_ptr()).is_suspended = suspended };
    }

    /// Whether changes are not captured now.
    pub(crate) fn is_suspended(self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).is_suspended }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // SAFETY: `remove` has taken the hook off, the connection is closed, and nothing else reaches the state.
        drop(unsafe { Box::from_raw(self.state.as_ptr()) });
    }
}

/// Runs a callback's body and turns a panic into a failure of the next commit: no panic may cross into C, and none may lose a change.
///
/// # Safety
/// `state` is the pointer that was given to SQLite, alive, and not otherwise borrowed.
unsafe fn guarded<T>(state: *mut State, otherwise: T, body: impl FnOnce(&mut State) -> T) -> T {
    // SAFETY: by the caller.
    let state = unsafe { &mut *state };
    let body = || {
        #[cfg(test)]
        tests::panic_if_asked();
        body(&mut *state)
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(_) => {
            let error = Error::internal("change capture panicked, so the commit was refused");
            state.failure = Some(error.with_hint("the store is as it was before the transaction, and works on: please report this"));
            otherwise
        }
    }
}

/// The raw handle type, for the children.
type Db = *mut sqlite3;
