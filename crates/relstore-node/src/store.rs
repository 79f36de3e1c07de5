//! One open store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use napi::bindgen_prelude::Function;
use napi::{Env, JsString};
use napi_derive::napi;
use relstore::{LOG_HELD_FOR, RelationalStore};
use relstore_engine::{CancelToken, Database, Durability, Outcome, OwnedTransaction, Settings, SteadyReader};
use relstore_model::{Error, ErrorKind, Namespace, Result, Value};
use serde_json::Value as Json;

use crate::answer::{Answer, Gathered};
use crate::failure::{caught, crossing, shielded};
use crate::feed::Feed;
use crate::home::{Home, Leaving};
use crate::jobs::{Done, Jobs, Lane, Tell, telling, when_its_thread_ends};
use crate::migration::Migration;
use crate::transaction::Transaction;

/// How long a query may keep the calling thread: about as long as a thread that comes back to its event loop may find it waiting.
const BUDGET: Duration = Duration::from_millis(1);

/// What statements, transactions and streams of one store share.
pub(crate) struct Shared {
    open: RwLock<Option<Arc<Open>>>,
    pub(crate) ns: Namespace,
    pub(crate) jobs: Arc<Jobs>,
    /// The queries on workers, by number: they are stopped when the store is closed, or its thread ends.
    running: Mutex<Running>,
    home: Mutex<Option<Arc<Home>>>,
    /// Stops work on the other tiers, when the store's thread ends.
    pub(crate) leaving: Leaving,
    /// The write transaction that JavaScript has open, if any.
    transaction: Mutex<Weak<OpenTransaction>>,
    /// What the last statement on the calling thread gave, and what is left of it.
    pub(crate) rest: Mutex<Gathered>,
    /// Statements that wait for the worker, in the order of its jobs.
    batches: Mutex<VecDeque<Batch>>,
}

/// Statements that are to be committed together.
struct Batch {
    job: u32,
    statements: Vec<(String, Vec<Value>)>,
}

/// The most statements that share a commit.
const TOGETHER_MAX: usize = 256;

/// An open write transaction; `None` once it has ended.
pub(crate) type OpenTransaction = Mutex<Option<OwnedTransaction>>;

/// What goes when a store is closed.
pub(crate) struct Open {
    /// For the queries on the calling thread.
    pub(crate) steady: Mutex<SteadyReader>,
    /// The fleet's handle to it.
    pub(crate) store: Arc<RelationalStore>,
    pub(crate) database: Arc<Database>,
}

