//! Work that is not done on the calling thread: by threads of the store's own, whose results JavaScript takes when it is told of them.
//!
//! Not Node's own pool: a thread that ends waits for what that pool runs before it tells anybody that it ends, so a query without an end would
//! hold it up for ever. These are stopped and waited for when their thread ends ([`Jobs::end`]).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use relstore_engine::{Database, Outcome, OwnedTransaction};
use relstore_model::{Error, ErrorKind, Result};

use crate::answer::Gathered;
use crate::failure::caught;
use crate::feed::Source;
use crate::fleet::Table;
use crate::migration::{OpenMigration, Requests};
use crate::rows::Stream;
use crate::store::lock;
use crate::tiers::Restored;

/// What a job came to.
pub(crate) enum Done {
    Nothing,
    Text(Option<String>),
    Answer(Gathered),
    Outcomes(Vec<Result<Outcome>>),
    Transaction(OwnedTransaction),
    Feed(Source),
    Table(Table),
    Restored(Restored),
    Migration(Option<(Arc<Database>, Requests)>),
}

/// Which threads do it.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    /// Several at a time.
    Read,
    /// One at a time, so that what writes is done in order.
    Write,
    /// One at a time: what works on the other tiers.
    Tier,
}

/// Tells JavaScript that something is done. It does not keep the event loop going: JavaScript does, while it waits for something.
pub(crate) type Tell = ThreadsafeFunction<(), (), (), Status, false, true>;

/// What `tell` becomes.
///
/// # Errors
/// Node's, if it cannot be called from elsewhere.
pub(crate) fn telling(tell: Function<'_, (), ()>) -> napi::Result<Tell> {
    tell.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()
}

/// Has `end` called when the thread of `env` ends, unless `shared` is gone by then. That comes before the end of what was [`telling`] before this, so
/// from then on nobody calls it.
///
/// # Errors
/// Node's.
pub(crate) fn when_its_thread_ends<T: Send + Sync + 'static>(env: Env, shared: &Arc<T>, end: fn(&T)) -> napi::Result<()> {
    env.add_env_cleanup_hook((Arc::downgrade(shared), end), |(shared, end)| {
        if let Some(shared) = shared.upgrade() {
            end(&shared);
        }
    })?;
    Ok(())
}

type Job = (u32, Box<dyn FnOnce() -> Result<Done> + Send>);

/// The work of one store.
pub(crate) struct Jobs {
    lanes: [Crew; 3],
    done: Mutex<Finished>,
    tell: Mutex<Option<Tell>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    migrations: Mutex<Vec<Weak<OpenMigration>>>,
    streams: Mutex<Vec<Weak<Stream>>>,
}

#[derive(Default)]
struct Finished {
    last: u32,
    /// Not told of yet.
    new: Vec<u32>,
    results: HashMap<u32, Result<Done>>,
    /// Nobody takes them any more.
    is_over: bool,
}

/// The threads of one lane, which come when there is work for them.
struct Crew {
    state: Mutex<Waiting>,
    wake: Condvar,
    threads_max: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    has_ended: bool,
}

impl Crew {
    fn new(threads_max: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), threads_max }
    }
}

/// How long a process that ends waits for what it has given up.
const LEAVING_MAX: Duration = Duration::from_secs(1);
const READING_THREADS_MAX: usize = 4;
/// As a program's first thread has: plans of large statements are deep.
pub(crate) const STACK_BYTES: usize = 8 << 20;

impl Jobs {
    pub(crate) fn new(tell: Tell) -> Arc<Self> {
        let lanes = [Crew::new(READING_THREADS_MAX), Crew::new(1), Crew::new(1)];
        Arc::new(Self {
            lanes,
            done: Mutex::default(),
            tell: Mutex::new(Some(tell)),
            threads: Mutex::default(),
            migrations: Mutex::default(),
            streams: Mutex::default(),
        })
    }

    /// Has `work` done, and gives the number that its result will have.
    ///
    /// # Errors
    /// `Closed` if the store's thread has ended it; `Unavailable` if no thread can be started.
    pub(crate) fn start(self: &Arc<Self>, lane: Lane, work: impl FnOnce() -> Result<Done> + Send + 'static) -> Result<u32> {
        let number = self.number();
        let crew = &self.lanes[lane as usize];
        let mut state = lock(&crew.state);
        if state.has_ended {
            return Err(ended());
        }
        if state.idle <= state.jobs.len() && state.threads < crew.threads_max {
            let jobs = Arc::clone(self);
            self.thread("relstore-worker", move || jobs.work(lane))?;
            state.threads += 1;
        }
        state.jobs.push_back((number, Box::new(work)));
        drop(state);
        crew.wake.notify_one();
        Ok(number)
    }

