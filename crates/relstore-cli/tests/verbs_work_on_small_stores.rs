//! What each verb gives, for people and as JSON.

mod support;

use serde_json::{Value as Json, json};
use support::Installation;

#[test]
fn sql_makes_an_installation_by_its_first_write_and_reads_it_back() {
    let it = Installation::new();
    let said = it.sql("acme", "CREATE TABLE t (id INTEGER PRIMARY KEY, x)").ok();
    assert!(said.contains("0 rows changed, LSN 1"), "{said}");
    let said = it.sql("acme", "INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 1.0)").ok();
    assert!(said.contains("3 rows changed, LSN 4"), "{said}");
    let said = it.sql("acme", "SELECT id, x FROM t ORDER BY id").ok();
    for part in ["│ id ┆ x    │", "│  1 ┆ a    │", "│  2 ┆ NULL │", "│  3 ┆ 1.0  │", "3 rows, "] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains('\x1b'), "no colour where nobody looks");
    let said = it.sql("acme", "UPDATE t SET x = 7 WHERE id < 3 RETURNING id").ok();
    assert!(said.contains("│ id │") && said.contains("2 rows changed, LSN 6"), "{said}");
    // A second store in the same installation.
    it.sql("globex", "CREATE TABLE t (id INTEGER PRIMARY KEY)").ok();
    assert_eq!(it.run("stores", &["--json"]).json().as_array().map(Vec::len), Some(2));
}

#[test]
fn sql_json_is_an_array_of_rows_in_column_order() {
    let it = Installation::with_acme();
    let out =
        it.run("sql", &["--ns", "acme", "SELECT name, id, age, id FROM users WHERE id < ? ORDER BY id", "--param", "3", "--json"]).ok();
    assert_eq!(out, "[\n{\"name\":\"Alice\",\"id\":1,\"age\":30,\"id_2\":1},\n{\"name\":\"Bob\",\"id\":2,\"age\":null,\"id_2\":2}\n]\n");
    assert_eq!(it.run("sql", &["--ns", "acme", "SELECT 1 WHERE 0", "--json"]).ok(), "[]\n");
    assert_eq!(it.run("sql", &["--ns", "acme", "DELETE FROM orders", "--json"]).ok(), "[]\n");
    let sql = "SELECT ? AS a, ? AS b, ? AS c, ? AS d";
    let typed = it.run("sql", &["--ns", "acme", sql, "--json", "--param", "-5", "--param", "NULL", "--param", "'5'", "--param", "x'0aff'"]);
    assert_eq!(typed.json(), json!([{"a": -5, "b": null, "c": "5", "d": "Cv8="}]));
}

