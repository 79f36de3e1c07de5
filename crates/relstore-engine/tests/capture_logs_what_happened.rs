//! The log replayed into an empty store gives the store, whatever the statements were.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{assert_log_is_true, check, check_together, script, store, told};
use relstore_model::Value;

const UNIQUE: &[&str] = &["CREATE TABLE t(id TEXT PRIMARY KEY, u TEXT UNIQUE, v)", "INSERT INTO t VALUES('a','x',1),('b','y',2)"];
const FAMILY: &[&str] = &[
    "CREATE TABLE p(id TEXT PRIMARY KEY)",
    "CREATE TABLE c(id TEXT PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE n(id TEXT PRIMARY KEY, p REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE)",
    "INSERT INTO p VALUES('a'),('b')",
    "INSERT INTO c VALUES('1','a'),('2','a'),('3','b')",
    "INSERT INTO n VALUES('4','a')",
];

#[test]
fn a_replaced_row_is_deleted_first() {
    check(UNIQUE, &["INSERT OR REPLACE INTO t VALUES('a','y',9)"], "ddc");
    check(UNIQUE, &["UPDATE OR REPLACE t SET u='y' WHERE id='a'"], "du");
}

#[test]
fn an_upsert_is_an_insert_or_an_update() {
    check(UNIQUE, &["INSERT INTO t VALUES('a','x',5),('n','z',6) ON CONFLICT(id) DO UPDATE SET v=excluded.v"], "uc");
    check(UNIQUE, &["INSERT OR IGNORE INTO t VALUES('a','q',1),('m','m',3)"], "c");
}

#[test]
fn cascades_are_changes() {
    check(FAMILY, &["DELETE FROM p WHERE id='a'"], "dudd");
    check(FAMILY, &["UPDATE p SET id='z' WHERE id='b'"], "uu");
}

#[test]
fn keys_may_change() {
    check(UNIQUE, &["UPDATE t SET id='z' WHERE id='a'"], "u");
    check(&["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1,1),(2,2)"], &["UPDATE t SET id=id+10"], "uu");
    check(&["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1,2),(1,2)"], &["UPDATE t SET rowid=9 WHERE rowid=1"], "dc");
}

#[test]
fn tables_without_rowid_are_captured_in_column_order() {
    let setup = ["CREATE TABLE t(v, id TEXT PRIMARY KEY, w) WITHOUT ROWID", "INSERT INTO t VALUES(1,'a',2),(2,'b',3)"];
    let run = [
        "INSERT INTO t VALUES(7,'c',8)",
        "UPDATE t SET v=9,w=4 WHERE id='a'",
        "DELETE FROM t WHERE id='b'",
        "REPLACE INTO t VALUES(5,'a',6)",
    ];
    check(&setup, &run, "cuddc");
    check(&setup, &["UPDATE t SET id='z' WHERE id='a'"], "u");
}

#[test]
fn tables_without_a_key_are_known_by_rowid() {
    let setup = ["CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1,2),(1,2)"];
    check(&setup, &["INSERT INTO t VALUES(3,4)", "DELETE FROM t WHERE rowid=1", "UPDATE t SET b=7 WHERE rowid=2"], "cdu");
    check(&["CREATE TABLE t(id TEXT PRIMARY KEY, v)"], &["INSERT INTO t VALUES(NULL, 1)"], "c");
}

#[test]
fn an_unqualified_delete_logs_every_row() {
    check(UNIQUE, &["DELETE FROM t"], "dd");
}

#[test]
fn generated_columns_are_kept_if_stored_and_computed_if_virtual() {
    let setup = [
        "CREATE TABLE t(id TEXT PRIMARY KEY, a INT, g INT AS (a*2) VIRTUAL, s INT AS (a*3) STORED, z INT)",
        "INSERT INTO t(id,a,z) VALUES('a',1,5)",
    ];
    check(&setup, &["INSERT INTO t(id,a,z) VALUES('b',2,6)", "UPDATE t SET a=10 WHERE id='a'", "DELETE FROM t WHERE id='b'"], "cud");
}

