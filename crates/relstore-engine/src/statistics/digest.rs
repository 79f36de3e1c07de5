//! Fingerprints of content: sums of hashes, which do not depend on the order of rows and follow each change.
//!
//! A row has a key hash: of the cells of its primary key, or of its rowid. The digest of a table is the sum of its rows' key hashes, the
//! digest of a column the sum of the hashes of its cells, each bound to its row's key. A cell that is the column's initial default adds
//! nothing, so that adding a column adds nothing for the rows that are there, and dropping one just drops its digest. Sums wrap at 2^128:
//! that two different contents agree by chance is as likely as for any 128-bit hash. No attacker is meant to be kept out.

use relstore_model::change::codec::{put_cell, put_zigzag};
use relstore_model::{Table, ValueRef};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The hash of one row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) u128);

/// Hashes rows of one table; keeps its scratch space.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    scratch: Vec<u8>,
}

impl Hasher {
    /// The key hash of a row whose stored cells are `cells`.
    pub(crate) fn key(&mut self, key: &[usize], rowid: Option<i64>, cells: &[ValueRef<'_>]) -> KeyHash {
        self.scratch.clear();
        if let Some(rowid) = rowid {
            put_zigzag(&mut self.scratch, rowid);
        }
        for at in key {
            put_cell(&mut self.scratch, cells.get(*at).copied().unwrap_or(ValueRef::Null));
        }
        KeyHash(xxh3_128(&self.scratch))
    }

    /// What a cell adds to the digest of its column.
    pub(crate) fn cell(&mut self, key: KeyHash, cell: ValueRef<'_>) -> u128 {
        self.scratch.clear();
        self.scratch.extend_from_slice(&key.0.to_le_bytes());
        put_cell(&mut self.scratch, cell);
        xxh3_128(&self.scratch)
    }

    /// The hash by which a value is counted: equal for values that SQL takes for equal, such as 1 and 1.0.
    pub(crate) fn value(&mut self, cell: ValueRef<'_>) -> u64 {
        let as_integer = |r: f64| (r.trunc() == r && r.abs() < 9e18).then_some(r as i64);
        self.scratch.clear();
        let cell = match cell {
            ValueRef::Real(r) => as_integer(r).map_or(cell, ValueRef::Integer),
            other => other,
        };
        put_cell(&mut self.scratch, cell);
        xxh3_64(&self.scratch)
    }
}

/// Where the cells of the key are among the stored cells; empty if the rowid is the key.
pub(crate) fn key_positions(table: &Table) -> Vec<usize> {
    let stored = |at: &usize| table.columns[..*at].iter().filter(|c| !c.is_virtual).count();
    table.primary_key.iter().map(stored).collect()
}
