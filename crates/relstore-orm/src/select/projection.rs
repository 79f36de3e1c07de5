//! What a query gives: an expression, or a tuple of them.

use relstore_model::{Result, ValueRef};

use crate::expression::Expression;
use crate::fragment::Fragment;
use crate::scope::{Covers, Seen, WithAggregates};
use crate::types::read_cell;

/// What a query over the tables `S` can give: a column or another expression, a table (its model), or a tuple of up to twelve of these.
///
/// `Proof` is found by the compiler. What an outer join may not find gives an `Option`.
#[diagnostic::on_unimplemented(
    message = "this query cannot give `{Self}`",
    label = "every column must be of a table in the query's FROM and JOIN list",
    note = "a projection is a column or another expression, a table, or a tuple of up to twelve of these"
)]
pub trait Projection<S, Proof> {
    /// What a row becomes.
    type Row;
    /// How many cells it takes.
    const WIDTH: usize;

    /// Appends the SQL of each cell, in order, with commas between.
    fn render(&self, out: &mut Fragment);

    /// Reads a row from the cells `at .. at + WIDTH`.
    ///
    /// # Errors
    /// `Constraint` if a cell does not have the type of its column; `Internal` if the row is too short.
    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row>;
}

impl<X: Expression, S, Is> Projection<S, Is> for X
where
    WithAggregates<S>: Covers<X::Tables, Is>,
{
    type Row = Seen<X::Value, <WithAggregates<S> as Covers<X::Tables, Is>>::Nullness>;
    const WIDTH: usize = 1;

    fn render(&self, out: &mut Fragment) {
        Expression::render(self, out);
    }

    #[inline]
    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
        read_cell(cells, at, || self.place())
    }
}

/// A projection that the caller chose; joins do not change it.
pub struct Chosen<P>(P);

impl<P> Chosen<P> {
    pub(crate) fn new(projection: P) -> Self {
        Self(projection)
    }
}

impl<S, Proof, P: Projection<S, Proof>> Projection<S, Proof> for Chosen<P> {
    type Row = P::Row;
    const WIDTH: usize = P::WIDTH;

    fn render(&self, out: &mut Fragment) {
        self.0.render(out);
    }

    #[inline]
    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
        self.0.decode(cells, at)
    }
}

macro_rules! project_tuple {
    ($($X:ident $P:ident $n:tt),+) => {
        impl<S, $($X: Projection<S, $P>, $P),+> Projection<S, ($($P,)+)> for ($($X,)+) {
            type Row = ($($X::Row,)+);
            const WIDTH: usize = 0 $(+ $X::WIDTH)+;

            fn render(&self, out: &mut Fragment) {
                $(
                    if $n > 0 {
                        out.push(", ");
                    }
                    self.$n.render(out);
                )+
            }

            #[inline]
            fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
                let mut next = at;
                Ok(($({
                    let start = next;
                    next += $X::WIDTH;
                    let _ = next;
                    self.$n.decode(cells, start)?
                },)+))
            }
        }
    };
}
crate::tuples::each_proven_tuple!(project_tuple);
