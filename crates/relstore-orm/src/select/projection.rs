//! What a query gives: an expression, or a tuple of them.

use relstore_model::{Result, ValueRef};

use crate::column::Column;
use crate::expression::Aggregate;
use crate::expression::Expression;
use crate::scope::{Covers, Has, Present, WithAggregates};
use crate::table::Table;
use crate::types::{SqlType, read_cell};

/// What a query over the tables `S` can give: a column, an aggregate, or a tuple of up to eight of these.
///
/// `Proof` is found by the compiler. A column of a left-joined table gives an `Option`.
#[diagnostic::on_unimplemented(
    message = "this query cannot give `{Self}`",
    label = "every column must be of a table in the query's FROM and JOIN list",
    note = "a projection is a column, an aggregate, or a tuple of up to eight of these"
)]
pub trait Projection<S, Proof> {
    /// What a row becomes.
    type Row;
    /// How many cells it takes.
    const WIDTH: usize;

    /// The SQL of each cell, in order.
    fn expressions(&self) -> Vec<String>;

    /// Reads a row from the cells `at .. at + WIDTH`.
    ///
    /// # Errors
    /// `Constraint` if a cell does not have the type of its column; `Internal` if the row is too short.
    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row>;
}

impl<T: Table, V, S: Has<T, I>, I> Projection<S, I> for Column<T, V>
where
    S::Presence: Present<V>,
{
    type Row = <S::Presence as Present<V>>::Out;
    const WIDTH: usize = 1;

    fn expressions(&self) -> Vec<String> {
        vec![self.sql()]
    }

    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
        read_cell(cells, at, T::NAME, self.name())
    }
}

impl<V: SqlType, Ts, S, Is> Projection<S, Is> for Aggregate<V, Ts>
where
    WithAggregates<S>: Covers<<Self as Expression>::Tables, Is>,
{
    type Row = V;
    const WIDTH: usize = 1;

    fn expressions(&self) -> Vec<String> {
        vec![self.sql().to_owned()]
    }

    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
        read_cell(cells, at, "(aggregate)", self.sql())
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

    fn expressions(&self) -> Vec<String> {
        self.0.expressions()
    }

    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row> {
        self.0.decode(cells, at)
    }
}

macro_rules! project_tuple {
    ($($X:ident $IX:ident $n:tt),+) => {
        impl<S, $($X: Projection<S, $IX>, $IX),+> Projection<S, ($($IX,)+)> for ($($X,)+) {
            type Row = ($($X::Row,)+);
            const WIDTH: usize = 0 $(+ $X::WIDTH)+;

            fn expressions(&self) -> Vec<String> {
                let mut list = Vec::new();
                $( list.extend(self.$n.expressions()); )+
                list
            }

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
project_tuple!(A IA 0);
project_tuple!(A IA 0, B IB 1);
project_tuple!(A IA 0, B IB 1, C IC 2);
project_tuple!(A IA 0, B IB 1, C IC 2, D ID 3);
project_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4);
project_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5);
project_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6);
project_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6, H IH 7);
