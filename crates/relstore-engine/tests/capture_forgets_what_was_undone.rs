//! What is undone leaves nothing in the log: statements, savepoints, transactions, and commits that fail.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, check, check_together, letters, script, store};
use relstore_model::ErrorKind;

const KEYED: &[&str] = &["CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "INSERT INTO t VALUES(9999, 500)"];

#[test]
fn a_statement_undone_half_way_logs_nothing() {
    let numbers = "INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<1000) SELECT i, i FROM c";
    check(KEYED, &[&format!("INSERT {numbers}")], "");
    check(KEYED, &[&format!("INSERT OR ABORT {numbers}")], "");
    check_together(KEYED, &["INSERT INTO t VALUES(1,1)", &format!("INSERT {numbers}"), "INSERT INTO t VALUES(2,2)"], "cc");
    check(KEYED, &["UPDATE t SET v=1/(SELECT count(*) FROM missing)"], "");
}

/// SQLite tells of the row that is replaced before it looks at the types of the new one, and has nothing to undo then.
#[test]
fn a_replacing_row_that_is_refused_leaves_the_old_one() {
    for create in [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT) STRICT",
        "CREATE TABLE t(g INT AS (id*2) VIRTUAL, v INT, id INTEGER PRIMARY KEY ON CONFLICT REPLACE) STRICT",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT) STRICT, WITHOUT ROWID",
        "CREATE TABLE t(id TEXT PRIMARY KEY, v INT UNIQUE) STRICT",
    ] {
        let setup = [create, "INSERT INTO t(id,v) VALUES(1,1),(2,2)"];
        check(&setup, &["REPLACE INTO t(id,v) VALUES(1,'x')", "UPDATE t SET v=v+10"], "uu");
        check_together(&setup, &["UPDATE t SET v=5 WHERE id=1", "REPLACE INTO t(id,v) VALUES(1,'x')", "UPDATE t SET v=v+10"], "uuu");
    }
    let keyless = ["CREATE TABLE t(v INT) STRICT", "INSERT INTO t(rowid,v) VALUES(1,1)"];
    check(&keyless, &["REPLACE INTO t(rowid,v) VALUES(1,'x')", "DELETE FROM t"], "d");
}

#[test]
fn a_foreign_key_that_fails_at_the_end_of_the_statement_undoes_all_of_it() {
    let family = [
        "CREATE TABLE p(id INTEGER PRIMARY KEY)",
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p)",
        "INSERT INTO p VALUES(1),(2)",
        "INSERT INTO c VALUES(1,2)",
    ];
    check(&family, &["DELETE FROM p"], "");
    check_together(&family, &["DELETE FROM p", "DELETE FROM p WHERE id=1"], "d");
}

#[test]
fn a_nested_transaction_that_fails_takes_its_changes_along() {
    let t = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)"];
    let insert = |id: &str| format!("INSERT INTO t VALUES('{id}', 1)");
    let (a, b, c, d) = (insert("a"), insert("b"), insert("c"), insert("d"));
    let [a, b, c, d] = [&a, &b, &c, &d].map(String::as_str);
    check_together(&t, &[a, "SAVEPOINT", b, "SAVEPOINT", c, "RELEASE", "ROLLBACK TO", d], "cc");
    check_together(&t, &[a, "SAVEPOINT", b, "SAVEPOINT", c, "ROLLBACK TO", d, "RELEASE"], "ccc");
    check_together(&t, &["SAVEPOINT", a, "ROLLBACK TO", "SAVEPOINT", b, "ROLLBACK TO", c], "c");
    check_together(&t, &["SAVEPOINT", a, a, "ROLLBACK TO", "SAVEPOINT", a, "DELETE FROM t", "ROLLBACK TO"], "");
    check_together(&t, &[a, "SAVEPOINT", "ALTER TABLE t ADD COLUMN w", "UPDATE t SET w=1", "ROLLBACK TO", "UPDATE t SET v=2"], "cu");
    check_together(&t, &[a, "SAVEPOINT", "DROP TABLE t", "ROLLBACK TO", "UPDATE t SET v=2"], "cu");
}

