//! Rows to insert.

use relstore_model::Value;

use crate::table::Table;

/// What can be inserted into the table of `T`: a model, which gives every column, or its `New…`, which may leave some out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be inserted into the table of `{T}`",
    label = "a `{T}` or its `New…` is expected"
)]
pub trait Insertable<T> {
    /// The row.
    fn into_row(self) -> NewRow;
}

/// A row to insert: which columns it gives, and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRow {
    pub(super) shape: Shape,
    pub(super) values: Vec<Value>,
}

/// Which columns a row gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// All of the table's, in its order.
    Every,
    /// Those at these positions, ascending.
    At(Vec<usize>),
}

impl NewRow {
    /// A row that gives every column of its table, in the table's order.
    #[must_use]
    pub fn every(values: Vec<Value>) -> Self {
        Self { shape: Shape::Every, values }
    }
}

impl From<Cells> for NewRow {
    fn from(cells: Cells) -> Self {
        let (positions, values) = cells.0.into_iter().unzip();
        Self { shape: Shape::At(positions), values }
    }
}

impl Shape {
    /// The names of the columns it gives.
    pub(super) fn names<T: Table>(&self) -> Vec<&'static str> {
        match self {
            Self::Every => T::DEF.columns.iter().map(|column| column.name).collect(),
            Self::At(positions) => positions.iter().map(|position| T::DEF.columns[*position].name).collect(),
        }
    }
}

/// Cells of a row by the positions of their columns: each position at most once, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells(Vec<(usize, Value)>);

impl Cells {
    /// Sets the cell at `position`, over an earlier value if there is one.
    pub fn set(&mut self, position: usize, value: Value) {
        match self.0.binary_search_by_key(&position, |(at, _)| *at) {
            Ok(i) => self.0[i].1 = value,
            Err(i) => self.0.insert(i, (position, value)),
        }
    }
}
