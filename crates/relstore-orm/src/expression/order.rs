//! The order of a query's rows.

use super::{Expr, Expression};
use crate::column::Column;
use crate::fragment::Fragment;
use crate::scope::{Covers, WithAggregates};
use crate::table::Source;
use crate::types::ColumnType;

/// An expression with a direction.
#[derive(Clone, Debug)]
pub struct Ordered<X> {
    expression: X,
    direction: &'static str,
    nulls: &'static str,
}

/// Smallest first; NULL before everything.
#[must_use]
pub fn asc<X: Expression>(expression: X) -> Ordered<X> {
    Ordered { expression, direction: " ASC", nulls: "" }
}

/// Largest first; NULL after everything.
#[must_use]
pub fn desc<X: Expression>(expression: X) -> Ordered<X> {
    Ordered { expression, direction: " DESC", nulls: "" }
}

impl<X> Ordered<X> {
    /// NULL before everything.
    #[must_use]
    pub fn nulls_first(self) -> Self {
        Self { nulls: " NULLS FIRST", ..self }
    }

    /// NULL after everything.
    #[must_use]
    pub fn nulls_last(self) -> Self {
        Self { nulls: " NULLS LAST", ..self }
    }
}

/// What a query over the tables `S` can be ordered by: a column or another expression (ascending), [`asc`] or [`desc`] of one, or a tuple
/// of up to twelve of them.
pub trait Order<S, Proof> {
    /// Appends its SQL.
    fn render(&self, out: &mut Fragment);
}

impl<T: Source, V: ColumnType, S, Is> Order<S, Is> for Column<T, V>
where
    WithAggregates<S>: Covers<<Self as Expression>::Tables, Is>,
{
    fn render(&self, out: &mut Fragment) {
        Expression::render(self, out);
    }
}

impl<V: ColumnType, Ts, S, Is> Order<S, Is> for Expr<V, Ts>
where
    WithAggregates<S>: Covers<Ts, Is>,
{
    fn render(&self, out: &mut Fragment) {
        Expression::render(self, out);
    }
}

impl<X: Expression, S, Is> Order<S, Is> for Ordered<X>
where
    WithAggregates<S>: Covers<X::Tables, Is>,
{
    fn render(&self, out: &mut Fragment) {
        self.expression.render(out);
        out.push(self.direction);
        out.push(self.nulls);
    }
}

macro_rules! order_by_tuple {
    ($($X:ident $P:ident $n:tt),+) => {
        impl<S, $($X: Order<S, $P>, $P),+> Order<S, ($($P,)+)> for ($($X,)+) {
            fn render(&self, out: &mut Fragment) {
                $(
                    if $n > 0 {
                        out.push(", ");
                    }
                    self.$n.render(out);
                )+
            }
        }
    };
}
crate::tuples::each_proven_tuple!(order_by_tuple);
