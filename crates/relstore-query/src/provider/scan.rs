//! The reading of a history table's files, in parallel.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{Result as PlanResult, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use relstore_lake::iceberg::scan::FileScanTask;
use relstore_lake::iceberg::table::Table;

use super::predicate::Pushed;
use crate::error;

/// A file of at least twice this many bytes may be read by several partitions.
const SPLIT_BYTES_MIN: u64 = 16 << 20;

/// How many files a partition has open at a time: one is decoded while the next is opened.
const FILES_OPEN_MAX: usize = 2;

/// Reads the files that planning left, one group of them to a partition.
#[derive(Debug)]
pub(crate) struct HistoryScan {
    table: Table,
    groups: Vec<Vec<FileScanTask>>,
    file_count: usize,
    byte_count: u64,
    pushed: Pushed,
    batch_rows: usize,
    statistics: Statistics,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl HistoryScan {
    /// A scan of `tasks`, which carry the columns of `schema` in its order, over at most `partitions` partitions.
    pub(crate) fn new(
        table: &Table,
        schema: SchemaRef,
        tasks: Vec<FileScanTask>,
        pushed: Pushed,
        partitions: usize,
        batch_rows: usize,
    ) -> Self {
        let statistics = statistics(&schema, &tasks, &pushed);
        let file_count = tasks.len();
        let byte_count = tasks.iter().map(|t| t.length).sum();
        let groups = spread(tasks, partitions.max(1));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(groups.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            table: table.clone(),
            groups,
            file_count,
            byte_count,
            pushed,
            batch_rows,
            statistics,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl ExecutionPlan for HistoryScan {
    fn name(&self) -> &'static str {
        "HistoryScan"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("HistoryScan has no children") }
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let Some(tasks) = self.groups.get(partition) else {
            return internal_err!("HistoryScan has {} partitions, not {}", self.groups.len(), partition + 1);
        };
        let tasks = stream::iter(tasks.clone().into_iter().map(Ok)).boxed();
        let reader = self
            .table
            .reader_builder()
            .with_batch_size(self.batch_rows)
            .with_data_file_concurrency_limit(FILES_OPEN_MAX)
            .with_row_group_filtering_enabled(true)
            .build();
        let batches = reader.read(tasks).map_err(error::external)?.stream();
        let (schema, metrics) = (self.schema(), BaselineMetrics::new(&self.metrics, partition));
        let batches = batches.map(move |batch| {
            let batch = batch.map_err(error::external).and_then(|b| conform(&b, &schema))?;
            metrics.record_output(batch.num_rows());
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches.into_stream())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> PlanResult<Statistics> {
        Ok(match partition {
            None => self.statistics.clone(),
            Some(_) => Statistics::new_unknown(&self.schema()),
        })
    }
}

impl DisplayAs for HistoryScan {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.properties.eq_properties.schema().fields().iter().map(|x| x.name().as_str()).collect();
        let (table, columns) = (self.table.identifier().name(), names.join(", "));
        match form {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "HistoryScan: table={table}, files={}, partitions={}", self.file_count, self.groups.len())?;
                write!(f, ", bytes={}, columns=[{columns}]", self.byte_count)?;
                match &self.pushed.predicate {
                    Some(predicate) => write!(f, ", pushed=[{predicate}]"),
                    None => Ok(()),
                }
            }
            DisplayFormatType::TreeRender => {
                writeln!(f, "table={table}")?;
                writeln!(f, "files={}", self.file_count)?;
                writeln!(f, "partitions={}", self.groups.len())?;
                match &self.pushed.predicate {
                    Some(predicate) => writeln!(f, "pushed={predicate}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The row count, exact where nothing filters and nothing was deleted, so that `count(*)` reads no file.
fn statistics(schema: &SchemaRef, tasks: &[FileScanTask], pushed: &Pushed) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    let counts: Option<Vec<u64>> = tasks.iter().map(|t| t.record_count).collect();
    if let Some(rows) = counts.and_then(|c| usize::try_from(c.iter().sum::<u64>()).ok()) {
        let exact = pushed.predicate.is_none() && tasks.iter().all(|t| t.deletes.is_empty());
        statistics.num_rows = if exact { Precision::Exact(rows) } else { Precision::Inexact(rows) };
    }
    statistics
}

/// Spreads the tasks over 1..=`partitions` groups of about equal bytes, each in the order of its paths. Deterministic.
fn spread(tasks: Vec<FileScanTask>, partitions: usize) -> Vec<Vec<FileScanTask>> {
    let mut pieces = split(tasks, partitions);
    let count = partitions.min(pieces.len()).max(1);
    pieces.sort_by(|a, b| b.length.cmp(&a.length).then_with(|| a.data_file_path.cmp(&b.data_file_path)));
    let mut groups: Vec<(u64, Vec<FileScanTask>)> = vec![(0, Vec::new()); count];
    for piece in pieces {
        if let Some(lightest) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            // An empty file costs its opening too, so it is not free.
            lightest.0 += piece.length.max(1);
            lightest.1.push(piece);
        }
    }
    for (_, group) in &mut groups {
        group.sort_by(|a, b| a.data_file_path.cmp(&b.data_file_path).then(a.start.cmp(&b.start)));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Cuts big files into byte ranges where there are more partitions than files. A row group belongs to the range that its middle is
/// in (Iceberg's rule), so ranges that tile a file read each row once.
fn split(tasks: Vec<FileScanTask>, partitions: usize) -> Vec<FileScanTask> {
    if tasks.len() >= partitions {
        return tasks;
    }
    let share = (tasks.iter().map(|t| t.length).sum::<u64>() / partitions as u64).max(SPLIT_BYTES_MIN);
    let mut pieces = Vec::with_capacity(tasks.len());
    for task in tasks {
        let count = task.length / share;
        if count < 2 || !task.deletes.is_empty() {
            pieces.push(task);
            continue;
        }
        let end = task.start + task.length;
        for i in 0..count {
            let start = task.start + i * share;
            let length = if i + 1 == count { end - start } else { share };
            pieces.push(FileScanTask { start, length, record_count: None, ..task.clone() });
        }
    }
    pieces
}

/// The batch with exactly the plan's schema: a file written before a type was widened gives the narrow one, and the column that only
/// counts rows goes.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> PlanResult<RecordBatch> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => cast(column, field.data_type()),
        })
        .collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
