//! Columns to set, and what to set them to.

use relstore_model::{Error, Result};

use crate::column::{Column, Excluded};
use crate::expression::{Aggregate, Expr, Expression};
use crate::fragment::Fragment;
use crate::prepared::Param;
use crate::scope::{Conflicting, Cons, Covers, Only, Required, Seen};
use crate::table::Table;
use crate::types::{ColumnType, IntoValue, SqlType};

/// What a column of type `V` in the table of `T` can be set to: a value, a parameter, another column of the row or an expression over them,
/// or [`excluded`](crate::excluded()) of a column.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be set to `{Self}`",
    label = "a value for `{V}`, or an expression of type `{V}` over the same table, is expected"
)]
pub trait Assign<T, V, Proof> {
    /// What the column is set to.
    fn assigned(self) -> Fragment;
}

fn value<V: ColumnType>(value: impl IntoValue<V>) -> Fragment {
    let mut out = Fragment::default();
    out.push_value::<V>(value);
    out
}

fn sql(expression: &impl Expression) -> Fragment {
    let mut out = Fragment::default();
    expression.render(&mut out);
    out
}

impl<T, V: ColumnType> Assign<T, V, ()> for V {
    fn assigned(self) -> Fragment {
        value::<V>(self)
    }
}

impl<T, V: SqlType> Assign<T, Option<V>, ()> for V {
    fn assigned(self) -> Fragment {
        value::<V>(self)
    }
}

impl<T, V: ColumnType> Assign<T, V, ()> for Param<V> {
    fn assigned(self) -> Fragment {
        value::<V>(self)
    }
}

impl<T, V: SqlType> Assign<T, Option<V>, ()> for Param<V> {
    fn assigned(self) -> Fragment {
        value::<V>(self)
    }
}

macro_rules! assign_borrowed {
    ($($from:ty => $column:ty),+) => { $(
        impl<T> Assign<T, $column, ()> for $from {
            fn assigned(self) -> Fragment {
                value::<$column>(self)
            }
        }

        impl<T> Assign<T, Option<$column>, ()> for $from {
            fn assigned(self) -> Fragment {
                value::<$column>(self)
            }
        }
    )+ };
}
assign_borrowed!(&str => String, &String => String, &[u8] => Vec<u8>);

/// A value of this type can be stored in a column of type `V`: it is the same, or `V` is `Option` of it.
#[diagnostic::on_unimplemented(
    message = "what has the type `{Self}` cannot be stored in a column of type `{V}`",
    label = "`{V}` is expected"
)]
pub trait Fits<V> {}

impl<V> Fits<V> for V {}
impl<V: SqlType> Fits<Option<V>> for V {}

impl<T: Table, W: ColumnType + Fits<V>, V> Assign<T, V, ()> for Column<T, W> {
    fn assigned(self) -> Fragment {
        sql(&self)
    }
}

impl<T: Table, W: ColumnType + Fits<V>, V> Assign<T, V, ()> for Excluded<T, W> {
    fn assigned(self) -> Fragment {
        sql(&self)
    }
}

/// The tables that an assignment may use: the row there is, and the one that could not be inserted.
pub type Assigning<T> = Cons<(Conflicting<T>, Required), Only<T>>;

impl<T: Table, W: ColumnType, Ts, V, Is> Assign<T, V, Is> for Expr<W, Ts>
where
    Assigning<T>: Covers<Ts, Is>,
    Seen<W, <Assigning<T> as Covers<Ts, Is>>::Nullness>: Fits<V>,
{
    fn assigned(self) -> Fragment {
        sql(&self)
    }
}

// So that the message is about aggregates.
impl<T: Table, W: ColumnType, Ts, V, Is> Assign<T, V, Is> for Aggregate<W, Ts>
where
    Assigning<T>: Covers<Ts, Is>,
    W: Fits<V>,
{
    fn assigned(self) -> Fragment {
        sql(&self)
    }
}

/// Columns to set, in the order they were first set, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignments(Vec<(&'static str, Fragment)>);

impl Assignments {
    /// Sets `column`, over an earlier assignment if there is one.
    pub fn set(&mut self, column: &'static str, assigned: Fragment) {
        match self.0.iter_mut().find(|(name, _)| *name == column) {
            Some((_, earlier)) => *earlier = assigned,
            None => self.0.push((column, assigned)),
        }
    }

    /// Sets `column` if it is not set.
    pub fn set_if_absent(&mut self, column: &'static str, assigned: impl FnOnce() -> Fragment) {
        if self.0.iter().all(|(name, _)| *name != column) {
            self.0.push((column, assigned()));
        }
    }

    /// Adds the assignments of `other`, over earlier ones.
    pub(super) fn merge(&mut self, other: Self) {
        for (column, assigned) in other.0 {
            self.set(column, assigned);
        }
    }

    /// Appends `SET` and the assignments. `is_conflict`: they belong to `ON CONFLICT … DO UPDATE`.
    ///
    /// # Errors
    /// `Invalid` if nothing is set, or if `excluded` is used where no insert met a conflict.
    pub(super) fn render<T: Table>(mut self, is_conflict: bool, out: &mut Fragment) -> Result<()> {
        if self.0.is_empty() {
            let hint = "set at least one column, such as .set(FlightSet::new().dest(\"ORD\"))";
            return Err(Error::invalid("an update that sets no column").with("table", <T as Table>::NAME).with_hint(hint));
        }
        T::on_update(&mut self);
        for (i, (column, mut assigned)) in self.0.into_iter().enumerate() {
            if assigned.names_excluded() && !is_conflict {
                return Err(Error::invalid("excluded() outside of on_conflict(…).do_update(…)")
                    .with("table", <T as Table>::NAME)
                    .with("column", column)
                    .with_hint("an update has no row that could not be inserted: set a value or a column"));
            }
            assigned.place_refusal(|| (<T as Table>::NAME.to_owned(), column.to_owned()));
            out.push(if i == 0 { " SET " } else { ", " });
            out.push_name(column);
            out.push(" = ");
            out.append(assigned);
        }
        Ok(())
    }
}
