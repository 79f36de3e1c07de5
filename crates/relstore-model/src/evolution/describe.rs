//! A description without a history, as the next version of one.

use super::diff::default_value;
use crate::schema::{Cell, Column, ColumnId, Table, TableId};
use crate::{Error, Result, Schema};

/// A rename that whoever describes the new shape tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The table, by its name in the description.
    pub table: String,
    /// The column's name in both, or the table's own if this is `None`: its name before is `from`.
    pub column: Option<String>,
    /// The name before.
    pub from: String,
}

/// The version after `last` that `described` is: its tables and columns are those of `last` that have their names, or had the name that a
/// rename says; all others are new, and get ids that were never given. A new column's rows from before it have its default, if that is
/// constant.
///
/// # Errors
/// `Invalid` if a rename is of a table or column that the description or `last` does not have.
pub fn described(last: &Schema, described: &Schema, renames: &[Rename]) -> Result<Schema> {
    for (at, rename) in renames.iter().enumerate() {
        let is_again = |r: &Rename| {
            let is_same_column = r.column.is_none() == rename.column.is_none() && r.from.eq_ignore_ascii_case(&rename.from);
            is_same_column && (rename.column.is_none() || names_table(r, &rename.table))
        };
        if renames[..at].iter().any(is_again) {
            return Err(Error::invalid("two renames of the same thing")
                .with("table", &rename.table)
                .with("from", &rename.from)
                .with_hint("say one new name for each old one"));
        }
        check(last, described, rename, renames)?;
    }
    let version = last.version + 1;
    let mut last_table_id = last.last_table_id.max(last.tables.last().map_or(0, |t| t.id.0));
    let mut tables = Vec::with_capacity(described.tables.len());
    for table in &described.tables {
        let known = known_table(last, table, renames);
        let id = match known {
            Some(known) => known.id,
            None => {
                last_table_id += 1;
                TableId(last_table_id)
            }
        };
        tables.push(adopted(table, known, id, version, renames));
    }
    tables.sort_by_key(|t| t.id);
    Ok(Schema { version, tables, views: described.views.clone(), last_table_id })
}

fn names_table(rename: &Rename, table: &str) -> bool {
    rename.table.eq_ignore_ascii_case(table)
}

/// The table before that the described one is.
fn known_table<'a>(last: &'a Schema, table: &Table, renames: &[Rename]) -> Option<&'a Table> {
    let from = renames.iter().find(|r| r.column.is_none() && names_table(r, &table.name)).map(|r| r.from.as_str());
    let is_renamed_away = |name: &str| renames.iter().any(|r| r.column.is_none() && r.from.eq_ignore_ascii_case(name));
    match from {
        Some(from) => last.by_name(from),
        None => last.by_name(&table.name).filter(|t| !is_renamed_away(&t.name)),
    }
}

fn check(last: &Schema, described: &Schema, rename: &Rename, renames: &[Rename]) -> Result<()> {
    let after = described.table(&rename.table).map_err(|e| Error::invalid("a rename of what is not there").with_source(e));
    let after = after.map_err(|e| e.with("table", &rename.table).with_hint("name the table as the new schema has it"))?;
    let Some(column) = &rename.column else {
        return last.table(&rename.from).map(|_| ()).map_err(|e| {
            let hint = e.hint().unwrap_or("name the table as the last schema has it").to_owned();
            Error::invalid("a rename of what was not there").with("table", &rename.from).with_hint(hint)
        });
    };
    after.column(column).map_err(|e| {
        let hint = e.hint().unwrap_or("name the column as the new schema has it").to_owned();
        Error::invalid("a rename of what is not there").with("table", &after.name).with("column", column).with_hint(hint)
    })?;
    let before = known_table(last, after, renames);
    match before.map(|t| t.column(&rename.from)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(Error::invalid("a rename of what was not there")
            .with("table", &rename.table)
            .with("column", &rename.from)
            .with_hint("name the column as the last schema has it")),
    }
}

fn adopted(table: &Table, known: Option<&Table>, id: TableId, version: u32, renames: &[Rename]) -> Table {
    let of_table: Vec<(&str, &str)> = renames
        .iter()
        .filter(|r| names_table(r, &table.name))
        .filter_map(|r| r.column.as_deref().map(|column| (column, r.from.as_str())))
        .collect();
    let mut next = known.map_or(ColumnId::FIRST, |t| t.next_column_id);
    let column = |(at, column): (usize, &Column)| {
        let from = of_table.iter().find(|(to, _)| to.eq_ignore_ascii_case(&column.name)).map(|(_, from)| *from);
        let is_renamed_away = |name: &str| of_table.iter().any(|(_, from)| from.eq_ignore_ascii_case(name));
        let old = known.and_then(|t| match from {
            Some(from) => t.position(from),
            None => t.position(&column.name).filter(|_| !is_renamed_away(&column.name)),
        });
        match known.zip(old) {
            Some((known, old)) => {
                let old = &known.columns[old];
                Column { id: old.id, added_in: old.added_in, initial_default: old.initial_default.clone(), ..column.clone() }
            }
            None => {
                let id = next;
                next = ColumnId(id.0 + 1);
                let value = if known.is_some() { default_value(table, at) } else { None };
                let initial_default = value.and_then(Cell::from_value);
                Column { id, added_in: version, initial_default, ..column.clone() }
            }
        }
    };
    let columns = table.columns.iter().enumerate().map(column).collect();
    Table { id, columns, next_column_id: next, ..table.clone() }
}