impl Shared {
    /// The open database, and who watches over the calling thread.
    ///
    /// # Errors
    /// `Closed` if it is not open any more.
    pub(crate) fn open(&self) -> Result<Arc<Open>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(Arc::clone).ok_or_else(closed)
    }

    /// The open database.
    ///
    /// # Errors
    /// As [`Shared::open`].
    pub(crate) fn database(&self) -> Result<Arc<Database>> {
        self.open().map(|open| Arc::clone(&open.database))
    }

    /// Ends the snapshot that a query on the calling thread has left open, if there is one.
    pub(crate) fn end_snapshot(&self) {
        // A store that is closed has none.
        if let Ok(open) = self.open() {
            lock(&open.steady).rest();
        }
    }

    /// Where it lies.
    ///
    /// # Errors
    /// As [`Shared::open`].
    pub(crate) fn home(&self) -> Result<Arc<Home>> {
        lock(&self.home).as_ref().map(Arc::clone).ok_or_else(closed)
    }

    /// A write transaction is open.
    pub(crate) fn has_transaction(&self, open: &Arc<OpenTransaction>) {
        *lock(&self.transaction) = Arc::downgrade(open);
    }

    /// Rolls back what is open: whoever had it is gone, and others may wait for it.
    pub(crate) fn give_up_transaction(&self) {
        let open = lock(&self.transaction).upgrade();
        if let Some(open) = open {
            drop(lock(&open).take());
        }
    }

    /// Puts a statement where the worker takes all that wait, and gives the number of the job that will run it.
    pub(crate) fn enqueue(self: &Arc<Self>, sql: &str, params: Vec<Value>) -> Result<u32> {
        let statement = (sql.to_owned(), params);
        let mut batches = lock(&self.batches);
        if let Some(last) = batches.back_mut().filter(|batch| batch.statements.len() < TOGETHER_MAX) {
            last.statements.push(statement);
            return Ok(last.job);
        }
        let (database, shared) = (self.database()?, Arc::clone(self));
        // The job finds its batch, however soon it begins: this holds the lock.
        let job = self.jobs.start(Lane::Write, move || {
            let batch = lock(&shared.batches).pop_front();
            let batch = batch.ok_or_else(|| Error::internal("a job without its statements"))?;
            Ok(Done::Outcomes(database.execute_together(batch.statements)))
        })?;
        batches.push_back(Batch { job, statements: vec![statement] });
        Ok(job)
    }

    /// A query runs that `cancel` stops, until what this gives is dropped. It is stopped at once if the store is closing.
    pub(crate) fn running(&self, cancel: &CancelToken) -> RunningQuery<'_> {
        let mut running = lock(&self.running);
        if running.is_closing {
            cancel.cancel();
        }
        running.last += 1;
        let number = running.last;
        running.queries.insert(number, cancel.clone());
        RunningQuery { shared: self, number }
    }

    fn stop(&self) {
        let mut running = lock(&self.running);
        running.is_closing = true;
        running.queries.values().for_each(CancelToken::cancel);
    }

    /// Has `work` done on the open store.
    pub(crate) fn start_open(&self, lane: Lane, work: impl FnOnce(&Open) -> Result<Done> + Send + 'static) -> napi::Result<u32> {
        shielded(|| {
            let open = self.open()?;
            self.jobs.start(lane, move || work(&open))
        })
    }

    /// Has `work` done on the open database.
    pub(crate) fn start(&self, lane: Lane, work: impl FnOnce(&Arc<Database>) -> Result<Done> + Send + 'static) -> napi::Result<u32> {
        shielded(|| {
            let database = self.database()?;
            self.jobs.start(lane, move || work(&database))
        })
    }

    /// Closes the database when the threads are done with what they do.
    fn close(&self) {
        self.stop();
        self.jobs.dismiss();
        self.jobs.join();
        drop(self.open.write().unwrap_or_else(PoisonError::into_inner).take());
        drop(lock(&self.home).take());
    }

    /// The thread that the store was opened on ends.
    fn end(&self) {
        self.leaving.leave();
        self.stop();
        self.jobs.forget();
        self.give_up_transaction();
        self.close();
        self.jobs.end();
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed").with_hint("open it again")
}

/// The queries on workers.
#[derive(Default)]
struct Running {
    queries: HashMap<u64, CancelToken>,
    last: u64,
    is_closing: bool,
}

/// A query on a worker.
pub(crate) struct RunningQuery<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for RunningQuery<'_> {
    fn drop(&mut self) {
        lock(&self.shared.running).queries.remove(&self.number);
    }
}

/// Nothing panics while it holds one of these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One open store.
#[napi]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

#[napi]
impl Store {
    /// Opens the store `ns` of the installation `dir`, and makes what is not there. `tell` is called when something is done: [`Store::news`].
    #[napi(factory, catch_unwind)]
    pub fn open(env: Env, dir: String, ns: String, settings: String, tell: Function<'_, (), ()>) -> napi::Result<Self> {
        let tell = telling(tell)?;
        Self::of(env, shielded(|| open(&dir, ns, &settings, tell))?)
    }

    /// A store that was opened.
    pub(crate) fn of(env: Env, shared: Arc<Shared>) -> napi::Result<Self> {
        // It may end with queries under way, and with the store open.
        when_its_thread_ends(env, &shared, Shared::end)?;
        Ok(Self { shared })
    }

    /// Where the hot file is.
    #[napi(catch_unwind)]
    pub fn path(&self) -> napi::Result<String> {
        shielded(|| Ok(self.shared.database()?.path().display().to_string()))
    }

