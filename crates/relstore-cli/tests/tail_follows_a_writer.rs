//! `relstore tail --follow` shows what other processes commit, and ends cleanly on Ctrl-C.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use support::Installation;

#[test]
fn changes_come_as_other_processes_commit_them() {
    let it = Installation::with_acme();
    let mut tail = it
        .command("tail", &["--ns", "acme", "--from", "6", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut lines = BufReader::new(tail.stdout.take().expect("it is piped")).lines();
    let mut next = || -> Json { serde_json::from_str(&lines.next().expect("a line comes").expect("it is text")).expect("an event") };
    assert_eq!(next()["lsn"], 6);
    // Another process each time; a change of shape among them.
    it.sql("acme", "UPDATE users SET age = 33 WHERE id = 1").ok();
    let event = next();
    assert_eq!((&event["lsn"], &event["after"]["age"]), (&Json::from(7), &Json::from(33)));
    it.sql("acme", "ALTER TABLE users ADD COLUMN email TEXT").ok();
    assert_eq!(next()["type"], "cdc.schema");
    it.sql("acme", "INSERT INTO users VALUES (5, 'Eve', 1, 'eve@example.com'), (6, 'Fay', 2, NULL)").ok();
    assert_eq!(next()["after"]["email"], "eve@example.com");
    assert_eq!(next()["key"], "6");

    let killed = Command::new("kill").args(["-INT", &tail.id().to_string()]).status().expect("kill can be started");
    assert!(killed.success());
    assert_eq!(tail.wait().expect("it ends").code(), Some(0));
    assert!(lines.next().is_none(), "nothing after the last event");
}

#[test]
fn it_shows_the_tables_kinds_and_columns_that_are_asked_for() {
    let it = Installation::with_acme();
    it.sql("acme", "UPDATE users SET age = 31 WHERE id = 1").ok();
    it.sql("acme", "DELETE FROM orders").ok();
    let tail = |arguments: &[&str]| -> Vec<Json> {
        let arguments: Vec<&str> = ["--ns", "acme", "--json"].iter().chain(arguments).copied().collect();
        it.run("tail", &arguments).ok().lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect()
    };
    let ops = |events: &[Json]| events.iter().map(|e| e["op"].as_str().unwrap_or("-").to_owned()).collect::<String>();
    assert_eq!(ops(&tail(&[])), "--ccccud");
    assert_eq!(ops(&tail(&["--table", "users", "--table", "orders"])), "ccccud");
    assert_eq!(ops(&tail(&["--op", "u", "--op", "d"])), "ud");
    assert_eq!(ops(&tail(&["--table", "orders", "--op", "c"])), "c");
    assert_eq!(tail(&["--op", "u"])[0]["before"], serde_json::json!({"age": 30}));
    let full = tail(&["--op", "u", "--full"]);
    assert_eq!(full[0]["before"], serde_json::json!({"id": 1, "name": "Alice", "age": 30}));
    let said = it.run("tail", &["--ns", "acme", "--op", "u", "--full"]).ok();
    assert!(said.contains("id=1, name=\"Alice\", age 30 → 31"), "{said}");
    assert_eq!(it.run("tail", &["--ns", "acme", "--op", "x"]).code, Some(2));
}
