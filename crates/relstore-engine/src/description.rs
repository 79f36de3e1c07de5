//! A store's shape for people: what SQLite knows of a table beyond the columns that a [`Schema`] carries.

use relstore_model::{Result, Row, Schema, TableId, Value};

use crate::catalog;
use crate::database::Database;
use crate::sqlite::Connection;

/// A store's shape at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreDescription {
    /// The schema: its version, the tables with their columns and ids, the views.
    pub schema: Schema,
    /// What is known beyond it, of each table of the schema, in the same order.
    pub tables: Vec<TableDescription>,
}

/// A table beyond its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDescription {
    /// Its lasting id.
    pub table: TableId,
    /// The default of each column as it is written, in the order of the table's columns; `None` where it has none.
    pub defaults: Vec<Option<String>>,
    /// Its indexes, by name, those of its constraints included.
    pub indexes: Vec<IndexDescription>,
    /// Its foreign keys, in the order they were written.
    pub foreign_keys: Vec<ForeignKeyDescription>,
    /// Its triggers, by name.
    pub triggers: Vec<TriggerDescription>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDescription {
    /// Its name.
    pub name: String,
    /// Whether two rows cannot have the same values.
    pub is_unique: bool,
    /// Whether it has a `WHERE`, and so not every row.
    pub is_partial: bool,
    /// Whether a `PRIMARY KEY` or `UNIQUE` constraint made it, not `CREATE INDEX`.
    pub is_of_constraint: bool,
    /// Its columns, in order; `None` for an expression.
    pub columns: Vec<Option<String>>,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeyDescription {
    /// The columns.
    pub columns: Vec<String>,
    /// The table that they point to.
    pub parent: String,
    /// The columns there, in the same order; empty for its primary key.
    pub parent_columns: Vec<String>,
    /// What an update of the parent does: `NO ACTION`, `RESTRICT`, `SET NULL`, `SET DEFAULT` or `CASCADE`.
    pub on_update: String,
    /// What a delete of the parent does, in the same words.
    pub on_delete: String,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerDescription {
    /// Its name.
    pub name: String,
    /// The statement that made it.
    pub sql: String,
}

impl Database {
    /// The store's shape as of the last commit.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn describe(&self) -> Result<StoreDescription> {
        self.with_reader(|reader| {
            reader.in_snapshot(|c| {
                let schema = catalog::newest(c)?;
                let tables = schema.tables.iter().map(|t| table(c, t.id, &t.name)).collect::<Result<_>>()?;
                Ok(StoreDescription { schema, tables })
            })
        })
    }
}

fn table(connection: &Connection, id: TableId, name: &str) -> Result<TableDescription> {
    const DEFAULTS: &str = "/*rs*/ SELECT dflt_value FROM pragma_table_xinfo(?, 'main') WHERE hidden<>1 ORDER BY cid";
    const INDEXES: &str = "/*rs*/ SELECT name, \"unique\", partial, origin FROM pragma_index_list(?, 'main') ORDER BY name";
    const COLUMNS: &str = "/*rs*/ SELECT name FROM pragma_index_info(?, 'main') ORDER BY seqno";
    const FOREIGN_KEYS: &str = "/*rs*/ SELECT id, \"from\", \"table\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?, 'main') \
        ORDER BY id DESC, seq";
    const TRIGGERS: &str =
        "/*rs*/ SELECT name, sql FROM main.sqlite_schema WHERE type='trigger' AND tbl_name=? COLLATE NOCASE ORDER BY name";
    let ask = |sql: &str, of: &str| connection.query(sql, &[Value::from(of)]);
    let mut indexes = Vec::new();
    for row in ask(INDEXES, name)? {
        let columns = ask(COLUMNS, &text(&row, 0))?;
        indexes.push(IndexDescription {
            name: text(&row, 0),
            is_unique: row.get(1) == Some(&Value::Integer(1)),
            is_partial: row.get(2) == Some(&Value::Integer(1)),
            is_of_constraint: text(&row, 3) != "c",
            columns: columns.iter().map(|row| optional(row, 0)).collect(),
        });
    }
    let mut foreign_keys: Vec<(Option<Value>, ForeignKeyDescription)> = Vec::new();
    for row in ask(FOREIGN_KEYS, name)? {
        let id = row.first().cloned();
        if foreign_keys.last().is_none_or(|(last, _)| *last != id) {
            let (parent, on_update, on_delete) = (text(&row, 2), text(&row, 4), text(&row, 5));
            foreign_keys.push((id, ForeignKeyDescription { columns: vec![], parent, parent_columns: vec![], on_update, on_delete }));
        }
        if let Some((_, key)) = foreign_keys.last_mut() {
            key.columns.push(text(&row, 1));
            key.parent_columns.extend(optional(&row, 3));
        }
    }
    Ok(TableDescription {
        table: id,
        defaults: ask(DEFAULTS, name)?.iter().map(|row| optional(row, 0)).collect(),
        indexes,
        foreign_keys: foreign_keys.into_iter().map(|(_, key)| key).collect(),
        triggers: ask(TRIGGERS, name)?.iter().map(|row| TriggerDescription { name: text(row, 0), sql: text(row, 1) }).collect(),
    })
}

fn optional(row: &Row, at: usize) -> Option<String> {
    match row.get(at) {
        Some(Value::Text(t)) => Some(t.clone()),
        _ => None,
    }
}

fn text(row: &Row, at: usize) -> String {
    optional(row, at).unwrap_or_default()
}
