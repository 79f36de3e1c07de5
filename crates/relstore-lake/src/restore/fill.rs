//! Filling an empty store.

use std::collections::BTreeMap;

use relstore_engine::{Database, Transaction};
use relstore_model::identifier::quote;
use relstore_model::{Error, ErrorKind, Result, Schema, Table, Value};

use super::fold::Fold;

/// Makes the schema, the rows, and what depends on them; gives the rows by table.
pub(super) fn fill(schema: &Schema, fold: &Fold<'_>, into: &Database) -> Result<BTreeMap<String, u64>> {
    if !into.schema().tables.is_empty() {
        return Err(Error::new(ErrorKind::Conflict, "the store to restore into is not empty")
            .with("path", into.path().display())
            .with_hint("restore into a new folder"));
    }
    into.transaction(|tx| {
        // Rows come table by table: their foreign keys hold at the end.
        tx.execute("PRAGMA defer_foreign_keys=ON", &[])?;
        let mut rows = BTreeMap::new();
        for table in &schema.tables {
            run(tx, &table.sql)?;
        }
        for table in &schema.tables {
            rows.insert(table.name.clone(), tx.as_snapshot(|tx| fill_table(tx, table, fold))?);
        }
        for sql in schema.tables.iter().flat_map(|t| &t.dependents).chain(&schema.views) {
            run(tx, sql)?;
        }
        check(tx)?;
        Ok(rows)
    })
}

fn run(tx: &Transaction<'_>, sql: &str) -> Result<()> {
    tx.execute(sql, &[]).map(|_| ())
}

fn fill_table(tx: &Transaction<'_>, table: &Table, fold: &Fold<'_>) -> Result<u64> {
    let given: Vec<bool> = table.stored_columns().map(|c| !c.is_computed).collect();
    let rowid = table.rowid_name().filter(|_| table.is_keyed_by_rowid()).map(str::to_owned);
    let names = table.stored_columns().filter(|c| !c.is_computed).map(|c| quote(&c.name));
    let columns: Vec<String> = rowid.into_iter().chain(names).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT INTO {}({}) VALUES({marks})", quote(&table.name), columns.join(", "));
    fold.each_row(table, |rowid, cells| {
        let rowid = table.is_keyed_by_rowid().then(|| rowid.map_or(Value::Null, Value::Integer));
        let cells = cells.into_iter().zip(&given).filter(|(_, given)| **given).map(|(cell, _)| cell);
        let params: Vec<Value> = rowid.into_iter().chain(cells).collect();
        tx.execute_each(&insert, &params, &mut |_| Ok(())).map(|_| ()).map_err(|e| e.with("table", &table.name))
    })
}

/// The checks of the restored store, before it is committed.
fn check(tx: &Transaction<'_>) -> Result<()> {
    let broken = tx.execute("PRAGMA foreign_key_check", &[])?.rows;
    if let Some(row) = broken.first() {
        return Err(Error::corrupt("the restored rows break a foreign key").with("rows", broken.len()).with("first", format!("{row:?}")));
    }
    let answers = tx.execute("PRAGMA integrity_check", &[])?.rows;
    match answers.first().and_then(|r| r.first()) {
        Some(Value::Text(ok)) if ok == "ok" => Ok(()),
        other => Err(Error::corrupt("the restored store fails SQLite's integrity check").with("first", format!("{other:?}"))),
    }
}
