//! `migrate apply|status|down`, `schema diff|check|mode` and `adopt`, as a user types them.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::{Installation, Ran, run};

/// A folder of drizzle-kit's first layout: users and orders, then a rebuild of users that drizzle-kit writes for a changed column.
fn folder(it: &Installation) -> PathBuf {
    let folder = it.folder().join("migrations");
    fs::create_dir_all(folder.join("meta")).unwrap();
    let entry =
        |idx: u64, tag: &str| json!({"idx": idx, "version": "6", "when": 1_700_000_000_000_u64 + idx, "tag": tag, "breakpoints": true});
    let journal = json!({"version": "7", "dialect": "sqlite", "entries": [entry(0, "0000_first"), entry(1, "0001_rebuild")]});
    fs::write(folder.join("meta/_journal.json"), journal.to_string()).unwrap();
    write(
        &folder,
        "0000_first.sql",
        "CREATE TABLE `users` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL\n);\n--> statement-breakpoint\n\
         CREATE TABLE `orders` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`user_id` text REFERENCES users(id) ON DELETE CASCADE\n);\n",
    );
    write(
        &folder,
        "0001_rebuild.sql",
        "PRAGMA foreign_keys=OFF;--> statement-breakpoint\n\
         CREATE TABLE `__new_users` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`name` text\n);\n--> statement-breakpoint\n\
         INSERT INTO `__new_users`(\"id\", \"name\") SELECT \"id\", \"name\" FROM `users`;--> statement-breakpoint\n\
         DROP TABLE `users`;--> statement-breakpoint\n\
         ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint\n\
         PRAGMA foreign_keys=ON;",
    );
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

fn plain(it: &Installation, files: &[(&str, &str)]) -> PathBuf {
    let folder = it.folder().join("plain");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        write(&folder, name, text);
    }
    folder
}

fn relstore(it: &Installation, words: &[&str], more: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relstore"));
    command.args(words).arg("--dir").arg(it.dir()).args(more).env("NO_COLOR", "1");
    run(&mut command)
}

fn apply(it: &Installation, folder: &Path, more: &[&str]) -> Ran {
    relstore(it, &["migrate", "apply", folder.to_str().unwrap()], more)
}

