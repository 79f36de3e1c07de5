//! The keys of groups.

use crate::expression::Expression;
use crate::fragment::Fragment;
use crate::scope::Covers;

/// What a query over the tables `S` can be grouped by: a column or another expression, or a tuple of up to twelve.
pub trait GroupKeys<S, Proof> {
    /// Appends the SQL of each key, in order.
    fn render(&self, out: &mut Fragment);
}

impl<X: Expression, S: Covers<X::Tables, Is>, Is> GroupKeys<S, Is> for X {
    fn render(&self, out: &mut Fragment) {
        Expression::render(self, out);
    }
}

macro_rules! group_by_tuple {
    ($($X:ident $P:ident $n:tt),+) => {
        impl<S, $($X: GroupKeys<S, $P>, $P),+> GroupKeys<S, ($($P,)+)> for ($($X,)+) {
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
crate::tuples::each_proven_tuple!(group_by_tuple);
