//! Reading history back: which tables there are, and the rows of one store.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use iceberg::expr::Reference;
use iceberg::spec::Datum;
use relstore_model::{LogicalType, Lsn, Namespace, Result};

use crate::archive::{SYSTEM_COLUMNS, primary_key, system};
use crate::commit::offsets_of;
use crate::error::from_iceberg;
use crate::lake::Lake;
use crate::types::logical_type;

/// A history table as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryTable {
    /// The name of the stores' table.
    pub name: String,
    /// The names of its key columns in key order; empty where `_rowid` tells rows apart.
    pub primary_key: Vec<String>,
    /// Its user columns, in order.
    pub columns: Vec<HistoryColumn>,
    /// How many changes it holds.
    pub rows: u64,
    /// How many bytes its data files take.
    pub size_bytes: u64,
    /// How many data files it has.
    pub files: u64,
    /// How many snapshots it keeps.
    pub snapshots: usize,
    /// Where its metadata lies, for other engines.
    pub metadata_location: String,
    /// By store: the LSN up to which its changes of this table are in. A store without any is absent.
    pub offsets: BTreeMap<Namespace, Lsn>,
}

/// A user column of a history table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryColumn {
    /// Its field id; what `_changed` and `_overflow` name it by.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What its cells mean: as the first store had it. A store may mean another type with the same Iceberg type, as its schema says.
    pub logical: LogicalType,
}

impl Lake {
    /// Every history table, by name; `_schema`, the one of schema changes, among them.
    ///
    /// # Errors
    /// `Unavailable` if the catalog or the bucket cannot be read; `Corrupt` if a table's metadata is damaged.
    pub async fn tables(&self) -> Result<Vec<HistoryTable>> {
        let tables = self.load_all().await?;
        tables.iter().map(describe).collect()
    }

    /// Gives `each` the changes of `ns` in the table `name` up to and with `up_to`, in batches of no particular order, all columns.
    /// Whole files and row groups that hold none of them are not read.
    ///
    /// # Errors
    /// `NotFound` if there is no such history; `Unavailable` or `Corrupt` if it cannot be read; and whatever `each` gives.
    pub async fn scan_rows(
        &self,
        name: &str,
        ns: &Namespace,
        up_to: Lsn,
        mut each: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        let table = self.load(name).await?;
        let of_store = Reference::new(system::NS).equal_to(Datum::string(ns.as_str()));
        let early_enough = Reference::new(system::LSN).less_than_or_equal_to(Datum::long(up_to.as_i64()));
        let fail = |e| from_iceberg(e, name);
        let scan = table.scan().select_all().with_filter(of_store.and(early_enough)).build().map_err(fail)?;
        let mut batches = scan.to_arrow().await.map_err(fail)?;
        while let Some(batch) = batches.try_next().await.map_err(fail)? {
            if batch.num_rows() > 0 {
                each(batch)?;
            }
        }
        Ok(())
    }
}

fn describe(table: &iceberg::table::Table) -> Result<HistoryTable> {
    let metadata = table.metadata();
    let summary = metadata.current_snapshot().map(|s| &s.summary().additional_properties);
    let count = |key: &str| summary.and_then(|s| s.get(key)).and_then(|n| n.parse().ok()).unwrap_or(0);
    let fields = metadata.current_schema().as_struct().fields().iter().filter(|f| !SYSTEM_COLUMNS.contains(&f.name.as_str()));
    let columns = fields.filter_map(|f| {
        let logical = logical_type(&f.field_type, f.doc.as_deref())?;
        Some(HistoryColumn { id: f.id, name: f.name.clone(), logical })
    });
    Ok(HistoryTable {
        name: table.identifier().name().to_owned(),
        primary_key: primary_key(table),
        columns: columns.collect(),
        rows: count("total-records"),
        size_bytes: count("total-files-size"),
        files: count("total-data-files"),
        snapshots: metadata.snapshots().len(),
        metadata_location: table.metadata_location().unwrap_or_default().to_owned(),
        offsets: offsets_of(metadata)?,
    })
}
