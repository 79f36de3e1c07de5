//! Write transactions that JavaScript owns, from statement to statement.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::OwnedTransaction;
use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};

use crate::answer::Gathered;
use crate::cells::parameters;
use crate::failure::{shielded, shielded_in};
use crate::jobs::{Done, Lane};
use crate::numbered::Numbered;
use crate::statement::{Held, held, owned};
use crate::store::{OpenTransaction, Shared, Store, lock};

/// Statements of it run on the calling thread or on a worker, one at a time.
type Open = Arc<OpenTransaction>;

thread_local! {
    static TRANSACTIONS: RefCell<Numbered<(Arc<Shared>, Open)>> = RefCell::default();
}

/// An open write transaction of a store. Dropped without an end it leaves no trace.
#[napi]
pub struct Transaction {
    shared: Arc<Shared>,
    open: Open,
    number: u32,
}

impl Transaction {
    pub(crate) fn new(shared: &Arc<Shared>, begun: OwnedTransaction) -> Self {
        let open = Arc::new(Mutex::new(Some(begun)));
        shared.has_transaction(&open);
        let entry = (Arc::clone(shared), Arc::clone(&open));
        let number = TRANSACTIONS.with_borrow_mut(|transactions| transactions.put(entry));
        Self { shared: Arc::clone(shared), open, number }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // A thread that ends has no numbers any more. What is taken out is dropped here, when nothing is borrowed.
        drop(TRANSACTIONS.try_with(|transactions| transactions.borrow_mut().remove(self.number)));
    }
}

/// Runs a statement on this thread, in a transaction: both by their numbers.
#[napi(catch_unwind)]
pub fn run_in<'env>(
    env: &'env Env,
    transaction: u32,
    statement: u32,
    mut io: BufferSlice<'_>,
    count: u32,
    with_columns: bool,
) -> napi::Result<Option<JsString<'env>>> {
    let found = TRANSACTIONS.with_borrow(|transactions| transactions.get(transaction).cloned());
    let (shared, open) = shielded(|| found.ok_or_else(ended))?;
    let database = shielded(|| shared.database())?;
    let mut gathered = lock(&shared.rest);
    gathered.clear();
    shielded_in(&database, || {
        let (statement, params) = (held(statement)?, parameters(&io, count as usize)?);
        with_open(&open, |open| run(&open.transaction()?, &statement, &params, with_columns, &mut gathered))
    })?;
    gathered.give(env, &mut io)
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended").with_hint("await every statement before the callback returns")
}

fn with_open<T>(open: &Open, run: impl FnOnce(&mut OwnedTransaction) -> Result<T>) -> Result<T> {
    run(lock(open).as_mut().ok_or_else(ended)?)
}

/// Runs a statement in a transaction and gathers what it gives.
pub(crate) fn run(
    transaction: &relstore_engine::Transaction<'_>,
    statement: &Held,
    params: &[ValueRef<'_>],
    with_columns: bool,
    gathered: &mut Gathered,
) -> Result<()> {
    let mut each = |row: &[ValueRef<'_>]| gathered.push(row);
    let outcome = if with_columns {
        let params: Vec<Value> = params.iter().map(|cell| cell.to_value()).collect();
        transaction.execute_each(&statement.sql, &params, &mut each)?
    } else {
        transaction.execute_held((statement.id, &statement.sql), params, &mut each)?
    };
    gathered.done(outcome);
    Ok(())
}

#[napi]
impl Store {
    /// Begins a write transaction, if that can be done at once.
    #[napi(catch_unwind)]
    pub fn try_begin(&self) -> napi::Result<Option<Transaction>> {
        self.shared.end_snapshot();
        let begun = shielded(|| self.shared.database()?.try_begin())?;
        Ok(begun.map(|begun| Transaction::new(&self.shared, begun)))
    }

    /// Sees to it that `try_begin` begins one, if nobody is writing.
    #[napi(catch_unwind)]
    pub fn catch_up(&self) -> napi::Result<()> {
        shielded(|| self.shared.database()?.catch_up())
    }

    /// Begins a write transaction once nobody is writing.
    #[napi(catch_unwind)]
    pub fn begin(&self) -> napi::Result<u32> {
        self.shared.start(Lane::Write, |database| database.begin().map(Done::Transaction))
    }
}

#[napi]
impl Transaction {
    /// Its number, on this thread and as long as this is there.
    #[napi(catch_unwind)]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Runs the statement of this number on a worker.
    #[napi(catch_unwind)]
    pub fn run_later(&self, statement: u32, io: BufferSlice<'_>, count: u32, with_columns: bool) -> napi::Result<u32> {
        let (statement, params) = shielded(|| Ok((held(statement)?, owned(&io, count)?)))?;
        let open = Arc::clone(&self.open);
        self.shared.start(Lane::Write, move |_| {
            let params: Vec<ValueRef<'_>> = params.iter().map(Value::as_ref).collect();
            let mut gathered = Gathered::default();
            with_open(&open, |open| run(&open.transaction()?, &statement, &params, with_columns, &mut gathered))?;
            Ok(Done::Answer(gathered))
        })
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
        self.shared.end_snapshot();
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
