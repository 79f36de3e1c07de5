//! The shape of a store: its tables and columns, with ids that outlive their names.
//!
//! A [`Schema`] is a value: it is read from the hot file by the engine, carried by segments and history, and compared here. It does not
//! hold rows, and nothing in it changes after it was made: an accepted change of shape is a new schema with the next version.

mod diff;
mod facts;
mod literal;

pub use diff::TableShape;
pub use facts::{
    ColumnFacts, DefaultExpression, Expression, ExpressionPart, ForeignKey, ReferentialAction, TableFacts, Unique, UniquePart,
};
pub use literal::literal;

use serde::{Deserialize, Serialize};

use crate::{Error, LogicalType, Result, Value, identifier};

/// The id of a table in its store: from 1, given when the table is first seen, kept by a rename, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableId(pub u32);

/// The id of a column in its table: from [`ColumnId::FIRST`], given when the column is first seen, kept by a rename, never reused.
/// Parquet and Iceberg field ids are these ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnId(pub i32);

impl ColumnId {
    /// The first id of a user's column. Ids 1 to 100 are for the columns that history adds (`_ns`, `_lsn`, …).
    pub const FIRST: Self = Self(101);
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its lasting id.
    pub id: ColumnId,
    /// Its name now.
    pub name: String,
    /// The type as written in the DDL, empty if none was.
    pub declared: String,
    /// What its cells mean.
    pub logical: LogicalType,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// The schema version that added it.
    pub added_in: u32,
    /// Whether SQLite computes it on each read (`GENERATED … VIRTUAL`): such a column has no cell in any stored row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_virtual: bool,
    /// Whether SQLite computes it on each write (`GENERATED … STORED`): stored rows have its cell, and no statement may give one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_computed: bool,
    /// The cell that rows written before the column existed have: its default at the time it was added, frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_default: Option<Cell>,
}

/// A cell inside a schema, where it must survive JSON: blobs and floats exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// An integer.
    Integer(i64),
    /// A float, by its bits.
    RealBits(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// The cell as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Integer(i) => Value::Integer(*i),
            Self::RealBits(bits) => Value::Real(f64::from_bits(*bits)),
            Self::Text(t) => Value::Text(t.clone()),
            Self::Blob(b) => Value::Blob(b.clone()),
        }
    }

    /// The cell of a value; `None` for NULL.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Integer(i) => Some(Self::Integer(i)),
            Value::Real(r) => Some(Self::RealBits(r.to_bits())),
            Value::Text(t) => Some(Self::Text(t)),
            Value::Blob(b) => Some(Self::Blob(b)),
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its lasting id.
    pub id: TableId,
    /// Its name now.
    pub name: String,
    /// Its columns, in the order SQLite has them.
    pub columns: Vec<Column>,
    /// The positions in [`Table::columns`] of the primary key, in key order. Empty: rows are known by their rowid alone.
    pub primary_key: Vec<usize>,
    /// Whether the table has no rowid (`WITHOUT ROWID`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_rowid: bool,
    /// The `CREATE TABLE` statement as SQLite keeps it.
    pub sql: String,
    /// The `CREATE INDEX` and `CREATE TRIGGER` statements on it, in the order they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<String>,
    /// The smallest column id not yet given.
    pub next_column_id: ColumnId,
    /// What it promises beyond. `None` where nobody looked: in a schema kept before there were facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<TableFacts>,
}

