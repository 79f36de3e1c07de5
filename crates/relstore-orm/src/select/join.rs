//! Joins, and what they do to nullability.

use std::marker::PhantomData;

use super::{FromItem, Join, LoosenProjection, Select};
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::scope::{Cons, Covers, Joined, Loosen, Optional, Required, Uses};
use crate::table::{Source, TableRef};

/// The model of what stands in a join.
type Model<C> = <<C as FromItem>::Source as Source>::Model;
/// The tables `S` with those before optional, and one more.
type Loosened<S, T, Presence> = Joined<<S as Loosen>::Out, T, Presence>;

impl<'e, P, S, O> Select<'e, P, S, O> {
    /// Adds the rows of `table` that match, and drops rows without a match.
    pub fn inner_join<C: FromItem, Ts, Is>(self, table: C, on: Condition<Ts>) -> Select<'e, P::Out, Joined<S, C::Source, Required>, O>
    where
        P: Join<Model<C>>,
        Joined<S, C::Source, Required>: Covers<Ts, Is>,
    {
        self.adding(" INNER JOIN ", table, Some(on.into_fragment()))
    }

    /// Adds the rows of `table` that match; a row without a match is kept, with `None` for this table's model and columns.
    pub fn left_join<C: FromItem, Ts, Is>(self, table: C, on: Condition<Ts>) -> Select<'e, P::Out, Joined<S, C::Source, Optional>, O>
    where
        P: Join<Option<Model<C>>>,
        Joined<S, C::Source, Optional>: Covers<Ts, Is>,
    {
        self.adding(" LEFT JOIN ", table, Some(on.into_fragment()))
    }

    /// Adds every row of `table`; one that matches nothing comes with `None` for the models and columns of the tables before.
    pub fn right_join<C: FromItem, Ts, Is>(
        self,
        table: C,
        on: Condition<Ts>,
    ) -> Select<'e, <P::Out as Join<Model<C>>>::Out, Loosened<S, C::Source, Required>, O>
    where
        S: Loosen,
        P: LoosenProjection,
        P::Out: Join<Model<C>>,
        Loosened<S, C::Source, Required>: Covers<Ts, Is>,
    {
        self.loosened().adding(" RIGHT JOIN ", table, Some(on.into_fragment()))
    }

    /// Adds every row of `table` and keeps every row of the tables before: what matches nothing comes with `None` for the other side.
    pub fn full_join<C: FromItem, Ts, Is>(
        self,
        table: C,
        on: Condition<Ts>,
    ) -> Select<'e, <P::Out as Join<Option<Model<C>>>>::Out, Loosened<S, C::Source, Optional>, O>
    where
        S: Loosen,
        P: LoosenProjection,
        P::Out: Join<Option<Model<C>>>,
        Loosened<S, C::Source, Optional>: Covers<Ts, Is>,
    {
        self.loosened().adding(" FULL JOIN ", table, Some(on.into_fragment()))
    }

    /// Adds every row of `table` to every row.
    pub fn cross_join<C: FromItem>(self, table: C) -> Select<'e, P::Out, Joined<S, C::Source, Required>, O>
    where
        P: Join<Model<C>>,
    {
        self.adding(" CROSS JOIN ", table, None)
    }

    /// In a subquery: lets it use the columns of `table`, which the query around it has. Call it before the conditions that do.
    pub fn correlate<C: TableRef>(self, table: C) -> Select<'e, P, Joined<S, C::Source, Optional>, Cons<Uses<C::Source>, O>> {
        let _ = table;
        Select { executor: self.executor, projection: self.projection, clauses: self.clauses, scope: PhantomData }
    }

    fn adding<C: FromItem, R, Presence>(
        mut self,
        keyword: &str,
        table: C,
        on: Option<Fragment>,
    ) -> Select<'e, P::Out, Joined<S, C::Source, Presence>, O>
    where
        P: Join<R>,
    {
        let from = &mut self.clauses.from;
        from.push(keyword);
        table.render(from);
        if let Some(on) = on {
            from.push(" ON ");
            from.append(on);
        }
        Select { executor: self.executor, projection: self.projection.join::<C::Source>(), clauses: self.clauses, scope: PhantomData }
    }

    fn loosened(self) -> Select<'e, P::Out, S::Out, O>
    where
        S: Loosen,
        P: LoosenProjection,
    {
        Select { executor: self.executor, projection: self.projection.loosen(), clauses: self.clauses, scope: PhantomData }
    }
}
