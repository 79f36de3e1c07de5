//! The clauses of a query, gathered in any order and written in SQL's.

use relstore_model::Value;

use crate::fragment::Fragment;
use crate::types::Slot;

/// Room for the keywords of most queries.
const KEYWORDS_BYTES: usize = 64;

#[derive(Default)]
pub(super) struct Clauses {
    /// The named queries before it.
    with: Fragment,
    pub(super) is_distinct: bool,
    /// `FROM` with its joins.
    pub(super) from: Fragment,
    condition: Fragment,
    group_by: Fragment,
    group_condition: Fragment,
    pub(super) tail: Tail,
}

/// What stands after a query or after several joined by set operators.
#[derive(Default)]
pub(super) struct Tail {
    order: Fragment,
    pub(super) limit: Option<Slot>,
    pub(super) offset: Option<Slot>,
}

impl Clauses {
    pub(super) fn new(with: Fragment, from: Fragment) -> Self {
        Self { with, from, ..Self::default() }
    }

    pub(super) fn require(&mut self, condition: Fragment) {
        add_condition(&mut self.condition, condition);
    }

    /// Where the next key of the groups is written.
    pub(super) fn next_key(&mut self) -> &mut Fragment {
        if !self.group_by.is_empty() {
            self.group_by.push(", ");
        }
        &mut self.group_by
    }

    pub(super) fn require_of_groups(&mut self, condition: Fragment) {
        add_condition(&mut self.group_condition, condition);
    }

    /// The whole statement, giving `expressions`.
    pub(super) fn to_fragment(&self, expressions: &Fragment) -> Fragment {
        let mut out = self.with.clone();
        let parts = [expressions, &self.from, &self.condition, &self.group_by, &self.group_condition, &self.tail.order];
        out.reserve(parts.iter().map(|part| part.sql().len()).sum::<usize>() + KEYWORDS_BYTES);
        out.push(if self.is_distinct { "SELECT DISTINCT " } else { "SELECT " });
        out.append_copy(expressions);
        out.push(" FROM ");
        out.append_copy(&self.from);
        append_clause(&mut out, " WHERE ", &self.condition);
        append_clause(&mut out, " GROUP BY ", &self.group_by);
        append_clause(&mut out, " HAVING ", &self.group_condition);
        self.tail.append_to(&mut out);
        out
    }

    /// Whether it is one `SELECT` and nothing around it, so that a set operator may stand beside it.
    pub(super) fn is_bare(&self) -> bool {
        self.with.is_empty() && self.tail.is_empty()
    }
}

impl Tail {
    /// Where the next order is written.
    pub(super) fn next_order(&mut self) -> &mut Fragment {
        if !self.order.is_empty() {
            self.order.push(", ");
        }
        &mut self.order
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty() && self.limit.is_none() && self.offset.is_none()
    }

    pub(super) fn append_to(&self, out: &mut Fragment) {
        append_clause(out, " ORDER BY ", &self.order);
        // A number in the text, not a parameter: SQLite plans by the limit, so it compiles a statement anew whenever that parameter is bound.
        match &self.limit {
            Some(Slot::Value(Value::Integer(limit))) => out.push(&format!(" LIMIT {limit}")),
            Some(slot) => {
                out.push(" LIMIT ");
                out.push_slot(slot.clone());
            }
            // SQLite wants a limit before an offset: -1 is none.
            None if self.offset.is_some() => out.push(" LIMIT -1"),
            None => {}
        }
        if let Some(offset) = &self.offset {
            out.push(" OFFSET ");
            out.push_slot(offset.clone());
        }
    }

    /// Lowers the limit to `count`.
    pub(super) fn limit_to(&mut self, count: i64) {
        let known = match &self.limit {
            Some(Slot::Value(Value::Integer(limit))) => (*limit).min(count),
            // The argument of a prepared statement is not known here: its rows are as many as it asks for.
            Some(_) => return,
            None => count,
        };
        self.limit = Some(Slot::Value(Value::Integer(known)));
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
        out.append_copy(clause);
    }
}
