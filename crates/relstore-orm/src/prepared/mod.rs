//! Statements that are written once and called often, with typed parameters.
//!
//! What comes in: a closure that builds a statement from [`Param`]s, then arguments of the parameters' types. What goes out: rows, or the
//! number of rows changed. A call builds no SQL and allocates nothing but its result: the arguments are borrowed or moved into a buffer on
//! the stack, and an executor may keep what it knows of the statement by [`Held::id`].

mod argument;
mod reader;

pub use argument::{Argument, Arguments, Param, Params};

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relstore_model::{Error, Result, ValueRef};

use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::types::Slot;
use argument::Given;
use reader::Read;

/// How many `?` a call binds without an allocation.
const FEW: usize = 16;

/// The text of a statement that is held for many calls.
#[derive(Debug)]
pub struct Held {
    sql: Box<str>,
    id: u64,
}

impl Held {
    fn new(sql: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { sql: sql.into_boxed_str(), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// The text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// A number from 1 that no other held statement of this process has, for executors that keep something for each.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// What a prepared statement gives: [`Rows`] or [`Changes`].
pub trait Outcome {
    /// What reads it.
    type Reader: Send + Sync;
}

/// A prepared query's rows, each a `Row`.
pub struct Rows<Row>(PhantomData<fn() -> Row>);

/// A prepared insert's, update's or delete's number of rows changed.
pub enum Changes {}

impl<Row: 'static> Outcome for Rows<Row> {
    type Reader = Box<dyn Read<Row>>;
}

impl Outcome for Changes {
    type Reader = ();
}

/// A statement with parameters `Ps`, without anyone to run it: what a program keeps. [`Prepared::detach`] gives it, [`Detached::on`] runs
/// it.
pub struct Detached<Ps, K: Outcome>(Arc<Inner<K>>, PhantomData<fn(Ps)>);

struct Inner<K: Outcome> {
    held: Held,
    slots: Box<[Slot]>,
    reader: K::Reader,
}

/// A statement with parameters `Ps` that gives `K`, on one executor. Made by [`Typed::prepare`](crate::Typed::prepare).
///
/// ```
/// # use relstore_orm::{Executor, Param, Prepared, Rows, Table, Typed, eq, gt};
/// # #[derive(Table)] #[table(name = "users")] struct User { #[column(primary_key)] id: String, name: String, visits: i64 }
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let by_id = store.prepare(|id: Param<String>| store.select().from(users).where_(eq(users.id, id)))?;
/// let alice: User = by_id.one("user_123")?;
///
/// let rename = store.prepare(|(id, name): (Param<String>, Param<String>)| {
///     store.update(users).set(UserSet::new().name(name)).where_(eq(users.id, id))
/// })?;
/// rename.execute(("user_123", "Alice Smith"))?;
/// # Ok(()) }
/// ```
pub struct Prepared<'e, Ps, K: Outcome> {
    executor: &'e dyn Executor,
    statement: Detached<Ps, K>,
}

impl<Ps, K: Outcome> Clone for Detached<Ps, K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<Ps, K: Outcome> Detached<Ps, K> {
    /// The statement, to be run by `executor`: a store, or an open transaction.
    pub fn on<'x>(&self, executor: &'x dyn Executor) -> Prepared<'x, Ps, K> {
        Prepared { executor, statement: self.clone() }
    }
}

impl<'e, Ps, K: Outcome> Prepared<'e, Ps, K> {
    /// # Errors
    /// `Constraint` if a value of the statement fits no cell.
    fn new(executor: &'e dyn Executor, statement: Fragment, reader: K::Reader) -> Result<Self> {
        let (sql, slots) = statement.into_slots()?;
        let inner = Inner { held: Held::new(sql), slots: slots.into_boxed_slice(), reader };
        Ok(Self { executor, statement: Detached(Arc::new(inner), PhantomData) })
    }

