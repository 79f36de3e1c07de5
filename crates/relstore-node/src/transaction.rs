//! Write transactions that JavaScript owns, from statement to statement.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::OwnedTransaction;
use relstore_model::{Error, ErrorKind, Result, Value};

use crate::answer::Gathered;
use crate::failure::{shielded, shielded_in};
use crate::jobs::{Done, Lane};
use crate::statement::{Statement, owned};
use crate::store::{OpenTransaction, Shared, Store, lock};

/// Statements of it run on the calling thread or on a worker, one at a time.
type Open = Arc<OpenTransaction>;

/// An open write transaction of a store. Dropped without an end it leaves no trace.
#[napi]
pub struct Transaction {
    shared: Arc<Shared>,
    open: Open,
}

impl Transaction {
    pub(crate) fn new(shared: &Arc<Shared>, begun: OwnedTransaction) -> Self {
        let open = Arc::new(Mutex::new(Some(begun)));
        shared.has_transaction(&open);
        Self { shared: Arc::clone(shared), open }
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended").with_hint("await every statement before the callback returns")
}

fn with_open<T>(open: &Open, run: impl FnOnce(&mut OwnedTransaction) -> Result<T>) -> Result<T> {
    run(lock(open).as_mut().ok_or_else(ended)?)
}

fn run(open: &Open, sql: &str, params: &[Value]) -> Result<Gathered> {
    with_open(open, |transaction| {
        let (mut gathered, begun) = (Gathered::default(), Instant::now());
        let outcome = transaction.execute_each(sql, params, &mut |row| gathered.push(row))?;
        gathered.elapsed = begun.elapsed();
        Ok(gathered.done(outcome))
    })
}

#[napi]
impl Store {
    /// Begins a write transaction, if nobody is writing just now.
    #[napi(catch_unwind)]
    pub fn try_begin(&self) -> napi::Result<Option<Transaction>> {
        let begun = shielded(|| self.shared.database()?.try_begin())?;
        Ok(begun.map(|begun| Transaction::new(&self.shared, begun)))
    }

    /// Begins a write transaction once nobody is writing.
    #[napi(catch_unwind)]
    pub fn begin(&self) -> napi::Result<u32> {
        self.shared.start(Lane::Write, |database| database.begin().map(Done::Transaction))
    }
}

#[napi]
impl Transaction {
    /// Runs a statement on this thread.
    #[napi(catch_unwind)]
    pub fn run<'env>(
        &self,
        env: &'env Env,
        statement: &Statement,
        mut io: BufferSlice<'_>,
        count: u32,
    ) -> napi::Result<Option<JsString<'env>>> {
        let database = shielded(|| self.shared.database())?;
        let mut gathered = shielded_in(&database, || run(&self.open, &statement.sql, &owned(&io, count)?))?;
        let text = gathered.give(env, &mut io)?;
        self.shared.keep(gathered);
        Ok(text)
    }

    /// Runs a statement on a worker.
    #[napi(catch_unwind)]
    pub fn run_later(&self, statement: &Statement, io: BufferSlice<'_>, count: u32) -> napi::Result<u32> {
        let params = shielded(|| owned(&io, count))?;
        let (open, sql) = (Arc::clone(&self.open), statement.sql.clone());
        self.shared.start(Lane::Write, move |_| run(&open, &sql, &params).map(Done::Answer))
    }

    /// Opens a savepoint and gives its number.
    #[napi(catch_unwind)]
    pub fn savepoint(&self) -> napi::Result<u32> {
        shielded(|| with_open(&self.open, OwnedTransaction::savepoint)).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Ends a savepoint; what was done in it stays.
    #[napi(catch_unwind)]
    pub fn release(&self, number: u32) -> napi::Result<()> {
        shielded(|| with_open(&self.open, |t| t.release(number as usize)))
    }

    /// Ends a savepoint and undoes what was done in it.
    #[napi(catch_unwind)]
    pub fn roll_back_to(&self, number: u32) -> napi::Result<()> {
        shielded(|| with_open(&self.open, |t| t.roll_back_to(number as usize)))
    }

    /// Commits on this thread. For a store whose commits wait for the disk, `commit_later` is the one to call.
    #[napi(catch_unwind)]
    pub fn commit(&self) -> napi::Result<()> {
        let database = shielded(|| self.shared.database())?;
        shielded_in(&database, || commit(&self.open))
    }

    /// Commits on a worker.
    #[napi(catch_unwind)]
    pub fn commit_later(&self) -> napi::Result<u32> {
        let open = Arc::clone(&self.open);
        self.shared.start(Lane::Write, move |_| commit(&open).map(|()| Done::Nothing))
    }

    /// Undoes all of it. It may have ended already.
    #[napi(catch_unwind)]
    pub fn roll_back(&self) -> napi::Result<()> {
        shielded(|| {
            drop(lock(&self.open).take());
            Ok(())
        })
    }
}

fn commit(open: &Open) -> Result<()> {
    let transaction = lock(open).take().ok_or_else(ended)?;
    transaction.commit().map(|_| ())
}
