//! The ingest: from segments to commits, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::DataFile;
use iceberg::table::Table;
use relstore_model::{Error, ErrorKind, Lsn, Namespace, Result};

use super::binding::Cursor;
use super::plan::{Plans, TablePlan};
use super::schema::{PRIMARY_KEY_PROPERTY, extended, new_metadata, resolve};
use super::write::{Writer, blocking};
use super::{IngestInput, IngestReport, log, table_path};
use crate::commit::{self, Append, Appended};
use crate::error::from_iceberg;
use crate::lake::{Lake, ident};
use crate::storage;

/// Rows that wait in memory at most, give or take a segment.
const ROWS_MAX: usize = 1_000_000;

/// Bytes of packed changes that wait at most, give or take a segment; as columns they take about twice that.
const BYTES_MAX: usize = 256 << 20;

/// After so many full buffers their files are committed, so that a crash in a long backlog does not begin anew.
const FLUSHES_PER_COMMIT: usize = 8;

/// Segments fetched ahead of the one being read.
const FETCH_AHEAD: usize = 4;

const ATTEMPTS_MAX: u32 = 30;

impl Lake {
    /// Archives what the stores' segments hold after their watermarks: one commit a table, whatever the number of stores. Large backlogs
    /// take several.
    ///
    /// Any number of callers and processes may do this at once, even for the same stores: every change is in history once. A call that
    /// failed or was cut off is simply repeated, with the old watermarks or newer ones.
    ///
    /// # Errors
    /// `Corrupt`, naming it, if a segment is damaged or missing, and nothing was committed but whole earlier parts of a large backlog.
    /// `Incompatible` if a table or column does not fit the history of that name. `Unavailable` if the bucket or catalog cannot be
    /// reached. `Conflict` if other archivers kept winning.
    pub async fn ingest(&self, input: &[IngestInput]) -> Result<IngestReport> {
        let mut stores: BTreeMap<Namespace, Lsn> = BTreeMap::new();
        for IngestInput { ns, after } in input {
            let watermark = stores.entry(ns.clone()).or_insert(*after);
            *watermark = (*watermark).min(*after);
        }
        let mut report = IngestReport::default();
        for attempt in 0..ATTEMPTS_MAX {
            let mut run = Run { lake: self, progress: stores.clone(), report: &mut report };
            if run.all(&stores).await? {
                report.offsets = run.progress;
                return Ok(report);
            }
            commit::pause(attempt).await;
        }
        Err(Error::new(ErrorKind::Conflict, "other archivers kept taking the same stores on")
            .with_hint("let one process archive, or give each its own stores"))
    }
}

/// One pass over all stores.
struct Run<'a> {
    lake: &'a Lake,
    /// By store: how far its log was taken.
    progress: BTreeMap<Namespace, Lsn>,
    report: &'a mut IngestReport,
}

impl Run<'_> {
    /// Archives everything. `false`: another archiver was quicker with some of it, and a new pass must look again.
    async fn all(&mut self, stores: &BTreeMap<Namespace, Lsn>) -> Result<bool> {
        let bucket = &self.lake.bucket;
        let mut plans = Plans::of(self.lake.load_all().await?)?;
        let (mut binding, mut flushes, mut segments) = (0, 0, 0);
        // In the order of the names, which is the order of rows in a file.
        for (ns, after) in stores {
            let sources = log::sources(bucket, ns, *after).await?;
            let mut cursor = Cursor::new(ns.clone(), *after, binding)?;
            let mut fetched = futures::stream::iter(sources)
                .map(|source| async move { Ok::<_, Error>((bucket.get(&source.path).await?, source)) })
                .buffered(FETCH_AHEAD);
            while let Some((bytes, source)) = fetched.try_next().await? {
                (plans, cursor) = blocking(move || {
                    cursor.take(&mut plans, &source, &bytes)?;
                    Ok((plans, cursor))
                })
                .await?;
                self.progress.insert(ns.clone(), cursor.lsn);
                segments += 1;
                if plans.rows >= ROWS_MAX || plans.bytes >= BYTES_MAX {
                    flush(self.lake, &mut plans).await?;
                    cursor.unbind();
                    flushes += 1;
                    if flushes % FLUSHES_PER_COMMIT == 0 && !commit_all(self.lake, &mut plans, &self.progress, self.report).await? {
                        return Ok(false);
                    }
                }
            }
            binding = cursor.next_binding();
        }
        flush(self.lake, &mut plans).await?;
        self.report.segments = segments;
        commit_all(self.lake, &mut plans, &self.progress, self.report).await
    }
}