#[test]
fn tail_shows_what_the_log_retains() {
    let it = Installation::with_acme();
    it.sql("acme", "UPDATE users SET age = 31 WHERE id = 1").ok();
    it.sql("acme", "DELETE FROM users WHERE id = 3").ok();
    let events: Vec<Json> =
        it.run("tail", &["--ns", "acme", "--json"]).ok().lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect();
    assert_eq!(events.iter().map(|e| e["lsn"].as_u64().expect("a number")).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert_eq!(events[0]["type"], "cdc.schema");
    assert_eq!((&events[6]["before"], &events[6]["after"]), (&json!({"age": 30}), &json!({"age": 31})));
    assert_eq!((&events[7]["op"], &events[7]["before"]["name"]), (&json!("d"), &json!("Carol")));

    let said = it.run("tail", &["--ns", "acme"]).ok();
    assert!(said.contains("update  users 1  age 30 → 31\n"), "{said}");
    assert!(said.contains("delete  users 3  id=3 name=\"Carol\" age=41\n"), "{said}");
    // A position inside a commit starts there: 3, 4, 5 are one commit.
    let said = it.run("tail", &["--ns", "acme", "--from", "4"]).ok();
    assert_eq!(said.lines().count(), 5, "{said}");
    let said = it.run("tail", &["--ns", "acme", "--from", "3", "--table", "Orders"]).ok();
    assert!(said.lines().count() == 1 && said.contains("insert  orders 10"), "{said}");
}

#[test]
fn query_spans_the_stores_and_their_history() {
    let it = Installation::with_acme();
    it.sql("globex", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER)").ok();
    it.sql("globex", "INSERT INTO users VALUES (1, 'Zoe', 50)").ok();
    it.sql("acme", "UPDATE users SET age = 31 WHERE id = 1").ok();
    let rows = it.query("SELECT _ns, count(*) AS n, max(age) AS oldest FROM users GROUP BY _ns ORDER BY _ns").json();
    assert_eq!(rows, json!([{"_ns": "acme", "n": 3, "oldest": 41}, {"_ns": "globex", "n": 1, "oldest": 50}]));
    let rows = it.query("SELECT _op, age FROM history.users WHERE _ns = 'acme' AND id = 1 ORDER BY _lsn").json();
    assert_eq!(rows, json!([{"_op": "c", "age": 30}, {"_op": "u", "age": 31}]));
    let said = it.run("query", &["SELECT name FROM users ORDER BY name LIMIT 1"]).ok();
    assert!(said.contains("│ Alice │") && said.contains("1 row, "), "{said}");
    assert!(it.run("query", &["SELECT name FROM users", "--explain"]).ok().contains("Exec"));
}

#[test]
fn restore_brings_back_a_position_and_a_time() {
    let it = Installation::with_acme();
    let whole = it.rows("acme", "SELECT * FROM users ORDER BY id");
    let events = it.run("tail", &["--ns", "acme", "--from", "6", "--json"]).ok();
    let moment = serde_json::from_str::<Json>(events.trim()).expect("one event")["timestamp"].as_str().expect("text").to_owned();
    std::thread::sleep(std::time::Duration::from_millis(20));
    it.sql("acme", "DELETE FROM orders").ok();
    it.sql("acme", "DELETE FROM users WHERE id > 1").ok();

    let restored = Installation::new();
    let to = restored.dir();
    let to = to.to_str().expect("UTF-8");
    let rehearsed = it.run("restore", &["--ns", "acme", "--at", "6", "--to", to, "--dry-run", "--json"]).json();
    assert_eq!((&rehearsed["lsn"], &rehearsed["dry_run"]), (&json!(6), &json!(true)));
    assert!(!restored.dir().exists());
    let report = it.run("restore", &["--ns", "acme", "--at", "6", "--to", to, "--json"]).json();
    assert_eq!((&report["lsn"], &report["rows"], &report["tables"]), (&json!(6), &json!(4), &json!({"orders": 1, "users": 3})));
    assert_eq!(restored.rows("acme", "SELECT * FROM users ORDER BY id"), whole);
    restored.sql("acme", "INSERT INTO orders VALUES (11, 2, 1.5)").ok();

    // A millisecond later than the event says, because it says whole ones.
    let later = moment.replace("Z", "999Z");
    let again = Installation::new();
    let said = it.run("restore", &["--ns", "acme", "--at", &later, "--to", again.dir().to_str().expect("UTF-8")]).ok();
    assert!(said.contains("acme as of LSN 6"), "{said}");
    assert_eq!(again.rows("acme", "SELECT * FROM users ORDER BY id"), whole);
}

#[test]
fn stores_lists_what_there_is() {
    let it = Installation::with_acme();
    let stores = it.run("stores", &["--json"]).json();
    let acme = &stores[0];
    assert_eq!((&acme["ns"], &acme["tables"]), (&json!("acme"), &json!({"orders": 1, "users": 3})));
    assert_eq!((&acme["high_water"], &acme["archived"]), (&json!(6), &json!(0)));
    it.query("SELECT 1").ok();
    assert_eq!(it.run("stores", &["--json"]).json()[0]["archived"], json!(6));
    let said = it.run("stores", &[]).ok();
    assert!(said.contains("│ acme  ┆"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let it = Installation::with_acme();
    let many = "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO users SELECT i, 'x', i FROM n";
    it.sql("acme", many).ok();
    for (verb, arguments) in [("tail", vec!["--ns", "acme", "--json"]), ("sql", vec!["--ns", "acme", "SELECT * FROM users", "--json"])] {
        let mut child = it
            .command(verb, &arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the command can be started");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{verb}");
    }
}
