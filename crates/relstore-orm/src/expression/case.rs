//! `CASE`.

use std::marker::PhantomData;

use super::{Condition, Expr, Operand};
use crate::fragment::Fragment;
use crate::scope::{Both, Concat, Nil, Nullness, Optional, Required};
use crate::types::SqlType;

/// A `CASE` that is being written: `N` is its nullness so far, `Ts` what it uses.
#[must_use = "end it with otherwise(…) or end()"]
pub struct Case<B, N, Ts> {
    fragment: Fragment,
    types: PhantomData<fn() -> (B, N, Ts)>,
}

/// A value of type `B` chosen by conditions, the first that holds.
///
/// ```
/// # use relstore_orm::{Executor, Table, Typed, case, gt};
/// # #[derive(Table)] #[table(name = "orders")] struct Order { #[column(primary_key)] id: i64, total: i64 }
/// # fn example(store: &dyn Executor) -> relstore_model::Result<()> {
/// let size = case::<String>().when(gt(orders.total, 1000), "large").when(gt(orders.total, 100), "middle").otherwise("small");
/// let sizes: Vec<(i64, String)> = store.select_cols((orders.id, size)).from(orders).all()?;
/// # Ok(()) }
/// ```
pub fn case<B: SqlType>() -> Case<B, Required, Nil> {
    Case { fragment: Fragment::text("CASE"), types: PhantomData }
}

/// What a case uses after a branch.
type Branched<Ts, Us, R, B> = Both<Both<Ts, Us>, <R as Operand<B>>::Tables>;

impl<B: SqlType, N: Nullness, Ts> Case<B, N, Ts> {
    /// `value` where `condition` holds, and none before it.
    pub fn when<Us, R>(mut self, condition: Condition<Us>, value: R) -> Case<B, N::Or<R::Nullness>, Branched<Ts, Us, R, B>>
    where
        R: Operand<B>,
        Ts: Concat<Us>,
        Both<Ts, Us>: Concat<R::Tables>,
    {
        self.fragment.push(" WHEN ");
        self.fragment.append(condition.into_fragment());
        self.fragment.push(" THEN ");
        value.render(&mut self.fragment);
        Case { fragment: self.fragment, types: PhantomData }
    }

    /// `value` where no condition holds.
    #[must_use]
    pub fn otherwise<R>(mut self, value: R) -> Expr<<N::Or<R::Nullness> as Nullness>::Of<B>, Both<Ts, R::Tables>>
    where
        R: Operand<B>,
        Ts: Concat<R::Tables>,
    {
        self.fragment.push(" ELSE ");
        value.render(&mut self.fragment);
        self.fragment.push(" END");
        Expr::new(parenthesised(self.fragment))
    }

    /// NULL where no condition holds.
    #[must_use]
    pub fn end(mut self) -> Expr<<Optional as Nullness>::Of<B>, Ts> {
        self.fragment.push(" END");
        Expr::new(parenthesised(self.fragment))
    }
}

fn parenthesised(inner: Fragment) -> Fragment {
    let mut fragment = Fragment::text("(");
    fragment.append(inner);
    fragment.push(")");
    fragment
}