/// Writes the waiting rows of all tables into files.
async fn flush(lake: &Lake, plans: &mut Plans) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut jobs = Vec::new();
    for (at, plan) in plans.tables.iter_mut().enumerate().filter(|(_, plan)| plan.has_rows()) {
        let (table, ids) = ensure(lake, plan).await?;
        let key = plan.primary_key.clone().unwrap_or_default();
        let writer = Arc::new(Writer::new(table, plan.columns.clone(), ids, key, threads)?);
        for buffer in plan.take_buffers() {
            let writer = writer.clone();
            jobs.push((buffer.rows(), async move { Ok::<_, Error>((at, writer.write(buffer).await?)) }));
        }
    }
    // The largest first, so that no thread is left with it at the end.
    jobs.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let mut written = futures::stream::iter(jobs).map(|(_, job)| job).buffer_unordered(threads);
    while let Some((at, files)) = written.try_next().await? {
        plans.tables[at].files.extend(files);
    }
    (plans.rows, plans.bytes) = (0, 0);
    Ok(())
}

/// The table of the plan with all of its columns, made or extended where it must be, and the ids of the planned columns.
async fn ensure(lake: &Lake, plan: &mut TablePlan) -> Result<(Table, Vec<i32>)> {
    let key = plan.primary_key.clone().unwrap_or_default().join(",");
    let catalog = lake.catalog.as_ref();
    for attempt in 0..ATTEMPTS_MAX {
        let table = match plan.table.take() {
            Some(table) => table,
            None => create(lake, &plan.name, &key).await?,
        };
        let metadata = table.metadata();
        let ids = resolve(&plan.name, metadata.current_schema(), &plan.columns)?;
        let missing: Vec<_> = plan.columns.iter().zip(&ids).filter(|(_, id)| id.is_none()).map(|(column, _)| column).collect();
        let has_key = metadata.properties().get(PRIMARY_KEY_PROPERTY) == Some(&key);
        if missing.is_empty() && has_key {
            plan.table = Some(table.clone());
            return Ok((table, ids.into_iter().flatten().collect()));
        }
        let schema = match missing.as_slice() {
            [] => None,
            missing => {
                Some(extended(metadata.current_schema(), metadata.last_column_id(), missing).map_err(|e| from_iceberg(e, &plan.name))?)
            }
        };
        let properties = if has_key { HashMap::new() } else { HashMap::from([(PRIMARY_KEY_PROPERTY.to_owned(), key.clone())]) };
        plan.table = Some(match commit::evolve(catalog, &table, schema, properties).await {
            Err(e) if e.kind() == ErrorKind::Conflict => {
                commit::pause(attempt).await;
                catalog.load_table(table.identifier()).await.map_err(|e| from_iceberg(e, &plan.name))?
            }
            evolved => evolved?,
        });
    }
    Err(commit::overrun(&plan.name))
}

async fn create(lake: &Lake, name: &str, key: &str) -> Result<Table> {
    let metadata = new_metadata(name, storage::location(&lake.bucket, &table_path(name)), key)?;
    match lake.catalog.create(&ident(name), metadata).await {
        // Another archiver was quicker.
        Err(e) if e.kind() == iceberg::ErrorKind::TableAlreadyExists => {
            lake.catalog.load_table(&ident(name)).await.map_err(|e| from_iceberg(e, name))
        }
        created => created.map_err(|e| from_iceberg(e, name)),
    }
}

/// Commits the files of all tables. `false`: of one of them another archiver has committed the same rows.
async fn commit_all(lake: &Lake, plans: &mut Plans, progress: &BTreeMap<Namespace, Lsn>, report: &mut IngestReport) -> Result<bool> {
    for plan in plans.tables.iter_mut().filter(|plan| !plan.files.is_empty()) {
        let table = plan.table.take().expect("whoever wrote its files ensured the table");
        let files = std::mem::take(&mut plan.files);
        let stores = std::mem::take(&mut plan.stores);
        let offsets: BTreeMap<Namespace, (Lsn, Lsn)> = stores
            .into_iter()
            .map(|ns| {
                let base = plan.base.get(&ns).copied().unwrap_or(Lsn::ZERO);
                let reached = progress.get(&ns).copied().unwrap_or(base);
                (ns, (base, reached))
            })
            .collect();
        assert!(offsets.values().all(|(base, reached)| base < reached), "rows are archived only beyond their table's offset");
        let rows: u64 = files.iter().map(DataFile::record_count).sum();
        let append = Append { files: files.clone(), offsets: offsets.clone() };
        match commit::append(lake.catalog.as_ref(), table.clone(), append).await? {
            Appended::Done(table) => {
                plan.base.extend(offsets.into_iter().map(|(ns, (_, reached))| (ns, reached)));
                plan.table = Some(*table);
                report.rows += rows;
                report.commits += 1;
                *report.tables.entry(plan.name.clone()).or_default() += rows;
            }
            Appended::Overtaken => {
                // The files are certainly in no snapshot. What cannot be deleted now gc finds later.
                for file in files {
                    let _ = table.file_io().delete(file.file_path()).await;
                }
                return Ok(false);
            }
        }
    }
    Ok(true)
}
