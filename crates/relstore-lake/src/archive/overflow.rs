//! Cells that do not fit their column's type, kept as JSON beside the row: SQLite let them in, so history keeps them.

use std::collections::BTreeMap;

use relstore_model::schema::Cell;
use relstore_model::{Error, Result, Value, ValueRef};
use serde::{Deserialize, Serialize};

/// A cell, exactly. [`Cell`] for all that are values; text that is not UTF-8 by its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Misfit {
    Cell(Cell),
    Text { text_bytes: Vec<u8> },
}

impl Misfit {
    /// The cell; `None` for NULL, which fits everywhere.
    pub(super) fn new(cell: ValueRef<'_>) -> Option<Self> {
        match cell {
            ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err() => Some(Self::Text { text_bytes: bytes.to_vec() }),
            cell => Cell::from_value(cell.to_value()).map(Self::Cell),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Cell(cell) => cell.to_value(),
            Self::Text { text_bytes } => ValueRef::Text(text_bytes).to_value(),
        }
    }
}

/// The text for `_overflow`: the misfits of one row by their column's id.
pub(super) fn to_json(misfits: &BTreeMap<i32, &Misfit>) -> String {
    serde_json::to_string(misfits).expect("misfits are plain data with number keys")
}

/// Reads the text of `_overflow`: the cells by their column's id in the history table. Text that is not UTF-8 is given with its bad bytes
/// replaced, as everywhere a cell becomes a [`Value`]; its bytes are in the JSON as `{"text_bytes": […]}`.
///
/// # Errors
/// `Corrupt` if it is not what the archive wrote.
pub fn overflow_cells(json: &str) -> Result<BTreeMap<i32, Value>> {
    let misfits: BTreeMap<i32, Misfit> =
        serde_json::from_str(json).map_err(|e| Error::corrupt("the overflow of a row in history cannot be read").with_source(e))?;
    Ok(misfits.into_iter().map(|(id, misfit)| (id, misfit.to_value())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misfit_reads_back_exactly() {
        let cells = [
            ValueRef::Integer(i64::MIN),
            ValueRef::Real(0.1),
            ValueRef::Real(f64::INFINITY),
            ValueRef::Text("é\"".as_bytes()),
            ValueRef::Blob(&[0, 255]),
        ];
        let misfits: Vec<Misfit> = cells.iter().map(|c| Misfit::new(*c).unwrap()).collect();
        let json = to_json(&(101..).zip(&misfits).collect());
        let read = overflow_cells(&json).unwrap();
        for ((_, value), cell) in read.iter().zip(cells) {
            assert!(value.as_ref().same(cell), "{value:?}");
        }
        assert_eq!(Misfit::new(ValueRef::Null), None);
        let bad = Misfit::new(ValueRef::Text(&[0xff, b'x'])).unwrap();
        assert_eq!(to_json(&BTreeMap::from([(101, &bad)])), r#"{"101":{"text_bytes":[255,120]}}"#);
        assert!(overflow_cells("[]").is_err());
    }
}
