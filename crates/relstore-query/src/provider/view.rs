//! A materialised view: a list of Parquet files as a table of the catalog.

use std::any::Any;
use std::path::{self, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session as Planner, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::{FileFormat, parquet::ParquetFormat};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt, stream};

/// How many files are asked for their size at a time.
const HEADS_MAX: usize = 16;

/// Where the files of a view are.
#[derive(Clone, Debug)]
pub enum ViewFiles {
    /// Files on this machine.
    Local(Vec<PathBuf>),
    /// Objects of a bucket, by their keys.
    Bucket {
        /// The bucket.
        store: Arc<dyn ObjectStore>,
        /// The keys, such as `views/daily/dt=2013-01-01/01J….parquet`.
        keys: Vec<String>,
    },
}

/// A table over the files, whose rows are the rows of all of them in no order.
///
/// The partition date `dt` is a column of the files like any other: nothing is read out of their paths. Row groups are pruned by the
/// bounds in the footers. `number` tells the buckets of a session apart.
///
/// Every file must be there. (DataFusion's own listing table takes a missing file for an empty folder, and answers without its rows.)
pub(crate) async fn open(
    context: &SessionContext,
    number: usize,
    files: &ViewFiles,
    schema: Option<SchemaRef>,
) -> PlanResult<Arc<dyn TableProvider>> {
    let (url, paths) = locate(context, number, files)?;
    if paths.is_empty() {
        // A view that was never refreshed has no file to read its columns from.
        return Ok(Arc::new(EmptyTable::new(schema.unwrap_or_else(|| Arc::new(Schema::empty())))));
    }
    let store = context.runtime_env().object_store(&url)?;
    let heads = paths.into_iter().map(|path| {
        let store = store.clone();
        async move { store.head(&path).await }
    });
    let objects: Vec<ObjectMeta> = stream::iter(heads).buffered(HEADS_MAX).try_collect().await?;
    let schema = match schema {
        Some(schema) => schema,
        None => ParquetFormat::default().infer_schema(&context.state(), &store, &objects).await?,
    };
    Ok(Arc::new(View { url, objects, schema }))
}

/// The bucket as DataFusion knows it, and the places of the files in it.
fn locate(context: &SessionContext, number: usize, files: &ViewFiles) -> PlanResult<(ObjectStoreUrl, Vec<Path>)> {
    match files {
        ViewFiles::Local(paths) => {
            let paths = paths.iter().map(|p| Ok(Path::from_absolute_path(path::absolute(p)?)?));
            Ok((ObjectStoreUrl::local_filesystem(), paths.collect::<PlanResult<_>>()?))
        }
        ViewFiles::Bucket { store, keys } => {
            let url = ObjectStoreUrl::parse(format!("view-{number}://bucket"))?;
            context.register_object_store(url.as_ref(), store.clone());
            let paths = keys.iter().map(|k| Ok(Path::parse(k)?));
            Ok((url, paths.collect::<PlanResult<_>>()?))
        }
    }
}

/// Files that are there, with their sizes: they are immutable, so this holds for as long as they exist.
#[derive(Debug)]
struct View {
    url: ObjectStoreUrl,
    objects: Vec<ObjectMeta>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for View {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// `filters` is empty: they stay above the scan, from where DataFusion hands them to the Parquet reader for pruning.
    async fn scan(
        &self,
        state: &dyn Planner,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let format = ParquetFormat::default().with_options(state.default_table_options().parquet);
        let source = format.file_source(TableSchema::from_file_schema(self.schema.clone()));
        let files: Vec<PartitionedFile> = self.objects.iter().cloned().map(PartitionedFile::from).collect();
        let groups = FileGroup::new(files).split_files(state.config_options().execution.target_partitions);
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}
