//! Every version of every row: one Iceberg table as a table of the catalog.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session as Planner, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use relstore_lake::iceberg::arrow::schema_to_arrow_schema;
use relstore_lake::iceberg::scan::FileScanTask;
use relstore_lake::iceberg::spec::SchemaRef as IcebergSchemaRef;
use relstore_lake::iceberg::table::Table;
use relstore_lake::iceberg::{Error as IcebergError, Runtime};
use relstore_model::Result;
use tokio::runtime::{Handle, Id};

use super::predicate::{Pushed, Vocabulary};
use super::scan::HistoryScan;
use crate::error;

/// A history table as a DataFusion table: the snapshot that was current when `table` was loaded, with the columns of the table's
/// current schema in its order.
///
/// Files and row groups are pruned by the filters that Iceberg can judge; the files that remain are spread over the session's
/// partitions. Columns are found by field id, so that a file written before a rename is read under the new name, and a column that a
/// file lacks reads as its initial default, or NULL.
#[derive(Debug)]
pub struct HistoryProvider {
    table: Mutex<Bound>,
    schema: SchemaRef,
    fields: IcebergSchemaRef,
}

/// A table and the runtime that its scans are spawned on; `None` until the first scan.
#[derive(Debug)]
struct Bound {
    runtime: Option<Id>,
    table: Table,
}

impl HistoryProvider {
    /// A provider over the current snapshot of `table`.
    ///
    /// # Errors
    /// `Unsupported`: a column's type has no Arrow type.
    pub fn new(table: Table) -> Result<Self> {
        let fields = table.current_schema_ref();
        let arrow = schema_to_arrow_schema(&fields)
            .map_err(|e| relstore_model::Error::unsupported(e.to_string()).with("table", table.identifier()).with_source(e))?;
        // The field ids that Iceberg puts into the metadata are of no use above the scan, and make equal schemas differ.
        let plain: Vec<Field> = arrow.fields().iter().map(|f| f.as_ref().clone().with_metadata(Default::default())).collect();
        Ok(Self { table: Mutex::new(Bound { runtime: None, table }), schema: Arc::new(Schema::new(plain)), fields })
    }

    /// The table, bound to the runtime that this is called on.
    ///
    /// An Iceberg table keeps the runtime that it was loaded on and plans its scans there; when that runtime is gone the plan is
    /// silently empty. A session outlives runtimes (a CLI verb, a test, a Node worker each have their own), so it is bound anew where
    /// it changed. The manifest cache is lost by that, and by nothing else.
    fn table_here(&self) -> PlanResult<Table> {
        let here = Handle::try_current().map_err(|e| DataFusionError::External(Box::new(e)))?.id();
        let mut bound = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if bound.runtime != Some(here) {
            let old = &bound.table;
            let mut builder = Table::builder()
                .file_io(old.file_io().clone())
                .metadata(old.metadata_ref())
                .identifier(old.identifier().clone())
                .runtime(Runtime::try_current().map_err(external)?);
            if let Some(location) = old.metadata_location() {
                builder = builder.metadata_location(location);
            }
            *bound = Bound { runtime: Some(here), table: builder.build().map_err(external)? };
        }
        Ok(bound.table.clone())
    }

    /// What filters may speak of: the columns as the scanned snapshot names them.
    fn vocabulary(&self, table: &Table) -> PlanResult<Vocabulary> {
        let snapshot = match table.metadata().current_snapshot() {
            Some(snapshot) => snapshot.schema(table.metadata()).map_err(external)?,
            None => self.fields.clone(),
        };
        Ok(Vocabulary::new(&self.fields, &snapshot))
    }

    /// The files that may hold rows which `pushed` lets through, in the order of their paths.
    async fn plan(&self, table: &Table, pushed: &Pushed, ids: &[i32]) -> PlanResult<Vec<FileScanTask>> {
        // The projection is put into the tasks by hand: a scan knows only the columns that the schema had when its snapshot was
        // written, and a column may have been added or renamed since. Columns are resolved by id, so the current schema serves.
        let mut scan = table.scan().select_empty();
        if let Some(predicate) = &pushed.predicate {
            scan = scan.with_filter(predicate.clone());
        }
        let tasks = scan.build().map_err(external)?.plan_files().await.map_err(external)?;
        let mut tasks: Vec<FileScanTask> = tasks.try_collect().await.map_err(external)?;
        for task in &mut tasks {
            task.schema = self.fields.clone();
            task.project_field_ids = ids.to_vec();
        }
        tasks.sort_by(|a, b| a.data_file_path.cmp(&b.data_file_path));
        Ok(tasks)
    }
}

#[async_trait]
impl TableProvider for HistoryProvider {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let words = {
            let bound = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            self.vocabulary(&bound.table)?
        };
        Ok(filters
            .iter()
            .map(|f| match words.translate(f) {
                // Inexact: DataFusion filters again, so a filter that prunes too little costs time and never an answer.
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Planner,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let table = self.table_here()?;
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let fields = self.fields.as_struct().fields();
        // Without a column there would be nothing to count rows by; any one will do.
        let mut ids: Vec<i32> = columns.iter().map(|c| fields[*c].id).collect();
        if ids.is_empty() {
            ids.extend(fields.first().map(|f| f.id));
        }
        let pushed = self.vocabulary(&table)?.translate_all(filters);
        let mut tasks = self.plan(&table, &pushed, &ids).await?;
        if let (None, Some(limit)) = (&pushed.predicate, limit) {
            keep_rows(&mut tasks, limit as u64);
        }
        let options = state.config_options();
        let scan = HistoryScan::new(&table, schema, tasks, pushed, options.execution.target_partitions, options.execution.batch_size);
        Ok(Arc::new(scan))
    }
}

/// Keeps as many files from the front as hold `rows` rows.
fn keep_rows(tasks: &mut Vec<FileScanTask>, rows: u64) {
    let mut seen = 0;
    let mut keep = 0;
    for task in tasks.iter() {
        if seen >= rows {
            break;
        }
        keep += 1;
        // Deletes take rows away: a file that has some is not counted.
        seen += if task.deletes.is_empty() { task.record_count.unwrap_or(0) } else { 0 };
    }
    tasks.truncate(keep);
}

fn external(e: IcebergError) -> DataFusionError {
    error::external(e)
}
