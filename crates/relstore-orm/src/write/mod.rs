//! `INSERT`, `UPDATE` and `DELETE`.
//!
//! What comes in: models, rows that leave out columns, and columns to set. What goes out: statements, the number of rows they changed,
//! or the rows as `RETURNING` gives them. A statement is a value until `execute` or `returning` runs it.

mod assignment;
mod conflict;
mod delete;
mod insert;
mod insert_select;
mod row;
mod update;

pub use assignment::{Assign, Assigning, Assignments, Fits};
pub use conflict::{OnConflict, Resolution, Resolve};
pub use delete::Delete;
pub use insert::Insert;
pub use insert_select::{Feeds, InsertSelect};
pub use row::{Cells, Insertable, NewRow};
pub use update::{Update, UpdateTable};

use relstore_model::Result;

use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::Only;
use crate::select::{Projection, render_columns};
use crate::table::Table;

/// ` RETURNING ` and the columns of `T`.
fn returning_all<T: Table>() -> Fragment {
    let mut out = Fragment::text(" RETURNING ");
    render_columns::<T>(&mut out);
    out
}

/// ` RETURNING ` and what `projection` gives.
fn returning_of<T: Table, P: Projection<Only<T>, Proof>, Proof>(projection: &P) -> Fragment {
    let mut out = Fragment::text(" RETURNING ");
    projection.render(&mut out);
    out
}

/// Runs a statement that gives whole rows of `T`, and appends them to `rows`.
fn models<T: Table>(executor: &dyn Executor, statement: Fragment, rows: &mut Vec<T>) -> Result<()> {
    let (sql, params) = statement.into_statement()?;
    executor.query(&sql, &params, &mut |cells| {
        rows.push(T::from_row(cells, 0)?);
        Ok(())
    })
}

/// Runs a statement that gives the rows of `projection`, and appends them to `rows`.
fn projected<T: Table, P: Projection<Only<T>, Proof>, Proof>(
    executor: &dyn Executor,
    statement: Fragment,
    projection: &P,
    rows: &mut Vec<P::Row>,
) -> Result<()> {
    let (sql, params) = statement.into_statement()?;
    executor.query(&sql, &params, &mut |cells| {
        rows.push(projection.decode(cells, 0)?);
        Ok(())
    })
}

/// `returning` and `returning_cols` of a write that is one statement.
macro_rules! returning_methods {
    ($write:ident, $rows:literal) => {
        impl<T: $crate::Table> $write<'_, T> {
            #[doc = concat!("Runs it and gives ", $rows, ", in no promised order.")]
            ///
            /// # Errors
            /// As [`Self::execute`]; `Constraint` if a cell does not have the type of its column.
            pub fn returning(self) -> relstore_model::Result<Vec<T>> {
                let executor = self.executor;
                let mut rows = Vec::new();
                $crate::write::models(executor, self.statement($crate::write::returning_all::<T>())?, &mut rows)?;
                Ok(rows)
            }

            #[doc = concat!("Runs it and gives a column or another expression of ", $rows, ", or a tuple of them, in no promised order.")]
            ///
            /// # Errors
            /// As [`Self::returning`].
            pub fn returning_cols<P, Row, Proof>(self, projection: P) -> relstore_model::Result<Vec<Row>>
            where
                P: $crate::select::Projection<$crate::scope::Only<T>, Proof, Row = Row>,
            {
                let executor = self.executor;
                let mut rows = Vec::new();
                let statement = self.statement($crate::write::returning_of::<T, _, _>(&projection))?;
                $crate::write::projected::<T, _, _>(executor, statement, &projection, &mut rows)?;
                Ok(rows)
            }
        }
    };
}
use returning_methods;
