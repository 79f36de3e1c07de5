//! Invisible eviction: rows that leave the hot file and answer as if they had not.
//!
//! Rows that nobody touches come out of a table ([`crate::Database::scan_for_eviction`]), are written to Parquet by the lake, and then
//! leave the hot file ([`crate::Database::commit_eviction`]). From then on every connection has, in its temp schema, a virtual table over
//! the cold rows and a view of the table's own name over hot and cold rows together, so reads need no rewriting. Writes run natively on
//! the hot table, after the cold rows that they may touch came back in the same transaction: temp triggers bring back what a key or a
//! parent touches, a dry run of the `WHERE` clause what an update or a delete touches, and where neither is certain the whole table comes
//! back. Bringing back too much is always right, because it changes no answer; that is what every rule here leans on.
//!
//! Invariants: a row is hot, or it is cold and has no row in `_rs_reloaded`, never both. Where cold files overlap, the newest copy of a row
//! is the one that counts, and it is dead if the row was reloaded. A snapshot is read with the cold files that belong to it. A move between
//! tiers is no change: nothing of it is in the log. What is deliberately not here: Parquet, buckets, and the choice of what to evict.

mod cold_table;
mod definition;
mod load;
mod mover;
mod nondeterministic;
mod objects;
mod parameters;
mod plan;
mod shadow;
mod source;
mod statement;
mod tier;
mod walk;
mod writing;

pub use source::{ColdFile, ColdRows, ColdSource, Evicted, NewColdFile};

pub(crate) use cold_table::set_last_insert_rowid;
pub(crate) use load::{generation_in_file, load};
pub(crate) use plan::Plan;
pub(crate) use shadow::Shadow;
pub(crate) use tier::{Cold, Tier};
pub(crate) use writing::refuse_quiet;
