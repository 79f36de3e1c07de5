//! Many callers, one commit: single statements that arrive while the writer is busy are run together.
//!
//! A caller that finds the writer free, and the disk too where commits are synced, runs its statement in a transaction of its own. One that
//! does not puts it into a queue; the first in the queue lets the others come, waits for the writer and then runs all that have gathered, one
//! after another, in one SQLite transaction, while the disk may still be syncing the group before. Each statement is
//! still a commit of its own in the log: its rows are sealed into a log row before the next one runs. A statement that fails has undone itself,
//! and its caller alone is told.
//!
//! Where anything else happens (a statement that leaves a part of itself behind when it fails, one that breaks a foreign key which is checked at
//! the end, one that ends the transaction, a commit that fails) the whole group is rolled back before anybody was told anything, and each
//! statement runs again in a transaction of its own. So a group is never seen: every outcome is the one of running alone.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use relstore_model::{Error, Result, Value};

use crate::database::{Database, explained};
use crate::reader::{Rows, collect};
use crate::settings::Durability;
use crate::sql::surely_writes;
use crate::sqlite::raw::breaks_deferred_keys;
use crate::writer::{Committed, Outcome, Writer};
use crate::writer_place::WriterGuard;

/// The statements that wait for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Where those who wait for `jobs` are told their outcomes.
    batch: Arc<Batch>,
    /// How many statements the last group had.
    last_count: usize,
}

/// One caller's statement.
struct Job {
    sql: String,
    params: Vec<Value>,
}

/// The outcomes of a group, each at the place of its statement. All are woken at once, and each takes its own.
#[derive(Default)]
struct Batch {
    outcomes: Mutex<Option<Vec<Option<Result<Outcome>>>>>,
    done: Condvar,
}

impl Batch {
    fn finish(&self, outcomes: Vec<Option<Result<Outcome>>>) {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcomes);
        self.done.notify_all();
    }

    fn wait(&self, place: usize) -> Result<Outcome> {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match outcomes.as_mut() {
                Some(outcomes) => return outcomes.get_mut(place).and_then(Option::take).unwrap_or_else(|| Err(not_run())),
                None => outcomes = self.done.wait(outcomes).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

fn not_run() -> Error {
    Error::internal("the statement was not run: the one who should have run it failed")
}

/// How long a leader waits for one more statement before it begins.
const IDLE_MAX: Duration = Duration::from_micros(5);

/// The longest that a leader lets others come: about what a sync takes on a quick disk.
const GATHERING_MAX: Duration = Duration::from_micros(200);

impl Database {
    /// How many statements wait to be committed together.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.queue().lock().jobs.len()
    }

    /// Runs one writing statement in a transaction of its own, together with others where many come at once.
    pub(crate) fn execute_writing(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        self.writer_place()?;
        let disk = self.disk().filter(|_| self.settings().durability != Durability::Normal);
        let is_quiet = disk.is_none_or(|disk| !disk.is_syncing() && self.queue().lock().last_count <= 1);
        if is_quiet && let Some(writer) = self.try_lock_writer() {
            let (outcome, committed) = run_alone(&writer, sql, params)?;
            self.announce(&committed);
            drop(writer);
            self.acknowledge(&committed)?;
            return Ok(outcome);
        }
        let job = Job { sql: sql.to_owned(), params: params.to_vec() };
        let (place, batch) = {
            let mut state = self.queue().lock();
            state.jobs.push(job);
            (state.jobs.len() - 1, Arc::clone(&state.batch))
        };
        if place == 0 {
            if disk.is_some() {
                self.queue().gather();
            }
            self.lead();
        }
        batch.wait(place)
    }

    /// Runs statements as [`Database::execute`] does, each in a transaction of its own with its own outcome, in order, and where they write they
    /// share a commit and a sync. For a caller that has many at once; the outcomes are in the order of the statements.
    #[must_use]
    pub fn execute_together(&self, statements: Vec<(String, Vec<Value>)>) -> Vec<Result<Outcome>> {
        let writer = match self.lock_writer() {
            Ok(writer) => writer,
            Err(e) => return statements.iter().map(|_| Err(e.duplicate())).collect(),
        };
        let jobs: Vec<Job> = statements.into_iter().map(|(sql, params)| Job { sql, params }).collect();
        let (outcomes, last) = run_together(&writer, &jobs);
        self.told(writer, outcomes, last)
    }

    /// Makes the group's commit known and gives up the writer; the outcomes as their callers are to be told them.
    fn told(&self, writer: WriterGuard<'_>, outcomes: Vec<Result<Outcome>>, last: Option<Committed>) -> Vec<Result<Outcome>> {
        if let Some(committed) = &last {
            self.announce(committed);
        }
        drop(writer);
        let safe = last.map_or(Ok(()), |committed| self.acknowledge(&committed));
        let told = outcomes.into_iter().map(|outcome| match (&safe, outcome) {
            (Err(e), Ok(_)) => Err(e.duplicate()),
            (_, outcome) => outcome.map_err(|e| explained(e, &self.schema())),
        });
        told.collect()
    }

    /// Waits for the writer, runs what has gathered meanwhile, and tells the callers.
    fn lead(&self) {
        let writer = self.lock_writer();
        let (jobs, batch) = {
            let mut state = self.queue().lock();
            state.last_count = state.jobs.len();
            (std::mem::take(&mut state.jobs), std::mem::take(&mut state.batch))
        };
        // Whatever happens, nobody waits for ever.
        let mut group = Group { batch, outcomes: Vec::new() };
        let Ok(writer) = writer else { return };
        let (outcomes, last) = run_together(&writer, &jobs);
        group.outcomes = self.told(writer, outcomes, last).into_iter().map(Some).collect();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those come who are about to: the callers of the last group were all told at the same moment, and have their next statements ready
    /// one after another. A group that is begun with the first of them leaves all the others to a second sync.
    fn gather(&self) {
        let begun = Instant::now();
        let (mut came, mut count) = (begun, 0);
        loop {
            let state = self.lock();
            if state.jobs.len() >= state.last_count {
                return;
            }
            let now = Instant::now();
            if state.jobs.len() > count {
                (came, count) = (now, state.jobs.len());
            } else if now - came >= IDLE_MAX || now - begun >= GATHERING_MAX {
                return;
            }
            drop(state);
            std::thread::yield_now();
        }
    }
}

/// Tells the callers of a group when it is dropped: their outcomes, or that their statement was not run, should the leader not come to it.
struct Group {
    batch: Arc<Batch>,
    outcomes: Vec<Option<Result<Outcome>>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.batch.finish(std::mem::take(&mut self.outcomes));
    }
}

/// Runs one statement in a transaction of its own.
fn run_alone(writer: &Writer, sql: &str, params: &[Value]) -> Result<(Outcome, Committed)> {
    writer.in_transaction(None, |writer| run(writer, sql, params))
}

fn run(writer: &Writer, sql: &str, params: &[Value]) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let Rows { columns, rows } = collect(|each| {
        outcome = writer.run(sql, params, each)?;
        Ok(std::mem::take(&mut outcome.columns))
    })
    .map_err(|e| explained(e, &writer.schema()))?;
    Ok(Outcome { columns, rows, ..outcome })
}

