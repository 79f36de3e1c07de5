//! A SQLite database built from the log: its changes of shape, and its rows one by one.

use relstore_engine::Database;
use relstore_engine::sqlite::Connection;
use relstore_model::change::RowChange;
use relstore_model::identifier::quote;
use relstore_model::{Change, Op, Result, Row, Schema, SchemaChange, Table, Value};

use crate::common::changes;

/// Builds it. Triggers and views are left out: what they did is in the log.
pub fn from_log(db: &Database) -> Connection {
    let plain = Connection::scratch().unwrap();
    plain.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
    let mut schema = Schema::default();
    for change in changes(db) {
        match change {
            Change::Schema(change) => reshape(&plain, &mut schema, *change),
            Change::Row(row) => apply(&plain, schema.by_id(row.table).expect("a change is of a table in force"), &row),
        }
    }
    plain
}

fn reshape(plain: &Connection, schema: &mut Schema, change: SchemaChange) {
    let SchemaChange { schema: new, sql } = change;
    let run = |sql: &str| plain.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let is_new = |t: &&Table| t.id.0 > schema.last_table_id;
    let created: Vec<&Table> = new.tables.iter().filter(is_new).collect();
    let first = sql.split_whitespace().next().unwrap_or_default().to_uppercase();
    let words = sql.to_uppercase();
    if !created.is_empty() {
        created.iter().for_each(|t| run(&t.sql));
    } else if first == "ALTER" || words.contains("INDEX I") || words.starts_with("DROP INDEX") {
        run(&sql);
    } else {
        for gone in schema.tables.iter().filter(|t| new.by_id(t.id).is_none()) {
            let left = plain.query(&format!("SELECT count(*) FROM {}", quote(&gone.name)), &[]).unwrap();
            assert_eq!(left[0][0], Value::Integer(0), "rows of a dropped table that were never deleted: {}", gone.name);
            run(&format!("DROP TABLE {}", quote(&gone.name)));
        }
    }
    *schema = new;
}

fn apply(plain: &Connection, table: &Table, change: &RowChange) {
    let name = quote(&table.name);
    let given = |row: &Row| -> (Vec<String>, Vec<Value>) {
        let cells = table.stored_columns().zip(row).filter(|(c, _)| !c.is_computed).map(|(c, v)| (quote(&c.name), v.clone()));
        let rowid = change.rowid.filter(|_| table.is_keyed_by_rowid()).map(|r| ("rowid".to_owned(), Value::Integer(r)));
        rowid.into_iter().chain(cells).unzip()
    };
    let (sql, params) = match (&change.op, &change.before, &change.after) {
        (Op::Create | Op::Read, _, Some(after)) => {
            let (columns, cells) = given(after);
            (format!("INSERT INTO {name}({}) VALUES({})", columns.join(", "), vec!["?"; cells.len()].join(", ")), cells)
        }
        (Op::Update, Some(before), Some(after)) => {
            let (columns, cells) = given(after);
            let set: Vec<String> = columns.iter().map(|c| format!("{c}=?")).collect();
            let (condition, key) = found(table, change.rowid, before);
            (format!("UPDATE {name} SET {} WHERE {condition}", set.join(", ")), cells.into_iter().chain(key).collect())
        }
        (Op::Delete, Some(before), _) => {
            let (condition, key) = found(table, change.rowid, before);
            (format!("DELETE FROM {name} WHERE {condition}"), key)
        }
        _ => panic!("a change without its images: {change:?}"),
    };
    let done = plain.execute(&sql, &params).unwrap_or_else(|e| panic!("{change:?} of {}: {e}", table.sql));
    assert_eq!(done, 1, "{change:?} of {} changes no row", table.sql);
}

/// The one row that is, cell for cell, this.
fn found(table: &Table, rowid: Option<i64>, row: &Row) -> (String, Vec<Value>) {
    let mut conditions: Vec<String> =
        table.stored_columns().map(|c| format!("({0} COLLATE BINARY IS ? AND typeof({0})=?)", quote(&c.name))).collect();
    let mut params: Vec<Value> = row.iter().flat_map(|v| [v.clone(), Value::from(v.type_name())]).collect();
    if let Some(rowid) = rowid {
        conditions.push("rowid=?".into());
        params.push(Value::Integer(rowid));
    }
    let condition = conditions.join(" AND ");
    if table.without_rowid {
        return (condition, params);
    }
    (format!("rowid=(SELECT rowid FROM {} WHERE {condition} LIMIT 1)", quote(&table.name)), params)
}

/// The statements of tables and indexes.
pub fn shapes(query: impl Fn(&str) -> Result<Vec<Row>>) -> Vec<String> {
    const SHAPES: &str = "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL \
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_rs\\_%' ESCAPE '\\' ORDER BY sql";
    query(SHAPES).unwrap().iter().map(|r| format!("{:?}", r[0])).collect()
}