    /// Starts a thread that is waited for at the end.
    ///
    /// # Errors
    /// `Unavailable` if none can be started.
    pub(crate) fn thread(&self, name: &str, life: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(life)
            .map_err(|e| Error::unavailable("a worker's thread cannot be started").with_source(e))?;
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// The number of what will be done.
    pub(crate) fn number(&self) -> u32 {
        let mut done = lock(&self.done);
        done.last = done.last.wrapping_add(1);
        done.last
    }

    /// Something is done.
    pub(crate) fn finish(&self, number: u32, result: Result<Done>) {
        let is_first = {
            let mut done = lock(&self.done);
            if done.is_over {
                return;
            }
            done.results.insert(number, result);
            done.new.push(number);
            done.new.len() == 1
        };
        // Who was told and has not looked yet will find this too.
        if is_first && let Some(tell) = lock(&self.tell).as_ref() {
            tell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// What was done since this was last asked.
    pub(crate) fn news(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.done).new)
    }

    /// Takes a result.
    ///
    /// # Errors
    /// What the job gave.
    pub(crate) fn take(&self, number: u32) -> Result<Done> {
        lock(&self.done).results.remove(&number).unwrap_or_else(|| Err(Error::internal("a result that is not there")))
    }

    fn work(&self, lane: Lane) {
        let crew = &self.lanes[lane as usize];
        loop {
            let mut state = lock(&crew.state);
            let (number, job) = loop {
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                if state.has_ended {
                    state.threads -= 1;
                    crew.wake.notify_all();
                    return;
                }
                state.idle += 1;
                state = crew.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            };
            let has_ended = state.has_ended;
            drop(state);
            let result = if has_ended { Err(ended()) } else { caught(job) };
            self.finish(number, result);
        }
    }

    /// A migration is open whose thread waits for requests.
    pub(crate) fn has_migration(&self, requests: &Requests) {
        let mut migrations = lock(&self.migrations);
        migrations.retain(|open| open.strong_count() > 0);
        migrations.push(Arc::downgrade(requests));
    }

    /// Rows are read by a thread that waits until somebody takes them.
    pub(crate) fn has_stream(&self, stream: &Arc<Stream>) {
        let mut streams = lock(&self.streams);
        streams.retain(|open| open.strong_count() > 0);
        streams.push(Arc::downgrade(stream));
    }

    /// The threads end when they are done with what they do; migrations are given up, and rows are read no further.
    pub(crate) fn dismiss(&self) {
        for stream in lock(&self.streams).drain(..).filter_map(|open| open.upgrade()) {
            stream.end();
        }
        for requests in lock(&self.migrations).drain(..).filter_map(|open| open.upgrade()) {
            drop(lock(&requests).take());
        }
        for crew in &self.lanes {
            lock(&crew.state).has_ended = true;
            crew.wake.notify_all();
        }
    }

    /// Nobody takes results any more: among them may be a transaction that another job waits for.
    pub(crate) fn forget(&self) {
        let mut done = lock(&self.done);
        done.is_over = true;
        drop(std::mem::take(&mut done.results));
    }

    /// The process ends at once: takes no more work on the other tiers, and waits a moment until what was given up is gone, with the files that it made.
    pub(crate) fn leave_tiers(&self) {
        let crew = &self.lanes[Lane::Tier as usize];
        let mut state = lock(&crew.state);
        state.has_ended = true;
        crew.wake.notify_all();
        // A result that nobody took may hold such files too.
        self.forget();
        drop(crew.wake.wait_timeout_while(state, LEAVING_MAX, |state| state.threads > 0));
    }

    /// Waits for the threads, but for the one that asks.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            if thread.thread().id() != std::thread::current().id() {
                // What it does is caught; there is nothing more to hear of it.
                let _ = thread.join();
            }
        }
    }

    /// Nobody is told any more: the thread that would be ends.
    pub(crate) fn end(&self) {
        self.forget();
        self.dismiss();
        self.join();
        drop(lock(&self.tell).take());
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed").with_hint("open it again")
}
