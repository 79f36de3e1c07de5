//! Rows to insert.

use relstore_model::{Result, Value};

use crate::fragment::values_of;
use crate::table::Table;
use crate::types::{ColumnType, IntoValue, Slot, Unfit, refused};

/// What can be inserted into the table of `T`: a model, which gives every column, or its `New…`, which may leave some out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be inserted into the table of `{T}`",
    label = "a `{T}` or its `New…` is expected"
)]
pub trait Insertable<T> {
    /// The row.
    fn into_row(self) -> NewRow;
}

/// A row to insert: which columns it gives, and what fills them.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRow {
    pub(super) shape: Shape,
    slots: Vec<Slot>,
    refusal: Option<Box<Refusal>>,
}

/// A value that no cell can hold.
#[derive(Clone, Debug, PartialEq)]
struct Refusal {
    unfit: Unfit,
    expected: &'static str,
    column: &'static str,
}

/// Which columns a row gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// All of the table's that are not generated, in its order.
    Every,
    /// Those at these positions, ascending.
    At(Vec<usize>),
}

impl NewRow {
    /// A row that is to give every column of its table that is not generated, in the table's order: push them.
    #[must_use]
    pub fn every(column_count: usize) -> Self {
        Self { shape: Shape::Every, slots: Vec::with_capacity(column_count), refusal: None }
    }

    /// Gives the next column, called `column`.
    #[inline]
    pub fn push<V: ColumnType>(&mut self, column: &'static str, value: V) {
        let slot = value.encode().map(Slot::Value);
        self.slots.push(slot.unwrap_or_else(|unfit| refuse::<V>(&mut self.refusal, unfit, column)));
    }

    /// What fills the columns.
    ///
    /// # Errors
    /// `Constraint` if a value fits no cell.
    pub(super) fn into_slots<T: Table>(self) -> Result<Vec<Slot>> {
        match self.refusal {
            None => Ok(self.slots),
            Some(refusal) => Err(refused(&refusal.unfit, refusal.expected, <T as Table>::NAME, refusal.column)),
        }
    }

    /// The values of the columns.
    ///
    /// # Errors
    /// As [`NewRow::into_slots`]; `Invalid` if one is a parameter of a prepared statement.
    pub(super) fn into_values<T: Table>(self) -> Result<Vec<Value>> {
        values_of(self.into_slots::<T>()?).map_err(|error| error.with("table", <T as Table>::NAME))
    }

    pub(super) fn width(&self) -> usize {
        self.slots.len()
    }
}

#[cold]
fn refuse<V: ColumnType>(refusal: &mut Option<Box<Refusal>>, unfit: Unfit, column: &'static str) -> Slot {
    refusal.get_or_insert_with(|| Box::new(Refusal { unfit, expected: V::EXPECTED, column }));
    Slot::Value(Value::Null)
}

impl Shape {
    /// The names of the columns it gives.
    pub(super) fn names<T: Table>(&self) -> Vec<&'static str> {
        match self {
            Self::Every => T::DEF.columns.iter().filter(|column| column.generated.is_none()).map(|column| column.name).collect(),
            Self::At(positions) => positions.iter().map(|position| T::DEF.columns[*position].name).collect(),
        }
    }
}

/// Cells of a row by the positions of their columns: each position at most once, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    list: Vec<(usize, Slot)>,
    refusal: Option<Box<Refusal>>,
}

impl Cells {
    /// Sets the cell at `position`, over an earlier value if there is one. The column there is called `column`.
    pub fn set<V: ColumnType>(&mut self, position: usize, column: &'static str, value: impl IntoValue<V>) {
        let slot = value.into_value().unwrap_or_else(|unfit| refuse::<V>(&mut self.refusal, unfit, column));
        match self.list.binary_search_by_key(&position, |(at, _)| *at) {
            Ok(i) => self.list[i].1 = slot,
            Err(i) => self.list.insert(i, (position, slot)),
        }
    }

    /// Sets the cell at `position` if it is not set.
    pub fn set_if_absent<V: ColumnType, W: IntoValue<V>>(&mut self, position: usize, column: &'static str, value: impl FnOnce() -> W) {
        if self.list.binary_search_by_key(&position, |(at, _)| *at).is_err() {
            self.set::<V>(position, column, value());
        }
    }
}

impl From<Cells> for NewRow {
    fn from(cells: Cells) -> Self {
        let (positions, slots) = cells.list.into_iter().unzip();
        Self { shape: Shape::At(positions), slots, refusal: cells.refusal }
    }
}
