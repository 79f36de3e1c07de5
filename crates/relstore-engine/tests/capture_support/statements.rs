//! Random statements that change rows.

use relstore_model::identifier::quote;
use relstore_model::{Schema, Table};
use relstore_testkit::Rng;

use super::schema::Objects;

const OR: &[&str] = &["", "", "", "", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT ", "OR ROLLBACK "];

/// One of few cells, so that keys meet.
pub fn literal(rng: &mut Rng) -> String {
    let literals = [
        "NULL",
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "-7",
        "'a'",
        "'b'",
        "'A'",
        "'5'",
        "''",
        "1.5",
        "2.0",
        "x'01'",
        "4611686018427387904",
        "'é'",
        "1e300",
        "'2.0'",
        "x''",
        "'abc'",
    ];
    one(rng, &literals).to_owned()
}

/// One of some words.
pub fn one(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words[rng.below(words.len() as u64) as usize]
}

/// One of some names.
pub fn some<'a>(rng: &mut Rng, names: &'a [String]) -> &'a str {
    &names[rng.below(names.len() as u64) as usize]
}

pub fn pick_table<'a>(rng: &mut Rng, schema: &'a Schema) -> &'a Table {
    rng.pick(&schema.tables)
}

/// One of the table's columns, quoted.
pub fn of(rng: &mut Rng, table: &Table) -> String {
    quote(&rng.pick(&table.columns).name)
}

pub fn condition(rng: &mut Rng, table: &Table) -> String {
    let column = of(rng, table);
    match rng.below(8) {
        0 => format!("{column} IS NULL"),
        1 => format!("{column} > {}", literal(rng)),
        2 => format!("{column} IN ({}, {}, {})", literal(rng), literal(rng), literal(rng)),
        3 => format!("{column} = (SELECT max({column}) FROM {})", quote(&table.name)),
        4 if !table.without_rowid => format!("rowid = {}", 1 + rng.below(6)),
        5 => format!("typeof({column}) = 'text'"),
        _ => format!("{column} = {}", literal(rng)),
    }
}

fn given(table: &Table) -> Vec<String> {
    table.columns.iter().filter(|c| !c.is_virtual && !c.is_computed).map(|c| quote(&c.name)).collect()
}

fn one_given(rng: &mut Rng, table: &Table) -> String {
    let given = given(table);
    if given.is_empty() { of(rng, table) } else { rng.pick(&given).clone() }
}

fn tuple(rng: &mut Rng, cells: usize) -> String {
    let cells: Vec<String> = (0..cells).map(|_| literal(rng)).collect();
    format!("({})", cells.join(", "))
}

/// A statement without clauses, as a trigger may have one.
pub fn one_row_statement(rng: &mut Rng, schema: &Schema) -> String {
    let table = pick_table(rng, schema);
    let (name, given) = (quote(&table.name), given(table));
    let or = one(rng, &["", "", "OR REPLACE ", "OR IGNORE "]);
    match rng.below(4) {
        0 | 1 => format!("INSERT {or}INTO {name}({}) VALUES {}", given.join(", "), tuple(rng, given.len())),
        2 => format!("UPDATE {or}{name} SET {} = {} WHERE {}", one_given(rng, table), literal(rng), condition(rng, table)),
        _ => format!("DELETE FROM {name} WHERE {}", condition(rng, table)),
    }
}

/// Any statement that changes rows, or tries to.
pub fn dml(rng: &mut Rng, schema: &Schema, objects: &Objects) -> String {
    if !objects.views.is_empty() && rng.one_in(12) {
        let view = some(rng, &objects.views);
        return match rng.below(3) {
            0 => format!("INSERT INTO {view} VALUES ({}, 1)", literal(rng)),
            1 => format!("UPDATE {view} SET one = {}", literal(rng)),
            _ => format!("DELETE FROM {view}"),
        };
    }
    if rng.one_in(50) {
        return "PRAGMA defer_foreign_keys=ON".into();
    }
    let table = pick_table(rng, schema);
    let statement = match rng.below(12) {
        0..=5 => insert(rng, schema, table),
        6..=8 => update(rng, schema, table),
        9 => format!("DELETE FROM {}", quote(&table.name)),
        _ => format!("DELETE FROM {} WHERE {}", quote(&table.name), condition(rng, table)),
    };
    if rng.one_in(4) { format!("{statement} RETURNING *") } else { statement }
}

