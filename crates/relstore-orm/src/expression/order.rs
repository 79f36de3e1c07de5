//! The order of a query's rows.

use super::Expression;
use crate::column::Column;
use crate::fragment::Fragment;
use crate::scope::{Covers, Has, WithAggregates};
use crate::table::Table;
use crate::types::SqlType;

/// An expression with a direction.
#[derive(Clone, Debug)]
pub struct Ordered<X> {
    expression: X,
    direction: &'static str,
}

/// Smallest first; NULL before everything.
#[must_use]
pub fn asc<X: Expression>(expression: X) -> Ordered<X> {
    Ordered { expression, direction: " ASC" }
}

/// Largest first; NULL after everything.
#[must_use]
pub fn desc<X: Expression>(expression: X) -> Ordered<X> {
    Ordered { expression, direction: " DESC" }
}

/// What a query over the tables `S` can be ordered by: a column (ascending), [`asc`] or [`desc`] of an expression, or a tuple of up to
/// eight of them.
pub trait Order<S, Proof> {
    /// Appends its SQL.
    fn render(&self, out: &mut Fragment);
}

impl<T: Table, V: SqlType, S: Has<T, I>, I> Order<S, I> for Column<T, V> {
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
    }
}

macro_rules! order_by_tuple {
    ($A:ident $IA:ident $(, $X:ident $IX:ident $n:tt)*) => {
        impl<S, $A: Order<S, $IA>, $IA, $($X: Order<S, $IX>, $IX),*> Order<S, ($IA, $($IX,)*)> for ($A, $($X,)*) {
            fn render(&self, out: &mut Fragment) {
                self.0.render(out);
                $(
                    out.push(", ");
                    self.$n.render(out);
                )*
            }
        }
    };
}
order_by_tuple!(A IA);
order_by_tuple!(A IA, B IB 1);
order_by_tuple!(A IA, B IB 1, C IC 2);
order_by_tuple!(A IA, B IB 1, C IC 2, D ID 3);
order_by_tuple!(A IA, B IB 1, C IC 2, D ID 3, E IE 4);
order_by_tuple!(A IA, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5);
order_by_tuple!(A IA, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6);
order_by_tuple!(A IA, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6, H IH 7);
