//! Whole results in 128 bits, so that two of them can be compared without being held.

use std::hash::{DefaultHasher, Hasher};

use relstore::model::{Result, ValueRef};
use relstore::orm::Executor;

/// A result: how many rows, and a hash of every cell of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) rows: u64,
    hash: u128,
}

/// Whether the order of the rows is part of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// It is: the statement has an `ORDER BY` that leaves nothing open.
    Counts,
    /// It is not: the result is a set in which a row may be more than once.
    IsOpen,
}

impl Fingerprint {
    /// The result of a query.
    pub(crate) fn of(store: &dyn Executor, sql: &str, order: RowOrder) -> Result<Self> {
        let mut print = Self::default();
        store.query(sql, &[], &mut |cells| {
            print.add(cells, order);
            Ok(())
        })?;
        Ok(print)
    }

    /// All rows of a table.
    pub(crate) fn of_table(store: &dyn Executor, table: &str) -> Result<Self> {
        Self::of(store, &format!("SELECT * FROM {}", relstore::model::identifier::quote(table)), RowOrder::IsOpen)
    }

    fn add(&mut self, cells: &[ValueRef<'_>], order: RowOrder) {
        let (mut low, mut high) = (DefaultHasher::new(), DefaultHasher::new());
        high.write_u8(1);
        for hasher in [&mut low, &mut high] {
            cells.iter().for_each(|cell| hash_cell(hasher, *cell));
        }
        let row = u128::from(high.finish()) << 64 | u128::from(low.finish());
        // Odd weights keep every bit of the row; equal ones make a sum that no order changes.
        let weight = match order {
            RowOrder::Counts => u128::from(2 * self.rows + 1),
            RowOrder::IsOpen => 1,
        };
        self.hash = self.hash.wrapping_add(row.wrapping_mul(weight));
        self.rows += 1;
    }
}

/// Each cell with its class and its length, so that no two rows of cells give the same bytes.
fn hash_cell(hasher: &mut DefaultHasher, cell: ValueRef<'_>) {
    let mut bytes = |class: u8, bytes: &[u8]| {
        hasher.write_u8(class);
        hasher.write_u64(bytes.len() as u64);
        hasher.write(bytes);
    };
    match cell {
        ValueRef::Null => bytes(0, &[]),
        ValueRef::Integer(i) => bytes(1, &i.to_le_bytes()),
        ValueRef::Real(r) => bytes(2, &r.to_bits().to_le_bytes()),
        ValueRef::Text(t) => bytes(3, t),
        ValueRef::Blob(b) => bytes(4, b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[ValueRef<'_>]], order: RowOrder) -> Fingerprint {
        let mut print = Fingerprint::default();
        rows.iter().for_each(|row| print.add(row, order));
        print
    }

    #[test]
    fn results_differ_where_any_cell_does_and_where_the_order_does_if_it_counts() {
        use ValueRef::{Integer, Null, Real, Text};
        let (a, b): ([_; 2], [_; 2]) = ([Integer(1), Text(b"x")], [Integer(2), Null]);
        assert_eq!(of(&[&a, &b], RowOrder::IsOpen), of(&[&b, &a], RowOrder::IsOpen));
        assert_ne!(of(&[&a, &b], RowOrder::Counts), of(&[&b, &a], RowOrder::Counts));
        let others: [[ValueRef<'_>; 2]; 5] =
            [[Integer(2), Text(b"x")], [Real(1.0), Text(b"x")], [Integer(1), Text(b"")], [Integer(1), Null], [Text(b"x"), Integer(1)]];
        for other in &others {
            assert_ne!(of(&[&a], RowOrder::IsOpen), of(&[other], RowOrder::IsOpen));
        }
        assert_ne!(of(&[&a, &a], RowOrder::IsOpen), of(&[&a], RowOrder::IsOpen));
    }
}
