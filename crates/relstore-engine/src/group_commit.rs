//! Many callers, one commit: single statements that arrive while the writer is busy are run together.
//!
//! A caller that finds the writer free runs its statement in a transaction of its own. One that does not puts it into a queue; the first in
//! the queue waits for the writer and then runs all that have gathered, one after another, in one SQLite transaction. Each statement is
//! still a commit of its own in the log: its rows are sealed into a log row before the next one runs. A statement that fails has undone itself,
//! and its caller alone is told.
//!
//! Where anything else happens (a statement that leaves a part of itself behind when it fails, one that breaks a foreign key which is checked at
//! the end, one that ends the transaction, a commit that fails) the whole group is rolled back before anybody was told anything, and each
//! statement runs again in a transaction of its own. So a group is never seen: every outcome is the one of running alone.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use relstore_model::{Error, Result, Value};

use crate::database::{Database, explained};
use crate::reader::{Rows, collect};
use crate::sql::surely_writes;
use crate::sqlite::raw::breaks_deferred_keys;
use crate::writer::{Committed, Outcome, Writer};

/// The statements that wait for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Arc<Job>>,
    /// Somebody waits for the writer on behalf of all in `waiting`.
    has_leader: bool,
}

/// One caller's statement.
struct Job {
    sql: String,
    params: Vec<Value>,
    outcome: Mutex<Option<Result<Outcome>>>,
    done: Condvar,
}

impl Job {
    fn finish(&self, outcome: Result<Outcome>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.done.notify_one();
    }

    fn wait(&self) -> Result<Outcome> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match outcome.take() {
                Some(outcome) => return outcome,
                None => outcome = self.done.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Database {
    /// How many statements wait to be committed together.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.queue().state.lock().unwrap_or_else(PoisonError::into_inner).waiting.len()
    }

    /// Runs one writing statement in a transaction of its own, together with others where many come at once.
    pub(crate) fn execute_writing(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        self.writer_mutex()?;
        if let Some(writer) = self.try_lock_writer() {
            let (outcome, committed) = run_alone(&writer, sql, params)?;
            self.announce(&committed);
            drop(writer);
            self.acknowledge(&committed)?;
            return Ok(outcome);
        }
        let job = Arc::new(Job { sql: sql.to_owned(), params: params.to_vec(), outcome: Mutex::default(), done: Condvar::new() });
        let queue = self.queue();
        let leads = {
            let mut state = queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push(Arc::clone(&job));
            !std::mem::replace(&mut state.has_leader, true)
        };
        if leads {
            self.lead();
        }
        job.wait()
    }

    /// Waits for the writer, runs what has gathered meanwhile, and tells the callers.
    fn lead(&self) {
        let writer = self.lock_writer();
        let jobs = {
            let mut state = self.queue().state.lock().unwrap_or_else(PoisonError::into_inner);
            state.has_leader = false;
            std::mem::take(&mut state.waiting)
        };
        // Whatever happens, nobody waits for ever.
        let mut unfinished = Unfinished(&jobs);
        let Ok(writer) = writer else { return };
        let (outcomes, last) = run_together(&writer, &jobs);
        if let Some(committed) = &last {
            self.announce(committed);
        }
        drop(writer);
        let safe = last.map_or(Ok(()), |committed| self.acknowledge(&committed));
        for (job, outcome) in jobs.iter().zip(outcomes) {
            job.finish(match (&safe, outcome) {
                (Err(e), Ok(_)) => Err(e.duplicate()),
                (_, outcome) => outcome.map_err(|e| explained(e, &self.schema())),
            });
        }
        unfinished.0 = &[];
    }
}

/// Tells those callers that their statement was not run, should the leader not come to it.
struct Unfinished<'a>(&'a [Arc<Job>]);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        for job in self.0 {
            job.finish(Err(Error::internal("the statement was not run: the one who should have run it failed")));
        }
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
fn run_together(writer: &Writer, jobs: &[Arc<Job>]) -> (Vec<Result<Outcome>>, Option<Committed>) {
    let is_simple = |job: &Arc<Job>| writer.shadow().is_empty() && surely_writes(&job.sql);
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
fn run_group(writer: &Writer, jobs: &[Arc<Job>]) -> Option<(Vec<Result<Outcome>>, Committed)> {
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
