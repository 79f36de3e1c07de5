//! `CREATE TABLE` and `CREATE INDEX`.

use relstore_model::identifier::quote;

use super::{Action, Check, ColumnDef, ForeignKey, Generated, Index, IndexPart, Key, TableDef};

impl TableDef {
    /// The `CREATE TABLE` statement, a line for each column and each constraint.
    ///
    /// A sole integer key is declared `INTEGER PRIMARY KEY`, which makes it SQLite's rowid. Foreign keys are named
    /// `<table>_<columns>_fk`.
    #[must_use]
    pub fn create_sql(&self) -> String {
        let key = self.primary_key();
        let mut lines: Vec<String> = self.columns.iter().map(|column| column.sql(key.len() == 1)).collect();
        if key.len() > 1 {
            lines.push(format!("PRIMARY KEY ({})", quoted_list(&key)));
        }
        lines.extend(self.unique.iter().map(|columns| format!("UNIQUE ({})", quoted_list(columns))));
        lines.extend(self.checks.iter().map(Check::sql));
        lines.extend(self.foreign_keys.iter().map(|key| key.sql(self.name)));
        format!("CREATE TABLE {} (\n  {}\n)", quote(self.name), lines.join(",\n  "))
    }

    /// The `CREATE INDEX` statements, in the order of the attribute. An index without a name is named `<table>_<columns>_idx`; a part
    /// that is an expression counts with its place, such as `users_expr1_idx`.
    #[must_use]
    pub fn index_sql(&self) -> Vec<String> {
        self.indexes.iter().map(|index| index.sql(self.name)).collect()
    }
}

impl ColumnDef {
    /// The column as `CREATE TABLE` writes it. `is_key_sole`: the primary key has one column.
    fn sql(&self, is_key_sole: bool) -> String {
        let mut sql = format!("{} {}", quote(self.name), self.declared);
        let is_sole_key = self.key != Key::No && is_key_sole;
        if is_sole_key {
            sql.push_str(" PRIMARY KEY");
        }
        if self.key == Key::Autoincrement {
            sql.push_str(" AUTOINCREMENT");
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
        if let Some(check) = self.check {
            sql.push_str(&format!(" CHECK ({check})"));
        }
        match self.generated {
            Some(Generated::Virtual(expression)) => sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) VIRTUAL")),
            Some(Generated::Stored(expression)) => sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED")),
            None => {}
        }
        sql
    }
}

impl Check {
    fn sql(&self) -> String {
        match self.name {
            Some(name) => format!("CONSTRAINT {} CHECK ({})", quote(name), self.sql),
            None => format!("CHECK ({})", self.sql),
        }
    }
}

impl ForeignKey {
    fn sql(&self, table: &str) -> String {
        let from: Vec<&str> = self.references.iter().map(|reference| reference.from).collect();
        let to: Vec<&str> = self.references.iter().map(|reference| reference.column).collect();
        let target = self.references.first().map_or("", |reference| reference.table);
        let name = quote(&format!("{table}_{}_fk", from.join("_")));
        let (from, target, to) = (quoted_list(&from), quote(target), quoted_list(&to));
        let mut sql = format!("CONSTRAINT {name} FOREIGN KEY ({from}) REFERENCES {target} ({to})");
        for (event, action) in [("DELETE", self.on_delete), ("UPDATE", self.on_update)] {
            if let Some(action) = action.sql() {
                sql.push_str(&format!(" ON {event} {action}"));
            }
        }
        sql
    }
}

impl Action {
    /// Its SQL; `None` for SQLite's own way.
    const fn sql(self) -> Option<&'static str> {
        match self {
            Self::NoAction => None,
            Self::Restrict => Some("RESTRICT"),
            Self::Cascade => Some("CASCADE"),
            Self::SetNull => Some("SET NULL"),
            Self::SetDefault => Some("SET DEFAULT"),
        }
    }
}

impl Index {
    fn sql(&self, table: &str) -> String {
        let words: Vec<String> = self.parts.iter().enumerate().map(|(i, part)| part.word(i)).collect();
        let made_up = format!("{table}_{}_idx", words.join("_"));
        let name = quote(self.name.unwrap_or(&made_up));
        let parts: Vec<String> = self.parts.iter().map(IndexPart::sql).collect();
        let unique = if self.unique { "UNIQUE " } else { "" };
        let mut sql = format!("CREATE {unique}INDEX {name} ON {} ({})", quote(table), parts.join(", "));
        if let Some(condition) = self.condition {
            sql.push_str(" WHERE ");
            sql.push_str(condition);
        }
        sql
    }
}

impl IndexPart {
    fn sql(&self) -> String {
        match self {
            Self::Column(name) => quote(name),
            Self::Sql(sql) => (*sql).to_owned(),
        }
    }

    /// Its part of the index's name, at place `i` from 0.
    fn word(&self, i: usize) -> String {
        match self {
            Self::Column(name) => (*name).to_owned(),
            Self::Sql(_) => format!("expr{}", i + 1),
        }
    }
}

/// `names` quoted, with commas between.
pub(crate) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}
