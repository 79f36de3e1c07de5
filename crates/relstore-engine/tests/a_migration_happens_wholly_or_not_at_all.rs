//! Each migration is before or after: under errors, panics and violated foreign keys; and afterwards the store is as strict as ever.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use common::{Store, assert_log_is_true, letters, script, state, store};
use migration_support::{apply, count, folder, migrate};
use relstore_engine::Database;
use relstore_engine::migration::{ApplyOptions, InlineMigration, Layout, MissingDefault, Proposal};
use relstore_model::{Error, ErrorKind};

fn family() -> Store {
    let store = store();
    script(
        &store.db,
        &[
            "CREATE TABLE p(id INTEGER PRIMARY KEY)",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)",
            "INSERT INTO p VALUES(1),(2),(3)",
            "INSERT INTO c VALUES(1,1),(2,2),(3,3)",
        ],
    );
    store
}

/// Foreign keys act, temporary state is gone, and the store goes on.
#[track_caller]
fn assert_strict(db: &Database) {
    let refused = db.execute("INSERT INTO c VALUES(99, 99)", &[]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Constraint, "{refused}");
    script(db, &["INSERT INTO p VALUES(50)", "INSERT INTO c VALUES(50,50)", "DELETE FROM p WHERE id=50"]);
    assert_eq!(db.query("SELECT count(*) FROM c WHERE id=50", &[]).unwrap().rows[0][0], relstore_model::Value::Integer(0));
    assert_log_is_true(db);
}

/// Applies a migration that must fail, and checks that nothing of it is there.
#[track_caller]
fn refused(store: &Store, sql: &str) -> Error {
    let (schema, rows, told) = (store.db.schema(), state(&store.db), letters(&store.db));
    let error = migrate(&store.db, &[sql]).unwrap_err();
    assert_eq!((store.db.schema(), state(&store.db), letters(&store.db)), (schema, rows, told), "{sql}");
    assert_eq!(store.db.migrations().unwrap(), []);
    assert_strict(&store.db);
    error
}

#[test]
fn a_migration_that_leaves_foreign_keys_violated_is_refused_with_the_rows() {
    let store = family();
    let error = refused(&store, "DELETE FROM p WHERE id > 1; CREATE TABLE z(x)");
    assert_eq!(error.kind(), ErrorKind::Constraint);
    let text = error.to_string();
    assert!(text.contains("violations: 2") && text.contains("c rowid 2 has no parent in p; c rowid 3 has no parent in p"), "{text}");
    // Whatever the file says of them.
    for begin in ["PRAGMA foreign_keys=ON", "PRAGMA foreign_keys=OFF", "PRAGMA defer_foreign_keys=ON", "BEGIN TRANSACTION"] {
        assert_eq!(refused(&store, &format!("{begin}; DELETE FROM p; PRAGMA foreign_keys=ON; COMMIT")).kind(), ErrorKind::Constraint);
    }
    // Many are counted, and some listed.
    let many = "INSERT INTO c WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i+1 FROM n WHERE i<5099) SELECT i, i FROM n";
    let text = refused(&store, many).to_string();
    assert!(text.contains("violations: 5000") && text.matches("has no parent").count() == 20, "{text}");
    // Children that go too are no violation.
    migrate(&store.db, &["DELETE FROM p WHERE id > 1; DELETE FROM c WHERE p > 1"]).unwrap();
    assert_eq!(count(&store.db, "c"), 1);
    assert_strict(&store.db);
}