/// Runs the jobs in order, together where that is certain to be the same; gives their outcomes, and the last commit if there was one.
fn run_together(writer: &Writer, jobs: &[Job]) -> (Vec<Result<Outcome>>, Option<Committed>) {
    let is_simple = |job: &Job| writer.shadow().is_empty() && surely_writes(&job.sql);
    if jobs.len() > 1
        && jobs.iter().all(is_simple)
        && let Some((outcomes, committed)) = run_group(writer, jobs)
    {
        return (outcomes, Some(committed));
    }
    let mut last = None;
    let outcomes = jobs.iter().map(|job| {
        run_alone(writer, &job.sql, &job.params).map(|(outcome, committed)| {
            merge(&mut last, committed);
            outcome
        })
    });
    (outcomes.collect(), last)
}

/// Two commits as one: the later position, and the newest schema.
fn merge(last: &mut Option<Committed>, next: Committed) {
    let schema = next.schema.or_else(|| last.take().and_then(|last| last.schema));
    *last = Some(Committed { schema, ..next });
}

/// Runs all jobs in one SQLite transaction; `None` if they must be run one by one, and nothing happened.
fn run_group(writer: &Writer, jobs: &[Job]) -> Option<(Vec<Result<Outcome>>, Committed)> {
    writer.begin().ok()?;
    let outcomes: Option<Vec<_>> = jobs.iter().map(|job| run_member(writer, job)).collect();
    let done = outcomes.and_then(|outcomes| writer.commit(None).ok().map(|committed| (outcomes, committed)));
    if done.is_none() {
        writer.rollback();
    }
    done
}

/// Runs one statement of a group and seals what it changed; `None` if the group must be given up.
fn run_member(writer: &Writer, job: &Job) -> Option<Result<Outcome>> {
    let outcome = run(writer, &job.sql, &job.params);
    let left_something = outcome.is_err() && writer.capture().count() > 0;
    if !writer.is_open() || left_something || breaks_deferred_keys(&writer.connection.inner) {
        return None;
    }
    writer.seal().ok()?;
    Some(outcome)
}