impl Table {
    /// The position of the column `name`, whatever its case.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The column `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.position(name).map(|i| &self.columns[i]).ok_or_else(|| {
            let error = Error::not_found("no such column").with("column", name).with("table", &self.name);
            match identifier::nearest(name, self.columns.iter().map(|c| c.name.as_str())) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None => error,
            }
        })
    }

    /// The columns that stored rows have cells for, in order: all but virtual generated ones.
    pub fn stored_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.is_virtual)
    }

    /// What is known of the column at this position beyond its name and type.
    #[must_use]
    pub fn column_facts(&self, at: usize) -> Option<&ColumnFacts> {
        self.facts.as_ref().and_then(|facts| facts.columns.get(at))
    }

    /// The position of the column that is the rowid (`INTEGER PRIMARY KEY`), if the table has one.
    #[must_use]
    pub fn rowid_alias(&self) -> Option<usize> {
        match self.primary_key.as_slice() {
            [i] if !self.without_rowid && self.columns[*i].declared.eq_ignore_ascii_case("INTEGER") => Some(*i),
            _ => None,
        }
    }

    /// The name under which SQL reaches the rowid: the first of `rowid`, `oid` and `_rowid_` that no column takes. `None` if there is none,
    /// or no rowid.
    #[must_use]
    pub fn rowid_name(&self) -> Option<&'static str> {
        ["rowid", "oid", "_rowid_"].into_iter().find(|name| !self.without_rowid && self.position(name).is_none())
    }

    /// Whether a row is known by its rowid alone, so that changes carry it beside the cells.
    #[must_use]
    pub fn is_keyed_by_rowid(&self) -> bool {
        self.primary_key.is_empty() && !self.without_rowid
    }
}

/// The shape of a store at one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// From 0, the empty store; one more with each accepted change of shape.
    pub version: u32,
    /// The tables, by id.
    pub tables: Vec<Table>,
    /// The `CREATE VIEW` statements, in the order they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<String>,
    /// The smallest table id not yet given, less one.
    #[serde(default)]
    pub last_table_id: u32,
}

impl Schema {
    /// The schema as JSON, the form in which the hot file and the history keep it.
    ///
    /// # Panics
    /// Never: a schema is plain data with string keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a schema is plain data with string keys")
    }

    /// Reads what [`Schema::to_json`] wrote.
    ///
    /// # Errors
    /// `Corrupt` if it is no schema, or contradicts itself.
    pub fn from_json(json: &str) -> Result<Self> {
        let schema: Self = serde_json::from_str(json).map_err(|e| Error::corrupt("a stored schema cannot be read").with_source(e))?;
        schema.checked()
    }

    /// The schema, if it holds what its readers rely on: tables in the order of their ids, and keys of columns that are there.
    ///
    /// # Errors
    /// `Corrupt` otherwise.
    pub(crate) fn checked(self) -> Result<Self> {
        let contradiction =
            |what: &str| Error::corrupt(format!("a stored schema contradicts itself: {what}")).with("version", self.version);
        if !self.tables.is_sorted_by(|a, b| a.id < b.id) {
            return Err(contradiction("its tables are not in the order of their ids"));
        }
        let is_keyed = |t: &Table| t.primary_key.iter().all(|position| *position < t.columns.len());
        if let Some(table) = self.tables.iter().find(|t| !is_keyed(t)) {
            return Err(contradiction("a key of a column that is not there").with("table", &table.name));
        }
        let is_told = |t: &Table| t.facts.as_ref().is_none_or(|facts| facts.holds_for(t.columns.len()));
        match self.tables.iter().find(|t| !is_told(t)) {
            Some(table) => Err(contradiction("a promise of a column that is not there").with("table", &table.name)),
            None => Ok(self),
        }
    }

    /// The table with this id.
    #[must_use]
    pub fn by_id(&self, id: TableId) -> Option<&Table> {
        self.tables.binary_search_by_key(&id, |t| t.id).ok().map(|i| &self.tables[i])
    }

    /// The table of this name, whatever its case.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name.eq_ignore_ascii_case(name))
    }

    /// The table of this name.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.by_name(name).ok_or_else(|| {
            let error = Error::not_found("no such table").with("table", name);
            match identifier::nearest(name, self.tables.iter().map(|t| t.name.as_str())) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None if self.tables.is_empty() => error.with_hint("the store has no tables yet: create one first"),
                None => error
                    .with_hint(format!("the tables are {}", self.tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "))),
            }
        })
    }
}
