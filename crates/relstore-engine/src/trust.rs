//! Whether the log says what the store holds, or another program wrote to it behind the engine's back.
//!
//! Suspicion is cheap and sure knowledge is not, so they come apart. What makes suspicious: a seal that does not fit the files at open, a crash
//! of a small store, and, while the store is open, `PRAGMA data_version`, which changes when another connection has committed. Then, before
//! the next write, the digests that follow from the log are compared with those of the tables. Where they agree all is well; where they do
//! not, the store has diverged, and takes no write until [`crate::Database::reconcile`] has logged the difference.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use relstore_model::{Error, Result};

use crate::catalog;
use crate::lock::Leaving;
use crate::sqlite::{Connection, from_sqlite, raw};
use crate::writer::Writer;

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// The log says what the store holds.
    Trusted,
    /// It must be looked at before the next write.
    Suspect,
    /// It does not: of these tables, or of the schema.
    Diverged(Vec<String>),
}

/// The trust in one store.
#[derive(Debug)]
pub(crate) struct Trust {
    belief: RefCell<Belief>,
    /// `PRAGMA data_version` of the writing connection when it was last looked at.
    data_version: Cell<i64>,
    /// The version of the content when this connection's last transaction ended: if it is still that one, nobody has written.
    content_version: Cell<Option<u32>>,
    /// Told to the lock, which seals the files when they are closed.
    leaving: Arc<Leaving>,
}

impl Trust {
    pub(crate) fn new(connection: &Connection, belief: Belief, leaving: Arc<Leaving>) -> Result<Self> {
        let data_version = Cell::new(data_version(connection)?);
        let this = Self { belief: RefCell::new(Belief::Suspect), data_version, content_version: Cell::new(None), leaving };
        this.set(belief);
        Ok(this)
    }

    pub(crate) fn belief(&self) -> Belief {
        self.belief.borrow().clone()
    }

    fn set(&self, belief: Belief) {
        self.leaving.set(belief == Belief::Trusted);
        *self.belief.borrow_mut() = belief;
    }

    /// This connection's transaction has ended: what it changed is no suspicion.
    pub(crate) fn ended(&self, connection: &Connection) {
        self.content_version.set(raw::content_version(&connection.inner));
    }

    /// Something went wrong that the next writer must look at.
    pub(crate) fn doubt(&self) {
        self.set(Belief::Suspect);
    }

    /// Whether nobody else has committed since this was last asked, and all is well. Asked in each write transaction.
    fn holds(&self, connection: &Connection) -> Result<bool> {
        // SQLite looks at the file when a transaction begins: outside of one the version is that of long ago.
        let content_version = if connection.inner.is_autocommit() { None } else { raw::content_version(&connection.inner) };
        if content_version.is_some() && content_version == self.content_version.get() && *self.belief.borrow() == Belief::Trusted {
            return Ok(true);
        }
        let version = data_version(connection)?;
        if version != self.data_version.get() {
            self.data_version.set(version);
            if *self.belief.borrow() == Belief::Trusted {
                self.set(Belief::Suspect);
            }
        }
        Ok(*self.belief.borrow() == Belief::Trusted)
    }
}

fn data_version(connection: &Connection) -> Result<i64> {
    const VERSION: &str = "/*rs*/ PRAGMA data_version";
    let read = || connection.inner.prepare_cached(VERSION)?.query_row([], |row| row.get(0));
    read().map_err(|e| from_sqlite(&e, VERSION))
}

impl Writer {
    /// Whether the open transaction follows on what the log says.
    pub(crate) fn is_trusted(&self) -> Result<bool> {
        self.internally(|c| self.trust().holds(c))
    }

    /// The transaction that follows will be logged, and the log then says what the store holds.
    pub(crate) fn trust_again(&self) {
        self.trust().set(Belief::Trusted);
    }

    /// Looks whether the log says what the store holds, outside of a transaction.
    ///
    /// # Errors
    /// `Unavailable` if it does not, naming where; or what came in the way of looking.
    pub(crate) fn verify(&self) -> Result<()> {
        if let Belief::Diverged(places) = self.trust().belief() {
            return Err(diverged(&places));
        }
        let places = self.divergence()?;
        if places.is_empty() {
            self.trust().set(Belief::Trusted);
            return Ok(());
        }
        let error = diverged(&places);
        self.trust().set(Belief::Diverged(places));
        Err(error)
    }

    /// The tables whose rows are not those that the log says, and `schema` if that is not.
    pub(crate) fn divergence(&self) -> Result<Vec<String>> {
        let schema = self.schema();
        if self.internally(|c| catalog::evolved(c, &schema))?.is_some() {
            return Ok(vec!["schema".to_owned()]);
        }
        let tallies = self.tallies()?;
        let mut places = Vec::new();
        for table in &schema.tables {
            let is_so = match tallies.tables.get(&table.id) {
                Some(tally) => tally.agrees(&self.scan(table)?),
                None => false,
            };
            if !is_so {
                places.push(table.name.clone());
            }
        }
        Ok(places)
    }
}

fn diverged(places: &[String]) -> Error {
    Error::unavailable("another program wrote to the store, and its log does not say what")
        .with("differs", places.join(", "))
        .with_hint("close that program and reconcile the store, which logs the difference: relstore reconcile, or Database::reconcile")
}