#[test]
fn or_fail_keeps_and_logs_the_rows_before_the_failure() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "INSERT INTO t VALUES(9999, 3)"]);
    let result: Result<(), relstore_model::Error> = store.db.transaction(|tx| {
        let e = tx.execute("INSERT OR FAIL INTO t VALUES(1,1),(2,2),(3,3),(4,4)", &[]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Constraint);
        Ok(())
    });
    result.unwrap();
    assert_eq!(letters(&store.db), "Sccc");
    assert_log_is_true(&store.db);
}

/// What a trigger's `RAISE` leaves of two rows before the one that it is about, and one after.
#[test]
fn raise_undoes_what_it_says_it_undoes() {
    let raise = |how: &str| {
        let trigger =
            format!("CREATE TRIGGER g AFTER INSERT ON t WHEN NEW.v<0 BEGIN INSERT INTO log(v) VALUES(NEW.v); SELECT RAISE({how}); END");
        vec!["CREATE TABLE t(id INTEGER PRIMARY KEY, v)".to_owned(), "CREATE TABLE log(id INTEGER PRIMARY KEY, v)".to_owned(), trigger]
    };
    let insert = "INSERT INTO t VALUES(2,2),(3,3),(4,-1),(5,5)";
    for (how, alone, together) in
        [("ABORT,'no'", "", "cc"), ("FAIL,'no'", "", "cccccc"), ("IGNORE", "ccccc", "ccccccc"), ("ROLLBACK,'no'", "", "")]
    {
        let setup = raise(how);
        let setup: Vec<&str> = setup.iter().map(String::as_str).collect();
        check(&setup, &[insert], alone);
        let run = ["INSERT INTO t VALUES(1,1)", insert, "INSERT INTO t VALUES(9,9)"];
        if how.starts_with("ROLLBACK") {
            check_ended(&setup, &run);
        } else {
            check_together(&setup, &run, together);
        }
    }
}

/// The transaction is ended by one of its statements, whole.
fn check_ended(setup: &[&str], statements: &[&str]) {
    let store = store();
    script(&store.db, setup);
    let before = letters(&store.db);
    let ended = store.db.transaction(|tx| {
        statements.iter().for_each(|sql| drop(tx.execute(sql, &[])));
        Ok::<_, relstore_model::Error>(())
    });
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(letters(&store.db), before);
    assert_log_is_true(&store.db);
    script(&store.db, &["INSERT INTO t VALUES(77,77)"]);
    assert_eq!(letters(&store.db), before + "c");
    assert_log_is_true(&store.db);
}

#[test]
fn or_rollback_takes_the_transaction_along() {
    check_ended(KEYED, &["INSERT INTO t VALUES(1,1)", "INSERT OR ROLLBACK INTO t VALUES(2,2),(3,500)"]);
}

#[test]
fn or_ignore_leaves_out_the_rows_in_the_way() {
    check(KEYED, &["INSERT OR IGNORE INTO t VALUES(2,500),(3,3),(9999,4)", "UPDATE OR IGNORE t SET v=3"], "cu");
}

#[test]
fn a_deferred_foreign_key_that_fails_at_commit_leaves_no_trace() {
    let store = store();
    script(
        &store.db,
        &["CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"],
    );
    let before = store.db.high_water();
    let error = store.db.execute("INSERT INTO c VALUES(1, 5)", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint);
    assert_eq!(store.db.high_water(), before);
    assert_log_is_true(&store.db);
    // The same again, with what was missing.
    store
        .db
        .transaction(|tx| {
            tx.execute("INSERT INTO c VALUES(1, 5)", &[])?;
            tx.execute("INSERT INTO p VALUES(5)", &[])
        })
        .unwrap();
    assert_eq!(letters(&store.db), "SScc");
    assert_log_is_true(&store.db);
}
