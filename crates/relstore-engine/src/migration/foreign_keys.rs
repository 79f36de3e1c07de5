//! The foreign keys of a migration: off while it runs, and checked before it commits.

use std::collections::HashMap;

use relstore_model::identifier::quote;
use relstore_model::{Error, ErrorKind, Result, Schema, TableId};

use crate::database::Database;
use crate::sqlite::{Connection, from_sqlite};
use crate::writer::Writer;

/// How many rows an error lists.
const LISTED: usize = 20;

/// A row whose parent is not there. Tables by their ids, which outlive a rename; a table that has none by its name.
type Violation = (TableOf, Option<i64>, TableOf);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum TableOf {
    Known(TableId),
    Other(String),
}

fn table_of(schema: &Schema, name: &str) -> TableOf {
    schema.by_name(name).map_or_else(|| TableOf::Other(name.to_ascii_lowercase()), |t| TableOf::Known(t.id))
}

/// Switches the enforcement on or off. Outside of a transaction alone: inside of one it is refused.
pub(super) fn enforce(writer: &Writer, on: bool) -> Result<()> {
    let text = if on { "ON" } else { "OFF" };
    // Inside of a transaction it would change under statements that have run.
    if !writer.is_open() && writer.internally(|c| c.enforce_foreign_keys(on))? == on {
        return Ok(());
    }
    Err(Error::internal("the enforcement of foreign keys could not be switched").with("wanted", text))
}

/// Each violation with the names of the two tables, given to `each`.
fn violations(connection: &Connection, schema: &Schema, table: &str, each: &mut dyn FnMut(Violation, &str) -> Result<()>) -> Result<()> {
    let sql = format!("/*rs*/ PRAGMA main.foreign_key_check({})", quote(table));
    let failed = |e: rusqlite::Error| from_sqlite(&e, &sql);
    let mut statement = connection.inner.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (rowid, parent): (Option<i64>, String) = (row.get(1).map_err(failed)?, row.get(2).map_err(failed)?);
        each((table_of(schema, table), rowid, table_of(schema, &parent)), &parent)?;
    }
    Ok(())
}

/// What was wrong before the migration, which it is not blamed for: violations by how often, and tables whose keys cannot be checked at all.
#[derive(Default)]
struct Before {
    violations: HashMap<Violation, u64>,
    unchecked: Vec<TableOf>,
}

fn before(database: &Database, schema: &Schema) -> Result<Before> {
    database.with_reader(|reader| {
        let mut out = Before::default();
        for table in &schema.tables {
            let checked = violations(&reader.connection, schema, &table.name, &mut |violation, _| {
                *out.violations.entry(violation).or_default() += 1;
                Ok(())
            });
            match checked {
                Err(e) if is_of_shape(&e) => out.unchecked.push(TableOf::Known(table.id)),
                other => other?,
            }
        }
        Ok(out)
    })
}

/// What was wrong before, which is looked for when it is first asked.
fn asked<'a>(found: &'a mut Option<Before>, database: &Database, start: &Schema) -> Result<&'a mut Before> {
    match found {
        Some(known) => Ok(known),
        None => Ok(found.insert(before(database, start)?)),
    }
}

/// Whether the check says that a key cannot be checked: its parent has no unique index for it.
fn is_of_shape(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.message().contains("foreign key mismatch")
}

/// Refuses what the open migration leaves violated and was not so before it, by the schema `start`.
///
/// # Errors
/// `Constraint`, with the rows: at most some, and how many there are in all.
pub(super) fn check(database: &Database, writer: &Writer, start: &Schema) -> Result<()> {
    let schema = writer.schema();
    let mut found: Option<Before> = None;
    let mut listed: Vec<String> = Vec::new();
    let mut total = 0_u64;
    writer.internally(|c| {
        for table in &schema.tables {
            let checked = violations(c, &schema, &table.name, &mut |violation, parent| {
                // Asked only now: a store without violations is read once.
                let known = asked(&mut found, database, start)?;
                if let Some(count) = known.violations.get_mut(&violation).filter(|n| **n > 0) {
                    *count -= 1;
                    return Ok(());
                }
                total += 1;
                if listed.len() < LISTED {
                    let rowid = violation.1.map_or_else(|| "without rowid".to_owned(), |r| format!("rowid {r}"));
                    listed.push(format!("{} {rowid} has no parent in {parent}", table.name));
                }
                Ok(())
            });
            match checked {
                Err(e) if is_of_shape(&e) => {
                    if !asked(&mut found, database, start)?.unchecked.contains(&TableOf::Known(table.id)) {
                        return Err(Error::new(
                            ErrorKind::Constraint,
                            "the migration leaves a foreign key whose parent has no unique index for it",
                        )
                        .with("table", &table.name)
                        .with("sqlite", e.message())
                        .with_hint("give the parent's columns a PRIMARY KEY, UNIQUE or a unique index"));
                    }
                }
                other => other?,
            }
        }
        Ok(())
    })?;
    if total == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Constraint, "the migration leaves rows without their parents, so nothing of it was done")
        .with("violations", total)
        .with("rows", listed.join("; "))
        .with_hint("foreign keys do not act within a migration: delete or change the children in it too, before or after their parents"))
}
