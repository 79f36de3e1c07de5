//! Refreshing a view: run, compare, write what differs, swap.

use std::collections::BTreeMap;
use std::sync::Arc;

use relstore_cdc::bucket::Bucket;
use relstore_engine::Database;
use relstore_model::{Error, ErrorKind, Namespace, Result};
use serde::Serialize;

use super::manifest::{ViewManifest, ViewPartition};
use super::partition::{Answers, checksum, encode};
use super::{ViewDefinition, view_prefix};

/// What a refresh did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ViewReport {
    /// The view.
    pub name: String,
    /// How many dates it has.
    pub partitions: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Its files by date, from the bucket's root.
    pub files: Vec<String>,
    /// How many of them this refresh wrote.
    pub files_written: u64,
    /// How many had the same rows already.
    pub files_unchanged: u64,
}

/// Brings the view up to what the stores are now. Stores that are not given leave the view.
///
/// # Errors
/// `Invalid` if the SQL is wrong or has no `dt`; `Conflict` if another refresh of the view was faster; `Unavailable` by the bucket. The
/// view is then what it was.
pub async fn refresh(bucket: &Bucket, definition: &ViewDefinition, stores: &[(Namespace, Arc<Database>)]) -> Result<ViewReport> {
    let before = ViewManifest::load(bucket, &definition.name).await?;
    let (old, old_bytes) = before.unzip();
    let (mut answers, mut watermarks) = (Answers::default(), BTreeMap::new());
    for (ns, db) in stores {
        // Read before the query: what the view holds is at least what its watermark says.
        watermarks.insert(ns.clone(), db.high_water());
        run(&mut answers, definition, ns, db).map_err(|e| e.with("view", &definition.name).with("ns", ns))?;
    }
    let columns = answers.columns(old.as_ref().map_or(&[], |m| &m.columns));
    let mut report = ViewReport { name: definition.name.clone(), ..ViewReport::default() };
    let mut partitions = BTreeMap::new();
    for (date, rows) in answers.into_dates() {
        let checksum = checksum(&columns, &rows);
        let kept = old.as_ref().and_then(|m| m.partitions.get(&date)).filter(|p| p.checksum == checksum && p.rows == rows.len() as u64);
        let partition = match kept {
            Some(partition) => {
                report.files_unchanged += 1;
                partition.clone()
            }
            None => {
                report.files_written += 1;
                let path = format!("{}/dt={date}/{checksum:08x}-{}.parquet", view_prefix(&definition.name), uuid::Uuid::new_v4().simple());
                let bytes = encode(&columns, &rows)?;
                let size = bytes.len() as u64;
                bucket.put_new_unsynced(&path, bytes.into()).await?;
                ViewPartition { path, rows: rows.len() as u64, bytes: size, checksum }
            }
        };
        partitions.insert(date, partition);
    }
    let live: Vec<String> = partitions.values().map(|p| p.path.clone()).collect();
    let retired = old.as_ref().map(|m| m.partitions.values().map(|p| p.path.clone()).filter(|p| !live.contains(p)).collect());
    let manifest = ViewManifest { definition: definition.clone(), columns, watermarks, partitions, retired: retired.unwrap_or_default() };
    manifest.swap(bucket, old_bytes.as_ref()).await.map_err(|e| e.with("view", &definition.name))?;
    delete_retired(bucket, old.as_ref()).await?;
    report.partitions = manifest.partitions.len() as u64;
    report.rows = manifest.rows();
    report.files = live;
    Ok(report)
}

fn run(answers: &mut Answers, definition: &ViewDefinition, ns: &Namespace, db: &Database) -> Result<()> {
    let mut rows: Vec<Vec<relstore_model::Value>> = Vec::new();
    let names = db.query_each(&definition.sql, &[], &mut |cells| {
        rows.push(cells.iter().map(|c| c.to_value()).collect());
        Ok(())
    })?;
    answers.begin_store(&names)?;
    for row in rows {
        let cells: Vec<_> = row.iter().map(relstore_model::Value::as_ref).collect();
        answers.push(ns, &names, &cells)?;
    }
    Ok(())
}

/// Deletes what the manifest before the last one had retired: no reader is two refreshes behind.
async fn delete_retired(bucket: &Bucket, old: Option<&ViewManifest>) -> Result<()> {
    for path in old.into_iter().flat_map(|m| &m.retired) {
        match bucket.delete(path).await {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::unavailable("a retired file cannot be deleted").with_source(e)),
            _ => {}
        }
    }
    Ok(())
}
