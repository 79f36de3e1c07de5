//! One catalog of all stores' tables, and the queries over it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::config::Dialect;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement;
use relstore_lake::iceberg::table::Table;
use relstore_model::{Error, Result};
use serde_json::Value as Json;

use crate::answer::{self, Answer};
use crate::error::from_datafusion;
use crate::names::Names;
pub use crate::provider::view::ViewFiles;
use crate::provider::{current, history::HistoryProvider, view};

const CATALOG: &str = "relstore";

/// A history table of the lake.
#[derive(Clone, Debug)]
pub struct HistoryInput {
    /// The name of the logical table, as the stores have it.
    pub name: String,
    /// The Iceberg table, at the snapshot to be queried.
    pub table: Table,
    /// The names of the key's columns in any order; empty where rows are told apart by `_rowid`.
    pub primary_key: Vec<String>,
}

/// A materialised view of the lake.
#[derive(Clone, Debug)]
pub struct ViewInput {
    /// The view's name.
    pub name: String,
    /// The Parquet files that are its rows now.
    pub files: ViewFiles,
    /// The columns, where they are known; else they are read from the files, which opens each of them.
    pub schema: Option<SchemaRef>,
}

/// What a session may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionLimits {
    /// Bytes of memory that sorts, joins and groupings share; above it they spill to temporary files where they can, and fail with
    /// `Unavailable` where they cannot. `None`: as much as there is.
    pub memory_bytes_max: Option<usize>,
    /// How many partitions a query runs in, at least 1. `None`: as many as there are processors.
    pub partition_count: Option<usize>,
}

