//! Every wrong call gets its own error with a code, a place and a way out, and loses nothing.

mod support;

use relstore::Fleet;
use relstore::model::Namespace;
use serde_json::json;
use support::Installation;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("threads can be started")
}

#[test]
fn a_folder_that_is_no_installation() {
    let it = Installation::new();
    for folder_exists in [false, true] {
        if folder_exists {
            std::fs::create_dir(it.dir()).expect("a folder can be made");
            std::fs::write(it.dir().join("letter.txt"), "Dear Sir").expect("a file can be written");
        }
        let parts = ["relstore.json", "dir: ", "Try: "];
        it.run("stores", &[]).refused("NotFound", &parts);
        it.sql("acme", "SELECT 1").refused("NotFound", &parts);
        it.run("tail", &["--ns", "acme"]).refused("NotFound", &parts);
        it.query("SELECT 1").refused("NotFound", &parts);
        it.run("restore", &["--ns", "acme", "--at", "1", "--to", "/nowhere"]).refused("NotFound", &parts);
        assert_eq!(it.dir().exists(), folder_exists, "a refused read makes nothing");
    }
    // Neither a write nor the demo moves into somebody's folder.
    it.sql("acme", "CREATE TABLE t (x)").refused("NotFound", &["relstore.json"]);
    it.run("demo", &["--json"]).refused("Conflict", &["not empty", "Try: "]);
    assert_eq!(std::fs::read_dir(it.dir()).expect("the folder can be listed").count(), 1);
}

#[test]
fn a_store_that_is_open_elsewhere() {
    let it = Installation::with_acme();
    let runtime = runtime();
    let fleet = runtime.block_on(Fleet::open(&it.dir())).expect("the installation opens");
    let store = fleet.store(&Namespace::new("acme").expect("a name")).expect("the store opens");

    let holder = format!("process {}", std::process::id());
    it.sql("acme", "DELETE FROM users").refused("Unavailable", &["open for writing elsewhere", &holder, "Try: "]);
    // Reading beside the writer sees its commits.
    store.sql("INSERT INTO users VALUES (4, 'Dave', 22)", &[]).expect("the holder writes");
    assert_eq!(it.rows("acme", "SELECT count(*) AS n FROM users"), json!([{"n": 4}]));
    it.run("stores", &[]).ok();
    it.sql("other", "CREATE TABLE t (x INTEGER PRIMARY KEY)").ok();
    it.sql("other", "INSERT INTO t VALUES (1)").ok();
    let ran = it.query("SELECT count(*) AS n FROM t");
    assert!(ran.err.contains("acme is open elsewhere") && ran.err.contains("7 changes"), "{ran:?}");
    assert_eq!(ran.json(), json!([{"n": 1}]));

    drop(store);
    drop(fleet);
    assert_eq!(it.rows("acme", "DELETE FROM users WHERE id = 4 RETURNING name"), json!([{"name": "Dave"}]));
}

#[test]
fn a_name_that_could_leave_its_folder() {
    let it = Installation::new();
    for name in ["../x", "..", "", "a/b", "a\\b", "a\nb"] {
        it.sql(name, "CREATE TABLE t (x)").refused("Invalid", &["not a namespace", "Try: "]);
        it.run("tail", &["--ns", name]).refused("Invalid", &["not a namespace"]);
        it.run("restore", &["--ns", name, "--at", "1", "--to", "x"]).refused("Invalid", &["not a namespace"]);
    }
    assert_eq!(std::fs::read_dir(it.folder()).expect("the folder can be listed").count(), 0);
}

#[test]
fn sql_that_is_wrong_is_shown_with_a_caret() {
    let it = Installation::with_acme();
    it.sql("acme", "SELECT * FORM users").refused("Invalid", &["near \"FORM\"", "    SELECT * FORM users\n             ^\n"]);
    // The place is found in the line that has it.
    it.sql("acme", "SELECT 1,\n  2 +* 3").refused("Invalid", &["      2 +* 3\n         ^\n"]);
    it.query("SELECT * FORM users").refused("Invalid", &["    SELECT * FORM users\n", "^\n"]);
    it.sql("acme", "SELECT 1; SELECT 2").refused("Invalid", &["more than one statement", "Try: "]);
    it.sql("acme", "").refused("Invalid", &[]);
    it.sql("acme", "BEGIN").refused("Unsupported", &["Try: "]);
    it.sql("acme", "SELECT ?").refused("Invalid", &["parameters"]);
}

