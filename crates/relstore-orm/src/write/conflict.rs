//! What an insert does when a row is there already.

use relstore_model::Result;

use super::assignment::{Assigning, Assignments};
use crate::definition::quoted_list;
use crate::expression::Condition;
use crate::fragment::Fragment;
use crate::scope::{Covers, Only};
use crate::select::add_condition;
use crate::table::Table;

/// An insert that can be told what to do on a conflict.
pub trait Resolve {
    /// The same, told.
    #[doc(hidden)]
    fn resolving(self, resolution: Resolution) -> Self;
}

/// An insert that is about to learn what to do on a conflict.
#[must_use = "say what to do: do_nothing() or do_update(…)"]
pub struct OnConflict<I, T> {
    insert: I,
    target: Vec<&'static str>,
    target_condition: Fragment,
    table: std::marker::PhantomData<fn() -> T>,
}

/// What is done on a conflict on these columns (none: on any).
#[doc(hidden)]
pub struct Resolution {
    target: Vec<&'static str>,
    target_condition: Fragment,
    update: Option<Assignments>,
    condition: Fragment,
}

impl<I: Resolve, T: Table> OnConflict<I, T> {
    pub(super) fn new(insert: I, target: Vec<&'static str>) -> Self {
        Self { insert, target, target_condition: Fragment::default(), table: std::marker::PhantomData }
    }

    /// The columns are those of a unique index that has only the rows for which `condition` holds.
    pub fn where_<Ts, Is>(mut self, condition: Condition<Ts>) -> Self
    where
        Only<T>: Covers<Ts, Is>,
    {
        add_condition(&mut self.target_condition, condition.into_fragment());
        self
    }

    /// Leaves the row that is there as it is. The rows left out are neither counted nor returned.
    pub fn do_nothing(self) -> I {
        self.resolve(None, Fragment::default())
    }

    /// Updates the row that is there. [`excluded`](crate::excluded()) gives the values of the row that could not be inserted.
    pub fn do_update(self, set: T::Set) -> I {
        self.resolve(Some(set.into()), Fragment::default())
    }

    /// Updates the row that is there if `condition` holds for it, and else leaves it as it is.
    pub fn do_update_where<Ts, Is>(self, set: T::Set, condition: Condition<Ts>) -> I
    where
        Assigning<T>: Covers<Ts, Is>,
    {
        self.resolve(Some(set.into()), condition.into_fragment())
    }

    fn resolve(self, update: Option<Assignments>, condition: Fragment) -> I {
        let (target, target_condition) = (self.target, self.target_condition);
        self.insert.resolving(Resolution { target, target_condition, update, condition })
    }
}

impl Resolution {
    /// ` ON CONFLICT …` as SQL.
    ///
    /// # Errors
    /// `Invalid` if an update sets nothing.
    pub(super) fn render<T: Table>(self) -> Result<Fragment> {
        let mut out = Fragment::text(" ON CONFLICT");
        if !self.target.is_empty() {
            out.push(&format!(" ({})", quoted_list(&self.target)));
        }
        if !self.target_condition.is_empty() {
            out.push(" WHERE ");
            out.append(self.target_condition);
        }
        match self.update {
            None => out.push(" DO NOTHING"),
            Some(assignments) => {
                out.push(" DO UPDATE");
                assignments.render::<T>(true, &mut out)?;
                if !self.condition.is_empty() {
                    out.push(" WHERE ");
                    out.append(self.condition);
                }
            }
        }
        Ok(out)
    }
}
