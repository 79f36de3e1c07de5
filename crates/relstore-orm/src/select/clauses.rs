//! The clauses of a query, gathered in any order and written in SQL's.

use relstore_model::Value;
use relstore_model::identifier::quote;

use crate::fragment::Fragment;

#[derive(Default)]
pub(super) struct Clauses {
    pub(super) is_distinct: bool,
    from: Fragment,
    condition: Fragment,
    group_by: Vec<String>,
    group_condition: Fragment,
    order: Fragment,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
}

impl Clauses {
    pub(super) fn new(table: String) -> Self {
        Self { from: Fragment::text(table), ..Self::default() }
    }

    pub(super) fn join(&mut self, keyword: &str, table: &str, on: Fragment) {
        self.from.push(keyword);
        self.from.push(&quote(table));
        self.from.push(" ON ");
        self.from.append(on);
    }

    pub(super) fn require(&mut self, condition: Fragment) {
        add_condition(&mut self.condition, condition);
    }

    pub(super) fn group_by(&mut self, expressions: Vec<String>) {
        self.group_by.extend(expressions);
    }

    pub(super) fn require_of_groups(&mut self, condition: Fragment) {
        add_condition(&mut self.group_condition, condition);
    }

    /// Where the next order is written.
    pub(super) fn next_order(&mut self) -> &mut Fragment {
        if !self.order.is_empty() {
            self.order.push(", ");
        }
        &mut self.order
    }

    /// The whole statement, giving `expressions`.
    pub(super) fn to_fragment(&self, expressions: &[String]) -> Fragment {
        let mut out = Fragment::text(if self.is_distinct { "SELECT DISTINCT " } else { "SELECT " });
        out.push(&expressions.join(", "));
        out.push(" FROM ");
        out.append(self.from.clone());
        append_clause(&mut out, " WHERE ", &self.condition);
        if !self.group_by.is_empty() {
            out.push(" GROUP BY ");
            out.push(&self.group_by.join(", "));
        }
        append_clause(&mut out, " HAVING ", &self.group_condition);
        append_clause(&mut out, " ORDER BY ", &self.order);
        if self.limit.is_some() || self.offset.is_some() {
            // As parameters, so that every page of a query is one prepared statement. SQLite wants a limit before an offset: -1 is none.
            out.push(" LIMIT ");
            out.push_param(self.limit.map_or(Value::Integer(-1), row_count));
        }
        if let Some(offset) = self.offset {
            out.push(" OFFSET ");
            out.push_param(row_count(offset));
        }
        out
    }
}

/// Adds `condition` to `conditions`, with AND. Conditions joined by OR bring their own parentheses.
pub(crate) fn add_condition(conditions: &mut Fragment, condition: Fragment) {
    if !conditions.is_empty() {
        conditions.push(" AND ");
    }
    conditions.append(condition);
}

fn append_clause(out: &mut Fragment, keyword: &str, clause: &Fragment) {
    if !clause.is_empty() {
        out.push(keyword);
        out.append(clause.clone());
    }
}

/// A number of rows as SQLite takes it: no table has more than `i64::MAX`.
fn row_count(count: u64) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
