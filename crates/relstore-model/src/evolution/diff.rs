//! What happened between two versions of a shape: one difference from the one to the other, however many steps lay between.
//!
//! Tables and columns are told apart by their lasting ids, so a rename is known for what it is. A description without a history (a Drizzle
//! schema, a scratch database) gets the ids of the history it is compared with first: see [`described`](super::described).

mod column;
mod promise;

pub(super) use column::default_value;

use super::rules::{Kind, Rule};
use crate::{Column, ColumnId, Schema, Table};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The rule that speaks of it.
    pub rule: &'static Rule,
    /// The table's name, as the newer schema has it where it has it. Empty for views.
    pub table: String,
    /// The column's name, likewise. `None` if it is the whole table's.
    pub column: Option<String>,
    /// What happened in words: a clause without a subject, such as `INTEGER becomes TEXT`.
    pub detail: String,
}

impl Change {
    fn new(kind: Kind, table: &str, column: Option<&str>, detail: impl Into<String>) -> Self {
        Self { rule: kind.rule(), table: table.to_owned(), column: column.map(str::to_owned), detail: detail.into() }
    }

    /// Where: `orders.total`, `orders`; `views` for the store's views.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None if self.table.is_empty() => "views".to_owned(),
            None => self.table.clone(),
        }
    }
}

/// What happened from `old` to `new`, two versions of one history: by the tables' ids, and in each the columns as the newer one has them,
/// those that are gone last.
#[must_use]
pub fn diff(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut out = Vec::new();
    for before in &old.tables {
        match new.by_id(before.id) {
            Some(after) => tables(old, before, new, after, &mut out),
            None => {
                out.push(Change::new(Kind::DropTable, &before.name, None, "the table is dropped"));
                if let Some(again) = new.by_name(&before.name).filter(|t| old.by_id(t.id).is_none()) {
                    out.push(Change::new(Kind::ReuseName, &again.name, None, "another table took the name of one that was dropped"));
                }
            }
        }
    }
    for added in new.tables.iter().filter(|t| old.by_id(t.id).is_none()) {
        out.push(Change::new(Kind::AddTable, &added.name, None, "the table is added"));
    }
    if old.views != new.views {
        out.push(Change::new(Kind::ChangeIndex, "", None, "the views are others"));
    }
    out
}

fn find(table: &Table, id: ColumnId) -> Option<usize> {
    table.columns.iter().position(|c| c.id == id)
}

fn tables(old_schema: &Schema, old: &Table, new_schema: &Schema, new: &Table, out: &mut Vec<Change>) {
    if old.name != new.name {
        out.push(Change::new(Kind::RenameTable, &new.name, None, format!("{} becomes {}", old.name, new.name)));
    }
    let ids = |t: &Table| t.primary_key.iter().map(|at| t.columns[*at].id).collect::<Vec<_>>();
    if ids(old) != ids(new) {
        let names = |t: &Table| match t.primary_key.iter().map(|at| t.columns[*at].name.as_str()).collect::<Vec<_>>() {
            names if names.is_empty() => "the rowid".to_owned(),
            names => names.join(", "),
        };
        out.push(Change::new(Kind::ChangeKey, &new.name, None, format!("the key {} becomes {}", names(old), names(new))));
    }
    for (at, column) in new.columns.iter().enumerate() {
        match find(old, column.id) {
            Some(before) => column::changed((old, before), (new, at), out),
            None => column::added(old, new, at, out),
        }
    }
    for at in (0..old.columns.len()).filter(|at| find(new, old.columns[*at].id).is_none()) {
        column::dropped(old, at, new, out);
    }
    let shared =
        |of: &Table, other: &Table| -> Vec<ColumnId> { of.columns.iter().map(|c| c.id).filter(|id| find(other, *id).is_some()).collect() };
    if shared(old, new) != shared(new, old) {
        out.push(Change::new(Kind::Reorder, &new.name, None, "the columns come in another order"));
    }
    promise::changed((old_schema, old), (new_schema, new), out);
}

/// Whether the cells of a column are never NULL.
pub(super) fn is_required(table: &Table, at: usize) -> bool {
    table.columns[at].not_null || table.rowid_alias() == Some(at)
}

/// What may have been a rename, or a move of values between columns, and was not written as one: a column or table that is gone, and
/// another that came, in one step from `old` to `new`. No reader can tell, so whoever makes the change must: `is_dropped` says which
/// (`users`, `users.name`) are known to be gone for good.
pub(super) fn unrecorded(old: &Schema, new: &Schema, is_dropped: impl Fn(&str, Option<&str>) -> bool) -> Vec<Change> {
    let mut out = Vec::new();
    for before in old.tables.iter().filter(|t| new.by_id(t.id).is_none() && !is_dropped(&t.name, None)) {
        let names = |t: &Table| t.columns.iter().map(|c| c.name.to_lowercase()).collect::<std::collections::BTreeSet<_>>();
        let comes = |t: &&Table| old.by_id(t.id).is_none() && !t.name.eq_ignore_ascii_case(&before.name) && names(t) == names(before);
        if let Some(after) = new.tables.iter().find(comes) {
            let detail = format!("{} is gone and {} came with the same columns", before.name, after.name);
            out.push(Change::new(Kind::RenameTableUnrecorded, &before.name, None, detail));
        }
    }
    for (before, after) in old.tables.iter().filter_map(|t| new.by_id(t.id).map(|after| (t, after))) {
        let is_plain = |c: &&Column| !c.is_virtual && !c.is_computed;
        let came: Vec<&Column> = after.columns.iter().filter(is_plain).filter(|c| find(before, c.id).is_none()).collect();
        let gone: Vec<&Column> = before.columns.iter().filter(is_plain).filter(|c| find(after, c.id).is_none()).collect();
        let is_reused = |c: &&&Column| came.iter().any(|new| new.name.eq_ignore_ascii_case(&c.name));
        let asked: Vec<&&Column> = gone.iter().filter(|c| !is_reused(c) && !is_dropped(&before.name, Some(&c.name))).collect();
        let came: Vec<&&Column> = came.iter().filter(|c| before.position(&c.name).is_none()).collect();
        let names = |columns: &[&&Column]| columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        let of_type = |c: &Column| crate::types::ValueType::of(c);
        for column in asked.iter().filter(|_| !came.is_empty()) {
            let is_rename = asked.len() == 1 && came.len() == 1 && super::promotion::rule_of(of_type(column), of_type(came[0])).is_none();
            let kind = if is_rename { Kind::RenameUnrecorded } else { Kind::Transform };
            let detail = format!("{} is gone and {} came", names(&asked), names(&came));
            out.push(Change::new(kind, &after.name, Some(&column.name), detail));
        }
    }
    out
}
