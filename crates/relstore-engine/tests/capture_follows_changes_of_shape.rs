//! Changes of shape are changes in their place, and rows that come or go with a table are changes of their own.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, check, check_together, letters, script, store, told};
use relstore_model::ErrorKind;

const T: &[&str] = &["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('b',2),('a',1)"];

#[test]
fn a_change_of_shape_is_a_change_in_its_place() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('a',1),('b',2)"]);
    let run: Result<(), relstore_model::Error> = store.db.transaction(|tx| {
        tx.execute("UPDATE t SET v=7 WHERE id='a'", &[])?;
        tx.execute("ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'dd'", &[])?;
        tx.execute("UPDATE t SET v=8 WHERE id='a'", &[])?;
        tx.execute("ALTER TABLE t RENAME COLUMN v TO value", &[])?;
        tx.execute("DELETE FROM t WHERE id='b'", &[])?;
        tx.execute("CREATE TABLE copy AS SELECT * FROM t", &[]).map(|_| ())
    });
    run.unwrap();
    assert_eq!(letters(&store.db), "SccuSuSdSc");
    assert_log_is_true(&store.db);
    let schema = store.db.schema();
    assert_eq!(schema.version, 4);
    let ids: Vec<(&str, i32)> = schema.table("t").unwrap().columns.iter().map(|c| (c.name.as_str(), c.id.0)).collect();
    assert_eq!(ids, [("id", 101), ("value", 102), ("w", 103)]);
    assert_eq!(store.db.schema_at(1).unwrap().table("t").unwrap().columns.len(), 2);
}

#[test]
fn rows_of_a_dropped_table_are_deleted_before_it_goes() {
    check(T, &["DROP TABLE t"], "ddS");
    check(T, &["DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS t", "DROP TABLE t"], "ddS");
    check(T, &["EXPLAIN DROP TABLE t", "EXPLAIN QUERY PLAN DROP TABLE t"], "");
    check(T, &["EXPLAIN DROP TABLE t", "UPDATE t SET v=3"], "uu");
    check_together(T, &["INSERT INTO t VALUES('c',3)", "DROP TABLE t", "CREATE TABLE t(x)", "INSERT INTO t VALUES(1)"], "cdddSSc");
    check_together(T, &["DROP TABLE t", "CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('a',1)"], "ddSSc");
    check(&["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1,1),(1,1)"], &["DROP TABLE t"], "ddS");
    let generated = "CREATE TABLE t(id INTEGER PRIMARY KEY, g AS (id*2), s AS (id*3) STORED, u UNIQUE)";
    check(&[generated, "INSERT INTO t(id,u) VALUES(2,'a'),(1,'b')"], &["DROP TABLE t"], "ddS");
}

#[test]
fn rows_of_a_dropped_table_go_in_the_order_of_their_keys() {
    let dropped = |create: &str, rows: &str| {
        let store = store();
        script(&store.db, &[create, "CREATE INDEX i ON t(v)", &format!("INSERT INTO t VALUES{rows}"), "DROP TABLE t"]);
        told(&store.db).into_iter().filter(|t| t.starts_with("d ")).collect::<Vec<_>>()
    };
    assert_eq!(dropped("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "(3,1),(1,2),(2,3)"), ["d 1,2 > ", "d 2,3 > ", "d 3,1 > "]);
    assert_eq!(dropped("CREATE TABLE t(v, id TEXT PRIMARY KEY) WITHOUT ROWID", "(1,'b'),(2,'a')"), ["d 2,a > ", "d 1,b > "]);
    assert_eq!(dropped("CREATE TABLE t(v)", "(3),(1)"), ["d 3 > ", "d 1 > "]);
}

/// SQLite deletes the rows of a dropped parent one by one, so that its foreign keys act: the hook hears of them, and nothing is told twice.
#[test]
fn a_dropped_parent_is_told_once_and_its_children_too() {
    let family = |action: &'static str| {
        [
            "CREATE TABLE p(id INTEGER PRIMARY KEY, up REFERENCES p ON DELETE SET NULL)".to_owned(),
            format!("CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p {action})"),
            "CREATE TRIGGER g AFTER DELETE ON p BEGIN INSERT INTO c VALUES(99, NULL); END".to_owned(),
            "INSERT INTO p VALUES(1,NULL),(2,1),(3,1)".to_owned(),
            "INSERT INTO c VALUES(1,1),(2,3)".to_owned(),
        ]
    };
    let check = |action: &'static str, wanted: &str| {
        let family = family(action);
        let family: Vec<&str> = family.iter().map(String::as_str).collect();
        check(&family, &["DROP TABLE p"], wanted);
        check_together(
            &family,
            &["DROP TABLE p", "UPDATE c SET id=id+10"],
            &format!("{wanted}{}", if wanted == "dddddS" { "" } else { "uu" }),
        );
    };
    check("ON DELETE CASCADE", "dddddS");
    check("ON DELETE SET NULL", "ddduuS");
    // Refused: nothing of it happened.
    check("ON DELETE RESTRICT", "");
    check("", "");
}

