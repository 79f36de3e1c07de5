//! What an insert does when a row is there already.

use relstore_model::Result;

use super::Insert;
use super::assignment::Assignments;
use crate::definition::quoted_list;
use crate::fragment::Fragment;
use crate::table::Table;

/// An insert that is about to learn what to do on a conflict.
#[must_use = "say what to do: do_nothing() or do_update(…)"]
pub struct OnConflict<'e, T> {
    insert: Insert<'e, T>,
    target: Vec<&'static str>,
}

/// What is done on a conflict on these columns (none: on any).
pub(super) struct Resolution {
    target: Vec<&'static str>,
    update: Option<Assignments>,
}

impl<'e, T: Table> OnConflict<'e, T> {
    pub(super) fn new(insert: Insert<'e, T>, target: Vec<&'static str>) -> Self {
        Self { insert, target }
    }

    /// Leaves the row that is there as it is. The rows left out are neither counted nor returned.
    pub fn do_nothing(self) -> Insert<'e, T> {
        self.insert.resolving(Resolution { target: self.target, update: None })
    }

    /// Updates the row that is there. [`excluded`](crate::excluded()) gives the values of the row that could not be inserted.
    pub fn do_update(self, set: T::Set) -> Insert<'e, T> {
        self.insert.resolving(Resolution { target: self.target, update: Some(set.into()) })
    }
}

impl Resolution {
    /// ` ON CONFLICT …` as SQL.
    ///
    /// # Errors
    /// `Invalid` if an update sets nothing.
    pub(super) fn render(self, table: &str) -> Result<Fragment> {
        let mut out = Fragment::text(" ON CONFLICT");
        if !self.target.is_empty() {
            out.push(&format!(" ({})", quoted_list(&self.target)));
        }
        match self.update {
            None => out.push(" DO NOTHING"),
            Some(assignments) => {
                out.push(" DO UPDATE");
                assignments.render(table, true, &mut out)?;
            }
        }
        Ok(out)
    }
}
