//! Statements that are written once and called often, with typed parameters.
//!
//! What comes in: a closure that builds a statement from [`Param`]s, then arguments of the parameters' types. What goes out: rows, or the
//! number of rows changed. A call builds no SQL and allocates nothing but its result: the arguments are borrowed or moved into a buffer on
//! the stack, and an executor may keep what it knows of the statement by [`Held::id`].

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relstore_model::{Error, Result, Value, ValueRef};

use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::Nil;
use crate::select::{Compound, Projection, Select};
use crate::types::{ColumnType, IntoValue, Slot, SqlType, Unfit, refused};

/// How many `?` a call binds without an allocation.
const FEW: usize = 16;

/// A parameter of a prepared statement: it stands where a value of type `V` does.
pub struct Param<V> {
    number: usize,
    value: PhantomData<fn() -> V>,
}

impl<V> Param<V> {
    pub(crate) fn number(self) -> usize {
        self.number
    }
}

impl<V> Clone for Param<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Param<V> {}

impl<V: ColumnType> IntoValue<V> for Param<V> {
    fn into_value(self) -> Result<Slot, Unfit> {
        Ok(Slot::Argument(self.number))
    }
}

impl<V: SqlType> IntoValue<Option<V>> for Param<V> {
    fn into_value(self) -> Result<Slot, Unfit> {
        Ok(Slot::Argument(self.number))
    }
}

/// The parameters of a statement: one [`Param`], a tuple of up to twelve, or `()`.
pub trait Params: Sized {
    /// The parameters, numbered from `next` on.
    #[doc(hidden)]
    fn numbered(next: &mut usize) -> Self;
}

impl<V> Params for Param<V> {
    fn numbered(next: &mut usize) -> Self {
        let number = *next;
        *next += 1;
        Self { number, value: PhantomData }
    }
}

impl Params for () {
    fn numbered(_: &mut usize) -> Self {}
}

macro_rules! params_tuple {
    ($($V:ident $n:tt),+) => {
        impl<$($V),+> Params for ($(Param<$V>,)+) {
            fn numbered(next: &mut usize) -> Self {
                ($(Param::<$V>::numbered(next),)+)
            }
        }
    };
}
crate::tuples::each_tuple!(params_tuple);

/// An argument, owned or borrowed.
#[derive(Debug)]
pub enum Bound<'a> {
    /// As the caller has it.
    Borrowed(ValueRef<'a>),
    /// As it was made of the caller's.
    Owned(Value),
}

/// A value for a parameter of type `V`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument for a parameter of type `{V}`",
    label = "a value of type `{V}` is expected"
)]
pub trait Argument<'a, V> {
    /// What is bound.
    ///
    /// # Errors
    /// As [`SqlType::into_cell`].
    fn bound(self) -> Result<Bound<'a>, Unfit>;
}

impl<'a, V: ColumnType> Argument<'a, V> for V {
    fn bound(self) -> Result<Bound<'a>, Unfit> {
        self.encode().map(Bound::Owned)
    }
}

impl<'a, V: SqlType> Argument<'a, Option<V>> for V {
    fn bound(self) -> Result<Bound<'a>, Unfit> {
        SqlType::into_cell(self).map(Bound::Owned)
    }
}

macro_rules! borrowed_argument {
    ($($from:ty => $column:ty, |$value:ident| $cell:expr;)+) => { $(
        impl<'a> Argument<'a, $column> for &'a $from {
            fn bound(self) -> Result<Bound<'a>, Unfit> {
                let $value = self;
                Ok(Bound::Borrowed($cell))
            }
        }

        impl<'a> Argument<'a, Option<$column>> for &'a $from {
            fn bound(self) -> Result<Bound<'a>, Unfit> {
                Argument::<'a, $column>::bound(self)
            }
        }
    )+ };
}
borrowed_argument! {
    str => String, |text| ValueRef::Text(text.as_bytes());
    String => String, |text| ValueRef::Text(text.as_bytes());
    [u8] => Vec<u8>, |bytes| ValueRef::Blob(bytes);
    Vec<u8> => Vec<u8>, |bytes| ValueRef::Blob(bytes);
}

/// Values for the parameters `Ps`: one value for one [`Param`], a tuple for a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no arguments for the parameters `{Ps}`",
    label = "as many values as there are parameters are expected, of their types and in their order"
)]
pub trait Arguments<'a, Ps> {
    /// Appends them.
    ///
    /// # Errors
    /// `Constraint` if a value fits no cell.
    #[doc(hidden)]
    fn bind(self, into: &mut Arguments12<'a>) -> Result<()>;
}

/// Room for the arguments of a call.
#[doc(hidden)]
pub struct Arguments12<'a> {
    list: [Bound<'a>; 12],
    count: usize,
}

