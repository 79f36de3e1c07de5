//! Plans: each statement in words, the rows that it touches, what is lost; nothing is changed by them.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use common::{Store, letters, script, state, store};
use migration_support::{apply, folder};
use relstore_engine::migration::{ApplyOptions, Layout, MigrationPlan, Proposal, RowsTouched};
use relstore_model::{Error, ErrorKind};

fn filled() -> Store {
    let store = store();
    script(
        &store.db,
        &[
            "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT)",
            "CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x ON DELETE CASCADE)",
            "CREATE INDEX x_b ON x(b)",
            "CREATE TRIGGER x_t AFTER INSERT ON x BEGIN SELECT 1; END",
            "INSERT INTO x VALUES(1,'1','1'),(2,'2','2'),(3,'3','3')",
            "INSERT INTO y VALUES(1,1)",
        ],
    );
    store
}

fn plan(store: &Store, sqls: &[&str]) -> MigrationPlan {
    let before = (store.db.schema(), state(&store.db), letters(&store.db));
    let (_dir, folder) = folder(Layout::Folders, sqls);
    let plan = store.db.plan_migrations(&folder, &ApplyOptions::default()).unwrap();
    let report =
        store.db.apply_migrations(&folder, ApplyOptions { dry_run: true, allow_destructive: true, ..ApplyOptions::default() }).unwrap();
    assert_eq!((&report.plan, report.applied.len(), report.pending.len()), (&plan, 0, sqls.len()));
    assert_eq!((store.db.schema(), state(&store.db), letters(&store.db)), before);
    assert_eq!(store.db.migrations().unwrap(), []);
    plan
}

#[test]
fn each_statement_is_told_in_words_with_its_rows() {
    let store = filled();
    let plan = plan(
        &store,
        &[
            "CREATE TABLE z(id INTEGER PRIMARY KEY);\nINSERT INTO z VALUES(1),(2);\nUPDATE x SET b='q' WHERE id=1;\nUPDATE x SET b='q'",
            "PRAGMA foreign_keys=OFF; ALTER TABLE x RENAME COLUMN b TO c; CREATE INDEX i ON x(c); ALTER TABLE y ADD COLUMN n DEFAULT 1; SELECT 1; DROP INDEX i",
        ],
    );
    let told: Vec<(&str, RowsTouched)> = plan.migrations.iter().flat_map(|m| &m.statements).map(|s| (s.words.as_str(), s.rows)).collect();
    let (exactly, at_most) = (RowsTouched::Exactly, RowsTouched::AtMost);
    assert_eq!(
        told,
        [
            ("creates table z", exactly(0)),
            ("inserts into z", exactly(2)),
            ("updates rows of x", at_most(3)),
            ("updates every row of x", exactly(3)),
            ("nothing: a migration is one transaction, and its foreign keys are checked at the end", exactly(0)),
            ("renames column b of x to c", exactly(0)),
            ("creates index i on x", exactly(3)),
            ("adds column n to y", exactly(0)),
            ("runs a statement", RowsTouched::Unknown),
            ("drops index i", exactly(0)),
        ]
    );
    assert_eq!(plan.destructions().count(), 0);
    assert_eq!(plan.migrations[0].statements[1].line, Some(2));
}

#[test]
fn what_is_lost_is_named_and_needs_leave() {
    let store = filled();
    let rebuild =
        |create: &str, insert: &str| format!("CREATE TABLE n({create}); INSERT INTO n {insert}; DROP TABLE x; ALTER TABLE n RENAME TO x");
    for (sql, wanted) in [
        ("DROP TABLE y".to_owned(), vec!["drops table y"]),
        ("ALTER TABLE x DROP COLUMN a".to_owned(), vec!["drops column x.a"]),
        ("DELETE FROM y".to_owned(), vec!["deletes every row of y"]),
        ("DELETE FROM y WHERE id=1; CREATE TABLE z(a); DELETE FROM z; DROP TABLE z".to_owned(), vec![]),
        (rebuild("id INTEGER PRIMARY KEY, a TEXT", "SELECT id, a FROM x"), vec!["drops column x.b"]),
        (rebuild("id INTEGER PRIMARY KEY, a TEXT, b", "SELECT * FROM x WHERE id > 1"), vec!["may leave rows of x out"]),
        (rebuild("id INTEGER PRIMARY KEY, a INTEGER, b TEXT", "SELECT * FROM x"), vec!["turns x.a from TEXT into INTEGER"]),
        (rebuild("id INTEGER PRIMARY KEY, a TEXT, c TEXT NOT NULL", "SELECT id, a, b FROM x"), vec![]),
    ] {
        let plan = plan(&store, &[&sql]);
        let lost: Vec<String> = plan.destructions().map(|(_, _, d)| d.to_string()).collect();
        assert_eq!(lost, wanted, "{sql}");
        if let Some(first) = wanted.first() {
            let (_dir, folder) = folder(Layout::Journal, &["CREATE TABLE first(x)", &sql]);
            let error = store.db.apply_migrations(&folder, ApplyOptions::default()).unwrap_err();
            assert!(error.kind() == ErrorKind::Invalid && error.message().ends_with(first), "{error}");
            assert!(error.hint().unwrap().contains("allow_destructive"));
            assert!(store.db.schema().table("first").is_err(), "nothing was done, of those before it either");
        }
    }
}

