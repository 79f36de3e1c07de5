//! Indexes and triggers that go with a table when it is rebuilt, and that its migration forgot.

use relstore_model::identifier::quote;
use relstore_model::{Result, Value};

use crate::migration::statement::{Kind, kind};
use crate::sqlite::from_sqlite;
use crate::writer::Writer;

/// The name of the index or trigger that the statement makes.
pub(super) fn name_of(sql: &str) -> Option<String> {
    match kind(sql) {
        Kind::CreateIndex { name, .. } | Kind::CreateTrigger { name, .. } => Some(name),
        _ => None,
    }
}

/// Makes again what is not there and was not dropped by name, where it still fits, and says so in `notes`.
pub(super) fn restore(writer: &Writer, statements: &[String], dropped: &[String], notes: &mut Vec<String>) -> Result<()> {
    for sql in statements {
        let Some(name) = name_of(sql) else { continue };
        if dropped.iter().any(|d| d.eq_ignore_ascii_case(&name)) || is_there(writer, &name)? {
            continue;
        }
        let (what, table) = match kind(sql) {
            Kind::CreateTrigger { table, .. } => ("trigger", table),
            Kind::CreateIndex { table, .. } => ("index", table),
            _ => continue,
        };
        let made = writer.run(sql, &[], &mut |_| Ok(())).map(|_| ());
        let fits = made.and_then(|()| if what == "trigger" { compiles(writer, &table) } else { Ok(()) });
        match fits {
            Ok(()) => notes.push(format!("{what} {name} of {table} is made again: the rebuild had dropped it")),
            Err(e) => {
                if is_there(writer, &name)? {
                    writer.run(&format!("DROP TRIGGER main.{}", quote(&name)), &[], &mut |_| Ok(()))?;
                }
                notes.push(format!("{what} {name} of {table} is gone: it does not fit the table any more ({})", e.message()));
            }
        }
    }
    Ok(())
}

fn is_there(writer: &Writer, name: &str) -> Result<bool> {
    const THERE: &str = "/*rs*/ SELECT 1 FROM main.sqlite_schema WHERE type IN ('index','trigger') AND name=? COLLATE NOCASE";
    writer.internally(|c| c.query(THERE, &[Value::from(name)])).map(|rows| !rows.is_empty())
}

/// Whether SQLite can compile the triggers of the table: it looks into a trigger only when a statement fires it.
pub(crate) fn compiles(writer: &Writer, table: &str) -> Result<()> {
    let schema = writer.schema();
    let Some(known) = schema.by_name(table) else { return Ok(()) };
    let name = quote(&known.name);
    let columns = known.columns.iter().filter(|c| !c.is_virtual && !c.is_computed).map(|c| quote(&c.name));
    let set: Vec<String> = columns.map(|c| format!("{c}={c}")).collect();
    let statements = [
        format!("INSERT INTO main.{name} DEFAULT VALUES"),
        format!("UPDATE main.{name} SET {}", set.join(", ")),
        format!("DELETE FROM main.{name}"),
    ];
    // Prepared each time: an EXPLAIN that is kept would not look whether the shape is another by now.
    let compile = |sql: &String| {
        writer.internally(|c| c.inner.prepare(&format!("/*rs*/ EXPLAIN {sql}")).map(|_| ()).map_err(|e| from_sqlite(&e, sql)))
    };
    statements.iter().try_for_each(compile)
}
