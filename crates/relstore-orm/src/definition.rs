//! The shape of a table as a value known at compile time, and the DDL that makes it.

use relstore_model::identifier::quote;

/// A table: name, columns in field order, keys, indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the model's fields; never empty.
    pub columns: &'static [ColumnDef],
    /// The column names of each unique constraint given at the table.
    pub unique: &'static [&'static [&'static str]],
    /// The column names of each index.
    pub indexes: &'static [&'static [&'static str]],
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
    /// Whether it is in the primary key. Several columns make a composite key, in field order.
    pub primary_key: bool,
    /// Whether it is unique by itself.
    pub unique: bool,
    /// Its default as SQL text: a literal, or an expression in parentheses.
    pub default: Option<&'static str>,
    /// The column it refers to.
    pub references: Option<Reference>,
}

/// What a foreign key points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The table's name.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
}

impl TableDef {
    /// The names of the primary key's columns, in key order; empty if there is none.
    #[must_use]
    pub fn primary_key(&self) -> Vec<&'static str> {
        self.columns.iter().filter(|column| column.primary_key).map(|column| column.name).collect()
    }

    /// The `CREATE TABLE` statement, a line for each column and each constraint.
    ///
    /// A sole integer key is declared `INTEGER PRIMARY KEY`, which makes it SQLite's rowid. Foreign keys are named
    /// `<table>_<column>_fk`.
    #[must_use]
    pub fn create_sql(&self) -> String {
        let key = self.primary_key();
        let mut lines: Vec<String> = self.columns.iter().map(|column| column.sql(key.len() == 1)).collect();
        if key.len() > 1 {
            lines.push(format!("PRIMARY KEY ({})", quoted_list(&key)));
        }
        lines.extend(self.unique.iter().map(|columns| format!("UNIQUE ({})", quoted_list(columns))));
        for column in self.columns {
            if let Some(target) = column.references {
                let name = quote(&format!("{}_{}_fk", self.name, column.name));
                let (from, table, to) = (quote(column.name), quote(target.table), quote(target.column));
                lines.push(format!("CONSTRAINT {name} FOREIGN KEY ({from}) REFERENCES {table} ({to})"));
            }
        }
        format!("CREATE TABLE {} (\n  {}\n)", quote(self.name), lines.join(",\n  "))
    }

    /// The `CREATE INDEX` statements, in the order of the attribute. An index is named `<table>_<columns>_idx`.
    #[must_use]
    pub fn index_sql(&self) -> Vec<String> {
        let statement = |columns: &&[&str]| {
            let name = quote(&format!("{}_{}_idx", self.name, columns.join("_")));
            format!("CREATE INDEX {name} ON {} ({})", quote(self.name), quoted_list(columns))
        };
        self.indexes.iter().map(statement).collect()
    }
}

impl ColumnDef {
    /// The column as `CREATE TABLE` writes it. `is_key_sole`: the primary key has one column.
    fn sql(&self, is_key_sole: bool) -> String {
        let mut sql = format!("{} {}", quote(self.name), self.declared);
        let is_sole_key = self.primary_key && is_key_sole;
        if is_sole_key {
            sql.push_str(" PRIMARY KEY");
        }
        // A rowid is never NULL; saying so would only make the declaration differ from the form everyone knows.
        if self.not_null && !(is_sole_key && self.declared == "INTEGER") {
            sql.push_str(" NOT NULL");
        }
        if self.unique && !is_sole_key {
            sql.push_str(" UNIQUE");
        }
        if let Some(default) = self.default {
            sql.push_str(" DEFAULT ");
            sql.push_str(default);
        }
        sql
    }
}

/// `names` quoted, with commas between.
pub(crate) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}
