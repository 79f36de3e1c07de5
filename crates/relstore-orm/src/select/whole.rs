//! Whole rows: one table gives its model, joins give tuples of models.

use std::marker::PhantomData;

use relstore_model::identifier::quote;
use relstore_model::{Result, ValueRef};

use super::projection::{Chosen, Projection};
use crate::table::{FromRow, Table};

/// The projection of whole rows: the models in the tuple `R`, each an `Option` where its table is left-joined.
pub struct Whole<R> {
    expressions: Vec<String>,
    rows: PhantomData<fn() -> R>,
}

impl<R> Default for Whole<R> {
    fn default() -> Self {
        Self { expressions: Vec::new(), rows: PhantomData }
    }
}

/// Every column of a table, with its name.
pub(crate) fn columns_of<M: Table>() -> Vec<String> {
    M::DEF.columns.iter().map(|column| format!("{}.{}", quote(M::NAME), quote(column.name))).collect()
}

/// What a projection becomes when a table is added whose rows come out as `R`: its model, or `Option` of it.
#[diagnostic::on_unimplemented(message = "no more tables can be joined to this query", note = "a query of whole rows takes six tables")]
pub trait Join<R> {
    /// The projection afterwards.
    type Out;

    /// Adds the table of `M`.
    fn join<M: Table>(self) -> Self::Out;
}

impl<P, R> Join<R> for Chosen<P> {
    type Out = Self;

    fn join<M: Table>(self) -> Self {
        self
    }
}

impl<Rs: Push<R>, R> Join<R> for Whole<Rs> {
    type Out = Whole<Rs::Out>;

    fn join<M: Table>(mut self) -> Self::Out {
        self.expressions.extend(columns_of::<M>());
        Whole { expressions: self.expressions, rows: PhantomData }
    }
}

impl<S, R: WholeRow> Projection<S, ()> for Whole<R> {
    type Row = R::Row;
    const WIDTH: usize = R::WIDTH;

    fn expressions(&self) -> Vec<String> {
        self.expressions.clone()
    }

    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<R::Row> {
        R::decode(cells, at)
    }
}

/// A tuple with one more at its end.
#[diagnostic::on_unimplemented(message = "no more tables can be joined to this query", note = "a query of whole rows takes six tables")]
pub trait Push<R> {
    /// The longer tuple.
    type Out;
}

/// The models of a query's tables, as a tuple of one to six.
pub trait WholeRow {
    /// The model itself if there is one table, the tuple if there are several.
    type Row;
    /// How many cells it takes.
    const WIDTH: usize;

    /// Reads it from the cells from `at` on.
    ///
    /// # Errors
    /// As [`FromRow::from_row`].
    fn decode(cells: &[ValueRef<'_>], at: usize) -> Result<Self::Row>;
}

impl<A: FromRow> WholeRow for (A,) {
    type Row = A;
    const WIDTH: usize = A::WIDTH;

    fn decode(cells: &[ValueRef<'_>], at: usize) -> Result<A> {
        A::from_row(cells, at)
    }
}

macro_rules! whole_tuple {
    ($($X:ident),+) => {
        impl<$($X: FromRow),+> WholeRow for ($($X,)+) {
            type Row = Self;
            const WIDTH: usize = 0 $(+ $X::WIDTH)+;

            fn decode(cells: &[ValueRef<'_>], at: usize) -> Result<Self> {
                let mut next = at;
                Ok(($({
                    let start = next;
                    next += $X::WIDTH;
                    let _ = next;
                    $X::from_row(cells, start)?
                },)+))
            }
        }
    };
}
whole_tuple!(A, B);
whole_tuple!(A, B, C);
whole_tuple!(A, B, C, D);
whole_tuple!(A, B, C, D, E);
whole_tuple!(A, B, C, D, E, F);

macro_rules! push_to_tuple {
    ($($X:ident),*) => {
        impl<$($X,)* R> Push<R> for ($($X,)*) {
            type Out = ($($X,)* R,);
        }
    };
}
push_to_tuple!();
push_to_tuple!(A);
push_to_tuple!(A, B);
push_to_tuple!(A, B, C);
push_to_tuple!(A, B, C, D);
push_to_tuple!(A, B, C, D, E);