#[test]
fn a_table_or_column_that_does_not_exist() {
    let it = Installation::with_acme();
    it.sql("acme", "SELECT * FROM usres").refused("NotFound", &["usres", "Try: did you mean users?"]);
    it.sql("acme", "SELECT nmae FROM users").refused("NotFound", &["nmae", "Try: did you mean name?"]);
    it.sql("acme", "INSERT INTO users (id, nmae) VALUES (9, 'x')").refused("Invalid", &["nmae", "Try: did you mean name?"]);
    it.query("SELECT * FROM usres").refused("NotFound", &["usres", "did you mean"]);
    it.query("SELECT nmae FROM users").refused("NotFound", &["nmae", "did you mean"]);
    it.run("tail", &["--ns", "acme", "--table", "usres"]).refused("NotFound", &["usres", "Try: did you mean users?"]);
    it.sql("acne", "SELECT 1").refused("NotFound", &["no such store", "Try: did you mean acme?"]);
    it.run("tail", &["--ns", "acne"]).refused("NotFound", &["no such store", "Try: did you mean acme?"]);
    // A slip of the pen makes no store.
    it.sql("acne", "DELETE FROM users").refused("NotFound", &["no such store", "Try: did you mean acme?"]);
    it.sql("acne", "CREATE TABEL t (x)").refused("Invalid", &["TABEL", "^"]);
    assert_eq!(it.run("stores", &["--json"]).json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_value_of_the_wrong_type_and_a_row_that_breaks_the_schema() {
    let it = Installation::with_acme();
    it.sql("acme", "INSERT INTO users VALUES ('one', 'Eve', 1)").refused("Constraint", &["mismatch", "Try: "]);
    it.sql("acme", "INSERT INTO users VALUES (1, 'Eve', 1)").refused("Constraint", &["users.id"]);
    it.sql("acme", "INSERT INTO users VALUES (9, NULL, 1)").refused("Constraint", &["users.name"]);
    it.sql("acme", "INSERT INTO orders VALUES (11, 99, 1.0)").refused("Constraint", &["FOREIGN KEY"]);
    assert_eq!(it.rows("acme", "SELECT count(*) AS n FROM users"), json!([{"n": 3}]));
    assert_eq!(it.run("stores", &["--json"]).json()[0]["high_water"], json!(6));
}

#[test]
fn a_position_or_a_time_outside_the_history() {
    let it = Installation::with_acme();
    let to = it.folder().join("to");
    let restore = |at: &str| it.run("restore", &["--ns", "acme", "--at", at, "--to", to.to_str().expect("UTF-8")]);
    restore("7").refused("Invalid", &["7", "6"]);
    restore("2013-01-01").refused("Invalid", &["2013-01-01"]);
    restore("2999-01-01").refused("Invalid", &["2999-01-01"]);
    restore("yesterday").refused("Invalid", &["yesterday", "Try: "]);
    assert!(!to.exists());
    let tail = |from: &str| it.run("tail", &["--ns", "acme", "--from", from]);
    tail("7").refused("NotFound", &["from: 7", "first_lsn: 1", "last_lsn: 6", "Try: "]);
    tail("0").refused("NotFound", &["from: 0", "Try: "]);
    tail("soon").refused("Invalid", &["soon"]);
    it.run("restore", &["--ns", "acme", "--at", "3", "--to", it.dir().to_str().expect("UTF-8")]).refused("Conflict", &["not empty"]);
}

#[test]
fn bad_usage_is_another_exit_code() {
    let it = Installation::new();
    for (verb, arguments) in [("sql", &["--ns", "acme"][..]), ("tail", &[]), ("stores", &["--colour"]), ("dance", &[])] {
        let ran = it.run(verb, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{verb} {arguments:?}");
    }
}
