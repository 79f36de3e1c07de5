//! What a broken constraint was, read out of SQLite's message: programs match on SQLite's own codes, and want to know the column.

use relstore_model::{Error, ErrorKind, Schema, Table};

/// A broken constraint.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraint {
    /// SQLite's extended result code.
    pub(crate) code: &'static str,
    pub(crate) table: Option<String>,
    pub(crate) columns: Vec<String>,
    /// The name of a check or of a unique index over expressions.
    pub(crate) name: Option<String>,
}

impl Constraint {
    /// The constraint that `error` is about; `schema` tells a primary key from another unique one.
    pub(crate) fn of(error: &Error, schema: Option<&Schema>) -> Option<Self> {
        if error.kind() != ErrorKind::Constraint {
            return None;
        }
        let message = error.message();
        let after = |start: &str| message.strip_prefix(start);
        Some(if let Some(paths) = after("UNIQUE constraint failed: ") {
            unique(paths, schema)
        } else if let Some(path) = after("NOT NULL constraint failed: ") {
            Self { code: "SQLITE_CONSTRAINT_NOTNULL", ..at(path) }
        } else if let Some(name) = after("CHECK constraint failed: ") {
            Self { code: "SQLITE_CONSTRAINT_CHECK", table: check_of(name, schema), name: Some(name.to_owned()), ..Self::default() }
        } else if message.starts_with("FOREIGN KEY constraint failed") {
            Self { code: "SQLITE_CONSTRAINT_FOREIGNKEY", ..Self::default() }
        } else if let Some((_, path)) = message.split_once(" value in ").filter(|_| message.starts_with("cannot store ")) {
            Self { code: "SQLITE_CONSTRAINT_DATATYPE", ..at(path.rsplit(' ').next().unwrap_or_default()) }
        } else if message == "datatype mismatch" {
            Self { code: "SQLITE_MISMATCH", ..Self::default() }
        } else {
            // A trigger says what it likes.
            Self { code: "SQLITE_CONSTRAINT_TRIGGER", ..Self::default() }
        })
    }
}

fn unique(paths: &str, schema: Option<&Schema>) -> Constraint {
    if let Some(name) = paths.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        return Constraint { code: "SQLITE_CONSTRAINT_UNIQUE", name: Some(name.to_owned()), ..Constraint::default() };
    }
    let mut found = Constraint { code: "SQLITE_CONSTRAINT_UNIQUE", ..Constraint::default() };
    for path in paths.split(", ") {
        let part = at(path);
        found.table = part.table;
        found.columns.extend(part.columns);
    }
    let is_key = |table: &Table| {
        let key: Vec<&str> = table.primary_key.iter().filter_map(|at| table.columns.get(*at)).map(|c| c.name.as_str()).collect();
        !key.is_empty() && key == found.columns
    };
    if found.table.as_deref().zip(schema).and_then(|(table, schema)| schema.by_name(table)).is_some_and(is_key) {
        found.code = "SQLITE_CONSTRAINT_PRIMARYKEY";
    }
    found
}

/// `table.column`.
fn at(path: &str) -> Constraint {
    let (table, column) = path.split_once('.').unwrap_or(("", path));
    Constraint { table: (!table.is_empty()).then(|| table.to_owned()), columns: vec![column.to_owned()], ..Constraint::default() }
}

/// The one table that names such a check.
fn check_of(name: &str, schema: Option<&Schema>) -> Option<String> {
    let mut having = schema?.tables.iter().filter(|t| t.sql.contains(name));
    having.next().map(|t| t.name.clone()).filter(|_| having.next().is_none())
}

#[cfg(test)]
mod tests {
    use relstore_engine::schema_of;

    use super::*;

    #[test]
    fn sqlite_messages_say_which_constraint_it_was() {
        let schema = schema_of(
            "CREATE TABLE users(id text PRIMARY KEY, email text UNIQUE, age integer CONSTRAINT adult CHECK(age > 17)); \
             CREATE TABLE lines(a, b, PRIMARY KEY(a, b))",
        )
        .unwrap();
        let of = |message: &str| {
            let c = Constraint::of(&Error::new(ErrorKind::Constraint, message), Some(&schema)).unwrap();
            format!("{} {} {} {}", c.code, c.table.unwrap_or_default(), c.columns.join("+"), c.name.unwrap_or_default())
        };
        assert_eq!(of("UNIQUE constraint failed: users.email"), "SQLITE_CONSTRAINT_UNIQUE users email ");
        assert_eq!(of("UNIQUE constraint failed: users.id"), "SQLITE_CONSTRAINT_PRIMARYKEY users id ");
        assert_eq!(of("UNIQUE constraint failed: lines.a, lines.b"), "SQLITE_CONSTRAINT_PRIMARYKEY lines a+b ");
        assert_eq!(of("UNIQUE constraint failed: index 'u'"), "SQLITE_CONSTRAINT_UNIQUE   u");
        assert_eq!(of("NOT NULL constraint failed: users.name"), "SQLITE_CONSTRAINT_NOTNULL users name ");
        assert_eq!(of("CHECK constraint failed: adult"), "SQLITE_CONSTRAINT_CHECK users  adult");
        assert_eq!(of("FOREIGN KEY constraint failed"), "SQLITE_CONSTRAINT_FOREIGNKEY   ");
        assert_eq!(of("cannot store TEXT value in INTEGER column users.age"), "SQLITE_CONSTRAINT_DATATYPE users age ");
        assert_eq!(of("no orders on sundays"), "SQLITE_CONSTRAINT_TRIGGER   ");
        assert_eq!(Constraint::of(&Error::invalid("no"), None), None);
    }
}