#[test]
fn a_dropped_child_with_open_deferred_keys_is_told_once() {
    let family = [
        "CREATE TABLE p(id INTEGER PRIMARY KEY)",
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO p VALUES(1)",
        "INSERT INTO c VALUES(1,1)",
    ];
    check_together(&family, &["INSERT INTO c VALUES(2,77)", "DROP TABLE c"], "cddS");
}

#[test]
fn a_table_rebuilt_and_renamed_is_told_row_by_row() {
    let rebuild = [
        "CREATE TABLE t_new(id TEXT PRIMARY KEY, v INTEGER NOT NULL)",
        "INSERT INTO t_new SELECT * FROM t",
        "DROP TABLE t",
        "ALTER TABLE t_new RENAME TO t",
        "INSERT INTO t VALUES('z',9)",
    ];
    check_together(T, &rebuild, "SccddSSc");
    check(T, &rebuild, "SccddSSc");
}

#[test]
fn two_tables_may_swap_their_names_in_one_transaction() {
    let store = store();
    script(&store.db, &["CREATE TABLE a(id INTEGER PRIMARY KEY, v)", "CREATE TABLE b(id INTEGER PRIMARY KEY, v)"]);
    script(&store.db, &["INSERT INTO a VALUES(1,'a')", "INSERT INTO b VALUES(1,'b')"]);
    let ids = |db: &relstore_engine::Database| ["a", "b"].map(|n| db.schema().table(n).unwrap().id.0);
    assert_eq!(ids(&store.db), [1, 2]);
    store
        .db
        .transaction(|tx| {
            tx.execute("ALTER TABLE a RENAME TO x", &[])?;
            tx.execute("UPDATE x SET v='was a'", &[])?;
            tx.execute("ALTER TABLE b RENAME TO a", &[])?;
            tx.execute("ALTER TABLE x RENAME TO b", &[])?;
            tx.execute("UPDATE a SET v='was b'", &[])
        })
        .unwrap();
    assert_eq!((ids(&store.db), letters(&store.db).as_str()), ([2, 1], "SSccSuSSu"));
    assert_log_is_true(&store.db);
}

#[test]
fn columns_come_and_go() {
    check(T, &["ALTER TABLE t DROP COLUMN v", "INSERT INTO t VALUES('c')", "ALTER TABLE t ADD COLUMN v", "UPDATE t SET v=1"], "ScSuuu");
    check_together(T, &["ALTER TABLE t ADD COLUMN w DEFAULT 5", "DELETE FROM t", "ALTER TABLE t RENAME v TO x"], "SddS");
    check(T, &["ALTER TABLE t ADD COLUMN g AS (v*2)", "UPDATE t SET v=v+1", "ALTER TABLE t DROP COLUMN g"], "SuuS");
}

