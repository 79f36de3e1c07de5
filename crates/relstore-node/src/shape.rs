//! A store's shape, as JSON: what the package compares Drizzle's tables with, and answers questions about tables by.

use napi_derive::napi;
use relstore_engine::schema_of;
use relstore_model::schema::UniquePart;
use relstore_model::{Schema, Table};
use serde_json::{Value as Json, json};

use crate::failure::shielded;
use crate::store::Store;

#[napi]
impl Store {
    /// The store's tables as of the last commit.
    #[napi(catch_unwind)]
    pub fn describe(&self) -> napi::Result<String> {
        shielded(|| Ok(described(&self.shared.database()?.schema()).to_string()))
    }
}

/// The tables that `CREATE` statements make, as [`Store::describe`] gives a store's.
#[napi(catch_unwind)]
pub fn shape_of(sql: String) -> napi::Result<String> {
    shielded(|| Ok(described(&schema_of(&sql)?).to_string()))
}

fn described(schema: &Schema) -> Json {
    json!({"version": schema.version, "tables": schema.tables.iter().map(table).collect::<Vec<_>>(), "views": schema.views})
}

fn table(table: &Table) -> Json {
    let name_at = |at: &usize| table.columns.get(*at).map(|c| c.name.as_str());
    let names = |places: &[usize]| places.iter().map(name_at).collect::<Vec<_>>();
    let columns = table.columns.iter().enumerate().map(|(at, c)| {
        let default = table.column_facts(at).and_then(|facts| facts.default.as_ref()).map(|d| d.0.as_str());
        json!({
            "name": c.name, "declared": c.declared, "logical": c.logical.name(), "notNull": c.not_null, "default": default,
            "generated": if c.is_virtual { Some("virtual") } else { c.is_computed.then_some("stored") },
        })
    });
    let facts = table.facts.clone().unwrap_or_default();
    let part = |part: &UniquePart| match part {
        UniquePart::Column(at, _) => name_at(at),
        UniquePart::Expression(_) => None,
    };
    let unique = facts
        .unique
        .iter()
        .map(|key| json!({"columns": key.parts.iter().map(part).collect::<Vec<_>>(), "partial": key.condition.is_some()}));
    let foreign_keys = facts.foreign_keys.iter().map(|k| {
        json!({
            "columns": names(&k.columns), "parent": k.parent, "parentColumns": k.parent_columns, "onUpdate": k.on_update,
            "onDelete": k.on_delete,
        })
    });
    json!({
        "name": table.name,
        "columns": columns.collect::<Vec<_>>(),
        "primaryKey": names(&table.primary_key),
        "unique": unique.collect::<Vec<_>>(),
        "foreignKeys": foreign_keys.collect::<Vec<_>>(),
        "checks": facts.checks.len(),
        "sql": table.sql,
    })
}
