//! `relstore schema show`: what a store's tables are like, and what is in them.

use std::io::Write;

use relstore::Fleet;
use relstore::engine::{ColumnStatistics, Extreme, IndexDescription, StoreDescription, TableDescription, TableStatistics};
use relstore::model::types::json::to_json;
use relstore::model::{Column, LogicalType, Namespace, Table as TableOf, Value};
use serde_json::{Value as Json, json};

use super::schema_evolution;
use crate::cli::{SchemaArguments, SchemaShowArguments, SchemaVerb};
use crate::failure::Outcome;
use crate::output::number::{bytes, counted, grouped};
use crate::output::style::Style;
use crate::output::table::{Table, text};

/// Longer values are cut in the table; the JSON document has them as they are kept.
const CHARS_MAX: usize = 28;

pub(crate) async fn run(arguments: SchemaArguments) -> Outcome {
    match arguments.verb {
        SchemaVerb::Show(arguments) => show(arguments).await,
        SchemaVerb::Diff(arguments) => schema_evolution::diff(arguments).await,
        SchemaVerb::Check(arguments) => schema_evolution::check(arguments).await,
        SchemaVerb::Mode(arguments) => schema_evolution::mode(arguments).await,
    }
}

async fn show(arguments: SchemaShowArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = Fleet::open(&arguments.dir).await?;
    let store = fleet.read_store(&ns)?;
    let mut described = store.describe()?;
    if let Some(name) = &arguments.table {
        let id = described.schema.table(name)?.id;
        described.schema.tables.retain(|t| t.id == id);
        described.tables.retain(|t| t.table == id);
        described.schema.views.clear();
    }
    let statistics = store.statistics()?;
    let mut out = super::stdout();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &document(&ns, &described, &statistics)).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, &ns, &described, &statistics)?;
    }
    out.flush()?;
    Ok(())
}

/// The tables, each with what is known of it.
fn tables<'a>(
    described: &'a StoreDescription,
    statistics: &'a [TableStatistics],
) -> impl Iterator<Item = (&'a TableOf, &'a TableDescription, Option<&'a TableStatistics>)> {
    let known = described.schema.tables.iter().zip(&described.tables);
    known.map(|(table, more)| (table, more, statistics.iter().find(|s| s.table == table.id)))
}

fn print(out: &mut impl Write, ns: &Namespace, described: &StoreDescription, statistics: &[TableStatistics]) -> std::io::Result<()> {
    let style = Style::of_stdout();
    let count = counted(described.schema.tables.len() as u64, "table");
    writeln!(out, "{}, schema version {}, {count}", style.heading(ns), described.schema.version)?;
    for (table, more, known) in tables(described, statistics) {
        let size = known.map_or_else(String::new, |s| format!("  {}, {}", counted(s.rows, "row"), bytes(s.bytes)));
        writeln!(out, "\n{}{}", style.strong(&table.name), style.faint(size))?;
        writeln!(out, "{}", columns(table, more, known).render())?;
        for index in &more.indexes {
            writeln!(out, "  {} {}", style.faint("index"), index_line(index))?;
        }
        for key in &more.foreign_keys {
            let parent_columns =
                if key.parent_columns.is_empty() { String::new() } else { format!(" ({})", key.parent_columns.join(", ")) };
            let action =
                |when: &str, what: &str| if what == "NO ACTION" { String::new() } else { format!(", on {when} {}", what.to_lowercase()) };
            let actions = action("update", &key.on_update) + &action("delete", &key.on_delete);
            writeln!(out, "  {} {} → {}{parent_columns}{actions}", style.faint("foreign key"), key.columns.join(", "), key.parent)?;
        }
        for trigger in &more.triggers {
            writeln!(out, "  {} {}", style.faint("trigger"), trigger.name)?;
        }
    }
    for view in &described.schema.views {
        writeln!(out, "\n{}", style.statement(view))?;
    }
    Ok(())
}

fn columns(table: &TableOf, more: &TableDescription, known: Option<&TableStatistics>) -> Table {
    let mut out = Table::new(&["id", "column", "declared", "type", "null", "default", "key", "NULLs", "≈ distinct", "least", "greatest"]);
    for (at, column) in table.columns.iter().enumerate() {
        let statistics = known.and_then(|s| s.columns.iter().find(|c| c.column == column.id));
        let of = |f: &dyn Fn(&ColumnStatistics) -> String| statistics.map_or_else(String::new, f);
        out.row([
            column.id.0.to_string(),
            match generated(column) {
                Some(how) => format!("{} (generated, {how})", column.name),
                None => column.name.clone(),
            },
            column.declared.clone(),
            column.logical.name().to_owned(),
            if is_nullable(table, at) { "yes" } else { "no" }.to_owned(),
            cut(more.defaults.get(at).cloned().flatten().unwrap_or_default()),
            key(table, at).map_or_else(String::new, |n| n.to_string()),
            of(&|s| grouped(s.nulls)),
            of(&|s| grouped(s.distinct)),
            of(&|s| extreme(s.min.as_ref(), "≥ ")),
            of(&|s| extreme(s.max.as_ref(), "≤ ")),
        ]);
    }
    out
}

