//! `schema show`, `sql --explain`, `check`, `reconcile` and `backup`.

mod support;

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use support::{Installation, Ran, run};

fn schema(it: &Installation, more: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relstore"));
    command.args(["schema", "show", "--ns", "acme", "--dir"]).arg(it.dir()).args(more);
    run(&mut command)
}

fn hot_file(it: &Installation) -> PathBuf {
    it.dir().join("hot/acme/store.db")
}

#[test]
fn schema_show_says_what_the_tables_are_and_hold() {
    let it = Installation::with_acme();
    it.sql("acme", "CREATE INDEX by_age ON users(age)").ok();
    it.sql("acme", "DELETE FROM users WHERE id = 3").ok();
    let said = schema(&it, &[]).ok();
    for part in [
        "acme, schema version 3, 2 tables",
        "users  2 rows",
        "index by_age (age)",
        "foreign key user_id → users (id)",
        "│ 101 ┆ id     ┆ INTEGER  ┆ integer ┆ no   ┆",
        "≤ 41",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let document = schema(&it, &["users", "--json"]).json();
    assert_eq!((&document["ns"], &document["schema_version"], &document["lsn"]), (&json!("acme"), &json!(3), &json!(8)));
    let users = &document["tables"][0];
    assert_eq!(document["tables"].as_array().map(Vec::len), Some(1));
    assert_eq!((&users["rows"], &users["indexes"][0]["name"]), (&json!(2), &json!("by_age")));
    let age = &users["columns"][2];
    assert_eq!(
        age["statistics"],
        json!({"nulls": 1, "bytes": 1, "distinct": 1, "min": 30, "min_exact": true, "max": 41, "max_exact": false})
    );
    assert_eq!((&users["columns"][0]["key"], &users["columns"][1]["nullable"]), (&json!(1), &json!(false)));
    schema(&it, &["usres"]).refused("NotFound", &["did you mean users?"]);
}

#[test]
fn sql_explains_and_says_what_it_scanned_and_wrote() {
    let it = Installation::with_acme();
    let said = it.run("sql", &["--ns", "acme", "SELECT * FROM users u WHERE age > 3", "--explain"]).ok();
    assert_eq!(said, "└─ SCAN u   ← the whole table: users has 3 rows\n");
    let said = it.sql("acme", "SELECT count(*) FROM users WHERE age > 3").ok();
    assert!(said.contains("1 row, 2 scanned, ") || said.contains("1 row, 3 scanned, "), "{said}");
    it.sql("acme", "CREATE TRIGGER gone AFTER UPDATE ON users BEGIN DELETE FROM orders; END").ok();
    let said = it.sql("acme", "UPDATE users SET age = 1 WHERE id = 1").ok();
    assert!(said.contains("1 row changed, 2 written in all, LSN 9, "), "{said}");
}

#[test]
fn a_foreign_write_is_found_refused_and_reconciled() {
    let it = Installation::with_acme();
    let said = it.run("check", &["--ns", "acme"]).ok();
    assert!(said.contains("acme is whole"), "{said}");
    let plain = relstore::engine::sqlite::Connection::open(&hot_file(&it)).expect("the file can be opened");
    plain.execute_batch("UPDATE users SET age = 99 WHERE id = 2").expect("another program can write it");
    drop(plain);
    let ran = it.run("check", &["--ns", "acme", "--json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("\"code\":\"content\",\"table\":\"users\"") && ran.err.contains("relstore reconcile"), "{ran:?}");
    it.sql("acme", "DELETE FROM orders").refused("Unavailable", &["another program", "relstore reconcile"]);
    let done = it.run("reconcile", &["--ns", "acme", "--json"]).json();
    assert_eq!(done["tables"], json!([{"name": "users", "created": 0, "updated": 1, "deleted": 0, "replaced": false}]));
    it.sql("acme", "DELETE FROM orders").ok();
    assert!(it.run("reconcile", &["--ns", "acme"]).ok().starts_with("Nothing differs"));
    it.run("reconcile", &["--ns", "nobody"]).refused("NotFound", &["no such store"]);
    let events = it.run("tail", &["--ns", "acme", "--table", "users"]).ok();
    assert!(events.contains("update  users 2  age null → 99"), "{events}");
}

#[test]
fn a_backup_is_a_store() {
    let it = Installation::with_acme();
    let copy = it.folder().join("copy.db");
    let to = copy.to_string_lossy().into_owned();
    let said = it.run("backup", &["--ns", "acme", "--to", &to]).ok();
    assert!(said.contains("has acme up to LSN 6: "), "{said}");
    it.run("backup", &["--ns", "acme", "--to", &to]).refused("Invalid", &["new file"]);
    let other = Installation::new();
    other.sql("acme", "CREATE TABLE t (x)").ok();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", hot_file(&other).display()));
    }
    std::fs::copy(&copy, hot_file(&other)).expect("it can be copied");
    assert_eq!(other.rows("acme", "SELECT count(*) AS n FROM users"), json!([{"n": 3}]));
    other.sql("acme", "INSERT INTO users VALUES (4, 'Dora', 5)").ok();
}
