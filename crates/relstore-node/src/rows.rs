//! The rows of one query, chunk by chunk, as JavaScript asks for them: a thread reads ahead a little and waits, so memory stays as it is.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;
use relstore_engine::{CancelToken, Database, QueryOptions};
use relstore_model::{Error, ErrorKind, Result, Value, ValueRef};

use crate::answer::Gathered;
use crate::cells::Chunk;
use crate::failure::{caught, shielded};
use crate::jobs::{Done, Jobs};
use crate::statement::{Statement, owned};
use crate::store::{Shared, lock};

/// How many chunks wait for JavaScript at the most; the thread has one more in its hands.
const AHEAD_MAX: usize = 2;

/// How long rows are held back for a full chunk while JavaScript waits for some: the rows of a slow query come as they are found.
const HELD_BACK: Duration = Duration::from_millis(10);

/// What the thread that reads and JavaScript share.
pub(crate) struct Stream {
    jobs: Arc<Jobs>,
    cancel: CancelToken,
    state: Mutex<State>,
    /// There is room for a chunk, or nobody wants one any more.
    room: Condvar,
}

#[derive(Default)]
struct State {
    columns: Vec<String>,
    chunks: VecDeque<Chunk>,
    /// The job that JavaScript waits for.
    asked: Option<u32>,
    /// How the query ended; taken when JavaScript has heard of an error.
    result: Option<Result<()>>,
    /// Nobody wants more.
    is_ended: bool,
    /// The thread is done, and its reader is free.
    is_done: bool,
    /// Who waits for that.
    ending: Option<u32>,
}

impl State {
    /// What JavaScript is given next, if that is known: a chunk, none after the last, or the error.
    fn next(&mut self) -> Option<Result<Done>> {
        match self.chunks.pop_front() {
            Some(chunk) => Some(Ok(Done::Answer(Gathered::one(chunk, self.columns.clone())))),
            None => {
                let result = std::mem::replace(self.result.as_mut()?, Ok(()));
                Some(result.map(|()| Done::Answer(Gathered::default())))
            }
        }
    }
}

impl Stream {
    /// Nobody wants more: the query stops, and its thread ends.
    pub(crate) fn end(&self) {
        {
            let mut state = lock(&self.state);
            state.is_ended = true;
            state.chunks.clear();
        }
        self.cancel.cancel();
        self.room.notify_all();
    }

    /// Gives what is there to whoever asked for it.
    fn answer(&self, state: &mut State) {
        if let Some(number) = state.asked
            && let Some(next) = state.next()
        {
            state.asked = None;
            self.jobs.finish(number, next);
        }
    }

    fn is_asked(&self) -> bool {
        lock(&self.state).asked.is_some()
    }

    /// Hands a chunk over, once there is room for it.
    fn give(&self, chunk: Chunk) -> Result<()> {
        let mut state = lock(&self.state);
        while state.chunks.len() >= AHEAD_MAX && !state.is_ended {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_ended {
            return Err(Error::new(ErrorKind::Closed, "the iteration has ended"));
        }
        state.chunks.push_back(chunk);
        self.answer(&mut state);
        Ok(())
    }

    /// The life of the thread.
    fn read(&self, database: &Database, sql: &str, params: &[Value]) -> Result<()> {
        let options = QueryOptions { cancel: Some(self.cancel.clone()), ..QueryOptions::default() };
        let mut chunk = Chunk::default();
        let mut given = Instant::now();
        let mut each = |row: &[ValueRef<'_>]| {
            chunk.push(row);
            if chunk.is_full() || (self.is_asked() && given.elapsed() >= HELD_BACK) {
                self.give(std::mem::take(&mut chunk))?;
                given = Instant::now();
            }
            Ok(())
        };
        let columns = |names| {
            lock(&self.state).columns = names;
            Ok(())
        };
        database.query_named_each_with(sql, params, &options, columns, &mut each)?;
        if chunk.rows > 0 { self.give(chunk) } else { Ok(()) }
    }

    fn done(&self, result: Result<()>) {
        let mut state = lock(&self.state);
        state.result = Some(result);
        state.is_done = true;
        self.answer(&mut state);
        if let Some(number) = state.ending.take() {
            self.jobs.finish(number, Ok(Done::Nothing));
        }
    }
}

/// The rows of a query. Dropped before its end it stops the query.
#[napi]
pub struct Rows {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
}

#[napi]
impl Statement {
    /// Begins to read the statement's rows on a thread of their own, on one state of the store.
    #[napi(catch_unwind)]
    pub fn rows(&self, io: BufferSlice<'_>, count: u32) -> napi::Result<Rows> {
        shielded(|| {
            let (database, params) = (self.shared.database()?, owned(&io, count)?);
            let (shared, sql) = (Arc::clone(&self.shared), self.sql.clone());
            let stream = Arc::new(Stream {
                jobs: Arc::clone(&shared.jobs),
                cancel: CancelToken::new(),
                state: Mutex::default(),
                room: Condvar::new(),
            });
            shared.jobs.has_stream(&stream);
            let reading = Arc::clone(&stream);
            shared.jobs.thread("relstore-rows", {
                let shared = Arc::clone(&shared);
                move || {
                    let result = {
                        let _running = shared.running(&reading.cancel);
                        caught(|| reading.read(&database, &sql, &params))
                    };
                    drop(database);
                    reading.done(result);
                }
            })?;
            Ok(Rows { shared, stream })
        })
    }
}

#[napi]
impl Rows {
    /// The next chunk, as an answer; one without rows after the last.
    #[napi(catch_unwind)]
    pub fn next(&self) -> u32 {
        let number = self.shared.jobs.number();
        let mut state = lock(&self.stream.state);
        state.asked = Some(number);
        self.stream.answer(&mut state);
        drop(state);
        self.stream.room.notify_all();
        number
    }

    /// Stops the query.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.stream.end();
    }

    /// Ends it; done when the reader is free.
    #[napi(catch_unwind)]
    pub fn end(&self) -> u32 {
        self.stream.end();
        let number = self.shared.jobs.number();
        let mut state = lock(&self.stream.state);
        if state.is_done {
            self.shared.jobs.finish(number, Ok(Done::Nothing));
        } else {
            state.ending = Some(number);
        }
        number
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.stream.end();
    }
}