#[test]
fn a_rebuild_is_told_with_what_it_keeps() {
    let store = filled();
    let plan = plan(
        &store,
        &["CREATE TABLE n(id INTEGER PRIMARY KEY, c TEXT, a TEXT, d); INSERT INTO n(id, a, c) SELECT id, a, b FROM x; DROP TABLE x; \
         ALTER TABLE n RENAME TO x; CREATE INDEX x_c ON x(c)"],
    );
    let last = plan.migrations[0].statements.iter().find(|s| s.rebuild.is_some()).unwrap();
    assert_eq!((last.number, last.rows, last.words.as_str()), (4, RowsTouched::Exactly(3), "rebuilds table x: adds d; renames b to c"));
    assert_eq!(plan.migrations[0].notes.len(), 2, "{:?}", plan.migrations[0].notes);
    assert!(!plan.migrations[0].is_reversible);
}

#[test]
fn a_plan_finds_wrong_sql_and_says_what_depends_on_rows() {
    let store = filled();
    let (_dir, bad) = folder(Layout::Journal, &["CREATE TABLE one(x)", "CREATE TABLE two(x);\nALTER TABLE nope ADD y"]);
    let error = store.db.plan_migrations(&bad, &ApplyOptions::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("0002_step_2.sql, statement: 2, line: 2"), "{error}");
    apply(&store.db, &bad).unwrap_err();
    assert!(store.db.schema().table("one").is_err(), "wrong SQL is found before anything is done");
    let plan = plan(&store, &["INSERT INTO x(id, a) SELECT 9, (SELECT a FROM x WHERE id=1)"]);
    assert!(plan.migrations[0].statements[0].depends_on_rows.as_ref().unwrap().contains("NOT NULL"));
}

#[test]
fn a_check_is_asked_once_with_the_ids_that_will_be() {
    let store = filled();
    let (_dir, two) = folder(Layout::Files, &["CREATE TABLE z(q)", "ALTER TABLE x RENAME TO xx; ALTER TABLE z ADD COLUMN r"]);
    let mut seen = Vec::new();
    let mut refuse = true;
    let mut after = None;
    for _ in 0..2 {
        let mut check = |proposal: &Proposal<'_>| {
            seen.push((proposal.versions()?.len(), proposal.plan.migrations.len()));
            after = Some(proposal.after.clone());
            if refuse { Err(Error::new(ErrorKind::Incompatible, "as meant")) } else { Ok(()) }
        };
        let result = store.db.apply_migrations(&two, ApplyOptions { check: Some(&mut check), ..ApplyOptions::default() });
        assert_eq!(result.is_err(), refuse);
        if refuse {
            assert_eq!((store.db.schema().version, store.db.migrations().unwrap().len()), (4, 0));
        }
        refuse = false;
    }
    assert_eq!(seen, [(4, 2), (4, 2)]);
    assert_eq!(after.unwrap(), store.db.schema());
}

#[test]
fn virtual_tables_views_and_triggers_are_planned_too() {
    let store = filled();
    script(
        &store.db,
        &[
            "CREATE VIEW v AS SELECT a FROM x",
            "CREATE TRIGGER v_t INSTEAD OF INSERT ON v BEGIN INSERT INTO x(a) VALUES(new.a); END",
            "CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT)",
            "CREATE VIRTUAL TABLE f USING fts5(t)",
            "CREATE TABLE g(a, b AS (a+1), c AS (a+2) STORED) STRICT",
        ]
        .map(|s| if s.ends_with("STRICT") { "CREATE TABLE g(a INT, b INT AS (a+1), c INT AS (a+2) STORED) STRICT" } else { s }),
    );
    plan(&store, &["INSERT INTO v VALUES('q'); INSERT INTO f VALUES('words'); DROP VIEW v; ALTER TABLE g ADD COLUMN d INT"]);
}

#[test]
fn stores_of_one_shape_share_a_plan() {
    let plans = relstore_engine::migration::PlanCache::default();
    let sql = "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO n SELECT id, a FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x";
    let (_dir, folder) = folder(Layout::Files, &[sql]);
    let refused = |store: &Store| {
        let options = ApplyOptions { plans: Some(&plans), ..ApplyOptions::default() };
        store.db.apply_migrations(&folder, options).unwrap_err().message().to_owned()
    };
    let (a, b) = (filled(), filled());
    assert_eq!(refused(&a), refused(&b));
    let allowed = || ApplyOptions { plans: Some(&plans), allow_destructive: true, ..ApplyOptions::default() };
    assert_eq!(a.db.apply_migrations(&folder, allowed()).unwrap().applied.len(), 1);
    // Another shape has a plan of its own: the column that would be lost is not there.
    let c = store();
    script(&c.db, &["CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT)", "INSERT INTO x VALUES(1,'1')"]);
    let options = ApplyOptions { plans: Some(&plans), ..ApplyOptions::default() };
    let report = c.db.apply_migrations(&folder, options).unwrap();
    assert_eq!((report.applied.len(), report.plan.destructions().count()), (1, 0));
    assert_eq!(b.db.plan_migrations(&folder, &allowed()).unwrap().migrations[0].statements[3].rows, RowsTouched::Exactly(3));
}
