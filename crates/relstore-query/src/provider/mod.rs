//! What a table of the catalog is made of.
//!
//! [`history`] reads every version of every row out of Iceberg, pruned by [`predicate`] and read in parallel by [`scan`];
//! [`current`] is a logical plan over it; [`view`] reads Parquet files. They take tables and files and give DataFusion's
//! `TableProvider`.

pub(crate) mod current;
pub(crate) mod history;
mod predicate;
mod scan;
pub(crate) mod view;
