//! Which rows are cold, as all connections of one database agree on it.
//!
//! A statement must read its snapshot with the cold files of that snapshot. The number here is even while nothing moves and odd while a
//! commit that changes the set of cold files is under way. A reader takes the number, opens its snapshot, and looks at the number again:
//! if it is the same even number, no such commit fell between, and the files it knows are the snapshot's. So readers hold no lock and wait
//! only for a commit that is just happening.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use relstore_model::{Error, Result, Row};

use super::definition::ColdTable;
use super::source::{ColdFile, ColdRows, ColdSource};

/// The tables that have cold files.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    pub(crate) tables: Vec<Arc<ColdTable>>,
}

impl Cold {
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

/// What the connections of one database share.
#[derive(Default)]
pub(crate) struct Tier {
    number: AtomicU64,
    /// Beside `cold`, so that a store that never evicted pays one load a statement.
    has_cold: AtomicBool,
    moving: Mutex<()>,
    cold: RwLock<Arc<Cold>>,
    source: RwLock<Option<Arc<dyn ColdSource>>>,
}

impl Tier {
    /// The number, once no commit that moves files is under way.
    pub(crate) fn settled(&self) -> u64 {
        loop {
            let number = self.number.load(Ordering::SeqCst);
            if number & 1 == 0 {
                return number;
            }
            drop(self.moving.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Whether no commit has moved files since the number was `number`.
    pub(crate) fn is_at(&self, number: u64) -> bool {
        fence(Ordering::SeqCst);
        self.number.load(Ordering::SeqCst) == number
    }

    /// Whether nothing is cold, by the last commit.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_cold.load(Ordering::SeqCst)
    }

    /// What is cold, by the last commit.
    pub(crate) fn cold(&self) -> Arc<Cold> {
        Arc::clone(&self.cold.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets what is cold when the database is opened.
    pub(crate) fn set(&self, cold: Arc<Cold>) {
        self.has_cold.store(!cold.is_empty(), Ordering::SeqCst);
        *self.cold.write().unwrap_or_else(PoisonError::into_inner) = cold;
    }

    /// To be held around a COMMIT that changes the set of cold files.
    pub(crate) fn moving(&self) -> Moving<'_> {
        let guard = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        self.number.fetch_add(1, Ordering::SeqCst);
        Moving { tier: self, _guard: guard }
    }

    pub(crate) fn set_source(&self, source: Arc<dyn ColdSource>) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// The rows of a cold file.
    pub(crate) fn read(&self, file: &ColdFile) -> Result<Arc<dyn ColdRows>> {
        let source = self.source.read().unwrap_or_else(PoisonError::into_inner).clone();
        let source = source.ok_or_else(|| {
            Error::unavailable("rows of this table are evicted and nothing is set to read them from")
                .with("path", &file.path)
                .with_hint("open the store with the bucket that its evicted rows are in")
        })?;
        let rows = source.read(file)?;
        if rows.len() as u64 != file.rows {
            return Err(Error::corrupt("an evicted file has another number of rows than were evicted")
                .with("path", &file.path)
                .with("wanted", file.rows)
                .with("found", rows.len()));
        }
        Ok(rows)
    }
}

/// A commit that moves files is under way. Dropped without [`Moving::done`], nothing moved.
pub(crate) struct Moving<'a> {
    tier: &'a Tier,
    _guard: MutexGuard<'a, ()>,
}

impl Moving<'_> {
    /// The commit is done, and this is cold now.
    pub(crate) fn done(self, cold: Arc<Cold>) {
        self.tier.set(cold);
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.tier.number.fetch_add(1, Ordering::SeqCst);
    }
}

/// The integer at `column` of a row that the engine's own statement gave.
pub(super) fn integer(row: &Row, column: usize) -> Result<i64> {
    match row.get(column) {
        Some(relstore_model::Value::Integer(n)) => Ok(*n),
        _ => Err(Error::corrupt("the list of evicted files cannot be read")),
    }
}

/// The text at `column` of a row that the engine's own statement gave.
pub(super) fn text(row: &Row, column: usize) -> Result<String> {
    match row.get(column) {
        Some(relstore_model::Value::Text(t)) => Ok(t.clone()),
        _ => Err(Error::corrupt("the list of evicted files cannot be read")),
    }
}
