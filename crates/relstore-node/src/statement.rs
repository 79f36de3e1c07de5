//! Statements that are held: a query that is done within a millisecond runs on the calling thread, any other on a worker.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::{Attempted, CancelToken, Database, QueryOptions};
use relstore_model::{Error, Result, Value};

use crate::answer::{Gathered, State, refuse};
use crate::cells::parameters;
use crate::failure::{shielded, shielded_in};
use crate::jobs::{Done, Lane};
use crate::numbered::Numbered;
use crate::store::{Open, Shared, Store, lock};
use crate::transaction;

/// What a statement is. Nothing of SQLite's is in it, so JavaScript may drop it whenever it likes.
pub(crate) struct Held {
    pub(crate) shared: Arc<Shared>,
    /// Never given twice in a process: connections keep what they prepared by it.
    pub(crate) id: u64,
    pub(crate) sql: String,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static STATEMENTS: RefCell<Numbered<Arc<Held>>> = RefCell::default();
}

/// The statement of this number.
///
/// # Errors
/// `Internal` if there is none.
pub(crate) fn held(number: u32) -> Result<Arc<Held>> {
    let found = STATEMENTS.with_borrow(|statements| statements.get(number).map(Arc::clone));
    found.ok_or_else(|| Error::internal("a statement that is not there"))
}

/// The same with its open store.
///
/// # Errors
/// As [`held`]; `Closed` if the store is not open any more.
fn held_open(number: u32) -> Result<(Arc<Held>, Arc<Open>)> {
    let statement = held(number)?;
    let open = statement.shared.open()?;
    Ok((statement, open))
}

/// A statement of one store, as long as JavaScript has this.
#[napi]
pub struct Statement {
    pub(crate) held: Arc<Held>,
    number: u32,
}

impl Drop for Statement {
    fn drop(&mut self) {
        // A thread that ends has no numbers any more.
        drop(STATEMENTS.try_with(|statements| statements.borrow_mut().remove(self.number)));
    }
}

/// Runs the query of this number on this thread, if it is done within its budget: the header says whether it was. `io` has the `count` parameters
/// packed, and is given the first chunk.
#[napi(catch_unwind)]
pub fn read<'env>(
    env: &'env Env,
    number: u32,
    mut io: BufferSlice<'_>,
    count: u32,
    with_columns: bool,
) -> napi::Result<Option<JsString<'env>>> {
    let (statement, open) = shielded(|| held_open(number))?;
    let mut gathered = lock(&statement.shared.rest);
    gathered.clear();
    let attempted = shielded_in(&open.database, || {
        let params = parameters(&io, count as usize)?;
        let mut steady = lock(&open.steady);
        let attempted = steady.attempt((statement.id, &statement.sql), &params, with_columns, &mut |row| gathered.push(row))?;
        gathered.is_kept = steady.is_kept();
        Ok(attempted)
    })?;
    match attempted {
        Attempted::Done(outcome) => {
            gathered.done(outcome);
            gathered.give(env, &mut io)
        }
        Attempted::Late => refuse(&mut io, State::Late).map(|()| None),
        Attempted::Writes => refuse(&mut io, State::Writes).map(|()| None),
    }
}

/// Runs the writing statement of this number on this thread, in a transaction of its own, if nobody is writing: the header says whether it was.
#[napi(catch_unwind)]
pub fn write<'env>(
    env: &'env Env,
    number: u32,
    mut io: BufferSlice<'_>,
    count: u32,
    with_columns: bool,
) -> napi::Result<Option<JsString<'env>>> {
    let (statement, open) = shielded(|| held_open(number))?;
    let mut gathered = lock(&statement.shared.rest);
    gathered.clear();
    // It is not of the last commit any more: a program that writes and never comes back to its event loop must not keep it.
    lock(&open.steady).rest();
    let was_run = shielded_in(&open.database, || {
        let params = parameters(&io, count as usize)?;
        open.database.try_transaction(|tx| transaction::run(tx, &statement, &params, with_columns, &mut gathered))
    })?;
    if was_run.is_none() {
        return refuse(&mut io, State::Late).map(|()| None);
    }
    gathered.give(env, &mut io)
}

/// Has the writing statement of this number run on the worker, in a transaction of its own; those that wait there at the same time share a commit.
/// Gives the number of the job, whose outcomes are in the order of the calls that gave it.
#[napi(catch_unwind)]
pub fn enqueue(number: u32, io: BufferSlice<'_>, count: u32) -> napi::Result<u32> {
    shielded(|| {
        let statement = held(number)?;
        statement.shared.end_snapshot();
        statement.shared.enqueue(&statement.sql, owned(&io, count)?)
    })
}

#[napi]
impl Statement {
    /// A statement of `store`. It is prepared when it first runs.
    #[napi(constructor, catch_unwind)]
    pub fn new(store: &Store, sql: String) -> Self {
        let held = Arc::new(Held { shared: Arc::clone(&store.shared), id: NEXT.fetch_add(1, Ordering::Relaxed), sql });
        let number = STATEMENTS.with_borrow_mut(|statements| statements.put(Arc::clone(&held)));
        Self { held, number }
    }

    /// Its number, on this thread and as long as this is there.
    #[napi(catch_unwind)]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Runs a query on a worker. `cancel` stops it.
    #[napi(catch_unwind)]
    pub fn read_later(&self, io: BufferSlice<'_>, count: u32, cancel: Option<&Cancel>) -> napi::Result<u32> {
        let params = shielded(|| owned(&io, count))?;
        let cancel = cancel.map_or_else(CancelToken::new, |c| c.0.clone());
        let held = Arc::clone(&self.held);
        self.held.shared.start(Lane::Read, move |database| query(&held, database, &params, &cancel).map(Done::Answer))
    }
}

/// The packed parameters, as values of their own.
pub(crate) fn owned(io: &[u8], count: u32) -> Result<Vec<Value>> {
    Ok(parameters(io, count as usize)?.iter().map(|cell| cell.to_value()).collect())
}

/// Stops queries on workers.
#[napi]
#[derive(Default)]
pub struct Cancel(CancelToken);

#[napi]
impl Cancel {
    /// One that stops nothing yet.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the queries that it was given to.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

fn query(statement: &Held, database: &Database, params: &[Value], cancel: &CancelToken) -> Result<Gathered> {
    let options = QueryOptions { cancel: Some(cancel.clone()), ..QueryOptions::default() };
    let _running = statement.shared.running(cancel);
    let (mut gathered, begun) = (Gathered::default(), Instant::now());
    gathered.columns = database.query_each_with(&statement.sql, params, &options, &mut |row| gathered.push(row))?;
    gathered.elapsed = begun.elapsed();
    Ok(gathered)
}
