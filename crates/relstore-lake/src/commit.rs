//! Our own commits to history tables: adding columns, and appending rows together with the offsets they reach to.
//!
//! The iceberg crate retries an append on whatever the table has become meanwhile. Here that would double rows that another archiver
//! committed first, so an append goes onto another base only while the offsets of its own stores stand there as they were.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use iceberg::spec::{
    DataFile, MAIN_BRANCH, ManifestFile, ManifestListWriter, ManifestWriterBuilder, Operation, Schema, Snapshot, SnapshotReference,
    SnapshotRetention, Summary, TableMetadata,
};
use iceberg::table::Table;
use iceberg::{ErrorKind as IcebergKind, TableRequirement, TableUpdate};
use relstore_model::{Error, ErrorKind, Lsn, Namespace, Result};
use uuid::Uuid;

use crate::catalog::HistoryCatalog;
use crate::error::from_iceberg;

/// The snapshot's summary property with the offsets: a JSON object of store → LSN up to which the snapshot holds its changes. Every
/// snapshot carries those of all stores; whoever commits another kind of snapshot carries them on.
pub const OFFSETS_PROPERTY: &str = "relstore.offsets";

/// The snapshot's summary property by which a writer knows its own commit again.
const COMMIT_ID_PROPERTY: &str = "relstore.commit-id";

const ATTEMPTS_MAX: u32 = 30;

/// How far the rows of a history table reach, by store; empty if it has no snapshot.
///
/// They ride on the current snapshot. Where another program has committed that one, as a compaction by some engine, they are those of
/// its nearest ancestor that has any.
///
/// # Errors
/// `Corrupt` if there are snapshots and no offsets: archiving on would double every row.
pub(crate) fn offsets_of(metadata: &TableMetadata) -> Result<BTreeMap<Namespace, Lsn>> {
    let mut snapshot = metadata.current_snapshot();
    if snapshot.is_none() {
        return Ok(BTreeMap::new());
    }
    while let Some(at) = snapshot {
        if let Some(json) = at.summary().additional_properties.get(OFFSETS_PROPERTY) {
            return serde_json::from_str(json).map_err(|e| {
                Error::corrupt("the offsets of a history table cannot be read").with("location", metadata.location()).with_source(e)
            });
        }
        snapshot = at.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id));
    }
    Err(Error::corrupt("a history table has lost its offsets")
        .with("location", metadata.location())
        .with_hint("another program has rewritten it: roll it back to a snapshot whose summary has relstore.offsets"))
}

/// Files to be appended, and how far they take their stores.
pub(crate) struct Append {
    pub(crate) files: Vec<DataFile>,
    /// By store: the offset the files begin after, and the one they reach.
    pub(crate) offsets: BTreeMap<Namespace, (Lsn, Lsn)>,
}

/// How an append ended.
pub(crate) enum Appended {
    /// The table with the files in it.
    Done(Box<Table>),
    /// Another archiver has taken some of the same stores on; the files are in no snapshot and hold rows that are there already.
    Overtaken,
}

/// Commits an append.
///
/// # Errors
/// `Unavailable` if the outcome stays unknown, or the catalog or bucket cannot be reached: then the files may be in use. `Conflict` if
/// other writers kept winning.
pub(crate) async fn append(catalog: &dyn HistoryCatalog, table: Table, append: Append) -> Result<Appended> {
    let name = table.identifier().name().to_owned();
    let id = Uuid::new_v4();
    let snapshot_id = (id.as_u128() as i64) & i64::MAX;
    let fail = |e: iceberg::Error| from_iceberg(e, &name);
    let manifest = write_manifest(&table, &append.files, id, snapshot_id).await.map_err(fail)?;
    let mut table = table;
    for attempt in 0..ATTEMPTS_MAX {
        let mut offsets = offsets_of(table.metadata())?;
        for (ns, (base, reached)) in &append.offsets {
            if offsets.insert(ns.clone(), *reached).unwrap_or(Lsn::ZERO) != *base {
                return Ok(Appended::Overtaken);
            }
        }
        let snapshot = write_snapshot(&table, &append.files, &manifest, &offsets, id, snapshot_id, attempt).await.map_err(fail)?;
        let requirements = vec![
            TableRequirement::UuidMatch { uuid: table.metadata().uuid() },
            TableRequirement::RefSnapshotIdMatch { r#ref: MAIN_BRANCH.into(), snapshot_id: table.metadata().current_snapshot_id() },
        ];
        let reference = SnapshotReference::new(snapshot_id, SnapshotRetention::branch(None, None, None));
        let updates = vec![TableUpdate::AddSnapshot { snapshot }, TableUpdate::SetSnapshotRef { ref_name: MAIN_BRANCH.into(), reference }];
        let error = match catalog.commit(&table, requirements, updates).await {
            Ok(table) => return Ok(Appended::Done(Box::new(table))),
            Err(error) => error,
        };
        // Whatever the answer was, the commit may have happened: a lost response is no failed commit.
        table = catalog.load_table(table.identifier()).await.map_err(fail)?;
        let is_ours = |s: &iceberg::spec::SnapshotRef| s.summary().additional_properties.get(COMMIT_ID_PROPERTY) == Some(&id.to_string());
        if table.metadata().snapshots().any(is_ours) {
            return Ok(Appended::Done(Box::new(table)));
        }
        if error.kind() != IcebergKind::CatalogCommitConflicts {
            return Err(fail(error));
        }
        pause(attempt).await;
    }
    Err(overrun(&name))
}

/// Adds columns and sets properties, if `base` is still current in its schema.
///
/// # Errors
/// `Conflict` if the table has moved on; `Unavailable` if the catalog or bucket cannot be reached.
pub(crate) async fn evolve(
    catalog: &dyn HistoryCatalog,
    base: &Table,
    schema: Option<Schema>,
    properties: HashMap<String, String>,
) -> Result<Table> {
    let metadata = base.metadata();
    let requirements = vec![
        TableRequirement::UuidMatch { uuid: metadata.uuid() },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: metadata.current_schema_id() },
    ];
    let mut updates = Vec::new();
    if let Some(schema) = schema {
        updates.extend([TableUpdate::AddSchema { schema }, TableUpdate::SetCurrentSchema { schema_id: -1 }]);
    }
    if !properties.is_empty() {
        updates.push(TableUpdate::SetProperties { updates: properties });
    }
    catalog.commit(base, requirements, updates).await.map_err(|e| from_iceberg(e, base.identifier().name()))
}

