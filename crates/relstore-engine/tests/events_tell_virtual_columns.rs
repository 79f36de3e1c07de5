//! Virtual generated columns are in no stored row, and in every event: as SQLite computed them under the schema of then.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{script, store};
use relstore_engine::{Computed, Database};
use relstore_model::event::{Images, VirtualCells, WithoutVirtualCells, events_of};
use relstore_model::{Lsn, Namespace, UnifiedEvent};

fn events(db: &Database, images: Images, computed: &dyn VirtualCells) -> Vec<UnifiedEvent> {
    let ns = Namespace::new("a").unwrap();
    let of = |commit| events_of(&ns, &commit, &mut db.schema_at(commit.schema_version).unwrap(), images, computed).unwrap();
    db.commits_after(Lsn::ZERO, usize::MAX).unwrap().into_iter().flat_map(of).collect()
}

/// The images of the row changes, as JSON.
fn images(db: &Database, images: Images) -> Vec<String> {
    let text = |side: &Option<serde_json::Map<String, serde_json::Value>>| serde_json::to_string(side).unwrap();
    let events = events(db, images, &Computed::default());
    events.iter().filter(|e| e.op.is_some()).map(|e| format!("{} > {}", text(&e.before), text(&e.after))).collect()
}

#[test]
fn an_event_has_the_value_that_a_read_had() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE t(a INT, up TEXT AS (upper(name)), id INTEGER PRIMARY KEY, name TEXT CHECK(name<>''), n REAL AS (a*2), k AS (a+1) STORED)",
            "INSERT INTO t(a,name) VALUES(2,'x')",
            "UPDATE t SET a=3",
            "UPDATE t SET name='X'",
            "DELETE FROM t",
        ],
    );
    let wanted = [
        r#"null > {"a":2,"up":"X","id":1,"name":"x","n":4.0,"k":3}"#,
        r#"{"a":2,"n":4.0,"k":3} > {"a":3,"n":6.0,"k":4}"#,
        r#"{"name":"x"} > {"name":"X"}"#,
        r#"{"a":3,"up":"X","id":1,"name":"X","n":6.0,"k":4} > null"#,
    ];
    assert_eq!(images(&s.db, Images::Changed), wanted);
    assert_eq!(
        images(&s.db, Images::Full)[2],
        r#"{"a":3,"up":"X","id":1,"name":"x","n":6.0,"k":4} > {"a":3,"up":"X","id":1,"name":"X","n":6.0,"k":4}"#
    );
    let without = events(&s.db, Images::Changed, &WithoutVirtualCells);
    assert_eq!(serde_json::to_string(&without[1].after).unwrap(), r#"{"a":2,"id":1,"name":"x","k":3}"#);
}

#[test]
fn rows_of_every_kind_of_table_are_computed_alone() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE p(id INTEGER PRIMARY KEY)",
            "INSERT INTO p VALUES(7)",
            "CREATE TABLE t(p REFERENCES p, k TEXT COLLATE NOCASE, same AS (k='A'), u UNIQUE, PRIMARY KEY(k, u)) WITHOUT ROWID",
            "CREATE TABLE w(p INT REFERENCES p, b BLOB, size INT AS (length(b)), kind TEXT AS (typeof(b))) STRICT",
            "INSERT INTO t(p,k,u) VALUES(7,'a',1),(7,'b',2)",
            "INSERT INTO w VALUES(7,x'0102'),(NULL,NULL)",
        ],
    );
    let images = images(&s.db, Images::Full);
    assert_eq!(
        images[1..],
        [
            r#"null > {"p":7,"k":"a","same":1,"u":1}"#,
            r#"null > {"p":7,"k":"b","same":0,"u":2}"#,
            r#"null > {"p":7,"b":"AQI=","size":2,"kind":"blob"}"#,
            r#"null > {"p":null,"b":null,"size":null,"kind":"null"}"#,
        ]
    );
}

#[test]
fn a_row_of_long_ago_has_the_value_of_then() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, g AS (id*2))",
            "INSERT INTO t VALUES(1)",
            "ALTER TABLE t DROP COLUMN g",
            "INSERT INTO t VALUES(2)",
            "ALTER TABLE t ADD COLUMN g AS (id*100)",
            "INSERT INTO t VALUES(3)",
            "DELETE FROM t WHERE id=1",
        ],
    );
    let wanted = [r#"null > {"id":1,"g":2}"#, r#"null > {"id":2}"#, r#"null > {"id":3,"g":300}"#, r#"{"id":1,"g":100} > null"#];
    assert_eq!(images(&s.db, Images::Full), wanted);
}

#[test]
fn a_column_that_cannot_be_read_is_left_out() {
    let s = store();
    script(&s.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, j)", "INSERT INTO t VALUES(1,'{\"a\":5}'),(2,'no json')"]);
    script(&s.db, &["ALTER TABLE t ADD COLUMN a AS (j->>'a')"]);
    assert!(s.db.query("SELECT a FROM t WHERE id=2", &[]).is_err());
    script(&s.db, &["DELETE FROM t"]);
    let wanted = [r#"{"id":1,"j":"{\"a\":5}","a":5} > null"#, r#"{"id":2,"j":"no json"} > null"#];
    assert_eq!(images(&s.db, Images::Full)[2..], wanted);
}
