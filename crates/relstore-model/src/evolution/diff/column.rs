//! What happened to a column.

use super::{Change, is_required};
use crate::evolution::promotion::{Fit, StorageClass, is_equal, rule_of};
use crate::evolution::rules::Kind;
use crate::schema::{Cell, DefaultExpression, Expression, UniquePart};
use crate::types::ValueType;
use crate::{Column, Table, Value};

fn is_generated(column: &Column) -> bool {
    column.is_virtual || column.is_computed
}

fn default(table: &Table, at: usize) -> Option<&DefaultExpression> {
    table.column_facts(at).and_then(|facts| facts.default.as_ref())
}

/// The value that a row gets where none is given: of a default that is constant, is not NULL, and that the column itself does not refuse.
pub(in crate::evolution) fn default_value(table: &Table, at: usize) -> Option<Value> {
    let column = &table.columns[at];
    let value = default(table, at)?.value(&column.declared).filter(|value| *value != Value::Null)?;
    let allowed = table.column_facts(at).and_then(|facts| facts.allowed.as_ref());
    let is_allowed = allowed.is_none_or(|allowed| allowed.iter().any(|cell| is_equal(&cell.to_value(), &value)));
    let is_strict = table.facts.as_ref().is_some_and(|facts| facts.strict);
    let fits = !is_strict || StorageClass::of_strict(&column.declared).is_none_or(|class| class.takes(value.as_ref()));
    (is_allowed && fits).then_some(value)
}

/// Whether rows get a value that is not NULL from the default; `Some(false)` if it is not the same for all, or one that the column refuses.
fn gives_value(table: &Table, at: usize) -> Option<bool> {
    match default(table, at)?.value(&table.columns[at].declared) {
        Some(Value::Null) => None,
        _ => Some(default_value(table, at).is_some()),
    }
}

pub(super) fn added(old: &Table, new: &Table, at: usize, out: &mut Vec<Change>) {
    let column = &new.columns[at];
    let push = |kind: Kind, detail: String| Change::new(kind, &new.name, Some(&column.name), detail);
    if old.position(&column.name).is_some_and(|before| super::find(new, old.columns[before].id).is_none_or(|now| now != at)) {
        out.push(push(Kind::ReuseName, "another column had this name before".to_owned()));
    }
    if is_generated(column) {
        out.push(push(Kind::AddGenerated, "a generated column is added".to_owned()));
        return;
    }
    let is_recorded = column.initial_default.is_some();
    let kind = match (is_required(new, at), gives_value(new, at)) {
        (false, Some(true)) => Kind::AddNullableDefault,
        // A nullable column that old rows have no constant for is NULL in them.
        (false, Some(false) | None) => Kind::AddNullable,
        (true, Some(true)) => Kind::AddRequiredDefault,
        (true, Some(false)) if is_recorded => Kind::AddRequiredBackfilled,
        (true, Some(false)) => Kind::AddRequiredComputed,
        // Where nobody looked at defaults, the recorded one is what is known.
        (true, None) if is_recorded && new.facts.is_none() => Kind::AddRequiredDefault,
        (true, None) if is_recorded => Kind::RemoveDefaultOfNewer,
        (true, None) => Kind::AddRequired,
    };
    let null = if is_required(new, at) { " NOT NULL" } else { "" };
    let by_default = default(new, at).map_or(String::new(), |d| format!(" DEFAULT {}", d.0));
    let declared = if column.declared.is_empty() { "a column" } else { &column.declared };
    out.push(push(kind, format!("{declared}{null}{by_default} is added")));
}

pub(super) fn dropped(old: &Table, at: usize, new: &Table, out: &mut Vec<Change>) {
    let column = &old.columns[at];
    let kind = match (is_generated(column), is_required(old, at), gives_value(old, at)) {
        (true, _, _) => Kind::DropGenerated,
        (false, false, _) => Kind::DropNullable,
        (false, true, Some(true)) => Kind::DropDefaulted,
        (false, true, Some(false) | None) => Kind::DropRequired,
    };
    out.push(Change::new(kind, &new.name, Some(&column.name), "the column is dropped"));
}