/// The error of a writer that never won.
pub(crate) fn overrun(table: &str) -> Error {
    Error::new(ErrorKind::Conflict, "other writers kept committing first")
        .with("table", table)
        .with_hint("let one process archive, or give each its own stores")
}

/// Waits a little longer each time, so that writers who collide fall out of step.
pub(crate) async fn pause(attempt: u32) {
    let jitter = Uuid::new_v4().as_u128() as u64 % 20;
    tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(10)) * 10 + jitter)).await;
}

/// The manifest of the new files. It stands whatever base the append goes onto.
async fn write_manifest(table: &Table, files: &[DataFile], id: Uuid, snapshot_id: i64) -> iceberg::Result<ManifestFile> {
    let metadata = table.metadata();
    let output = table.file_io().new_output(format!("{}/metadata/{id}-m0.avro", metadata.location()))?;
    let spec = metadata.default_partition_spec().as_ref().clone();
    let mut writer = ManifestWriterBuilder::new(output, Some(snapshot_id), metadata.current_schema().clone(), spec).build_v2_data();
    for file in files {
        // A negative number is none: it is inherited from the snapshot.
        writer.add_file(file.clone(), -1)?;
    }
    writer.write_manifest_file().await
}

async fn write_snapshot(
    table: &Table,
    files: &[DataFile],
    manifest: &ManifestFile,
    offsets: &BTreeMap<Namespace, Lsn>,
    id: Uuid,
    snapshot_id: i64,
    attempt: u32,
) -> iceberg::Result<Snapshot> {
    let metadata = table.metadata();
    let parent = metadata.current_snapshot();
    let sequence_number = metadata.next_sequence_number();
    let mut manifests = match parent {
        Some(parent) => table.manifest_list_reader(parent).load().await?.entries().to_vec(),
        None => Vec::new(),
    };
    manifests.push(manifest.clone());
    let path = format!("{}/metadata/snap-{snapshot_id}-{attempt}-{id}.avro", metadata.location());
    let output = table.file_io().new_output(&path)?.writer().await?;
    let mut list = ManifestListWriter::v2(output, snapshot_id, metadata.current_snapshot_id(), sequence_number);
    list.add_manifests(manifests.into_iter())?;
    list.close().await?;
    let mut properties = counts(parent.map(|s| s.summary()), files);
    properties.insert(COMMIT_ID_PROPERTY.to_owned(), id.to_string());
    properties.insert(OFFSETS_PROPERTY.to_owned(), serde_json::to_string(offsets).expect("offsets are plain data with string keys"));
    Ok(Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(sequence_number)
        // Snapshots of one table never step back in time, whatever the clocks of two machines say.
        .with_timestamp_ms(now_ms().max(metadata.last_updated_ms()))
        .with_manifest_list(path)
        .with_summary(Summary { operation: Operation::Append, additional_properties: properties })
        .with_schema_id(metadata.current_schema_id())
        .build())
}

/// The counts that every engine's snapshots carry.
fn counts(parent: Option<&Summary>, files: &[DataFile]) -> HashMap<String, String> {
    let before = |key: &str| parent.and_then(|s| s.additional_properties.get(key)).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    let records: u64 = files.iter().map(DataFile::record_count).sum();
    let bytes: u64 = files.iter().map(DataFile::file_size_in_bytes).sum();
    let count = files.len() as u64;
    [
        ("added-data-files", count),
        ("added-records", records),
        ("added-files-size", bytes),
        ("total-data-files", before("total-data-files") + count),
        ("total-records", before("total-records") + records),
        ("total-files-size", before("total-files-size") + bytes),
        ("total-delete-files", 0),
        ("total-position-deletes", 0),
        ("total-equality-deletes", 0),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_string()))
    .collect()
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
