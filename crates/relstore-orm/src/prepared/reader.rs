//! How the rows of a prepared query are read.

use std::marker::PhantomData;

use relstore_model::{Result, ValueRef};

use super::{Held, Preparable, Prepared, Rows};
use crate::executor::Executor;
use crate::scope::Nil;
use crate::select::{Compound, Projection, Select};

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