pub(super) fn changed((old, before): (&Table, usize), (new, after): (&Table, usize), out: &mut Vec<Change>) {
    let (was, is) = (&old.columns[before], &new.columns[after]);
    let mut push = |kind: Kind, detail: String| out.push(Change::new(kind, &new.name, Some(&is.name), detail));
    if was.name != is.name {
        push(Kind::RenameColumn, format!("{} becomes {}", was.name, is.name));
    }
    match (is_generated(was), is_generated(is)) {
        (false, false) => {}
        (true, true) => {
            let expression = |t: &Table, at: usize| t.column_facts(at).and_then(|f| f.generated.clone());
            let is_same = same_expression(old, expression(old, before).as_ref(), new, expression(new, after).as_ref());
            if was.is_virtual != is.is_virtual || !is_same {
                push(Kind::ChangeGenerated, "the column is computed otherwise".to_owned());
            }
        }
        (false, true) => push(Kind::Transform, "a column of values becomes one that is computed".to_owned()),
        (true, false) => push(Kind::Transform, "a computed column becomes one of values".to_owned()),
    }
    let is_in_key = old.primary_key.contains(&before) && new.primary_key.contains(&after);
    let (old_type, new_type) = (ValueType::of(was), ValueType::of(is));
    let fit = |table: &Table, at: usize, other: ValueType| {
        let allowed = table.column_facts(at).and_then(|facts| facts.allowed.as_ref());
        allowed.is_some_and(|allowed| allowed.iter().all(|cell| other.fits(cell.to_value().as_ref())))
    };
    // A narrower type that has room for every value the other side allows is none.
    let bears = |fit_of_types: Fit| match fit_of_types {
        Fit::Wider => !fit(new, after, old_type),
        Fit::Narrower => !fit(old, before, new_type),
        Fit::IntegerToReal | Fit::RealToInteger | Fit::Apart => true,
    };
    if let Some((kind, _)) = rule_of(old_type, new_type).filter(|(_, fit)| bears(*fit)) {
        let kind = match (is_in_key, kind == Kind::WidenInteger) {
            (false, _) => kind,
            (true, true) => Kind::WidenKey,
            (true, false) => Kind::ChangeKey,
        };
        let name = |declared: &str| if declared.is_empty() { "no type".to_owned() } else { declared.to_owned() };
        push(kind, format!("{} becomes {}", name(&was.declared), name(&is.declared)));
    }
    if !is.is_virtual && !was.is_virtual {
        match (is_required(old, before), is_required(new, after)) {
            (false, true) => push(Kind::Tighten, "it refuses NULL now".to_owned()),
            (true, false) => push(Kind::Loosen, "it takes NULL now".to_owned()),
            (true, true) | (false, false) => {}
        }
    }
    let (Some(had), Some(has)) = (old.column_facts(before), new.column_facts(after)) else { return };
    if had.default != has.default {
        let kind = match (gives_value(old, before), gives_value(new, after)) {
            (None, Some(_)) if is_required(new, after) => Kind::AddDefault,
            (Some(_), None) if is_required(new, after) => Kind::RemoveDefault,
            _ => Kind::ChangeDefault,
        };
        let text = |d: &Option<DefaultExpression>| d.as_ref().map_or("none".to_owned(), |d| d.0.clone());
        push(kind, format!("the default {} becomes {}", text(&had.default), text(&has.default)));
    }
    if let Some((kind, detail)) = allowed(had.allowed.as_deref(), has.allowed.as_deref()) {
        push(kind, detail);
    }
    let name = |c: &Option<String>| c.as_deref().unwrap_or("BINARY").to_uppercase();
    if name(&had.collation) != name(&has.collation) {
        let kind = if is_of_key(old, before) || is_of_key(new, after) { Kind::CollationOfKey } else { Kind::Collation };
        push(kind, format!("the collation {} becomes {}", name(&had.collation), name(&has.collation)));
    }
}

/// Whether the column is in the primary key or in what is unique.
fn is_of_key(table: &Table, at: usize) -> bool {
    let unique = table.facts.iter().flat_map(|f| &f.unique).flat_map(|u| &u.parts);
    table.primary_key.contains(&at) || unique.into_iter().any(|part| matches!(part, UniquePart::Column(column, _) if *column == at))
}

/// What became of the allowed values. A column that allows every value is one that lists them all.
fn allowed(old: Option<&[Cell]>, new: Option<&[Cell]>) -> Option<(Kind, String)> {
    let list = |cells: &[&Cell]| {
        cells
            .iter()
            .map(|c| match c.to_value() {
                Value::Text(t) => t,
                Value::Integer(i) => i.to_string(),
                other => format!("{other:?}"),
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (old, new) {
        (None, None) => None,
        (None, Some(now)) => Some((Kind::RemoveEnumValue, format!("only {} are allowed now", list(&now.iter().collect::<Vec<_>>())))),
        (Some(_), None) => Some((Kind::AddEnumValue, "every value is allowed now".to_owned())),
        (Some(old), Some(new)) => {
            let missing = |of: &[Cell], from: &[Cell]| list(&of.iter().filter(|c| !from.contains(c)).collect::<Vec<_>>());
            let (added, removed) = (missing(new, old), missing(old, new));
            match (added.is_empty(), removed.is_empty()) {
                (true, true) => None,
                (false, true) => Some((Kind::AddEnumValue, format!("{added} is allowed now"))),
                (true, false) => Some((Kind::RemoveEnumValue, format!("{removed} is not allowed any more"))),
                (false, false) => Some((Kind::RenameEnumValue, format!("{removed} gives way to {added}"))),
            }
        }
    }
}

/// Whether two expressions are the same over the same columns.
pub(super) fn same_expression(old_table: &Table, old: Option<&Expression>, new_table: &Table, new: Option<&Expression>) -> bool {
    use crate::schema::ExpressionPart::{Column, Sql};
    let (Some(old), Some(new)) = (old, new) else { return old.is_none() && new.is_none() };
    old.0.len() == new.0.len()
        && old.0.iter().zip(&new.0).all(|parts| match parts {
            (Column(a), Column(b)) => old_table.columns[*a].id == new_table.columns[*b].id,
            (Sql(a), Sql(b)) => a == b,
            (Column(_), Sql(_)) | (Sql(_), Column(_)) => false,
        })
}