#[test]
fn violations_of_before_are_not_the_migrations() {
    let store = family();
    let path = store.dir.path().join("store.db");
    let Store { db, dir } = store;
    drop(db);
    // Another program made them.
    let other = relstore_engine::sqlite::Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA foreign_keys=OFF; INSERT INTO c VALUES(8,88),(9,99)").unwrap();
    drop(other);
    let db = common::open(&dir);
    db.reconcile().unwrap();
    let store = Store { db, dir };
    migrate(&store.db, &["ALTER TABLE c RENAME TO cc; ALTER TABLE p RENAME TO pp; UPDATE cc SET id=id+100 WHERE id<4"]).unwrap();
    let (_dir, two) = folder(
        Layout::Files,
        &["ALTER TABLE c RENAME TO cc; ALTER TABLE p RENAME TO pp; UPDATE cc SET id=id+100 WHERE id<4", "INSERT INTO cc VALUES(10, 1000)"],
    );
    let text = apply(&store.db, &two).unwrap_err().to_string();
    assert!(text.contains("violations: 1,") && text.contains("cc rowid 10"), "{text}");
}

#[test]
fn a_key_without_a_unique_parent_is_refused_unless_it_was_so() {
    let store = family();
    let error = refused(&store, "CREATE TABLE q(a); CREATE TABLE d(x REFERENCES q(a)); INSERT INTO d VALUES(1)");
    assert!(error.kind() == ErrorKind::Constraint && error.to_string().contains("no unique index"), "{error}");
    for sql in ["CREATE TABLE q(a); CREATE TABLE d(x REFERENCES q(a))", "CREATE TABLE q(a); ALTER TABLE c ADD COLUMN x REFERENCES q(a)"] {
        assert_eq!(refused(&store, sql).kind(), ErrorKind::Constraint, "{sql}");
    }
    script(&store.db, &["CREATE UNIQUE INDEX p_also ON p(id)", "CREATE TABLE e(a, b)", "CREATE UNIQUE INDEX e_a ON e(a)"]);
    script(&store.db, &["CREATE TABLE f(a REFERENCES e(a))", "INSERT INTO e VALUES(1,1)", "INSERT INTO f VALUES(1)"]);
    assert_eq!(migrate(&store.db, &["DROP INDEX e_a"]).unwrap_err().kind(), ErrorKind::Constraint);
    script(&store.db, &["CREATE TABLE q(a)", "CREATE TABLE d(x REFERENCES q(a))"]);
    migrate(&store.db, &["ALTER TABLE d ADD COLUMN y"]).unwrap();
}