    /// What the last statement on this thread gave and did not fit.
    #[napi(catch_unwind)]
    pub fn rest(&self) -> Answer {
        Answer::new(std::mem::take(&mut *lock(&self.shared.rest)))
    }

    /// Ends the snapshot that a query on this thread has left open.
    #[napi(catch_unwind)]
    pub fn end_snapshot(&self) -> napi::Result<()> {
        shielded(|| {
            self.shared.end_snapshot();
            Ok(())
        })
    }

    /// The position of the last change that was committed.
    #[napi(catch_unwind)]
    pub fn lsn(&self) -> napi::Result<f64> {
        shielded(|| Ok(self.shared.database()?.high_water().get() as f64))
    }

    /// The numbers of what was done since this was last asked. Each result is to be taken once.
    #[napi(catch_unwind)]
    pub fn news(&self) -> Vec<u32> {
        self.shared.jobs.news()
    }

    pub(crate) fn take<T>(&self, number: u32, of: impl FnOnce(Done) -> Option<T>) -> napi::Result<T> {
        let schema = self.shared.database().ok().map(|database| database.schema());
        let done = caught(|| {
            let done = self.shared.jobs.take(number)?;
            of(done).ok_or_else(|| Error::internal("a result of another kind"))
        });
        done.map_err(|e| crossing(&e, schema.as_deref()))
    }

    /// Takes the result of a job that gives none.
    #[napi(catch_unwind)]
    pub fn take_nothing(&self, number: u32) -> napi::Result<()> {
        self.take(number, |done| matches!(done, Done::Nothing).then_some(()))
    }

    /// Takes a text.
    #[napi(catch_unwind)]
    pub fn take_text(&self, number: u32) -> napi::Result<Option<String>> {
        self.take(number, |done| if let Done::Text(text) = done { Some(text) } else { None })
    }

    /// Takes what a statement gave.
    #[napi(catch_unwind)]
    pub fn take_answer(&self, number: u32) -> napi::Result<Answer> {
        self.take(number, |done| if let Done::Answer(gathered) = done { Some(Answer::new(gathered)) } else { None })
    }

    /// Takes what became of the statements of a flush.
    #[napi(catch_unwind)]
    pub fn take_outcomes(&self, number: u32) -> napi::Result<Outcomes> {
        let outcomes = self.take(number, |done| if let Done::Outcomes(outcomes) = done { Some(outcomes) } else { None })?;
        Ok(Outcomes { shared: Arc::clone(&self.shared), outcomes: outcomes.into_iter().map(Some).collect() })
    }

    /// Takes a transaction that was begun.
    #[napi(catch_unwind)]
    pub fn take_transaction(&self, number: u32) -> napi::Result<Transaction> {
        let begun = self.take(number, |done| if let Done::Transaction(begun) = done { Some(begun) } else { None })?;
        Ok(Transaction::new(&self.shared, begun))
    }

    /// Takes a stream of commits that was opened.
    #[napi(catch_unwind)]
    pub fn take_feed(&self, number: u32) -> napi::Result<Feed> {
        let source = self.take(number, |done| if let Done::Feed(source) = done { Some(source) } else { None })?;
        Ok(Feed::new(&self.shared, source))
    }

    /// Takes a migration that was begun; nothing if there was nothing to do.
    #[napi(catch_unwind)]
    pub fn take_migration(&self, number: u32) -> napi::Result<Option<Migration>> {
        let begun = self.take(number, |done| if let Done::Migration(begun) = done { Some(begun) } else { None })?;
        Ok(begun.map(|begun| Migration::new(&self.shared, begun)))
    }

    /// Stops the queries that run.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Closes the store, once nothing runs any more.
    #[napi(catch_unwind)]
    pub fn close(&self) -> napi::Result<u32> {
        let number = self.shared.jobs.number();
        let shared = Arc::clone(&self.shared);
        shielded(|| {
            let home = self.shared.home()?;
            self.shared.jobs.thread("relstore-close", move || {
                let closed = caught(|| {
                    shared.close();
                    // Until then the fleet may have a handle to it.
                    home.settled();
                    Ok(Done::Nothing)
                });
                // A temporary folder is gone when this is told.
                drop(home);
                shared.jobs.finish(number, closed);
            })
        })?;
        Ok(number)
    }