/// One catalog over all stores: `current.<table>` (the default schema), `history.<table>`, `views.<view>`.
///
/// A view is also found without `views.` where no table has its name. A session reads the snapshots that it was given: open another to
/// see what came later. It may be shared between threads and outlive the runtime that it was made on.
pub struct Session {
    context: SessionContext,
    names: Names,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Session {
    /// A session over these tables and views, which may use what the machine has.
    ///
    /// # Errors
    /// Those of [`Session::with_limits`].
    pub async fn new(tables: Vec<HistoryInput>, views: Vec<ViewInput>) -> Result<Self> {
        Self::with_limits(tables, views, SessionLimits::default()).await
    }

    /// A session over these tables and views within `limits`.
    ///
    /// # Errors
    /// `Invalid`: two tables or two views have one name (names are compared without case), or a table lacks a column of its key.
    /// `Unsupported`: a column's type has no Arrow type. `Unavailable`, `Corrupt`: a view's file cannot be read.
    pub async fn with_limits(tables: Vec<HistoryInput>, views: Vec<ViewInput>, limits: SessionLimits) -> Result<Self> {
        let context = context(limits)?;
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let mut names = Names::default();
        let schemas = Names::SCHEMAS.map(|_| Arc::new(MemorySchemaProvider::new()));
        let [current, history, view_schema] = &schemas;
        for (name, schema) in Names::SCHEMAS.iter().zip(&schemas) {
            catalog.register_schema(name, schema.clone()).map_err(|e| from_datafusion(e, "", &names))?;
        }
        context.register_catalog(CATALOG, catalog);
        for input in tables {
            let all: Arc<dyn TableProvider> = Arc::new(HistoryProvider::new(input.table)?);
            let newest = current::current_table(&input.name, all.clone(), &input.primary_key)?;
            register(history, &mut names, Names::HISTORY, &input.name, all)?;
            register(current, &mut names, Names::CURRENT, &input.name, newest)?;
        }
        for (number, input) in views.into_iter().enumerate() {
            let table = view::open(&context, number, &input.files, input.schema)
                .await
                .map_err(|e| from_datafusion(e, "", &names).with("view", &input.name))?;
            register(view_schema, &mut names, Names::VIEWS, &input.name, table.clone())?;
            if !names.has(Names::CURRENT, &input.name) {
                register(current, &mut names, Names::CURRENT, &input.name, table)?;
            }
        }
        Ok(Self { context, names })
    }

    /// The answer to one query, whole and in memory.
    ///
    /// # Errors
    /// `Invalid`: the SQL is wrong (with the place), or a row does not go with it, such as a division by zero. `NotFound`: an unknown
    /// table, column or function, with the nearest name as a hint. `Unsupported`: a statement that is no query. `Unavailable`: the
    /// storage is away, or the limits are reached. `Corrupt`: a file is not what was written. `Internal`: a bug.
    pub async fn query(&self, sql: &str) -> Result<Answer> {
        let (schema, batches) = self.batches(sql).await?;
        answer::cells(&schema, &batches).map_err(|e| from_datafusion(e, sql, &self.names))
    }

    /// The answer to one query as Arrow batches, with the schema that each of them has; there may be no batch.
    ///
    /// # Errors
    /// Those of [`Session::query`].
    pub async fn batches(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let frame = self.frame(sql).await?;
        let schema: SchemaRef = frame.schema().inner().clone();
        let batches = frame.collect().await.map_err(|e| from_datafusion(e, sql, &self.names))?;
        Ok((schema, batches))
    }

    /// The answer to one query as JSON objects, members in the order of the columns: booleans as `true`, moments as ISO 8601, bytes as
    /// base64, lists as arrays. The second column of one name becomes `name_2`.
    ///
    /// # Errors
    /// Those of [`Session::query`].
    pub async fn json(&self, sql: &str) -> Result<Vec<Json>> {
        let (schema, batches) = self.batches(sql).await?;
        answer::json_rows(&schema, &batches).map_err(|e| from_datafusion(e, sql, &self.names))
    }

    /// How the query would run: the physical plan, a line for each step, the last to run first. `HistoryScan` says how many files it
    /// would read and which filters chose them. Nothing is read but metadata.
    ///
    /// # Errors
    /// Those of [`Session::query`].
    pub async fn explain(&self, sql: &str) -> Result<String> {
        let frame = self.frame(sql).await?;
        let plan = frame.create_physical_plan().await.map_err(|e| from_datafusion(e, sql, &self.names))?;
        Ok(displayable(plan.as_ref()).indent(true).to_string())
    }

    /// The tables of the default schema, in the order in which they were given: the tables of the stores, then the views.
    #[must_use]
    pub fn tables(&self) -> Vec<&str> {
        self.names.tables_of(Names::CURRENT)
    }

    async fn frame(&self, sql: &str) -> Result<DataFrame> {
        let plan = self.plan(sql).await?;
        self.context.execute_logical_plan(plan).await.map_err(|e| from_datafusion(e, sql, &self.names))
    }

    async fn plan(&self, sql: &str) -> Result<LogicalPlan> {
        let failed = |e: DataFusionError| from_datafusion(e, sql, &self.names);
        let state = self.context.state();
        if sql.trim().trim_matches(';').trim().is_empty() {
            return Err(Error::invalid("no statement").with_hint("give a query, such as SELECT count(*) FROM history.flights"));
        }
        let mut statement = match state.sql_to_statement(sql, &Dialect::Generic) {
            Ok(statement) => statement,
            // Said by DataFusion's parser without its being an error of syntax.
            Err(DataFusionError::NotImplemented(m)) if m.contains("single SQL statement") => {
                return Err(Error::invalid("more than one statement").with("sql", sql).with_hint("run them one at a time"));
            }
            Err(e) => return Err(failed(e)),
        };
        settle(&self.names, &mut statement)?;
        let plan = state.statement_to_plan(statement).await.map_err(failed)?;
        let queries_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        queries_only.verify_plan(&plan).map_err(|_| not_a_query())?;
        Ok(plan)
    }
}

/// Refuses what is no query, before anybody looks for its tables, and settles the names of what is one.
fn settle(names: &Names, parsed: &mut Parsed) -> Result<()> {
    match parsed {
        Parsed::Explain(explain) => settle(names, &mut explain.statement),
        Parsed::Statement(statement) => match statement.as_mut() {
            Statement::Query(_) | Statement::ExplainTable { .. } => {
                names.settle(statement);
                Ok(())
            }
            Statement::ShowTables { .. } | Statement::ShowColumns { .. } | Statement::ShowFunctions { .. } => Ok(()),
            _ => Err(not_a_query()),
        },
        Parsed::CreateExternalTable(_) | Parsed::CopyTo(_) | Parsed::Reset(_) => Err(not_a_query()),
    }
}

fn not_a_query() -> Error {
    Error::unsupported("this is not a query").with_hint("a session over all stores only reads: write to a store, by relstore sql --ns NAME")
}

fn register(
    schema: &MemorySchemaProvider,
    names: &mut Names,
    schema_name: &'static str,
    name: &str,
    table: Arc<dyn TableProvider>,
) -> Result<()> {
    if names.has(schema_name, name) {
        return Err(Error::invalid("two tables of one name").with("schema", schema_name).with("table", name));
    }
    let columns = table.schema();
    names.add(schema_name, name, columns.fields().iter().map(|f| f.name().as_str()));
    schema.register_table(name.to_owned(), table).map_err(|e| from_datafusion(e, "", names))?;
    Ok(())
}

fn context(limits: SessionLimits) -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, Names::CURRENT).with_information_schema(true);
    config = config.with_create_default_catalog_and_schema(false);
    if let Some(count) = limits.partition_count {
        config = config.with_target_partitions(count.max(1));
    }
    let options = config.options_mut();
    // Names are taken as they are written: see the module `names`.
    options.sql_parser.enable_ident_normalization = false;
    // For the caret under an unknown name.
    options.sql_parser.collect_spans = true;
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = limits.memory_bytes_max {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    let runtime = runtime.build_arc().map_err(|e| from_datafusion(e, "", &Names::default()))?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}
