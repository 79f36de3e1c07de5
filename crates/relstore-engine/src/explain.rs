//! How SQLite would run a statement, as a tree that can be read: `EXPLAIN QUERY PLAN` with the sizes of the tables that it scans.

use std::fmt;

use relstore_model::{Result, Schema, Value};

use crate::database::Database;
use crate::sql::{self, TokenKind};
use crate::sqlite::{Bound, from_sqlite};
use crate::statistics::TableStatistics;

/// The plan of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryPlan {
    /// Its steps, in order.
    pub steps: Vec<PlanStep>,
}

/// One step, and those that it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanStep {
    /// What SQLite says of it, such as `SEARCH planes USING INDEX planes_year (year=?)`.
    pub detail: String,
    /// The table that it reads, where it reads one.
    pub table: Option<String>,
    /// The index that it reads it by, where it is another than the table's own order.
    pub index: Option<String>,
    /// Whether it goes through the whole table or index.
    pub is_scan: bool,
    /// How many rows the table has, where it is known: a scan meets them all.
    pub table_rows: Option<u64>,
    /// The steps below it.
    pub steps: Vec<PlanStep>,
}

impl Database {
    /// How SQLite would run the statement, which is not run. Parameters that are not given are taken for NULL.
    ///
    /// # Errors
    /// `Invalid` if the SQL is wrong; `NotFound` for a table or column.
    pub fn explain(&self, sql: &str, params: &[Value]) -> Result<QueryPlan> {
        let sql = sql::statement(sql)?;
        let text = format!("/*rs*/ EXPLAIN QUERY PLAN {sql}");
        let rows: Vec<(i64, i64, String)> = self
            .with_reader(|reader| {
                reader.in_snapshot(|c| {
                    let read = || {
                        let mut statement = c.inner.prepare(&text)?;
                        for (i, value) in params.iter().take(statement.parameter_count()).enumerate() {
                            statement.raw_bind_parameter(i + 1, Bound(value))?;
                        }
                        let mut rows = statement.raw_query();
                        let mut out = Vec::new();
                        while let Some(row) = rows.next()? {
                            out.push((row.get(0)?, row.get(1)?, row.get(3)?));
                        }
                        Ok(out)
                    };
                    read().map_err(|e| from_sqlite(&e, sql))
                })
            })
            .map_err(|e| crate::database::explained(e, &self.schema()))?;
        let (schema, statistics) = (self.schema(), self.statistics()?);
        let step = |detail: &str| describe(detail, sql, &schema, &statistics);
        Ok(QueryPlan { steps: below(0, &rows, &step) })
    }
}

fn below(parent: i64, rows: &[(i64, i64, String)], step: &dyn Fn(&str) -> PlanStep) -> Vec<PlanStep> {
    let children = rows.iter().filter(|(id, of, _)| *of == parent && *id != parent);
    children.map(|(id, _, detail)| PlanStep { steps: below(*id, rows, step), ..step(detail) }).collect()
}

/// Reads `SCAN name …` and `SEARCH name USING … INDEX index …`.
fn describe(detail: &str, sql: &str, schema: &Schema, statistics: &[TableStatistics]) -> PlanStep {
    let words: Vec<&str> = detail.split(' ').collect();
    let is_scan = words.first() == Some(&"SCAN");
    let is_search = words.first() == Some(&"SEARCH");
    let table = words.get(1).filter(|_| is_scan || is_search).and_then(|name| resolve(name, sql, schema));
    let index = words.iter().position(|w| *w == "INDEX").and_then(|at| words.get(at + 1)).map(|w| (*w).to_owned());
    let known = table.as_ref().and_then(|table| statistics.iter().find(|t| t.name == *table));
    let index = index.filter(|_| table.is_some());
    // Where a table without statistics is scanned there is nothing to say; a scan of a constant row has no table.
    PlanStep {
        detail: detail.to_owned(),
        index,
        is_scan: is_scan && table.is_some(),
        table_rows: known.map(|t| t.rows),
        table,
        steps: Vec::new(),
    }
}

/// The table that SQLite calls `name`, which may be an alias of the statement: the name before it, `AS` between or not.
fn resolve(name: &str, sql: &str, schema: &Schema) -> Option<String> {
    if let Some(table) = schema.by_name(name) {
        return Some(table.name.clone());
    }
    let tokens = sql::tokens(sql);
    let is_name = |at: usize| matches!(tokens[at].kind, TokenKind::Word | TokenKind::Quoted);
    (1..tokens.len()).filter(|at| is_name(*at) && tokens[*at].name(sql).eq_ignore_ascii_case(name)).find_map(|at| {
        let before = if tokens[at - 1].is_word(sql, "AS") { at.checked_sub(2)? } else { at - 1 };
        is_name(before).then(|| schema.by_name(&tokens[before].name(sql)).map(|t| t.name.clone())).flatten()
    })
}

impl fmt::Display for QueryPlan {
    /// Draws the tree, one step a line, with a remark on each scan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        draw(&self.steps, "", f)
    }
}

fn draw(steps: &[PlanStep], indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, step) in steps.iter().enumerate() {
        let is_last = i + 1 == steps.len();
        write!(f, "{indent}{}{}", if is_last { "└─ " } else { "├─ " }, step.detail)?;
        match (&step.table, step.table_rows) {
            (Some(table), Some(rows)) if step.is_scan => {
                let what = if step.index.is_some() { "the whole index" } else { "the whole table" };
                writeln!(f, "   ← {what}: {table} has {rows} row{}", if rows == 1 { "" } else { "s" })?;
            }
            _ => writeln!(f)?,
        }
        draw(&step.steps, &format!("{indent}{}", if is_last { "   " } else { "│  " }), f)?;
    }
    Ok(())
}