    /// Waits for the threads of a store that is closed, and tells of nothing more.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        self.shared.jobs.end();
    }

    /// The process ends at once: stops what runs, and takes a temporary folder away.
    #[napi(catch_unwind)]
    pub fn exit(&self) {
        self.shared.leaving.leave();
        self.shared.stop();
        self.shared.jobs.leave_tiers();
        if let Ok(home) = self.shared.home() {
            home.remove_temporary();
        }
    }
}

fn open(dir: &str, ns: String, settings: &str, tell: Tell) -> Result<Arc<Shared>> {
    let ns = Namespace::new(ns)?;
    let settings = read_settings(settings)?;
    let home = Home::open(dir)?;
    let store = home.fleet.store_with(&ns, settings)?;
    shared(home, store, tell)
}

/// What an open store of `home` shares.
///
/// # Errors
/// `Unavailable` if no thread can be started.
pub(crate) fn shared(home: Arc<Home>, store: Arc<RelationalStore>, tell: Tell) -> Result<Arc<Shared>> {
    let database = Arc::clone(store.database());
    let steady = Mutex::new(SteadyReader::new(Arc::clone(&database), BUDGET)?);
    let shared = Arc::new(Shared {
        ns: store.namespace().clone(),
        open: RwLock::new(Some(Arc::new(Open { steady, store, database }))),
        jobs: Jobs::new(tell),
        running: Mutex::default(),
        home: Mutex::new(Some(Arc::clone(&home))),
        leaving: Leaving::default(),
        transaction: Mutex::default(),
        rest: Mutex::default(),
        batches: Mutex::default(),
    });
    home.has(&shared);
    Ok(shared)
}

/// The settings that a program may choose, as JSON. A store that nothing has archived yet keeps its log until it is full, unless it is said that it
/// will be archived.
pub(crate) fn read_settings(json: &str) -> Result<Settings> {
    let json: Json = serde_json::from_str(json).map_err(|e| Error::invalid("the settings are no JSON").with_source(e))?;
    let mut settings = Settings::default();
    let fields = json.as_object().ok_or_else(|| Error::invalid("the settings are no object"))?;
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("durability", Json::String(name)) => {
                settings.durability = match name.as_str() {
                    "normal" => Durability::Normal,
                    "full" => Durability::Full,
                    _ => {
                        return Err(Error::invalid("no such durability").with("durability", name).with_hint("choose normal or full"));
                    }
                };
            }
            ("archive", Json::Bool(is_archived)) => settings.log_held_for = if *is_archived { LOG_HELD_FOR } else { &[] },
            ("cacheKib", Json::Number(n)) => {
                settings.cache_kib = n.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| wrong(name, value))?
            }
            _ => return Err(wrong(name, value)),
        }
    }
    Ok(settings)
}

fn wrong(name: &str, value: &Json) -> Error {
    Error::invalid("no such setting, or not of such a value").with("setting", name).with("value", value)
}

/// What became of statements that shared a commit.
#[napi]
pub struct Outcomes {
    shared: Arc<Shared>,
    outcomes: Vec<Option<Result<Outcome>>>,
}

#[napi]
impl Outcomes {
    /// Puts the first chunk of what statement `at` gave into the buffer, or throws its error. Each is taken once.
    #[napi(catch_unwind)]
    pub fn take<'env>(
        &mut self,
        env: &'env Env,
        at: u32,
        mut io: napi::bindgen_prelude::BufferSlice<'_>,
    ) -> napi::Result<Option<JsString<'env>>> {
        let outcome = self.outcomes.get_mut(at as usize).and_then(Option::take);
        let schema = self.shared.database().ok().map(|database| database.schema());
        let outcome = caught(|| outcome.unwrap_or_else(|| Err(Error::internal("an outcome was taken twice"))));
        let outcome = outcome.map_err(|e| crossing(&e, schema.as_deref()))?;
        let mut gathered = lock(&self.shared.rest);
        gathered.clear();
        gathered.done(outcome);
        gathered.give(env, &mut io)
    }
}