    /// The same on another executor, such as an open transaction.
    pub fn on<'x>(&self, executor: &'x dyn Executor) -> Prepared<'x, Ps, K> {
        self.statement.on(executor)
    }

    /// The statement by itself, to be kept and run later.
    #[must_use]
    pub fn detach(&self) -> Detached<Ps, K> {
        self.statement.clone()
    }

    /// The statement's text.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.statement.0.held.sql()
    }

    /// Calls `run` with the parameters that `arguments` give.
    fn bound<'a, A: Arguments<'a, Ps>, T>(&self, arguments: A, run: impl FnOnce(&Inner<K>, &[ValueRef<'_>]) -> Result<T>) -> Result<T> {
        let inner = &*self.statement.0;
        let mut given = Given::new();
        arguments.bind(&mut given)?;
        if inner.slots.len() > FEW {
            let params: Vec<ValueRef<'_>> = inner.slots.iter().map(|slot| given.cell(slot)).collect();
            return run(inner, &params);
        }
        let mut params = [ValueRef::Null; FEW];
        for (param, slot) in params.iter_mut().zip(&inner.slots) {
            *param = given.cell(slot);
        }
        run(inner, &params[..inner.slots.len()])
    }
}

impl<Ps, Row: 'static> Prepared<'_, Ps, Rows<Row>> {
    /// Runs the query and gives all its rows.
    ///
    /// # Errors
    /// What the executor gives; `Constraint` if a cell does not have the type of its column, or an argument fits no cell.
    pub fn all<'a>(&self, arguments: impl Arguments<'a, Ps>) -> Result<Vec<Row>> {
        self.bound(arguments, |inner, params| inner.reader.all(self.executor, &inner.held, params))
    }

    /// Runs the query for its first row; `None` if there is none. The rows after it are passed over: a query that has many says `limit(1)`.
    ///
    /// # Errors
    /// As [`Prepared::all`].
    pub fn first<'a>(&self, arguments: impl Arguments<'a, Ps>) -> Result<Option<Row>> {
        self.bound(arguments, |inner, params| Ok(inner.reader.first(self.executor, &inner.held, params)?.0))
    }

    /// Runs the query for its only row.
    ///
    /// # Errors
    /// As [`Prepared::all`]; `NotFound` if there is no row; `Invalid` if there are several.
    pub fn one<'a>(&self, arguments: impl Arguments<'a, Ps>) -> Result<Row> {
        self.bound(arguments, |inner, params| {
            let held = &inner.held;
            match inner.reader.first(self.executor, held, params)? {
                (Some(row), 1) => Ok(row),
                (None, _) => Err(Error::not_found("no row where one was asked for")
                    .with("sql", held.sql())
                    .with_hint("ask with .first(…), which gives None, if the row may be missing")),
                (Some(_), row_count) => Err(Error::invalid("several rows where one was asked for")
                    .with("sql", held.sql())
                    .with("rows", row_count)
                    .with_hint("narrow the condition, or ask with .first(…) or .all(…)")),
            }
        })
    }

    /// Runs the query and hands over its rows one by one. An error from `each` ends it.
    ///
    /// # Errors
    /// As [`Prepared::all`], and what `each` gives.
    pub fn each<'a>(&self, arguments: impl Arguments<'a, Ps>, mut each: impl FnMut(Row) -> Result<()>) -> Result<()> {
        self.bound(arguments, |inner, params| inner.reader.each(self.executor, &inner.held, params, &mut each))
    }
}

impl<Ps> Prepared<'_, Ps, Changes> {
    /// Runs the statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// What the executor gives; `Constraint` if an argument fits no cell.
    pub fn execute<'a>(&self, arguments: impl Arguments<'a, Ps>) -> Result<u64> {
        self.bound(arguments, |inner, params| self.executor.execute_held(&inner.held, params))
    }
}

/// What [`Typed::prepare`](crate::Typed::prepare) takes: a query, an update, a delete, or an insert of one row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no statement to prepare",
    label = "a query, an update with `set(…)`, a delete, or an insert of one `value(…)` is expected"
)]
pub trait Preparable<'e, Proof> {
    /// What it gives.
    type Outcome: Outcome;

    /// Prepares it.
    ///
    /// # Errors
    /// As [`Typed::prepare`](crate::Typed::prepare).
    fn prepare<Ps>(self) -> Result<Prepared<'e, Ps, Self::Outcome>>;
}

/// A statement that changes rows, prepared.
pub(crate) fn prepared_write<'e, Ps>(executor: &'e dyn Executor, statement: Fragment) -> Result<Prepared<'e, Ps, Changes>> {
    Prepared::new(executor, statement, ())
}
