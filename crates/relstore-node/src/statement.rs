//! Statements that are held: a query that is done within a millisecond runs on the calling thread, any other on a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::{Attempted, CancelToken, Database, QueryOptions};
use relstore_model::{Result, Value};

use crate::answer::{Gathered, State, refuse};
use crate::cells::parameters;
use crate::failure::{shielded, shielded_in};
use crate::jobs::{Done, Lane};
use crate::store::{Shared, Store};

/// Numbers of statements: the same number always comes with the same text.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A statement of one store. It holds nothing of SQLite's, so it may be dropped whenever JavaScript likes.
#[napi]
pub struct Statement {
    pub(crate) shared: Arc<Shared>,
    id: u64,
    pub(crate) sql: String,
}

#[napi]
impl Statement {
    /// A statement of `store`. It is prepared when it first runs.
    #[napi(constructor, catch_unwind)]
    pub fn new(store: &Store, sql: String) -> Self {
        Self { shared: Arc::clone(&store.shared), id: NEXT.fetch_add(1, Ordering::Relaxed), sql }
    }

    /// Runs a query on this thread, if it is done within its budget: the header says whether it was. `io` has the `count` parameters packed, and
    /// is given the first chunk.
    #[napi(catch_unwind)]
    pub fn read<'env>(
        &self,
        env: &'env Env,
        mut io: BufferSlice<'_>,
        count: u32,
        with_columns: bool,
    ) -> napi::Result<Option<JsString<'env>>> {
        let open = shielded(|| self.shared.open())?;
        let mut gathered = Gathered::default();
        let attempted = shielded_in(&open.database, || {
            let params = parameters(&io, count as usize)?;
            open.database.attempt_query((self.id, &self.sql), &params, with_columns, &open.watchdog, &mut |row| gathered.push(row))
        })?;
        match attempted {
            Attempted::Done(outcome) => {
                gathered = gathered.done(outcome);
                let text = gathered.give(env, &mut io)?;
                self.shared.keep(gathered);
                Ok(text)
            }
            Attempted::Late => refuse(&mut io, State::Late).map(|()| None),
            Attempted::Writes => refuse(&mut io, State::Writes).map(|()| None),
        }
    }

    /// Runs a query on a worker. `cancel` stops it.
    #[napi(catch_unwind)]
    pub fn read_later(&self, io: BufferSlice<'_>, count: u32, cancel: Option<&Cancel>) -> napi::Result<u32> {
        let params = shielded(|| owned(&io, count))?;
        let cancel = cancel.map_or_else(CancelToken::new, |c| c.0.clone());
        let (shared, sql) = (Arc::clone(&self.shared), self.sql.clone());
        self.shared.start(Lane::Read, move |database| query(&shared, database, &sql, &params, &cancel).map(Done::Answer))
    }

    /// Runs a writing statement on this thread, in a transaction of its own.
    #[napi(catch_unwind)]
    pub fn write<'env>(&self, env: &'env Env, mut io: BufferSlice<'_>, count: u32) -> napi::Result<Option<JsString<'env>>> {
        let database = shielded(|| self.shared.database())?;
        let outcome = shielded_in(&database, || database.execute(&self.sql, &owned(&io, count)?))?;
        let mut gathered = Gathered::default().done(outcome);
        let text = gathered.give(env, &mut io)?;
        self.shared.keep(gathered);
        Ok(text)
    }

    /// Puts the statement where `flush` finds it.
    #[napi(catch_unwind)]
    pub fn wait(&self, io: BufferSlice<'_>, count: u32) -> napi::Result<()> {
        shielded(|| {
            self.shared.wait(&self.sql, owned(&io, count)?);
            Ok(())
        })
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

fn query(shared: &Shared, database: &Database, sql: &str, params: &[Value], cancel: &CancelToken) -> Result<Gathered> {
    let options = QueryOptions { cancel: Some(cancel.clone()), ..QueryOptions::default() };
    let _running = shared.running(cancel);
    let (mut gathered, begun) = (Gathered::default(), Instant::now());
    gathered.columns = database.query_each_with(sql, params, &options, &mut |row| gathered.push(row))?;
    gathered.elapsed = begun.elapsed();
    Ok(gathered)
}
