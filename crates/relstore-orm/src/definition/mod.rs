//! The shape of a table as a value known at compile time, and (in `ddl`) the statements that make it.

mod ddl;

pub(crate) use ddl::quoted_list;

/// A table: name, columns in field order, keys, constraints, indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the model's fields; never empty.
    pub columns: &'static [ColumnDef],
    /// The column names of each unique constraint given at the table.
    pub unique: &'static [&'static [&'static str]],
    /// The checks given at the table.
    pub checks: &'static [Check],
    /// The foreign keys given at the table, and then those given at columns.
    pub foreign_keys: &'static [ForeignKey],
    /// The indexes.
    pub indexes: &'static [Index],
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// Its name.
    pub name: &'static str,
    /// Its declared type, such as `INTEGER`, `BOOLEAN` or `TIMESTAMP`.
    pub declared: &'static str,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// Its part in the primary key. Several columns make a composite key, in field order.
    pub key: Key,
    /// Whether it is unique by itself.
    pub unique: bool,
    /// Its default as SQL text: a literal, or an expression in parentheses.
    pub default: Option<&'static str>,
    /// A condition that its cells must meet, as an SQL expression.
    pub check: Option<&'static str>,
    /// The expression that it is computed by, if it is.
    pub generated: Option<Generated>,
}

/// A column's part in the primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// None.
    No,
    /// In the primary key.
    Primary,
    /// The primary key, numbered by SQLite with numbers that are never given twice.
    Autoincrement,
}

/// How a column is computed from others of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// Whenever it is read, by this SQL expression.
    Virtual(&'static str),
    /// When the row is written, by this SQL expression.
    Stored(&'static str),
}

/// A condition that each row must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, if it has one.
    pub name: Option<&'static str>,
    /// The condition, as an SQL expression.
    pub sql: &'static str,
}

/// A foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns that refer, at least one, each with the one it refers to.
    pub references: &'static [Reference],
    /// What happens to the referring row when the one it refers to is deleted.
    pub on_delete: Action,
    /// What happens to the referring row when the key it refers to is changed.
    pub on_update: Action,
}

/// A column of a foreign key, and what it points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The column that refers.
    pub from: &'static str,
    /// The name of the table that it refers to.
    pub table: &'static str,
    /// The column that it refers to.
    pub column: &'static str,
}

/// What a foreign key does when the row it refers to goes or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Refuses, at the end of the statement or of the transaction.
    #[default]
    NoAction,
    /// Refuses at once.
    Restrict,
    /// Does the same to the row that refers.
    Cascade,
    /// Sets the columns that refer to NULL.
    SetNull,
    /// Sets the columns that refer to their defaults.
    SetDefault,
}

/// An index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, if it is not to be made of table and columns.
    pub name: Option<&'static str>,
    /// What it is over, at least one.
    pub parts: &'static [IndexPart],
    /// Whether it refuses a second row with the same parts.
    pub unique: bool,
    /// The condition on the rows that it has, as an SQL expression; `None` for all rows.
    pub condition: Option<&'static str>,
}

/// What an index is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexPart {
    /// A column, by name.
    Column(&'static str),
    /// An SQL expression, possibly with `DESC` after it.
    Sql(&'static str),
}

impl TableDef {
    /// The names of the primary key's columns, in key order; empty if there is none.
    #[must_use]
    pub fn primary_key(&self) -> Vec<&'static str> {
        self.columns.iter().filter(|column| column.key != Key::No).map(|column| column.name).collect()
    }
}