#[test]
fn a_rebuild_of_a_parent_keeps_its_children_and_says_how_to_go_back() {
    let it = Installation::new();
    let folder = folder(&it);
    apply(&it, &folder, &["--ns", "acme", "--to", "0"]).ok();
    it.sql("acme", "INSERT INTO users VALUES ('u1', 'Alice'), ('u2', 'Bob')").ok();
    it.sql("acme", "INSERT INTO orders VALUES (1, 'u1'), (2, 'u1'), (3, 'u2')").ok();
    let planned = apply(&it, &folder, &["--ns", "acme", "--dry-run"]).ok();
    for part in ["0001_rebuild", "DROP TABLE `users`", "BACKWARD: compatible", "1 migration for acme. Nothing was done."] {
        assert!(planned.contains(part), "{part:?} is not in\n{planned}");
    }
    let said = apply(&it, &folder, &["--ns", "acme"]).ok();
    for part in ["0001_rebuild", "users is rebuilt, and is the same table", "relstore restore --dir", "--at 7 --to NEW_DIR"] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    let rows = it.run("sql", &["--ns", "acme", "--json", "SELECT count(*) AS n FROM orders"]).json();
    assert_eq!(rows, json!([{"n": 3}]), "the children are there");
    assert!(apply(&it, &folder, &["--ns", "acme"]).ok().contains("nothing to do"));
    let status = relstore(&it, &["migrate", "status", folder.to_str().unwrap()], &["--ns", "acme", "--json"]).json();
    let names: Vec<_> = status["history"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    assert_eq!((names, &status["pending"]), (vec![json!("0000_first"), json!("0001_rebuild")], &json!([])));
}

#[test]
fn what_loses_data_is_refused_until_it_is_allowed_and_downs_take_it_back() {
    let it = Installation::with_acme();
    let folder = plain(
        &it,
        &[
            ("0001_note.sql", "ALTER TABLE users ADD COLUMN note TEXT;"),
            ("0001_note.down.sql", "ALTER TABLE users DROP COLUMN note;"),
            ("0002_age.sql", "ALTER TABLE users DROP COLUMN age;"),
            ("0002_age.down.sql", "ALTER TABLE users ADD COLUMN age INTEGER;"),
        ],
    );
    apply(&it, &folder, &["--ns", "acme"]).refused("Invalid", &["drops column users.age", "drops-column", "--allow-destructive"]);
    let rows = it.run("sql", &["--ns", "acme", "--json", "SELECT * FROM users WHERE id = 1"]).json();
    assert_eq!(rows, json!([{"id": 1, "name": "Alice", "age": 30}]), "nothing of it was done");
    let document = apply(&it, &folder, &["--ns", "acme", "--allow-destructive", "--json"]).json();
    assert_eq!(document["applied"][1]["name"], "0002_age");
    assert_eq!((&document["compatibility"]["ok"], &document["pending"]), (&json!(true), &json!([])));
    let down = |more: &[&str]| relstore(&it, &["migrate", "down", folder.to_str().unwrap()], &[&["--ns", "acme"], more].concat());
    let planned = down(&["--dry-run"]).ok();
    assert!(planned.contains("ALTER TABLE users ADD COLUMN age INTEGER") && planned.contains("Nothing was done"), "{planned}");
    let said = down(&[]).ok();
    assert!(said.starts_with("0002_age  1 statement\nTaken back."), "{said}");
    down(&[]).refused("Invalid", &["drops column users.note"]);
    down(&["--allow-destructive"]).ok();
    let rows = it.run("sql", &["--ns", "acme", "--json", "SELECT * FROM users WHERE id = 1"]).json();
    assert_eq!(rows, json!([{"id": 1, "name": "Alice", "age": null}]));
}

#[test]
fn a_store_s_mode_refuses_what_its_readers_do_not_survive() {
    let it = Installation::with_acme();
    let mode = |more: &[&str]| relstore(&it, &["schema", "mode"], &[&["--ns", "acme"], more].concat());
    assert!(mode(&[]).ok().contains("BACKWARD (nothing was chosen)"));
    mode(&["BACKWARDS"]).refused("Invalid", &["did you mean BACKWARD?"]);
    assert_eq!(mode(&["FULL", "--json"]).json()["mode"], "FULL");
    let folder = plain(&it, &[("0001_name.sql", "ALTER TABLE users RENAME COLUMN name TO full_name;")]);
    let refused = apply(&it, &folder, &["--ns", "acme"]);
    refused.refused("Incompatible", &["users.full_name", "FULL"]);
    let shown = it.run("sql", &["--ns", "acme", "--json", "SELECT name FROM users WHERE id = 2"]).json();
    assert_eq!(shown, json!([{"name": "Bob"}]));
    mode(&["default"]).ok();
    apply(&it, &folder, &["--ns", "acme"]).ok();
    // One change, and a whole schema.
    let check = |new: &str| relstore(&it, &["schema", "check", new], &["--ns", "acme"]);
    let said = check(r#"{"type": "ADD_COLUMN", "table": "users", "column": {"name": "email", "type": "TEXT", "nullable": true}}"#).ok();
    assert!(said.contains("BACKWARD: compatible"), "{said}");
    let refused = check(r#"{"type": "ADD_COLUMN", "table": "users", "column": {"name": "email", "type": "TEXT", "nullable": false}}"#);
    assert_eq!(refused.code, Some(1));
    assert!(refused.out.contains("REQUIRED_COLUMN_ADDED users.email") && refused.err.starts_with("error[Incompatible]"), "{refused:?}");
    check(r#"{"type": "ADD_COLUM"}"#).refused("Invalid", &["did you mean ADD_COLUMN?"]);
    let file = it.folder().join("schema.sql");
    fs::write(&file, "CREATE TABLE users(id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, age INTEGER, email TEXT DEFAULT 'none');")
        .unwrap();
    let said = relstore(&it, &["schema", "diff", file.to_str().unwrap()], &["--ns", "acme"]).ok();
    assert!(said.contains("users.email") && said.contains("orders"), "{said}");
    let document = relstore(&it, &["schema", "diff", file.to_str().unwrap()], &["--ns", "acme", "--json"]).json();
    let paths: Vec<_> = document["changes"].as_array().unwrap().iter().map(|c| c["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, ["users.email", "orders"]);
}

#[test]
fn a_fleet_is_migrated_canary_first_and_stops_where_one_fails() {
    let it = Installation::new();
    for ns in ["a", "b", "c", "d"] {
        it.sql(ns, "CREATE TABLE t(id INTEGER PRIMARY KEY, code TEXT)").ok();
    }
    it.sql("c", "INSERT INTO t VALUES (1, 'x'), (2, 'x')").ok();
    let folder = plain(&it, &[("0001_unique.sql", "CREATE UNIQUE INDEX by_code ON t(code);")]);
    let ran = apply(&it, &folder, &["--all", "--json", "--failures-max", "9"]);
    assert_eq!(ran.code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let outcomes = |document: &serde_json::Value| -> Vec<String> {
        document["stores"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| format!("{} {}", s["ns"].as_str().unwrap(), s["outcome"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(outcomes(&document), ["a migrated", "b migrated", "c failed", "d migrated"]);
    assert_eq!(document["stores"][2]["error"]["code"], "Constraint");
    it.sql("c", "DELETE FROM t WHERE id = 2").ok();
    let document = apply(&it, &folder, &["--all", "--json"]).json();
    assert_eq!(outcomes(&document), ["a current", "b current", "c migrated", "d current"]);
    // The canary alone, where it fails.
    write(&folder, "0002_bad.sql", "ALTER TABLE t ADD COLUMN code2 TEXT;\nINSERT INTO missing VALUES (1);");
    let ran = apply(&it, &folder, &["--all"]);
    assert!(ran.code == Some(1) && ran.out.contains("3 stores not reached") && ran.out.contains("no such table: missing"), "{ran:?}");
    let status = relstore(&it, &["migrate", "status", folder.to_str().unwrap()], &["--all", "--json"]).json();
    assert!(status.as_array().unwrap().iter().all(|s| s["applied"] == 1 && s["pending"][0]["name"] == "0002_bad"), "{status}");
}

#[test]
fn a_wrong_folder_and_a_wrong_statement_are_named() {
    let it = Installation::with_acme();
    apply(&it, &it.folder().join("nowhere"), &["--ns", "acme"]).refused("NotFound", &["nowhere"]);
    let folder = plain(&it, &[("0001_ok.sql", "CREATE TABLE one(id INTEGER PRIMARY KEY);\n\nCREATE TABEL two(id);")]);
    let said = apply(&it, &folder, &["--ns", "acme"]).refused("Invalid", &["0001_ok.sql", "statement: 2", "line: 3", "TABEL"]);
    assert!(said.contains('^'), "{said}");
    it.sql("acme", "SELECT * FROM one").refused("NotFound", &["no such table: one"]);
}

#[test]
fn a_dry_run_makes_nothing_and_a_first_migration_that_fails_leaves_nothing() {
    let it = Installation::new();
    let folder = folder(&it);
    let planned = apply(&it, &folder, &["--ns", "acme", "--dry-run"]).ok();
    assert!(planned.contains("creates table users") && planned.contains("2 migrations for acme. Nothing was done."), "{planned}");
    assert!(!it.dir().exists(), "a plan makes no installation");
    let wrong = plain(&it, &[("0001_wrong.sql", "CREATE TABLE one(id INTEGER PRIMARY KEY); CREATE TABEL two(id)")]);
    apply(&it, &wrong, &["--ns", "acme"]).refused("Invalid", &["0001_wrong.sql", "TABEL"]);
    assert!(!it.dir().exists(), "nor does what fails on an empty store");
    apply(&it, &folder, &["--ns", "acme"]).ok();
    apply(&it, &wrong, &["--ns", "typo", "--dry-run"]).refused("Invalid", &["TABEL"]);
    assert_eq!(std::fs::read_dir(it.dir().join("hot")).unwrap().count(), 1, "and no store beside it");
}

#[test]
fn a_folder_is_checked_without_a_store() {
    let it = Installation::new();
    let check = |folder: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relstore"));
        command.args(["migrate", "check"]).arg(folder).args(more).env("NO_COLOR", "1");
        run(&mut command)
    };
    let said = check(&folder(&it), &[]).ok();
    assert!(said.contains("0001_rebuild.sql:9: warning[rebuild-with-cascade-child]: users is rebuilt"), "{said}");
    assert!(said.ends_with("2 migrations: 0 errors, 3 warnings\n"), "{said}");
    let document = check(&folder(&it), &["--mode", "FULL", "--json"]).json();
    let codes: Vec<&str> = document["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert!(document["ok"] == true && codes.contains(&"incompatible"), "{document}");
    let twice =
        plain(&it, &[("0001_a.sql", "CREATE TABLE a(id INTEGER PRIMARY KEY)"), ("1_b.sql", "CREATE TABLE b(id INTEGER PRIMARY KEY)")]);
    let ran = check(&twice, &[]);
    assert!(ran.code == Some(1) && ran.out.contains("error[version-repeats]"), "{ran:?}");
    assert!(ran.err.starts_with("error[Invalid]: the folder does not do the same on every store"), "{ran:?}");
    check(&twice, &["--mode", "FUL"]).refused("Invalid", &["did you mean FULL?"]);
}

#[test]
fn a_plain_file_is_adopted() {
    let it = Installation::new();
    let file = it.folder().join("app.sqlite");
    let source = relstore::engine::sqlite::Connection::open(&file).unwrap();
    source.execute_batch("CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES(1, 'one'), (2, 'two')").unwrap();
    drop(source);
    let adopt = |ns: &str| relstore(&it, &["adopt", file.to_str().unwrap()], &["--ns", ns]);
    let said = adopt("acme").ok();
    assert!(said.starts_with("acme has 1 table and 2 rows of "), "{said}");
    let events = it.run("tail", &["--ns", "acme", "--json"]).ok();
    assert_eq!(events.lines().filter(|line| line.contains(r#""op":"r""#)).count(), 2, "{events}");
    adopt("acme").refused("Conflict", &["another name"]);
    it.sql("acme", "UPDATE notes SET body = 'drei' WHERE id = 2").ok();
    let own = it.dir().join("hot/acme/store.db");
    relstore(&it, &["adopt", own.to_str().unwrap()], &["--ns", "again"]).refused("Invalid", &["a store already"]);
}
