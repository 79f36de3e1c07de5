//! `__drizzle_migrations`, drizzle's own table of what it has applied: read when a store is taken over, and kept up for as long as it is there.

use relstore_model::identifier::quote;
use relstore_model::{Result, Row, Schema, Timestamp, Value};

use super::folder::FolderMigration;
use crate::catalog;
use crate::sqlite::Connection;
use crate::writer::Writer;

const TABLE: &str = "__drizzle_migrations";

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) hash: String,
    /// When the migration was made, in milliseconds since 1970.
    pub(super) made_at_ms: Option<i64>,
    /// The name of its folder: drizzle 1.0.
    pub(super) name: Option<String>,
    /// When it was applied, as text: drizzle 1.0.
    pub(super) applied_at: Option<String>,
}

impl Listed {
    /// When it was applied, as far as drizzle says.
    pub(super) fn time(&self) -> Timestamp {
        let told = self.applied_at.as_deref().and_then(|t| t.parse().ok());
        told.unwrap_or_else(|| Timestamp::from_micros(self.made_at_ms.unwrap_or(0).saturating_mul(1_000)))
    }

    /// Whether it is this migration, by what drizzle goes by: the name, where it keeps one, or the time that it was made. drizzle-kit drops
    /// the part of a second when it turns an old folder into a new one.
    pub(super) fn is(&self, migration: &FolderMigration) -> bool {
        if let Some(name) = &self.name {
            return *name == migration.name;
        }
        match (self.made_at_ms, migration.made_at_ms) {
            (Some(a), Some(b)) => a == b || (b % 1_000 == 0 && a / 1_000 == b / 1_000),
            _ => false,
        }
    }
}

/// Whether the table is there, and whether it has drizzle 1.0's columns.
fn form(schema: &Schema) -> Option<bool> {
    schema.by_name(TABLE).map(|t| t.position("name").is_some() && t.position("applied_at").is_some())
}

/// What the table lists, in the order it was applied; nothing if there is no such table.
pub(super) fn listed(connection: &Connection, schema: &Schema) -> Result<Vec<Listed>> {
    let Some(is_new) = form(schema) else { return Ok(Vec::new()) };
    let more = if is_new { "name, applied_at" } else { "NULL, NULL" };
    let rows = connection
        .query(&format!("/*rs*/ SELECT hash, CAST(created_at AS INTEGER), {more} FROM main.{} ORDER BY rowid", quote(TABLE)), &[])?;
    let text = |row: &Row, at: usize| match row.get(at) {
        Some(Value::Text(t)) => Some(t.clone()),
        _ => None,
    };
    let parse = |row: Row| Listed {
        hash: text(&row, 0).unwrap_or_default(),
        made_at_ms: if let Some(Value::Integer(ms)) = row.get(1) { Some(*ms) } else { None },
        name: text(&row, 2),
        applied_at: text(&row, 3),
    };
    Ok(rows.into_iter().map(parse).collect())
}

/// The same, by the newest schema in the file, which is read only if there may be such a table.
pub(super) fn listed_in_file(connection: &Connection) -> Result<Vec<Listed>> {
    const THERE: &str = "/*rs*/ SELECT 1 FROM main.sqlite_schema WHERE type='table' AND name=? COLLATE NOCASE";
    if connection.query(THERE, &[Value::from(TABLE)])?.is_empty() {
        return Ok(Vec::new());
    }
    listed(connection, &catalog::newest(connection)?)
}

/// Lists a migration in drizzle's table too, if there is one: its migrator then agrees.
pub(super) fn list(writer: &Writer, migration: &FolderMigration, now: Timestamp) -> Result<()> {
    let Some(is_new) = form(&writer.schema()) else { return Ok(()) };
    let made = migration.made_at_ms.map_or(Value::Null, Value::Integer);
    let mut params = vec![Value::from(migration.hash.as_str()), made];
    let sql = if is_new {
        params.extend([Value::from(migration.name.as_str()), Value::Text(now.to_iso_millis())]);
        format!("INSERT INTO {}(hash, created_at, name, applied_at) VALUES(?, ?, ?, ?)", quote(TABLE))
    } else {
        format!("INSERT INTO {}(hash, created_at) VALUES(?, ?)", quote(TABLE))
    };
    writer.run(&sql, &params, &mut |_| Ok(())).map(|_| ())
}

/// Takes a migration off drizzle's list.
pub(super) fn unlist(writer: &Writer, hash: &str) -> Result<()> {
    if form(&writer.schema()).is_none() {
        return Ok(());
    }
    let sql = format!("DELETE FROM {} WHERE hash=?", quote(TABLE));
    writer.run(&sql, &[Value::from(hash)], &mut |_| Ok(())).map(|_| ())
}