fn index_line(index: &IndexDescription) -> String {
    let columns: Vec<&str> = index.columns.iter().map(|c| c.as_deref().unwrap_or("an expression")).collect();
    let unique = if index.is_unique { ", unique" } else { "" };
    let partial = if index.is_partial { ", of some rows" } else { "" };
    format!("{} ({}){unique}{partial}", index.name, columns.join(", "))
}

/// The value where a row has it, a bound of the values otherwise.
fn extreme(extreme: Option<&Extreme>, bound: &str) -> String {
    extreme.map_or_else(String::new, |e| format!("{}{}", if e.is_exact { "" } else { bound }, cut(text(&e.value))))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The place in the primary key, from 1.
fn key(table: &TableOf, at: usize) -> Option<usize> {
    table.primary_key.iter().position(|k| *k == at).map(|n| n + 1)
}

fn generated(column: &Column) -> Option<&'static str> {
    if column.is_virtual { Some("virtual") } else { column.is_computed.then_some("stored") }
}

/// SQLite lets keys be NULL, except where the key is the rowid or the table has none.
fn is_nullable(table: &TableOf, at: usize) -> bool {
    let is_key = key(table, at).is_some();
    !table.columns[at].not_null && !(is_key && (table.without_rowid || table.rowid_alias().is_some()))
}

fn document(ns: &Namespace, described: &StoreDescription, statistics: &[TableStatistics]) -> Json {
    let tables: Vec<Json> = tables(described, statistics).map(|(table, more, known)| table_document(table, more, known)).collect();
    json!({
        "ns": ns.as_str(),
        "schema_version": described.schema.version,
        "lsn": statistics.iter().map(|s| s.lsn.get()).max(),
        "tables": tables,
        "views": described.schema.views,
    })
}

fn table_document(table: &TableOf, more: &TableDescription, known: Option<&TableStatistics>) -> Json {
    let columns = table.columns.iter().enumerate().map(|(at, column)| {
        let statistics = known.and_then(|s| s.columns.iter().find(|c| c.column == column.id));
        json!({
            "id": column.id.0,
            "name": column.name,
            "declared": column.declared,
            "logical": column.logical.name(),
            "nullable": is_nullable(table, at),
            "default": more.defaults.get(at).cloned().flatten(),
            "key": key(table, at),
            "generated": generated(column),
            "statistics": statistics.map(|s| column_document(column.logical, s)),
        })
    });
    let index = |i: &IndexDescription| json!({"name": i.name, "unique": i.is_unique, "partial": i.is_partial, "of_constraint": i.is_of_constraint, "columns": i.columns});
    json!({
        "id": table.id.0,
        "name": table.name,
        "rows": known.map(|s| s.rows),
        "bytes": known.map(|s| s.bytes),
        "without_rowid": table.without_rowid,
        "sql": table.sql,
        "columns": columns.collect::<Vec<_>>(),
        "indexes": more.indexes.iter().map(index).collect::<Vec<_>>(),
        "foreign_keys": more.foreign_keys.iter().map(|k| json!({
            "columns": k.columns, "parent": k.parent, "parent_columns": k.parent_columns, "on_update": k.on_update, "on_delete": k.on_delete,
        })).collect::<Vec<_>>(),
        "triggers": more.triggers.iter().map(|t| json!({"name": t.name, "sql": t.sql})).collect::<Vec<_>>(),
    })
}

fn column_document(logical: LogicalType, s: &ColumnStatistics) -> Json {
    let value = |e: &Option<Extreme>| e.as_ref().map(|e| to_json(logical, Value::as_ref(&e.value)));
    let is_exact = |e: &Option<Extreme>| e.as_ref().map(|e| e.is_exact);
    json!({
        "nulls": s.nulls, "bytes": s.bytes, "distinct": s.distinct,
        "min": value(&s.min), "min_exact": is_exact(&s.min), "max": value(&s.max), "max_exact": is_exact(&s.max),
    })
}