impl<'a> Arguments12<'a> {
    fn new() -> Self {
        Self { list: [const { Bound::Borrowed(ValueRef::Null) }; 12], count: 0 }
    }

    fn push<V: ColumnType>(&mut self, argument: impl Argument<'a, V>) -> Result<()> {
        let number = self.count;
        self.list[number] = argument.bound().map_err(|unfit| refused(&unfit, V::EXPECTED, "(argument)", &number.to_string()))?;
        self.count += 1;
        Ok(())
    }

    /// The cell that fills `slot`.
    fn cell<'b>(&'b self, slot: &'b Slot) -> ValueRef<'b> {
        match slot {
            Slot::Value(value) => value.as_ref(),
            Slot::Argument(number) => match &self.list[*number] {
                Bound::Borrowed(cell) => *cell,
                Bound::Owned(value) => value.as_ref(),
            },
        }
    }
}

impl<'a> Arguments<'a, ()> for () {
    fn bind(self, _: &mut Arguments12<'a>) -> Result<()> {
        Ok(())
    }
}

impl<'a, V: ColumnType, A: Argument<'a, V>> Arguments<'a, Param<V>> for A {
    fn bind(self, into: &mut Arguments12<'a>) -> Result<()> {
        into.push::<V>(self)
    }
}

macro_rules! arguments_tuple {
    ($($A:ident $V:ident $n:tt),+) => {
        impl<'a, $($V: ColumnType, $A: Argument<'a, $V>),+> Arguments<'a, ($(Param<$V>,)+)> for ($($A,)+) {
            fn bind(self, into: &mut Arguments12<'a>) -> Result<()> {
                $( into.push::<$V>(self.$n)?; )+
                Ok(())
            }
        }
    };
}
crate::tuples::each_proven_tuple!(arguments_tuple);

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
        let mut given = Arguments12::new();
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

/// Reads the rows of a held query. Each way of reading is one function, so that a row costs one call through a pointer.
#[doc(hidden)]
pub trait Read<Row>: Send + Sync {
    fn all(&self, executor: &dyn Executor, held: &Held, params: &[ValueRef<'_>]) -> Result<Vec<Row>>;
    /// The first row, and how many there were.
    fn first(&self, executor: &dyn Executor, held: &Held, params: &[ValueRef<'_>]) -> Result<(Option<Row>, u64)>;
    fn each(&self, executor: &dyn Executor, held: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()>;
}

struct Reader<P, S, Proof> {
    projection: P,
    scope: PhantomData<fn() -> (S, Proof)>,
}

impl<P: Projection<S, Proof> + Send + Sync, S, Proof> Read<P::Row> for Reader<P, S, Proof> {
    fn all(&self, executor: &dyn Executor, held: &Held, params: &[ValueRef<'_>]) -> Result<Vec<P::Row>> {
        let mut rows = Vec::new();
        executor.query_held(held, params, &mut |cells| {
            rows.push(self.projection.decode(cells, 0)?);
            Ok(())
        })?;
        Ok(rows)
    }

    fn first(&self, executor: &dyn Executor, held: &Held, params: &[ValueRef<'_>]) -> Result<(Option<P::Row>, u64)> {
        let (mut first, mut row_count) = (None, 0);
        executor.query_held(held, params, &mut |cells| {
            if row_count == 0 {
                first = Some(self.projection.decode(cells, 0)?);
            }
            row_count += 1;
            Ok(())
        })?;
        Ok((first, row_count))
    }

    fn each(
        &self,
        executor: &dyn Executor,
        held: &Held,
        params: &[ValueRef<'_>],
        each: &mut dyn FnMut(P::Row) -> Result<()>,
    ) -> Result<()> {
        executor.query_held(held, params, &mut |cells| each(self.projection.decode(cells, 0)?))
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

macro_rules! preparable_query {
    ($query:ident) => {
        impl<'e, P, S, Proof> Preparable<'e, Proof> for $query<'e, P, S, Nil>
        where
            P: Projection<S, Proof> + Send + Sync + 'static,
            P::Row: 'static,
            S: 'static,
            Proof: 'static,
        {
            type Outcome = Rows<P::Row>;

            fn prepare<Ps>(self) -> Result<Prepared<'e, Ps, Rows<P::Row>>> {
                let (executor, statement) = (self.executor(), self.to_fragment());
                let reader = Reader { projection: self.into_projection(), scope: PhantomData::<fn() -> (S, Proof)> };
                let reader: Box<dyn Read<P::Row>> = Box::new(reader);
                Prepared::new(executor, statement, reader)
            }
        }
    };
}
preparable_query!(Select);
preparable_query!(Compound);

/// A statement that changes rows, prepared.
pub(crate) fn prepared_write<'e, Ps>(executor: &'e dyn Executor, statement: Fragment) -> Result<Prepared<'e, Ps, Changes>> {
    Prepared::new(executor, statement, ())
}
