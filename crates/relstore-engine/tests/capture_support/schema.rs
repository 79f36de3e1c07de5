//! Random changes of shape.

use relstore_model::identifier::quote;
use relstore_model::{Schema, Table};
use relstore_testkit::Rng;

use super::statements::{condition, literal, of, one, one_row_statement, pick_table, some};

const TABLES: &[&str] = &["t1", "t2", "t3", "t4", "odd name", "select", "q\"q"];
const COLUMNS: &[&str] = &["a", "b", "c", "d", "e", "x y", "order", "é"];
const TYPES: &[&str] = &["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "", "VARCHAR(10)", "INT"];
const STRICT_TYPES: &[&str] = &["INTEGER", "REAL", "TEXT", "BLOB", "ANY", "INT"];
const ACTIONS: &[&str] = &["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"];
const CONFLICTS: &[&str] = &["", "", "", "", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE", " ON CONFLICT FAIL", " ON CONFLICT ROLLBACK"];

/// Any statement that changes the shape, or tries to.
pub fn ddl(rng: &mut Rng, schema: &Schema, objects: &Objects) -> String {
    if schema.tables.len() < 2 {
        return create_table(rng, schema);
    }
    let table = pick_table(rng, schema);
    let name = quote(&table.name);
    match rng.below(22) {
        0..=2 => create_table(rng, schema),
        3 => format!("CREATE TABLE {} AS SELECT * FROM {name}", quote(one(rng, TABLES))),
        4 | 5 => format!("DROP TABLE {name}"),
        6 => format!("ALTER TABLE {name} RENAME TO {}", quote(one(rng, TABLES))),
        7 | 8 => add_column(rng, table),
        9 => format!("ALTER TABLE {name} DROP COLUMN {}", of(rng, table)),
        10 => format!("ALTER TABLE {name} RENAME COLUMN {} TO {}", of(rng, table), quote(one(rng, COLUMNS))),
        11..=13 => create_index(rng, table),
        14 if !objects.indexes.is_empty() => format!("DROP INDEX {}", quote(some(rng, &objects.indexes))),
        15..=17 => create_trigger(rng, schema, table, objects),
        18 if !objects.triggers.is_empty() => format!("DROP TRIGGER {}", quote(some(rng, &objects.triggers))),
        19 => format!("CREATE VIEW v{} AS SELECT {}, 1 AS one FROM {name}", rng.below(2), of(rng, table)),
        20 if !objects.views.is_empty() => format!("DROP VIEW {}", some(rng, &objects.views)),
        _ => one(rng, &["REINDEX", "ANALYZE"]).to_owned(),
    }
}

/// Names that the schema does not have by themselves.
#[derive(Debug, Default)]
pub struct Objects {
    pub indexes: Vec<String>,
    pub triggers: Vec<String>,
    pub views: Vec<String>,
}

fn create_table(rng: &mut Rng, schema: &Schema) -> String {
    let name = one(rng, TABLES);
    let is_strict = rng.one_in(5);
    let types = if is_strict { STRICT_TYPES } else { TYPES };
    let mut names: Vec<&str> = COLUMNS.to_vec();
    let names: Vec<&str> = (0..1 + rng.below(5)).map(|_| names.remove(rng.below(names.len() as u64) as usize)).collect();
    let key = rng.below(9);
    let mut parts: Vec<String> = Vec::new();
    for (i, column) in names.iter().enumerate() {
        let quoted = quote(column);
        let own_key = match (i, key) {
            (0, 0 | 1) => Some("INTEGER PRIMARY KEY".to_owned()),
            (0, 2) => Some("INTEGER PRIMARY KEY AUTOINCREMENT".to_owned()),
            (0, 3) => Some(format!("TEXT PRIMARY KEY{}", one(rng, CONFLICTS))),
            (0, 4) => Some("INTEGER PRIMARY KEY DESC".to_owned()),
            (0, 5) => Some(format!("{} PRIMARY KEY NOT NULL", if is_strict { "TEXT" } else { one(rng, types) })),
            _ => None,
        };
        if let Some(own_key) = own_key {
            parts.push(format!("{quoted} {own_key}"));
            continue;
        }
        let kind = one(rng, types);
        if i > 1 && rng.one_in(4) {
            let stored = if rng.one_in(2) { "STORED" } else { "VIRTUAL" };
            let expression = generated(rng, names[0], names[1]);
            parts.push(format!("{quoted} {kind} GENERATED ALWAYS AS ({expression}) {stored}"));
            continue;
        }
        parts.push(format!("{quoted} {kind}{}", column_constraints(rng, schema, name, names[0], key < 6)));
    }
    if key >= 6 && names.len() >= 2 && key != 8 {
        parts.push(format!("PRIMARY KEY({}, {})", quote(names[1]), quote(names[0])));
    }
    if names.len() >= 2 && rng.one_in(4) {
        parts.push(format!("UNIQUE({}, {}){}", quote(names[0]), quote(names[1]), one(rng, CONFLICTS)));
    }
    if rng.one_in(8) {
        parts.push(format!("CHECK({} IS NOT {})", quote(names[0]), literal(rng)));
    }
    if names.len() >= 2
        && rng.one_in(3)
        && let Some(parent) = schema.tables.iter().find(|t| t.primary_key.len() == 2)
    {
        let action = one(rng, ACTIONS);
        parts.push(format!(
            "FOREIGN KEY({}, {}) REFERENCES {} ON DELETE {action} ON UPDATE {}",
            quote(names[0]),
            quote(names[1]),
            quote(&parent.name),
            one(rng, ACTIONS)
        ));
    }
    let mut options: Vec<&str> = Vec::new();
    if key != 2 && key != 8 && rng.one_in(3) {
        options.push("WITHOUT ROWID");
    }
    if is_strict {
        options.push("STRICT");
    }
    format!("CREATE TABLE {}({}) {}", quote(name), parts.join(", "), options.join(", "))
}

fn generated(rng: &mut Rng, a: &str, b: &str) -> String {
    let (a, b) = (quote(a), quote(b));
    match rng.below(5) {
        0 => format!("{a} || '-' || {b}"),
        1 => format!("length({b})"),
        2 => format!("{a} = {b}"),
        3 => format!("CASE WHEN typeof({b}) = 'integer' THEN {b} % 7 ELSE {b} END"),
        _ => format!("coalesce({b}, {a})"),
    }
}

fn column_constraints(rng: &mut Rng, schema: &Schema, table: &str, first: &str, is_first_key: bool) -> String {
    let mut out = String::new();
    if rng.one_in(6) {
        out += &format!(" NOT NULL{}", one(rng, CONFLICTS));
    }
    if rng.one_in(5) {
        out += &format!(" UNIQUE{}", one(rng, CONFLICTS));
    }
    if rng.one_in(4) {
        out += &format!(" DEFAULT {}", literal(rng));
    }
    if rng.one_in(10) {
        out += " COLLATE NOCASE";
    }
    if rng.one_in(10) {
        out += &format!(" CHECK({} IS NOT {})", quote(first), literal(rng));
    }
    if rng.one_in(3)
        && let Some(parent) = parent(rng, schema, table, first, is_first_key)
    {
        out += &format!(" REFERENCES {parent} ON DELETE {} ON UPDATE {}", one(rng, ACTIONS), one(rng, ACTIONS));
        out += one(rng, &["", "", " DEFERRABLE INITIALLY DEFERRED"]);
    }
    out
}

/// What a foreign key may name: most often a key, and now and then what it may not.
fn parent(rng: &mut Rng, schema: &Schema, table: &str, first: &str, is_first_key: bool) -> Option<String> {
    if schema.tables.is_empty() || (is_first_key && rng.one_in(4)) {
        return (is_first_key || rng.one_in(30)).then(|| format!("{}({})", quote(table), quote(first)));
    }
    let parent = pick_table(rng, schema);
    match parent.primary_key.as_slice() {
        [_] => Some(quote(&parent.name)),
        _ if rng.one_in(30) => Some(format!("{}({})", quote(&parent.name), of(rng, parent))),
        _ => None,
    }
}

fn add_column(rng: &mut Rng, table: &Table) -> String {
    let (name, column) = (quote(&table.name), quote(one(rng, COLUMNS)));
    let kind = one(rng, if table.sql.to_uppercase().ends_with("STRICT") { STRICT_TYPES } else { TYPES });
    match rng.below(4) {
        0 => format!("ALTER TABLE {name} ADD COLUMN {column} {kind}"),
        1 => {
            format!("ALTER TABLE {name} ADD COLUMN {column} {kind} AS ({})", generated(rng, &table.columns[0].name, &table.columns[0].name))
        }
        2 => format!("ALTER TABLE {name} ADD COLUMN {column} {kind} DEFAULT {}", literal(rng)),
        _ => format!("ALTER TABLE {name} ADD COLUMN {column} {kind} NOT NULL DEFAULT {}", literal(rng)),
    }
}

fn create_index(rng: &mut Rng, table: &Table) -> String {
    let unique = if rng.one_in(3) { "UNIQUE " } else { "" };
    let indexed = match rng.below(4) {
        0 => format!("{}, {}", of(rng, table), of(rng, table)),
        1 => format!("length({})", of(rng, table)),
        2 => format!("{} COLLATE NOCASE DESC", of(rng, table)),
        _ => of(rng, table),
    };
    let partial = if rng.one_in(3) { format!(" WHERE {} IS NOT NULL", of(rng, table)) } else { String::new() };
    format!("CREATE {unique}INDEX i{} ON {}({indexed}){partial}", rng.below(6), quote(&table.name))
}

/// One trigger a table, time and event: which of several comes first is nobody's promise.
fn create_trigger(rng: &mut Rng, schema: &Schema, table: &Table, objects: &Objects) -> String {
    if !objects.views.is_empty() && rng.one_in(4) {
        let event = one(rng, &["INSERT", "UPDATE", "DELETE"]);
        let body = one_row_statement(rng, schema);
        return format!("CREATE TRIGGER {0}_{event} INSTEAD OF {event} ON {0} BEGIN {body}; END", some(rng, &objects.views));
    }
    let (time, event) = (one(rng, &["BEFORE", "AFTER"]), one(rng, &["INSERT", "UPDATE", "DELETE"]));
    let columns = if event == "UPDATE" && rng.one_in(3) { format!(" OF {}", of(rng, table)) } else { String::new() };
    let name = format!("g{}_{time}_{event}", table.id.0);
    let row = if event == "DELETE" { "OLD" } else { "NEW" };
    let when = if rng.one_in(2) { format!("WHEN {row}.{} IS NOT {}", of(rng, table), literal(rng)) } else { String::new() };
    let body = match rng.below(6) {
        0 => {
            let how = one(rng, &["ABORT, 'no'", "FAIL, 'no'", "ROLLBACK, 'no'", "IGNORE", "ABORT, 'no'"]);
            format!("SELECT RAISE({how}) WHERE {row}.{} IS {}", of(rng, table), literal(rng))
        }
        1 => format!("UPDATE {0} SET {1} = {2} WHERE {3} IS {row}.{3}", quote(&table.name), of(rng, table), literal(rng), of(rng, table)),
        2 => format!("DELETE FROM {} WHERE {}", quote(&table.name), condition(rng, table)),
        3 => format!("{}; {}", one_row_statement(rng, schema), one_row_statement(rng, schema)),
        _ => one_row_statement(rng, schema),
    };
    format!("CREATE TRIGGER {name} {time} {event}{columns} ON {} {when} BEGIN {body}; END", quote(&table.name))
}