#[test]
fn a_statement_that_fails_undoes_all_and_says_where() {
    let store = family();
    let error = refused(&store, "CREATE TABLE z(x);\nINSERT INTO p VALUES(9);\n--> statement-breakpoint\nINSERT INTO p\n  SELEC 1;");
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for part in ["near \"SELEC\"", "0001_step_1.sql", "statement: 3", "line: 5", "column: 3", "\n    SELEC 1\n    ^\n"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let error = refused(&store, "INSERT INTO p VALUES(4);\nINSERT INTO p VALUES(1)");
    assert!(error.kind() == ErrorKind::Constraint && error.to_string().contains("statement: 2, line: 2"), "{error}");
    let error = refused(&store, "UPDATE c SET q=1");
    assert!(error.kind() == ErrorKind::NotFound && error.hint().is_some(), "{error:?}");
    for (sql, hint) in [
        ("ATTACH 'x' AS y", "store of its own"),
        ("PRAGMA journal_mode=DELETE", "Settings"),
        ("UPDATE _rs_meta SET value=1", "engine's"),
        ("CREATE TABLE _rs_x(a)", "engine's"),
        ("SAVEPOINT x", "transaction"),
        ("CREATE TEMP TABLE p(x)", "temporary"),
    ] {
        let error = refused(&store, sql);
        assert!(error.kind() == ErrorKind::Unsupported && error.hint().unwrap().contains(hint), "{sql}: {error:?}");
    }
    let error = refused(&store, "INSERT OR ROLLBACK INTO p VALUES(1)");
    assert!(matches!(error.kind(), ErrorKind::Constraint | ErrorKind::Conflict), "{error}");
    // A rebuild that fails at each of its steps.
    for sql in [
        "CREATE TABLE n(id INTEGER PRIMARY KEY CHECK(id<3)); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p",
        "CREATE TABLE n(id INTEGER PRIMARY KEY); INSERT INTO n SELECT * FROM p; DROP TABLE p; SELECT * FROM p",
        "CREATE TABLE n(id INTEGER PRIMARY KEY); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO c",
        "CREATE TABLE n(id INTEGER PRIMARY KEY); INSERT INTO n SELECT * FROM p WHERE id<3; DROP TABLE p; ALTER TABLE n RENAME TO p",
        "CREATE TABLE n(id TEXT); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p",
    ] {
        refused(&store, sql);
    }
}

#[test]
fn those_before_the_one_that_failed_stay_and_the_next_run_goes_on() {
    let store = family();
    let (dir, all) = folder(Layout::Journal, &["CREATE TABLE one(x)", "INSERT INTO p VALUES(1)", "CREATE TABLE three(x)"]);
    let mut heard = Vec::new();
    let mut progress =
        |p: &relstore_engine::migration::MigrationProgress<'_>| heard.push((p.migration_number, p.migration_count, p.statement));
    apply_telling(&store.db, &all, &mut progress).unwrap_err();
    assert_eq!(heard, [(1, 3, 1)]);
    assert_eq!(store.db.migrations().unwrap().len(), 1);
    std::fs::write(dir.path().join("0002_step_2.sql"), "INSERT INTO p VALUES(4)").unwrap();
    let mended = relstore_engine::migration::MigrationFolder::read(dir.path()).unwrap();
    assert_eq!(apply(&store.db, &mended).unwrap().applied.len(), 2);
    assert_strict(&store.db);
}

fn apply_telling(
    db: &Database,
    folder: &relstore_engine::migration::MigrationFolder,
    progress: &mut dyn FnMut(&relstore_engine::migration::MigrationProgress<'_>),
) -> relstore_model::Result<()> {
    db.apply_migrations(folder, ApplyOptions { progress: Some(progress), ..ApplyOptions::default() }).map(|_| ())
}

#[test]
fn a_migration_that_panics_or_is_dropped_leaves_no_trace() {
    let store = family();
    let panics = InlineMigration::new(1, |tx| {
        tx.execute("CREATE TABLE z(x)", &[])?;
        tx.execute("DELETE FROM c", &[])?;
        panic!("as meant");
    });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.db.migrate(&panics)));
    assert!(result.is_err());
    assert_strict(&store.db);
    for steps in 1..=4 {
        let tx = store.db.begin_migration(1).unwrap().unwrap();
        let rebuild =
            ["CREATE TABLE n(id INTEGER PRIMARY KEY)", "INSERT INTO n SELECT id FROM p", "DROP TABLE p", "ALTER TABLE n RENAME TO p"];
        rebuild.iter().take(steps).for_each(|sql| drop(tx.execute(sql, &[]).unwrap()));
        drop(tx);
        assert_eq!(store.db.migration_version().unwrap(), 0);
        assert_strict(&store.db);
    }
    assert_eq!(count(&store.db, "c"), 3);
}

