//! The newest version of each row of all stores, as a plan over its history.
//!
//! A row is what its key says within its store: per `_ns` and key, the version with the largest `_lsn`, unless that one is a delete.
//! Four plans say so, measured on 340,000 versions of 300,000 rows with 19 columns (`examples/measure_current.rs`, two cores, two
//! partitions, milliseconds, best of 3; reading the history plainly takes 1, 14, 12, 8 and 43):
//!
//! | form                                          | count | group by | one store | one row | all rows |
//! |-----------------------------------------------|------:|---------:|----------:|--------:|---------:|
//! | `row_number()` by (`_ns`, key), then `= 1`    |   324 |      382 |       127 |       8 |      824 |
//! | semi-join with `max(_lsn)` on (`_ns`, `_lsn`) |    55 |       65 |        42 |      37 |       79 |
//! | the same on (`_ns`, key, `_lsn`): this one    |    48 |       55 |        34 |      12 |       65 |
//! | `last_value(column)` grouped by (`_ns`, key)  |   656 |     1258 |       556 |       9 |     3756 |
//!
//! The window sorts whole rows; the join hashes keys and positions only, which is four to twelve times faster wherever more than a row
//! is asked for, so the join it is. With the key in it, which costs nothing that could be measured, for two reasons: a filter on the
//! key then prunes both sides, and an update that moves a row to another key may be two versions under one LSN (a delete of the old
//! key, the row under the new one), of which the short form would keep a version that is no longer the newest. Its price: the keys
//! of the stores that are asked for lie in memory, and a join does not spill. Filters on `_ns` and on the key reach the files of
//! both sides.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{TableProvider, default_table_source::provider_as_source};
use datafusion::common::{Column, JoinType, NullEquality, Result as PlanResult};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use relstore_model::{Error, Result};

use crate::error::from_datafusion;
use crate::names::Names;

/// The store that a version belongs to.
const NS: &str = "_ns";

/// The columns of a history table that are about the version and not about the row.
const ABOUT_THE_VERSION: [&str; 8] = ["_lsn", "_op", "_ts", "_txid", "_schema_version", "_rowid", "_changed", "_overflow"];

/// The key of a table without one.
const ROWID: &str = "_rowid";

/// The newest version of each row of `history`: `_ns` first, then the user's columns in the order of the table. Rows come in no order.
///
/// `key` names the key's columns; where it is empty, rows are told apart by `_rowid`. Two keys with NULL in the same places are one
/// key.
///
/// # Errors
/// `Invalid`: `history` lacks a column of the key, or is no history table.
pub fn current_table(name: &str, history: Arc<dyn TableProvider>, key: &[String]) -> Result<Arc<dyn TableProvider>> {
    let schema = history.schema();
    let mut keys: Vec<&str> = vec![NS];
    keys.extend(key.iter().map(String::as_str));
    if key.is_empty() {
        keys.push(ROWID);
    }
    if let Some(missing) = keys.iter().chain(&["_lsn", "_op"]).find(|c| schema.field_with_name(c).is_err()) {
        return Err(Error::invalid("the history table lacks a column").with("table", name).with("column", missing));
    }
    let users = schema.fields().iter().map(|f| f.name().as_str()).filter(|c| *c != NS && !ABOUT_THE_VERSION.contains(c));
    let columns: Vec<&str> = std::iter::once(NS).chain(users).collect();
    let plan = newest(&history, &keys, &columns).map_err(|e| from_datafusion(e, "", &Names::default()).with("table", name))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn newest(history: &Arc<dyn TableProvider>, keys: &[&str], columns: &[&str]) -> PlanResult<LogicalPlan> {
    const VERSION: &str = "version";
    const NEWEST: &str = "newest";
    // By hand, for the short form would take `createdAt` for `createdat`.
    let column = |table: &str, name: &str| Column::new(Some(table), name);
    let expr = |table: &str, name: &str| Expr::Column(column(table, name));

    let last = max(expr(NEWEST, "_lsn")).alias_qualified(Some(NEWEST), "_last");
    let newest = LogicalPlanBuilder::scan(NEWEST, provider_as_source(history.clone()), None)?
        .aggregate(keys.iter().map(|k| expr(NEWEST, k)), [last])?
        .build()?;
    let side = |table: &str, position: &str| -> Vec<Column> { keys.iter().copied().chain([position]).map(|k| column(table, k)).collect() };
    let on = (side(VERSION, "_lsn"), side(NEWEST, "_last"));
    LogicalPlanBuilder::scan(VERSION, provider_as_source(history.clone()), None)?
        .filter(expr(VERSION, "_op").not_eq(lit("d")))?
        .join_detailed(newest, JoinType::LeftSemi, on, None, NullEquality::NullEqualsNull)?
        .project(columns.iter().map(|c| expr(VERSION, c)))?
        .build()
}
