//! What happened to what a table promises: unique keys, references, checks, strictness.

use super::Change;
use super::column::same_expression;
use crate::evolution::rules::Kind;
use crate::schema::{ForeignKey, TableFacts, Unique, UniquePart};
use crate::{ColumnId, Schema, Table, TableId};

pub(super) fn changed((old_schema, old): (&Schema, &Table), (new_schema, new): (&Schema, &Table), out: &mut Vec<Change>) {
    let (Some(had), Some(has)) = (&old.facts, &new.facts) else { return };
    let mut push = |kind: Kind, detail: String| out.push(Change::new(kind, &new.name, None, detail));
    if had.strict != has.strict {
        match has.strict {
            true => push(Kind::AddStrict, "the table becomes STRICT".to_owned()),
            false => push(Kind::DropStrict, "the table is STRICT no more".to_owned()),
        }
    }
    if had.autoincrement && !has.autoincrement {
        push(Kind::DropAutoincrement, "AUTOINCREMENT is dropped".to_owned());
    }
    let (gone, came) = apart(&had.unique, &has.unique, |a, b| same_unique(old, a, new, b));
    for unique in gone {
        push(Kind::DropUnique, format!("UNIQUE ({}) is dropped", parts(old, unique)));
    }
    for unique in came {
        push(Kind::AddUnique, format!("UNIQUE ({}) is added", parts(new, unique)));
    }
    for unique in &has.unique {
        let before = had.unique.iter().find(|known| same_unique(old, known, new, unique));
        if before.is_some_and(|known| compares_otherwise((old, known), (new, unique))) {
            push(Kind::CollationOfKey, format!("UNIQUE ({}) compares otherwise", parts(new, unique)));
        }
    }
    references((old_schema, old, had), (new_schema, new, has), &mut push);
    let (gone, came) = apart(&had.checks, &has.checks, |a, b| same_expression(old, Some(a), new, Some(b)));
    for check in gone {
        push(Kind::DropCheck, format!("CHECK ({}) is dropped", check.sql(|at| &old.columns[at].name)));
    }
    for check in came {
        push(Kind::AddCheck, format!("CHECK ({}) is added", check.sql(|at| &new.columns[at].name)));
    }
    if old.dependents != new.dependents {
        push(Kind::ChangeIndex, "its indexes or triggers are others".to_owned());
    }
}

/// What is in the one alone, and in the other alone.
fn apart<'a, T>(old: &'a [T], new: &'a [T], is_same: impl Fn(&T, &T) -> bool) -> (Vec<&'a T>, Vec<&'a T>) {
    let mut gone: Vec<&T> = old.iter().collect();
    let mut came = Vec::new();
    for item in new {
        match gone.iter().position(|known| is_same(known, item)) {
            Some(at) => {
                gone.remove(at);
            }
            None => came.push(item),
        }
    }
    (gone, came)
}

/// Whether the same rows may not be there together: the order of the parts does not matter.
fn same_unique(old: &Table, a: &Unique, new: &Table, b: &Unique) -> bool {
    let is_same = |x: &UniquePart, y: &UniquePart| match (x, y) {
        // What a column's own collation does is the column's affair: a change of it is told there.
        (UniquePart::Column(x, _), UniquePart::Column(y, _)) => old.columns[*x].id == new.columns[*y].id,
        (UniquePart::Expression(x), UniquePart::Expression(y)) => same_expression(old, Some(x), new, Some(y)),
        (UniquePart::Column(..), UniquePart::Expression(_)) | (UniquePart::Expression(_), UniquePart::Column(..)) => false,
    };
    let (gone, came) = apart(&a.parts, &b.parts, is_same);
    gone.is_empty() && came.is_empty() && same_expression(old, a.condition.as_ref(), new, b.condition.as_ref())
}

/// Whether an index has another collation than it had, where its columns have the ones they had.
fn compares_otherwise((old, was): (&Table, &Unique), (new, is): (&Table, &Unique)) -> bool {
    let own = |table: &Table, at: usize| {
        let collation = table.column_facts(at).and_then(|facts| facts.collation.as_deref()).unwrap_or("BINARY");
        collation.to_ascii_uppercase()
    };
    let columns = |unique: &Unique| -> Vec<(usize, String)> {
        let column = |part: &UniquePart| match part {
            UniquePart::Column(at, collation) => Some((*at, collation.clone())),
            UniquePart::Expression(_) => None,
        };
        unique.parts.iter().filter_map(column).collect()
    };
    let before = columns(was);
    columns(is).iter().any(|(at, collation)| {
        let id = new.columns[*at].id;
        let known = before.iter().find(|(before, _)| old.columns[*before].id == id);
        known.is_some_and(|(before, was)| was != collation && own(old, *before) == own(new, *at))
    })
}

fn parts(table: &Table, unique: &Unique) -> String {
    let part = |part: &UniquePart| match part {
        UniquePart::Column(at, _) => table.columns[*at].name.clone(),
        UniquePart::Expression(expression) => expression.sql(|at| &table.columns[at].name),
    };
    unique.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// What a foreign key says whatever the names: its columns, and its parent's.
#[derive(PartialEq)]
struct Reference {
    parent: Result<TableId, String>,
    columns: Vec<(ColumnId, Result<ColumnId, String>)>,
}

fn reference(schema: &Schema, table: &Table, key: &ForeignKey) -> Reference {
    let parent = schema.by_name(&key.parent);
    let parent_column = |at: usize| match (parent, key.parent_columns.get(at)) {
        (Some(parent), Some(name)) => parent.position(name).map(|at| parent.columns[at].id).ok_or_else(|| name.to_lowercase()),
        (Some(parent), None) => parent.primary_key.get(at).map(|at| parent.columns[*at].id).ok_or_else(String::new),
        (None, name) => Err(name.map(|n| n.to_lowercase()).unwrap_or_default()),
    };
    let mut columns: Vec<_> = key.columns.iter().enumerate().map(|(i, at)| (table.columns[*at].id, parent_column(i))).collect();
    columns.sort_by_key(|(id, _)| *id);
    Reference { parent: parent.map(|t| t.id).ok_or_else(|| key.parent.to_lowercase()), columns }
}

fn references(
    (old_schema, old, had): (&Schema, &Table, &TableFacts),
    (new_schema, new, has): (&Schema, &Table, &TableFacts),
    push: &mut impl FnMut(Kind, String),
) {
    let is_same = |a: &ForeignKey, b: &ForeignKey| reference(old_schema, old, a) == reference(new_schema, new, b);
    let names = |t: &Table, key: &ForeignKey| {
        let columns: Vec<&str> = key.columns.iter().map(|at| t.columns[*at].name.as_str()).collect();
        format!("FOREIGN KEY ({}) to {}", columns.join(", "), key.parent)
    };
    let (gone, came) = apart(&had.foreign_keys, &has.foreign_keys, is_same);
    for key in gone {
        push(Kind::DropForeignKey, format!("{} is dropped", names(old, key)));
    }
    for key in came {
        push(Kind::AddForeignKey, format!("{} is added", names(new, key)));
    }
    for key in &has.foreign_keys {
        let acts = |k: &ForeignKey| (k.on_delete, k.on_update, k.is_deferred);
        let before = had.foreign_keys.iter().find(|known| is_same(known, key));
        if before.is_some_and(|known| acts(known) != acts(key)) {
            push(Kind::ReferentialAction, format!("{} acts otherwise", names(new, key)));
        }
    }
}