fn insert(rng: &mut Rng, schema: &Schema, table: &Table) -> String {
    let (name, given, or) = (quote(&table.name), given(table), one(rng, OR));
    let columns = given.join(", ");
    match rng.below(9) {
        0 => return format!("INSERT {or}INTO {name} DEFAULT VALUES"),
        1 => {
            let source = pick_table(rng, schema);
            let cells: Vec<String> = given.iter().map(|_| of(rng, source)).collect();
            return format!("INSERT {or}INTO {name}({columns}) SELECT {} FROM {} LIMIT 4", cells.join(", "), quote(&source.name));
        }
        2 if rng.one_in(2) => return format!("INSERT {or}INTO {name} SELECT * FROM {}", quote(&pick_table(rng, schema).name)),
        4 if rng.one_in(3) => {
            let cells: Vec<String> = given.iter().map(|_| one(rng, &["i", "i % 2", "'k' || i", "NULL", "i * 1.5"]).to_owned()).collect();
            let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5)";
            let conflict = if rng.one_in(2) { " WHERE true ON CONFLICT DO NOTHING" } else { "" };
            return format!("{numbers} INSERT {or}INTO {name}({columns}) SELECT {} FROM n{conflict}", cells.join(", "));
        }
        3 => return format!("REPLACE INTO {name}({columns}) VALUES {}", tuple(rng, given.len())),
        _ => {}
    }
    let rows: Vec<String> = (0..1 + rng.below(4)).map(|_| tuple(rng, given.len())).collect();
    let mut sql = format!("INSERT {or}INTO {name}({columns}) VALUES {}", rows.join(", "));
    if rng.one_in(3) {
        let target = if rng.one_in(2) {
            String::new()
        } else {
            let key: Vec<String> = table.primary_key.iter().map(|i| quote(&table.columns[*i].name)).collect();
            if key.is_empty() { format!("({})", of(rng, table)) } else { format!("({})", key.join(", ")) }
        };
        let column = one_given(rng, table);
        sql += &match rng.below(3) {
            0 => format!(" ON CONFLICT{target} DO NOTHING"),
            1 => format!(" ON CONFLICT{target} DO UPDATE SET {column} = excluded.{column}"),
            _ => format!(" ON CONFLICT{target} DO UPDATE SET {column} = {} WHERE {} IS NOT NULL", literal(rng), of(rng, table)),
        };
    }
    sql
}

fn update(rng: &mut Rng, schema: &Schema, table: &Table) -> String {
    let (name, or) = (quote(&table.name), one(rng, OR));
    let column = one_given(rng, table);
    let set = match rng.below(7) {
        0 => format!("{column} = {column} + 1"),
        1 => format!("{column} = {column}"),
        2 if !table.without_rowid => format!("rowid = rowid + {}", rng.below(3)),
        3 => format!("{column} = {}, {} = {}", literal(rng), one_given(rng, table), literal(rng)),
        4 => format!("{column} = {}", of(rng, table)),
        5 if rng.one_in(2) => format!("({column}, {}) = (SELECT {}, {})", one_given(rng, table), of(rng, table), literal(rng)),
        _ => format!("{column} = {}", literal(rng)),
    };
    let from =
        if rng.one_in(10) { format!(" FROM (SELECT 1 AS z FROM {} LIMIT 1)", quote(&pick_table(rng, schema).name)) } else { String::new() };
    let condition = if rng.one_in(4) { String::new() } else { format!(" WHERE {}", condition(rng, table)) };
    format!("UPDATE {or}{name} SET {set}{from}{condition}")
}