#[test]
fn wide_rows_and_large_values_are_whole() {
    let columns: Vec<String> = (0..1_999).map(|i| format!("c{i}")).collect();
    let create = format!("CREATE TABLE t(id TEXT PRIMARY KEY,{})", columns.join(","));
    check(&[&create, "INSERT INTO t(id, c7) VALUES('a', 1)"], &["UPDATE t SET c0=1, c1998=2", "DELETE FROM t"], "ud");
    let store = store();
    script(&store.db, &["CREATE TABLE t(id TEXT PRIMARY KEY, v)"]);
    let blob: Vec<u8> = (0..3_000_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    store.db.execute("INSERT INTO t VALUES('big', ?)", &[Value::Blob(blob)]).unwrap();
    store.db.execute("UPDATE t SET v=CAST(v AS TEXT)", &[]).unwrap_or_default();
    store.db.execute("UPDATE t SET v=zeroblob(10)", &[]).unwrap();
    assert_log_is_true(&store.db);
}

/// What comes out, word for word, where letters could hide an image that is wrong.
fn check_told(setup: &[&str], statements: &[&str], wanted: &[&str]) {
    let store = store();
    script(&store.db, setup);
    let before = told(&store.db).len();
    script(&store.db, statements);
    assert_eq!(told(&store.db)[before..], *wanted, "{statements:?}");
    assert_log_is_true(&store.db);
}

#[test]
fn images_are_the_cells_that_sqlite_keeps() {
    let t = ["CREATE TABLE t(id TEXT PRIMARY KEY, r REAL, n NUMERIC, x)"];
    let run = ["INSERT INTO t VALUES(1, 5, '5', '5')", "UPDATE t SET r=7, n=7.0, x=7.0", "DELETE FROM t"];
    check_told(&t, &run, &["c  > 1,5.0,5,5", "u 1,5.0,5,5 > 1,7.0,7,7.0", "d 1,7.0,7,7.0 > "]);
    let strict = ["CREATE TABLE t(id TEXT PRIMARY KEY, r REAL, a ANY) STRICT"];
    let run = ["INSERT INTO t VALUES('a', 5, '5')", "UPDATE t SET r=7, a=7"];
    check_told(&strict, &run, &["c  > a,5.0,5", "u a,5.0,5 > a,7.0,7"]);
    let keyed = ["CREATE TABLE t(v, id TEXT PRIMARY KEY, r REAL) WITHOUT ROWID"];
    let run = ["INSERT INTO t VALUES(1,'a',2)", "UPDATE t SET id='b', r=3", "DELETE FROM t"];
    check_told(&keyed, &run, &["c  > 1,a,2.0", "u 1,a,2.0 > 1,b,3.0", "d 1,b,3.0 > "]);
    let generated = ["CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, g AS (a*2) VIRTUAL, s AS (a*3) STORED, z INT)"];
    let run = ["INSERT INTO t(a,z) VALUES(1,5)", "UPDATE t SET a=2", "DELETE FROM t"];
    check_told(&generated, &run, &["c  > 1,1,3,5", "u 1,1,3,5 > 1,2,6,5", "d 1,2,6,5 > "]);
}

#[test]
fn a_key_that_is_null_is_a_key_of_its_own() {
    let t = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)"];
    let run = ["INSERT INTO t VALUES(NULL,1),(NULL,2)", "UPDATE t SET v=3 WHERE v=1", "DELETE FROM t WHERE v=2"];
    check_told(&t, &run, &["c  > NULL,1", "c  > NULL,2", "u NULL,1 > NULL,3", "d NULL,2 > "]);
}

#[test]
fn changes_of_one_row_come_one_by_one() {
    let t = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES('a',1)"];
    check_together(&t, &["UPDATE t SET v=2", "UPDATE t SET v=3", "INSERT INTO t VALUES('b',1)", "DELETE FROM t WHERE id='b'"], "uucd");
    check(&t, &["UPDATE t SET v=1", "UPDATE t SET v=v", "UPDATE t SET v=2 WHERE id='none'"], "uu");
}

#[test]
fn a_delete_prepared_long_before_is_captured() {
    let t = ["CREATE TABLE t(id TEXT PRIMARY KEY, v)", "DELETE FROM t", "INSERT INTO t VALUES('a',1),('b',2)"];
    check(&t, &["DELETE FROM t"], "dd");
    check_together(&t, &["SAVEPOINT", "DELETE FROM t", "ROLLBACK TO", "DELETE FROM t"], "dd");
}

#[test]
fn rows_taken_over_from_another_table_are_captured() {
    let tables = [
        "CREATE TABLE a(id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE b(id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE w(id INTEGER PRIMARY KEY, v) WITHOUT ROWID",
        "CREATE TABLE x(id INTEGER PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO a VALUES(1,1),(2,2)",
    ];
    // SQLite copies whole tables page by page where it can, and must not here.
    check(&tables, &["INSERT INTO b SELECT * FROM a", "INSERT INTO w SELECT * FROM a", "INSERT INTO x SELECT * FROM w"], "cccccc");
    check(&tables, &["INSERT INTO b SELECT * FROM b", "INSERT OR REPLACE INTO a SELECT * FROM a"], "dcdc");
}