/// The same on a table with rows and on one without.
#[test]
fn a_new_column_that_refuses_null_needs_a_default() {
    let add = "ALTER TABLE p ADD COLUMN n TEXT NOT NULL";
    for rows in [true, false] {
        let store = family();
        if !rows {
            script(&store.db, &["DELETE FROM p"]);
        }
        let error = migrate(&store.db, &[add]).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.message().contains("has no default for the rows"), "{error}");
        assert!(error.hint().unwrap().contains("DEFAULT"), "{error:?}");
        assert_eq!(
            store.db.migrate(&InlineMigration::new(1, |tx| tx.execute(add, &[]).map(|_| ()))).unwrap_err().message(),
            error.message()
        );
        migrate(&store.db, &["ALTER TABLE p ADD COLUMN n TEXT NOT NULL DEFAULT 'x'; ALTER TABLE p ADD m AS (id) NOT NULL; CREATE TABLE q(a); ALTER TABLE q ADD b NOT NULL"]).unwrap();
        assert_log_is_true(&store.db);
    }
    // A table of the same run has no rows on any store.
    let store = store();
    migrate(&store.db, &["CREATE TABLE p(id INTEGER PRIMARY KEY)", add]).unwrap();
    // By a policy, as SQLite does it.
    let (_dir, more) = folder(Layout::Files, &["CREATE TABLE p(id INTEGER PRIMARY KEY)", add, "ALTER TABLE p ADD COLUMN m TEXT NOT NULL"]);
    let loose = || ApplyOptions { missing_default: MissingDefault::AllowOnEmptyTables, ..ApplyOptions::default() };
    script(&store.db, &["INSERT INTO p VALUES(1, 'x')"]);
    assert!(store.db.apply_migrations(&more, loose()).unwrap_err().to_string().contains("NOT NULL"));
    script(&store.db, &["DELETE FROM p"]);
    store.db.apply_migrations(&more, loose()).unwrap();
}

/// All of the store that a migration could change: schema, the file's own statements, rows, history, log, and what lies in the folder.
fn everything(store: &Store) -> impl PartialEq + std::fmt::Debug + use<> {
    let sql = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid";
    let commits = store.db.commits_after(relstore_model::Lsn::ZERO, usize::MAX).unwrap();
    let files: std::collections::BTreeSet<_> = std::fs::read_dir(store.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let versions: Vec<String> = (1..=store.db.schema().version).map(|v| store.db.schema_at(v).unwrap().to_json()).collect();
    (versions, store.db.query(sql, &[]).unwrap().rows, state(&store.db), store.db.migrations().unwrap(), commits, files)
}

#[test]
fn what_a_check_refuses_leaves_everything_as_it_was() {
    let sql = "CREATE TABLE n(id INTEGER PRIMARY KEY, e TEXT NOT NULL DEFAULT 'q'); INSERT INTO n(id) SELECT id FROM p; DROP TABLE p; \
               ALTER TABLE n RENAME TO p; DELETE FROM c WHERE id=1; ALTER TABLE c ADD COLUMN f; CREATE VIEW v AS SELECT f FROM c";
    let store = family();
    let (_first, first) = folder(Layout::Journal, &["CREATE TABLE z(a)"]);
    apply(&store.db, &first).unwrap();
    store.db.migrate(&InlineMigration::new(1, |m| m.execute_batch("ALTER TABLE z ADD COLUMN b"))).unwrap();
    let before = everything(&store);
    let mut refuse = |_: &Proposal<'_>| Err(Error::new(ErrorKind::Incompatible, "as meant"));
    let (_both, both) = folder(Layout::Journal, &["CREATE TABLE z(a)", sql]);
    let bytes = || std::fs::read(store.dir.path().join("store.db-wal")).unwrap();
    let written = bytes();
    let options = ApplyOptions { check: Some(&mut refuse), allow_destructive: true, ..ApplyOptions::default() };
    assert_eq!(store.db.apply_migrations(&both, options).unwrap_err().kind(), ErrorKind::Incompatible);
    assert!(bytes() == written, "a folder that is refused has not been begun");
    assert_eq!(everything(&store), before);
    let inline = InlineMigration::new(2, |m| m.execute_batch(sql));
    assert_eq!(store.db.migrate_checked(&inline, Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(everything(&store), before);
    let driven = store.db.begin_migration(2).unwrap().unwrap();
    driven.execute_batch(sql).unwrap();
    assert_eq!(driven.finish_checked(Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(everything(&store), before);
    // Opened again it is the same too.
    let Store { db, dir } = store;
    drop(db);
    let store = Store { db: common::open(&dir), dir };
    assert_eq!(everything(&store), before);
    assert_strict(&store.db);
}
