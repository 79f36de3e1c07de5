//! Which tables a query has, and whether their cells can be NULL: known to the compiler.
//!
//! The tables of a query are a type: a list of [`Source`](crate::Source)s, each [`Required`] or, where a join may find no row of it,
//! [`Optional`]. An expression carries the list of what it [`Uses`]. A statement takes an expression only if its own list [`Covers`] the
//! expression's, and that also tells whether the expression can be NULL there. The compiler finds the places (`Here`, `There<Here>`, …) by
//! itself; they are only in signatures. Nothing here exists at run time.

use std::marker::PhantomData;

use crate::table::FromRow;
use crate::types::{ColumnType, SqlType};

/// The empty list.
pub enum Nil {}

/// A list: its first entry, and the rest.
pub struct Cons<H, R>(PhantomData<fn() -> (H, R)>);

/// No NULL: a table each row of which has cells in the result, or a column that refuses NULL.
pub enum Required {}

/// NULL is possible: an outer-joined table, whose cells are NULL where no row matched, or a column that takes NULL.
pub enum Optional {}

/// [`Required`] or [`Optional`].
pub trait Nullness {
    /// Whether NULL is possible.
    const IS_OPTIONAL: bool;
    /// `B`, or `Option<B>`.
    type Of<B: SqlType>: ColumnType<Base = B, Nullness = Self>;
    /// The row itself, or `Option` of it.
    type Row<M: FromRow>: FromRow;
    /// Optional if this or `N` is.
    type Or<N: Nullness>: Nullness;
}

impl Nullness for Required {
    const IS_OPTIONAL: bool = false;
    type Of<B: SqlType> = B;
    type Row<M: FromRow> = M;
    type Or<N: Nullness> = N;
}

impl Nullness for Optional {
    const IS_OPTIONAL: bool = true;
    type Of<B: SqlType> = Option<B>;
    type Row<M: FromRow> = Option<M>;
    type Or<N: Nullness> = Self;
}

/// `V` where it meets a table or an operand of nullness `N`: `V`, or `Option` of it.
pub type Seen<V, N> = <<N as Nullness>::Or<<V as ColumnType>::Nullness> as Nullness>::Of<<V as ColumnType>::Base>;

/// In an expression's list: it uses the table `T`, and is NULL where `T` found no row.
pub struct Uses<T>(PhantomData<fn() -> T>);

/// In an expression's list: it uses the table `T`, and is what its type says also where `T` found no row, as a count is.
pub struct Sheltered<T>(PhantomData<fn() -> T>);

/// In an expression's list: it uses an aggregate, which compiles only where SQL allows it: in a projection, in `having` and in `order_by`.
pub enum Aggregated {}

/// Found as the first entry.
pub enum Here {}

/// Found in the rest, at `I`.
pub struct There<I>(PhantomData<fn() -> I>);

/// The tables of a statement on one table.
pub type Only<T> = Cons<(T, Required), Nil>;

/// What an expression over the one table `T` uses: see [`Condition::on`](crate::Condition::on).
pub type On<T> = Cons<Uses<T>, Nil>;

/// The tables `S` and `T`, joined.
pub type Joined<S, T, Presence> = Cons<(T, Presence), S>;

/// The tables `S`, where aggregates are allowed.
pub struct WithAggregates<S>(PhantomData<fn() -> S>);

/// The row that an insert could not insert, as a table of [`on_conflict`](crate::write::Insert::on_conflict): see
/// [`excluded`](crate::excluded()).
pub struct Conflicting<T>(PhantomData<fn() -> T>);

/// The query has the table `T`, in place `I`.
#[diagnostic::on_unimplemented(
    message = "this expression uses `{T}`, whose table is not in the query's FROM and JOIN list",
    label = "uses `{T}`, which the query does not have here",
    note = "join the table first (`.inner_join(…)` or `.left_join(…)`), or use a column of a table that is joined",
    note = "in a subquery, `.correlate(table)` lets it use a table of the query around it"
)]
pub trait Has<T, I> {
    /// [`Required`] or [`Optional`].
    type Presence: Nullness;
}