#[test]
fn triggers_on_a_table_do_not_hide_its_upserts() {
    let setup = [
        "CREATE TABLE t(id TEXT PRIMARY KEY, v)",
        "CREATE TABLE aud(n INTEGER PRIMARY KEY, what)",
        "CREATE TRIGGER bi BEFORE INSERT ON t BEGIN INSERT INTO aud(what) VALUES('bi'); END",
        "CREATE TRIGGER au AFTER UPDATE ON t BEGIN INSERT INTO aud(what) VALUES('au'); END",
        "INSERT INTO t VALUES('a',1)",
    ];
    check(&setup, &["INSERT INTO t VALUES('a',5),('n',6) ON CONFLICT(id) DO UPDATE SET v=excluded.v"], "cuccc");
    check(&setup, &["INSERT INTO t VALUES('a',5) ON CONFLICT DO NOTHING"], "c");
}

#[test]
fn triggers_of_the_users_own_are_captured_and_their_abort_is_not() {
    let setup = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE aud(n INTEGER PRIMARY KEY, id, v)",
        "CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT INTO aud(id,v) VALUES(NEW.id,NEW.v); END",
        "CREATE TRIGGER h AFTER INSERT ON t WHEN NEW.v<0 BEGIN SELECT RAISE(ABORT,'negative'); END",
        "INSERT INTO t VALUES(1,1)",
    ];
    check(&setup, &["UPDATE t SET v=2", "INSERT INTO t VALUES(2,2),(3,-1)"], "uc");
}

#[test]
fn a_trigger_that_changes_its_own_row_is_a_change_after_it() {
    let own = [
        "CREATE TABLE t(id TEXT PRIMARY KEY, v, w)",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET w=NEW.v*2 WHERE id=NEW.id; END",
        "CREATE TRIGGER h BEFORE DELETE ON t BEGIN UPDATE t SET w=0 WHERE id=OLD.id; END",
    ];
    check_told(&own, &["INSERT INTO t VALUES('a',4,NULL)"], &["c  > a,4,NULL", "u a,4,NULL > a,4,8"]);
    check(&own, &["INSERT INTO t VALUES('a',4,NULL)", "DELETE FROM t"], "cuud");
    let chain = [
        "CREATE TABLE a(id INTEGER PRIMARY KEY)",
        "CREATE TABLE b(id INTEGER PRIMARY KEY)",
        "CREATE TRIGGER ab AFTER INSERT ON a BEGIN INSERT INTO b VALUES(NEW.id); END",
        "CREATE TRIGGER ba AFTER INSERT ON b WHEN NEW.id<5 BEGIN INSERT INTO a VALUES(NEW.id+1); END",
    ];
    check(&chain, &["INSERT INTO a VALUES(1)"], "ccc");
}

#[test]
fn a_cascade_reaches_the_whole_tree() {
    let tree = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, up REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE)",
        "INSERT INTO t VALUES(1,NULL),(2,1),(3,2),(4,3),(5,NULL)",
    ];
    check(&tree, &["DELETE FROM t WHERE id=1"], "dddd");
    check(&tree, &["UPDATE t SET id=10 WHERE id=2", "UPDATE t SET id=id+100 WHERE up IS NULL"], "uuuuu");
}

#[test]
fn a_view_is_written_through_its_triggers() {
    let view = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE VIEW w AS SELECT id, v FROM t",
        "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES(NEW.id, NEW.v); END",
        "CREATE TRIGGER u INSTEAD OF UPDATE ON w BEGIN UPDATE t SET v=NEW.v WHERE id=OLD.id; END",
        "CREATE TRIGGER d INSTEAD OF DELETE ON w BEGIN DELETE FROM t WHERE id=OLD.id; END",
    ];
    check(&view, &["INSERT INTO w VALUES(1,1),(2,2)", "UPDATE w SET v=v+1", "DELETE FROM w WHERE id=1"], "ccuud");
}

#[test]
fn names_may_be_anything() {
    for name in ["odd name", "select", "q\"q", "été", "'", "[x]", "a;b", "a.b", "T", "日本"] {
        let name = relstore_model::identifier::quote(name);
        let create = format!("CREATE TABLE {name}({name} INTEGER PRIMARY KEY, \"a \"\"b\" TEXT)");
        let run = [
            format!("INSERT INTO {name} VALUES(1,'x')"),
            format!("UPDATE {name} SET {name}=2"),
            format!("ALTER TABLE {name} RENAME TO \"Z z\""),
            format!("DELETE FROM \"z Z\" WHERE {name}=2"),
        ];
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        check(&[&create], &run, "cuSd");
    }
}
