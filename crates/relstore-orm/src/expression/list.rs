//! `IN` and `NOT IN`: of values, or of what a query gives.

use super::{Condition, Expression, push, rendered};
use crate::fragment::Fragment;
use crate::scope::{Both, Concat, Nil};
use crate::select::{Compound, Projection, Query, Select};
use crate::types::{ColumnType, IntoValue};

/// What can stand in `IN (…)` beside an expression of type `B`: values, or a query of one column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of values of type `{B}`",
    label = "an array, a `Vec` or another iterator of `{B}`, or a query that gives one column of `{B}`, is expected"
)]
pub trait ListOf<B, Proof> {
    /// What it uses, as a list of [`scope`](crate::scope).
    type Tables;

    /// Appends what stands between the parentheses.
    fn render(self, out: &mut Fragment);
}

impl<I, B: ColumnType> ListOf<B, ()> for I
where
    I: IntoIterator,
    I::Item: IntoValue<B>,
{
    type Tables = Nil;

    fn render(self, out: &mut Fragment) {
        for (i, value) in self.into_iter().enumerate() {
            if i > 0 {
                out.push(", ");
            }
            push::<B>(out, value);
        }
    }
}

macro_rules! query_list {
    ($query:ident) => {
        impl<B, P: Projection<S, Proof>, S, O, Proof> ListOf<B, Proof> for $query<'_, P, S, O>
        where
            P::Row: ColumnType<Base = B>,
        {
            type Tables = O;

            fn render(self, out: &mut Fragment) {
                out.append(self.into_fragment());
            }
        }
    };
}
query_list!(Select);
query_list!(Compound);

/// `left` is one of `list`: values, each of which takes one of SQLite's 32,766 parameters, or what a query of one column gives. Of no
/// values, it is none.
#[must_use]
pub fn in_array<L, I, Proof>(left: L, list: I) -> Condition<Both<L::Tables, I::Tables>>
where
    L: Expression,
    I: ListOf<<L::Value as ColumnType>::Base, Proof>,
    L::Tables: Concat<I::Tables>,
{
    Condition::new(listed(&left, " IN (", list))
}

/// `left` is none of `list`: see [`in_array`]. A query that gives a NULL makes it NULL for every `left` that the query does not give.
#[must_use]
pub fn not_in_array<L, I, Proof>(left: L, list: I) -> Condition<Both<L::Tables, I::Tables>>
where
    L: Expression,
    I: ListOf<<L::Value as ColumnType>::Base, Proof>,
    L::Tables: Concat<I::Tables>,
{
    Condition::new(listed(&left, " NOT IN (", list))
}

fn listed<L, I, B, Proof>(left: &L, operator: &str, list: I) -> Fragment
where
    L: Expression,
    I: ListOf<B, Proof>,
{
    let mut fragment = rendered(left);
    fragment.push(operator);
    list.render(&mut fragment);
    fragment.push(")");
    fragment.place_refusal(|| left.place());
    fragment
}
