//! Columns to set, and what to set them to.

use relstore_model::identifier::quote;
use relstore_model::{Error, Result, Timestamp, Value};

use crate::column::{Column, Excluded};
use crate::fragment::Fragment;
use crate::table::Table;
use crate::types::IntoValue;

/// What a column is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Assigned {
    /// A value.
    Value(Value),
    /// The value that this column of the same row had before.
    Column(&'static str),
    /// The value of this column in the row that could not be inserted.
    Excluded(&'static str),
}

/// What a column of type `V` in the table of `T` can be set to: a value, another column of the row, or
/// [`excluded`](crate::excluded()) of a column.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be set to `{Self}`",
    label = "a value for `{V}`, or a column of type `{V}` of the same table, is expected"
)]
pub trait Assign<T, V> {
    /// What the column is set to.
    fn assigned(self) -> Assigned;
}

impl<T: Table, V> Assign<T, V> for Column<T, V> {
    fn assigned(self) -> Assigned {
        Assigned::Column(self.name())
    }
}

impl<T: Table, V> Assign<T, V> for Excluded<T, V> {
    fn assigned(self) -> Assigned {
        Assigned::Excluded(self.0.name())
    }
}

macro_rules! assign_values {
    ($($base:ty),+ $(,)?) => { $(
        assign_value!($base => $base);
        assign_value!($base => Option<$base>);
        assign_value!(Option<$base> => Option<$base>);
    )+ };
}
macro_rules! assign_value {
    ($from:ty => $column:ty) => {
        impl<T> Assign<T, $column> for $from {
            fn assigned(self) -> Assigned {
                Assigned::Value(IntoValue::<$column>::into_value(self))
            }
        }
    };
}
assign_values!(i64, i32, f64, bool, String, Vec<u8>, Timestamp);
assign_value!(&str => String);
assign_value!(&str => Option<String>);
assign_value!(&String => String);
assign_value!(&String => Option<String>);

/// Columns to set, in the order they were first set, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignments(Vec<(&'static str, Assigned)>);

impl Assignments {
    /// Sets `column`, over an earlier assignment if there is one.
    pub fn set(&mut self, column: &'static str, assigned: Assigned) {
        match self.0.iter_mut().find(|(name, _)| *name == column) {
            Some((_, earlier)) => *earlier = assigned,
            None => self.0.push((column, assigned)),
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
    pub(super) fn render(self, table: &str, is_conflict: bool, out: &mut Fragment) -> Result<()> {
        if self.0.is_empty() {
            let hint = "set at least one column, such as .set(FlightSet::new().dest(\"ORD\"))";
            return Err(Error::invalid("an update that sets no column").with("table", table).with_hint(hint));
        }
        for (i, (column, assigned)) in self.0.into_iter().enumerate() {
            out.push(if i == 0 { " SET " } else { ", " });
            out.push(&quote(column));
            out.push(" = ");
            match assigned {
                Assigned::Value(value) => out.push_param(value),
                Assigned::Column(name) => out.push(&quote(name)),
                Assigned::Excluded(name) if is_conflict => out.push(&format!("excluded.{}", quote(name))),
                Assigned::Excluded(_) => {
                    return Err(Error::invalid("excluded() outside of on_conflict(…).do_update(…)")
                        .with("table", table)
                        .with("column", column)
                        .with_hint("an update has no row that could not be inserted: set a value or a column"));
                }
            }
        }
        Ok(())
    }
}
