//! Which tables a query has, known to the compiler.
//!
//! The tables of a query are a type: a list of models, each [`Required`] or, when left-joined, [`Optional`]. An expression carries the
//! list of models that it uses. A statement takes an expression only if its own list [`Covers`] the expression's. The compiler finds
//! the places (`Here`, `There<Here>`, …) by itself; they are only in signatures. Nothing here exists at run time.

use std::marker::PhantomData;

use crate::types::SqlType;

/// The empty list.
pub enum Nil {}

/// A list: its first entry, and the rest.
pub struct Cons<H, R>(PhantomData<fn() -> (H, R)>);

/// A table each row of which has cells in the result.
pub enum Required {}

/// A left-joined table: its cells are NULL where no row matched.
pub enum Optional {}

/// Stands for aggregates in an expression's list of tables, so that they compile only where SQL allows them: in a projection, in
/// `having` and in `order_by`.
pub enum Aggregated {}

/// Found as the first entry.
pub enum Here {}

/// Found in the rest, at `I`.
pub struct There<I>(PhantomData<fn() -> I>);

/// The tables of a statement on one table.
pub type Only<T> = Cons<(T, Required), Nil>;

/// The tables `S` and that of `T`, joined.
pub type Joined<S, T, Presence> = Cons<(T, Presence), S>;

/// The tables `S`, where aggregates are allowed.
pub type WithAggregates<S> = Cons<(Aggregated, Required), S>;

/// The query has the table of `T`, in place `I`.
#[diagnostic::on_unimplemented(
    message = "this expression uses `{T}`, whose table is not in the query's FROM and JOIN list",
    label = "uses `{T}`, which the query does not have here",
    note = "join the table first (`.inner_join(…)` or `.left_join(…)`), or use a column of a table that is joined",
    note = "`Aggregated` stands for aggregates such as `count()`: they belong in the projection, `having` or `order_by`, not in `where_`"
)]
pub trait Has<T, I> {
    /// [`Required`] or [`Optional`].
    type Presence;
}

impl<T, P, R> Has<T, Here> for Cons<(T, P), R> {
    type Presence = P;
}

impl<T, H, R: Has<T, I>, I> Has<T, There<I>> for Cons<H, R> {
    type Presence = R::Presence;
}

/// The query has every table of the list `Ts`, in the places `Is`.
#[diagnostic::on_unimplemented(
    message = "this expression uses a table that is not in the query's FROM and JOIN list",
    label = "the query's tables are `{Self}`, the expression uses `{Ts}`"
)]
pub trait Covers<Ts, Is> {}

impl<S> Covers<Nil, Nil> for S {}

impl<S: Has<T, I> + Covers<R, Is>, T, R, I, Is> Covers<Cons<T, R>, Cons<I, Is>> for S {}

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

/// What a column of type `V` gives when its table is present so.
pub trait Present<V> {
    /// `V`, or `Option` of it.
    type Out: SqlType;
}

impl<V: SqlType> Present<V> for Required {
    type Out = V;
}

impl<V: SqlType> Present<V> for Optional {
    type Out = Option<V::Base>;
}
