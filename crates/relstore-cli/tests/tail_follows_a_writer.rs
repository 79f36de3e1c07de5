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
