//! The keys of groups.

use crate::column::Column;
use crate::scope::Has;
use crate::table::Table;

/// What a query over the tables `S` can be grouped by: a column, or a tuple of up to eight.
pub trait GroupKeys<S, Proof> {
    /// The SQL of each key, in order.
    fn expressions(&self) -> Vec<String>;
}

impl<T: Table, V, S: Has<T, I>, I> GroupKeys<S, I> for Column<T, V> {
    fn expressions(&self) -> Vec<String> {
        vec![self.sql()]
    }
}

macro_rules! group_by_tuple {
    ($($X:ident $IX:ident $n:tt),+) => {
        impl<S, $($X: GroupKeys<S, $IX>, $IX),+> GroupKeys<S, ($($IX,)+)> for ($($X,)+) {
            fn expressions(&self) -> Vec<String> {
                let mut list = Vec::new();
                $( list.extend(self.$n.expressions()); )+
                list
            }
        }
    };
}
group_by_tuple!(A IA 0);
group_by_tuple!(A IA 0, B IB 1);
group_by_tuple!(A IA 0, B IB 1, C IC 2);
group_by_tuple!(A IA 0, B IB 1, C IC 2, D ID 3);
group_by_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4);
group_by_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5);
group_by_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6);
group_by_tuple!(A IA 0, B IB 1, C IC 2, D ID 3, E IE 4, F IF 5, G IG 6, H IH 7);
