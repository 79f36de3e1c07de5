//! `INSERT`, `UPDATE` and `DELETE`.
//!
//! What comes in: models, rows that leave out columns, and columns to set. What goes out: statements, the number of rows they changed,
//! or the rows as `RETURNING` gives them. A statement is a value until `execute` or `returning` runs it.

mod assignment;
mod conflict;
mod delete;
mod insert;
mod row;
mod update;

pub use assignment::{Assign, Assigned, Assignments};
pub use conflict::OnConflict;
pub use delete::Delete;
pub use insert::Insert;
pub use row::{Cells, Insertable, NewRow};
pub use update::Update;

use relstore_model::Result;

use crate::executor::Executor;
use crate::fragment::Fragment;
use crate::scope::Only;
use crate::select::Projection;
use crate::select::columns_of;
use crate::table::Table;

/// ` RETURNING ` and the columns of `T`.
fn returning_all<T: Table>() -> String {
    format!(" RETURNING {}", columns_of::<T>().join(", "))
}

/// ` RETURNING ` and what `projection` gives.
fn returning_of<T: Table, P: Projection<Only<T>, Proof>, Proof>(projection: &P) -> String {
    format!(" RETURNING {}", projection.expressions().join(", "))
}

/// Runs a statement that gives whole rows of `T`.
fn models<T: Table>(executor: &dyn Executor, statement: &Fragment, rows: &mut Vec<T>) -> Result<()> {
    executor.query(statement.sql(), statement.params(), &mut |cells| {
        rows.push(T::from_row(cells, 0)?);
        Ok(())
    })
}

/// Runs a statement that gives the rows of `projection`.
fn projected<T: Table, P: Projection<Only<T>, Proof>, Proof>(
    executor: &dyn Executor,
    statement: &Fragment,
    projection: &P,
    rows: &mut Vec<P::Row>,
) -> Result<()> {
    executor.query(statement.sql(), statement.params(), &mut |cells| {
        rows.push(projection.decode(cells, 0)?);
        Ok(())
    })
}
