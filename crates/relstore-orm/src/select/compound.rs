//! Set operators: `UNION`, `UNION ALL`, `INTERSECT`, `EXCEPT`.

use std::marker::PhantomData;

use super::clauses::Tail;
use super::{Projection, Query, Select};
use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::{Both, Concat};

/// Queries joined by set operators, from left to right. The rows come out as those of the first.
#[must_use = "a query does nothing until it is run"]
pub struct Compound<'e, P, S, O> {
    executor: &'e dyn Executor,
    projection: P,
    members: Fragment,
    tail: Tail,
    scope: PhantomData<fn() -> (S, O)>,
}

impl<'e, P, S, O> Compound<'e, P, S, O> {
    pub(crate) fn into_projection(self) -> P {
        self.projection
    }

    pub(crate) fn executor(&self) -> &'e dyn Executor {
        self.executor
    }

    pub(super) fn projection(&self) -> &P {
        &self.projection
    }

    pub(super) fn tail_mut(&mut self) -> &mut Tail {
        &mut self.tail
    }

    pub(crate) fn to_fragment(&self) -> Fragment {
        let mut out = self.members.clone();
        self.tail.append_to(&mut out);
        out
    }

    /// Around it, so that its operators come before those around it, as they were written.
    pub(super) fn to_member(&self) -> Fragment {
        enclosed(self.to_fragment())
    }

    fn joined<Q, Proof>(self, operator: &str, other: Q) -> Compound<'e, P, S, Both<O, Q::Outer>>
    where
        Q: Query<Proof>,
        O: Concat<Q::Outer>,
    {
        let mut members = if self.tail.is_empty() { self.members } else { enclosed(self.to_fragment()) };
        members.push(operator);
        members.append(other.into_member());
        Compound { executor: self.executor, projection: self.projection, members, tail: Tail::default(), scope: PhantomData }
    }
}

fn enclosed(query: Fragment) -> Fragment {
    let mut out = Fragment::text("SELECT * FROM (");
    out.append(query);
    out.push(")");
    out
}

impl<'e, P, S, O> Select<'e, P, S, O> {
    /// One `SELECT` as it may stand beside a set operator.
    pub(super) fn to_member<Proof>(&self) -> Fragment
    where
        P: Projection<S, Proof>,
    {
        if self.clauses.is_bare() { self.to_fragment() } else { enclosed(self.to_fragment()) }
    }

    fn compound<Proof>(self) -> Compound<'e, P, S, O>
    where
        P: Projection<S, Proof>,
    {
        let members = self.to_member();
        Compound { executor: self.executor, projection: self.projection, members, tail: Tail::default(), scope: PhantomData }
    }
}

macro_rules! set_operators {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => {
        impl<'e, P, S, O> Select<'e, P, S, O> {
            $(
                $(#[$doc])*
                pub fn $name<Q, Proof, Other>(self, other: Q) -> Compound<'e, P, S, Both<O, Q::Outer>>
                where
                    P: Projection<S, Proof>,
                    Q: Query<Other, Row = P::Row>,
                    O: Concat<Q::Outer>,
                {
                    self.compound().joined($operator, other)
                }
            )+
        }

        impl<'e, P, S, O> Compound<'e, P, S, O> {
            $(
                $(#[$doc])*
                pub fn $name<Q, Proof, Other>(self, other: Q) -> Compound<'e, P, S, Both<O, Q::Outer>>
                where
                    P: Projection<S, Proof>,
                    Q: Query<Other, Row = P::Row>,
                    O: Concat<Q::Outer>,
                {
                    self.joined($operator, other)
                }
            )+
        }
    };
}
set_operators! {
    /// The rows of both queries, each different row once.
    union " UNION ";
    /// The rows of both queries, as often as they come.
    union_all " UNION ALL ";
    /// The rows that both queries give, each once.
    intersect " INTERSECT ";
    /// The rows that this query gives and `other` does not, each once.
    except " EXCEPT ";
}
