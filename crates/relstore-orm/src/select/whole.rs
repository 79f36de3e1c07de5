//! Whole rows: one table gives its model, joins give tuples of models.

use std::marker::PhantomData;

use relstore_model::{Result, ValueRef};

use super::projection::{Chosen, Projection};
use crate::fragment::Fragment;
use crate::scope::Loosen;
use crate::table::{FromRow, Source, Table};

/// The projection of whole rows: the models in the tuple `R`, each an `Option` where an outer join may not find its table's row.
pub struct Whole<R> {
    expressions: Fragment,
    rows: PhantomData<fn() -> R>,
}

impl<R> Default for Whole<R> {
    fn default() -> Self {
        Self { expressions: Fragment::default(), rows: PhantomData }
    }
}

/// Appends every column of a table, with its name.
pub(crate) fn render_columns<T: Source>(out: &mut Fragment) {
    let columns = <T::Model as Table>::DEF.columns;
    out.reserve(columns.iter().map(|column| T::NAME.len() + column.name.len() + "\"\".\"\", ".len()).sum());
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            out.push(", ");
        }
        out.push_name(T::NAME);
        out.push(".");
        out.push_name(column.name);
    }
}

/// What a projection becomes when a table is added whose rows come out as `R`: its model, or `Option` of it.
#[diagnostic::on_unimplemented(message = "no more tables can be joined to this query", note = "a query of whole rows takes eight tables")]
pub trait Join<R> {
    /// The projection afterwards.
    type Out;

    /// Adds the table `T`.
    fn join<T: Source>(self) -> Self::Out;
}

impl<P, R> Join<R> for Chosen<P> {
    type Out = Self;

    fn join<T: Source>(self) -> Self {
        self
    }
}

impl<Rs: Push<R>, R> Join<R> for Whole<Rs> {
    type Out = Whole<Rs::Out>;

    fn join<T: Source>(mut self) -> Self::Out {
        if !self.expressions.is_empty() {
            self.expressions.push(", ");
        }
        render_columns::<T>(&mut self.expressions);
        Whole { expressions: self.expressions, rows: PhantomData }
    }
}

/// A projection after a right or full join, which may not find the rows of the tables before it.
pub trait LoosenProjection {
    /// The projection afterwards.
    type Out;

    /// The same expressions, read so.
    fn loosen(self) -> Self::Out;
}

impl<P> LoosenProjection for Chosen<P> {
    type Out = Self;

    fn loosen(self) -> Self {
        self
    }
}

impl<Rs: Loosen> LoosenProjection for Whole<Rs> {
    type Out = Whole<Rs::Out>;

    fn loosen(self) -> Self::Out {
        Whole { expressions: self.expressions, rows: PhantomData }
    }
}

impl<S, R: WholeRow> Projection<S, ()> for Whole<R> {
    type Row = R::Row;
    const WIDTH: usize = R::WIDTH;

    fn render(&self, out: &mut Fragment) {
        out.append_copy(&self.expressions);
    }

    #[inline]
    fn decode(&self, cells: &[ValueRef<'_>], at: usize) -> Result<R::Row> {
        R::decode(cells, at)
    }
}

/// A tuple with one more at its end.
#[diagnostic::on_unimplemented(message = "no more tables can be joined to this query", note = "a query of whole rows takes eight tables")]
pub trait Push<R> {
    /// The longer tuple.
    type Out;
}

/// The models of a query's tables, as a tuple of one to eight.
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

    #[inline]
    fn decode(cells: &[ValueRef<'_>], at: usize) -> Result<A> {
        A::from_row(cells, at)
    }
}

macro_rules! whole_tuple {
    ($($X:ident),+) => {
        impl<$($X: FromRow),+> WholeRow for ($($X,)+) {
            type Row = Self;
            const WIDTH: usize = 0 $(+ $X::WIDTH)+;

            #[inline]
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
whole_tuple!(A, B, C, D, E, F, G);
whole_tuple!(A, B, C, D, E, F, G, H);

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
push_to_tuple!(A, B, C, D, E, F);
push_to_tuple!(A, B, C, D, E, F, G);
