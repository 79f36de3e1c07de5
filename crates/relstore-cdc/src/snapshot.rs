//! The rows that are there when a subscriber begins, as events, from one read transaction and in bounded memory.
//!
//! A thread of its own reads, so that the read transaction lasts as long as the subscriber takes, with no more than a few parts in
//! memory. Evicted rows are among them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use relstore_engine::{Computed, Database, ReadTransaction};
use relstore_model::event::{Selection, SnapshotPlace};
use relstore_model::identifier::quote;
use relstore_model::{Error, ErrorKind, Lsn, Namespace, Result, Table, UnifiedEvent, ValueRef};

use crate::delivery::{Delivery, SnapshotPart};

/// A part is given when it has this many rows or bytes of cells.
const PART_ROWS: usize = 256;
const PART_BYTES: usize = 1 << 20;
/// How many parts may wait to be taken.
const PARTS_AHEAD: usize = 2;

/// What the reading thread tells.
enum Told {
    Part(Delivery),
    /// No chosen table has a row.
    Empty(Lsn),
    Failed(Error),
}

/// What the snapshot gives next.
pub(crate) enum Next {
    Part(Delivery),
    Empty(Lsn),
    Timeout,
}

/// A snapshot under way. Dropped, it stops.
pub(crate) struct Snapshot {
    told: Option<Receiver<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshot {
    pub(crate) fn start(db: Arc<Database>, ns: Namespace, selection: Selection) -> Result<Self> {
        let (tell, told) = sync_channel(PARTS_AHEAD);
        let thread = std::thread::Builder::new()
            .name(format!("relstore-snapshot-{ns}"))
            .spawn(move || {
                let read = || db.read(|tx| read_all(tx, &ns, &selection, &tell));
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
                    .unwrap_or_else(|_| Err(Error::internal("reading the initial snapshot panicked")));
                if let Err(error) = result {
                    // If nobody listens any more, that is why.
                    let _ = tell.send(Told::Failed(error));
                }
            })
            .map_err(|e| Error::unavailable("the thread of a snapshot cannot be started").with_source(e))?;
        Ok(Self { told: Some(told), thread: Some(thread) })
    }

    pub(crate) fn next(&mut self, timeout: Duration) -> Result<Next> {
        let told = self.told.as_ref().ok_or_else(|| Error::internal("a snapshot that has ended was asked for more"))?;
        match told.recv_timeout(timeout) {
            Ok(Told::Part(delivery)) => Ok(Next::Part(delivery)),
            Ok(Told::Empty(lsn)) => Ok(Next::Empty(lsn)),
            Ok(Told::Failed(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Timeout),
            Err(RecvTimeoutError::Disconnected) => Err(Error::internal("reading the initial snapshot ended without an end")),
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // First: a thread that waits for its part to be taken then finds nobody.
        self.told = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_all(tx: &ReadTransaction<'_>, ns: &Namespace, selection: &Selection, tell: &SyncSender<Told>) -> Result<()> {
    let schema = Arc::clone(tx.schema());
    let place = SnapshotPlace { namespace: ns, lsn: tx.lsn(), timestamp: tx.timestamp(), schema_version: schema.version };
    let computed = Computed::default();
    let mut parts = Parts { lsn: tx.lsn(), rows: Vec::new(), bytes: 0, held: None, is_first: true, tell };
    for table in schema.tables.iter().filter(|t| selection.has_table(&t.name)) {
        let rowid = table.is_keyed_by_rowid().then(|| rowid_name(table)).flatten();
        let columns = rowid.map(str::to_owned).into_iter().chain(table.stored_columns().map(|c| quote(&c.name)));
        let sql = format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), quote(&table.name));
        tx.query_each(&sql, &[], &mut |cells| {
            let (rowid, cells) = match (rowid, cells) {
                (Some(_), [ValueRef::Integer(rowid), cells @ ..]) => (Some(*rowid), cells),
                (_, cells) => (None, cells),
            };
            parts.push(Selection::row_found(&place, table, rowid, cells, &computed)?, cells)
        })?;
    }
    parts.finish()
}

/// What a table without a key calls its rowid, unless columns of its own have taken every name.
fn rowid_name(table: &Table) -> Option<&'static str> {
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| table.position(name).is_none())
}

/// Rows on their way into parts. A part is held back until the next is there, so that the last one knows that it is.
struct Parts<'a> {
    lsn: Lsn,
    rows: Vec<UnifiedEvent>,
    bytes: usize,
    held: Option<Vec<UnifiedEvent>>,
    is_first: bool,
    tell: &'a SyncSender<Told>,
}

impl Parts<'_> {
    fn push(&mut self, event: UnifiedEvent, cells: &[ValueRef<'_>]) -> Result<()> {
        self.rows.push(event);
        let size = |c: &ValueRef<'_>| if let ValueRef::Text(b) | ValueRef::Blob(b) = c { b.len() } else { 8 };
        self.bytes += cells.iter().map(size).sum::<usize>();
        if self.rows.len() < PART_ROWS && self.bytes < PART_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        let full = std::mem::take(&mut self.rows);
        match self.held.replace(full) {
            Some(before) => self.give(before, false),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<()> {
        match (self.held.take(), std::mem::take(&mut self.rows)) {
            (None, rows) if rows.is_empty() => self.tell(Told::Empty(self.lsn)),
            (None, rows) => self.give(rows, true),
            (Some(held), rows) if rows.is_empty() => self.give(held, true),
            (Some(held), rows) => self.give(held, false).and_then(|()| self.give(rows, true)),
        }
    }

    fn give(&mut self, events: Vec<UnifiedEvent>, is_last: bool) -> Result<()> {
        let part = SnapshotPart { is_first: std::mem::take(&mut self.is_first), is_last };
        self.tell(Told::Part(Delivery { lsn: self.lsn, events, snapshot: Some(part) }))
    }

    fn tell(&self, told: Told) -> Result<()> {
        self.tell.send(told).map_err(|_| Error::new(ErrorKind::Closed, "the subscriber has gone"))
    }
}