/// The default of an added column is what SQLite reads from the rows that were there, which is not always what its text says.
#[test]
fn rows_from_before_a_column_have_its_default_as_sqlite_reads_it() {
    for (kind, default, read) in [
        ("REAL", "1", "1.0"),
        ("REAL", "'2'", "2.0"),
        ("TEXT", "5", "5"),
        ("TEXT", "1e300", "1e300"),
        ("INTEGER", "'7'", "7"),
        ("INTEGER", "'x'", "x"),
        ("", "'7'", "7"),
        ("BLOB", "x'01'", "[1]"),
    ] {
        let store = store();
        script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1),(2)"]);
        script(&store.db, &[&format!("ALTER TABLE t ADD COLUMN w {kind} DEFAULT {default}"), "ALTER TABLE t ADD COLUMN x"]);
        assert_log_is_true(&store.db);
        script(&store.db, &["UPDATE t SET x=1 WHERE id=1", "DELETE FROM t WHERE id=2"]);
        assert_log_is_true(&store.db);
        let told = told(&store.db);
        assert_eq!(told[5..], [format!("u 1,{read},NULL > 1,{read},1"), format!("d 2,{read},NULL > ")], "{kind} {default}");
    }
    // Where there is no row, a default need not even be one.
    check(
        &["CREATE TABLE t(id INTEGER PRIMARY KEY)"],
        &["ALTER TABLE t ADD COLUMN w DEFAULT (random())", "INSERT INTO t(id) VALUES(1)"],
        "Sc",
    );
    check(&["CREATE TABLE t(id INTEGER PRIMARY KEY) STRICT"], &["ALTER TABLE t ADD COLUMN w INT DEFAULT 'x'"], "S");
}

#[test]
fn a_statement_that_failed_once_is_logged_when_it_is_run_again() {
    let index = "CREATE UNIQUE INDEX i ON t(v)";
    let table = "CREATE TABLE u AS SELECT abs(v) AS a FROM t";
    let setup = ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1,5),(2,5)"];
    check(&setup, &[index, "DELETE FROM t WHERE id=2", index], "dS");
    check_together(&setup, &[index, "DELETE FROM t WHERE id=2", index, table], "dSSc");
    let smallest = ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1,-9223372036854775808)"];
    check(&smallest, &[table, "UPDATE t SET v=1", table], "uSc");
}

#[test]
fn a_table_made_from_a_query_is_told_row_by_row() {
    check(T, &["CREATE TABLE u AS SELECT * FROM t", "CREATE TABLE w AS SELECT id, v AS rowid FROM t"], "SccScc");
    check(T, &["CREATE TABLE w AS SELECT v AS rowid FROM t", "DROP TABLE w"], "SccddS");
    check(T, &["CREATE TABLE IF NOT EXISTS t AS SELECT 1"], "");
}

#[test]
fn a_table_whose_rows_cannot_be_told_apart_is_refused() {
    let store = store();
    let error = store.db.execute("CREATE TABLE t(rowid, oid, _rowid_)", &[]).unwrap_err();
    assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Unsupported, true));
    script(&store.db, &["CREATE TABLE t(rowid, oid, x)", "CREATE TABLE k(rowid, oid, _rowid_, id TEXT PRIMARY KEY)"]);
    script(&store.db, &["INSERT INTO k VALUES(1,2,3,'a'),(1,2,3,'b')", "DROP TABLE k"]);
    let error = store.db.execute("ALTER TABLE t ADD COLUMN _rowid_", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "SQLite refuses it by itself: {error}");
    assert_eq!(letters(&store.db), "SSccddS");
    assert_log_is_true(&store.db);
}

#[test]
fn many_rows_go_with_their_table() {
    let store = store();
    script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)"]);
    let fill = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) SELECT i, 'row ' || i FROM n";
    script(&store.db, &[fill, "DROP TABLE t"]);
    let letters = letters(&store.db);
    assert_eq!(letters, format!("S{}{}S", "c".repeat(20_000), "d".repeat(20_000)));
}

/// SQLite forgets that a transaction has changed the shape when a later change of shape fails in it.
#[test]
fn a_shape_undone_after_a_failed_change_of_shape_is_gone() {
    let run = [
        "SAVEPOINT",
        "CREATE TABLE u(a, b)",
        "ALTER TABLE u RENAME COLUMN a TO b",
        "INSERT INTO u VALUES(1,2)",
        "ROLLBACK TO",
        "ALTER TABLE t RENAME TO u",
        "CREATE TABLE IF NOT EXISTS t(x)",
        "DROP TABLE IF EXISTS u",
    ];
    check_together(T, &run, "SSddS");
    let dropped = ["SAVEPOINT", "DROP TABLE t", "CREATE TABLE u(a, b)", "ALTER TABLE u RENAME a TO b", "SELECT * FROM u", "ROLLBACK TO"];
    let run: Vec<&str> = dropped.into_iter().chain(["DROP TABLE IF EXISTS u", "DROP TABLE IF EXISTS t"]).collect();
    check_together(T, &run, "ddS");
}
