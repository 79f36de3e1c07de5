//! Virtual generated columns in events: they have no cell in a change, and are computed where an event is made.

use crate::{Result, Row, Table, ValueRef};

/// Computes the cells of virtual generated columns, which changes do not have.
pub trait VirtualCells {
    /// The cells of the virtual columns of `table`, in the order of its columns, for a row whose stored cells are `stored`; `None` if an
    /// expression fails for the row, so that a read of it fails too. Asked of tables that have virtual columns only.
    ///
    /// # Errors
    /// `Internal` if nothing can be computed for the table.
    fn virtual_cells(&self, table: &Table, stored: &[ValueRef<'_>]) -> Result<Option<Row>>;
}

/// Computes nothing: virtual columns are left out of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutVirtualCells;

impl VirtualCells for WithoutVirtualCells {
    fn virtual_cells(&self, _: &Table, _: &[ValueRef<'_>]) -> Result<Option<Row>> {
        Ok(None)
    }
}