impl<T, P: Nullness, R> Has<T, Here> for Cons<(T, P), R> {
    type Presence = P;
}

impl<T, H, R: Has<T, I>, I> Has<T, There<I>> for Cons<H, R> {
    type Presence = R::Presence;
}

impl<T, S: Has<T, I>, I> Has<T, I> for WithAggregates<S> {
    type Presence = S::Presence;
}

/// Aggregates are allowed here.
#[diagnostic::on_unimplemented(
    message = "an aggregate such as `count()` is not allowed here",
    label = "`where_`, `on`, `group_by` and a write see single rows, no groups",
    note = "aggregates belong in the projection, in `having` and in `order_by`; to compare with one here, put it into a subquery: `scalar(…)`"
)]
pub trait AllowsAggregates {}

impl<S> AllowsAggregates for WithAggregates<S> {}

/// The query has what one entry of an expression's list asks for, in place `I`.
pub trait Meets<Entry, I> {
    /// Whether the expression can be NULL because of it.
    type Nullness: Nullness;
}

impl<T, S: Has<T, I>, I> Meets<Uses<T>, I> for S {
    type Nullness = S::Presence;
}

impl<T, S: Has<T, I>, I> Meets<Sheltered<T>, I> for S {
    type Nullness = Required;
}

impl<S: AllowsAggregates> Meets<Aggregated, Here> for S {
    type Nullness = Required;
}

/// The query has everything that the list `Ts` asks for, in the places `Is`.
#[diagnostic::on_unimplemented(
    message = "this expression uses what the statement does not have here",
    label = "the statement has `{Self}`, the expression uses `{Ts}`",
    note = "`Aggregated` is an aggregate such as `count()`: it belongs in the projection, in `having` and in `order_by`; to compare with one elsewhere, put it into a subquery: `scalar(…)`",
    note = "a table must be in the query's FROM and JOIN list, or named by `.correlate(table)` in a subquery"
)]
pub trait Covers<Ts, Is> {
    /// Whether an expression over `Ts` can be NULL because a table found no row.
    type Nullness: Nullness;
}

impl<S> Covers<Nil, Nil> for S {
    type Nullness = Required;
}

impl<S: Meets<E, I> + Covers<R, Is>, E, R, I, Is> Covers<Cons<E, R>, Cons<I, Is>> for S {
    type Nullness = <<S as Meets<E, I>>::Nullness as Nullness>::Or<<S as Covers<R, Is>>::Nullness>;
}

/// One list after another.
pub trait Concat<Other> {
    /// The joint list.
    type Out;
}

impl<Other> Concat<Other> for Nil {
    type Out = Other;
}

impl<H, R: Concat<Other>, Other> Concat<Other> for Cons<H, R> {
    type Out = Cons<H, R::Out>;
}

/// The list that two sides use together.
pub type Both<A, B> = <A as Concat<B>>::Out;

/// The same list, every entry [`Sheltered`].
pub trait Shelter {
    /// The list.
    type Out;
}

impl Shelter for Nil {
    type Out = Self;
}

impl<T, R: Shelter> Shelter for Cons<Uses<T>, R> {
    type Out = Cons<Sheltered<T>, R::Out>;
}

impl<T, R: Shelter> Shelter for Cons<Sheltered<T>, R> {
    type Out = Cons<Sheltered<T>, R::Out>;
}

impl<R: Shelter> Shelter for Cons<Aggregated, R> {
    type Out = Cons<Aggregated, R::Out>;
}

/// The same thing after a right or full join, which may find no row of what was there before it.
pub trait Loosen {
    /// A list with every table [`Optional`], a tuple with every model an `Option`.
    type Out;
}

impl Loosen for Nil {
    type Out = Self;
}

impl<T, P, R: Loosen> Loosen for Cons<(T, P), R> {
    type Out = Cons<(T, Optional), R::Out>;
}
