//! Write transactions that JavaScript owns, from statement to statement.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use napi::bindgen_prelude::{AsyncTask, BufferSlice, Task};
use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::{Database, OwnedTransaction};
use relstore_model::{Error, ErrorKind, Result, Value};

use crate::answer::{Answer, Gathered};
use crate::failure::{shielded, shielded_in};
use crate::statement::{Statement, owned};
use crate::store::{Shared, Store, lock};

/// An open write transaction; `None` once it has ended. Statements run on the calling thread or on a worker, one at a time.
type Open = Arc<Mutex<Option<OwnedTransaction>>>;

/// An open write transaction of a store. Dropped without an end it leaves no trace.
#[napi]
pub struct Transaction {
    shared: Arc<Shared>,
    open: Open,
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
        Ok(begun.map(|begun| Transaction { shared: Arc::clone(&self.shared), open: Arc::new(Mutex::new(Some(begun))) }))
    }

    /// Begins a write transaction once nobody is writing.
    #[napi(catch_unwind)]
    pub fn begin(&self) -> AsyncTask<Begin> {
        AsyncTask::new(Begin(Arc::clone(&self.shared)))
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
    pub fn run_later(&self, statement: &Statement, io: BufferSlice<'_>, count: u32) -> napi::Result<AsyncTask<Run>> {
        let params = shielded(|| owned(&io, count))?;
        let database = shielded(|| self.shared.database())?;
        Ok(AsyncTask::new(Run { database, open: Arc::clone(&self.open), sql: statement.sql.clone(), params }))
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
    pub fn commit_later(&self) -> napi::Result<AsyncTask<Commit>> {
        let database = shielded(|| self.shared.database())?;
        Ok(AsyncTask::new(Commit { database, open: Arc::clone(&self.open) }))
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

/// The begin of a transaction, on a worker that may wait.
pub struct Begin(Arc<Shared>);

impl Task for Begin {
    type Output = OwnedTransaction;
    type JsValue = Transaction;

    fn compute(&mut self) -> napi::Result<OwnedTransaction> {
        shielded(|| self.0.database()?.begin())
    }

    fn resolve(&mut self, _env: Env, begun: OwnedTransaction) -> napi::Result<Transaction> {
        Ok(Transaction { shared: Arc::clone(&self.0), open: Arc::new(Mutex::new(Some(begun))) })
    }
}

/// A statement of a transaction, on a worker.
pub struct Run {
    database: Arc<Database>,
    open: Open,
    sql: String,
    params: Vec<Value>,
}

impl Task for Run {
    type Output = Gathered;
    type JsValue = Answer;

    fn compute(&mut self) -> napi::Result<Gathered> {
        shielded_in(&self.database, || run(&self.open, &self.sql, &self.params))
    }

    fn resolve(&mut self, _env: Env, gathered: Gathered) -> napi::Result<Answer> {
        Ok(Answer::new(gathered))
    }
}

/// The commit of a transaction, on a worker.
pub struct Commit {
    database: Arc<Database>,
    open: Open,
}

impl Task for Commit {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        shielded_in(&self.database, || commit(&self.open))
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}
