//! Migrations that a program brings with it: versions in order, down again, and driven statement by statement.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use common::{assert_log_is_true, script, store};
use migration_support::ids;
use relstore_engine::migration::{InlineMigration, InlineOutcome, MigrationKind, Proposal};
use relstore_model::{Error, ErrorKind, Value};

fn run(sql: &'static str) -> impl Fn(&relstore_engine::migration::MigrationTransaction<'_>) -> relstore_model::Result<()> {
    move |tx| tx.execute_batch(sql)
}

fn all() -> Vec<InlineMigration<'static>> {
    vec![
        InlineMigration::new(1, run("CREATE TABLE users(id INTEGER PRIMARY KEY); INSERT INTO users VALUES(1),(2)"))
            .with_down(run("DROP TABLE users")),
        InlineMigration::new(2, run("ALTER TABLE users ADD COLUMN avatar_url TEXT"))
            .with_down(run("ALTER TABLE users DROP COLUMN avatar_url")),
        InlineMigration::new(5, run("UPDATE users SET avatar_url='x'")),
    ]
}

#[test]
fn versions_rise_and_the_message_has_both() {
    let store = store();
    let all = all();
    assert_eq!(store.db.migrate_all(&all).unwrap().len(), 3);
    assert_eq!((store.db.migrate_all(&all).unwrap().len(), store.db.migration_version().unwrap()), (0, 5));
    let error = store.db.migrate(&all[1]).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Conflict, "migration version 2 is below the current version 5"));
    assert_eq!(store.db.migrate(&all[2]).unwrap(), InlineOutcome::Current);
    assert_eq!(store.db.migrate(&InlineMigration::new(0, |_| Ok(()))).unwrap_err().kind(), ErrorKind::Invalid);
    let history = store.db.migrations().unwrap();
    assert_eq!(history.iter().map(|m| (m.version, m.kind)).collect::<Vec<_>>(), [1, 2, 5].map(|v| (v, MigrationKind::Inline)));
    assert!(history.windows(2).all(|w| w[0].applied_at < w[1].applied_at && w[0].lsn_after <= w[1].lsn_before));
    assert_log_is_true(&store.db);
    let twice = [InlineMigration::new(7, |_| Ok(())), InlineMigration::new(7, |_| Ok(()))];
    assert_eq!(store.db.migrate_all(&twice).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn they_are_taken_back_newest_first() {
    let store = store();
    let mut all = all();
    assert_eq!(store.db.roll_back(&all[0]).unwrap_err().kind(), ErrorKind::NotFound);
    store.db.migrate_all(&all).unwrap();
    let error = store.db.roll_back(&all[1]).unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.message().contains("version 2 is not the current version 5"), "{error}");
    for error in [store.db.roll_back(&all[2]).unwrap_err(), store.db.roll_back_to(1, &all).unwrap_err()] {
        assert!(error.kind() == ErrorKind::NotFound && error.message().contains("no down") && error.hint().is_some(), "{error}");
    }
    assert_eq!(store.db.roll_back_to(1, &all[..2]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.db.migration_version().unwrap(), 5);
    all[2] = InlineMigration::new(5, |_| Ok(())).with_down(run("UPDATE users SET avatar_url=NULL"));
    store.db.roll_back(&all[2]).unwrap();
    assert_eq!(store.db.roll_back_to(0, &all).unwrap().len(), 2);
    assert_eq!((store.db.migration_version().unwrap(), store.db.schema().tables.len()), (0, 0));
    assert!(store.db.migrations().unwrap().iter().all(|m| m.rolled_back_at > Some(m.applied_at)));
    store.db.migrate(&all[0]).unwrap();
    assert_eq!(store.db.migration_version().unwrap(), 1);
    assert_log_is_true(&store.db);
}

#[test]
fn a_caller_may_give_the_statements_one_by_one() {
    let store = store();
    script(&store.db, &["CREATE TABLE p(id INTEGER PRIMARY KEY, v)", "CREATE TABLE c(p REFERENCES p ON DELETE CASCADE)"]);
    script(&store.db, &["INSERT INTO p VALUES(1,'a'),(2,'b')", "INSERT INTO c VALUES(1),(2)"]);
    let bookmark = store.db.high_water();
    let tx = store.db.begin_migration(3).unwrap().unwrap();
    assert_eq!(tx.bookmark(), bookmark);
    for sql in [
        "PRAGMA foreign_keys=OFF",
        "CREATE TABLE __new_p(id INTEGER PRIMARY KEY, w TEXT NOT NULL)",
        "INSERT INTO __new_p(id, w) SELECT id, v FROM p",
    ] {
        tx.execute(sql, &[]).unwrap();
    }
    assert_eq!(tx.query("SELECT w FROM __new_p WHERE id=?", &[Value::Integer(2)]).unwrap().rows, [[Value::from("b")]]);
    // A statement that fails does nothing, and the migration goes on.
    assert_eq!(tx.execute("INSERT INTO __new_p VALUES(1, 'x')", &[]).unwrap_err().kind(), ErrorKind::Constraint);
    for sql in ["DROP TABLE p", "ALTER TABLE __new_p RENAME TO p", "PRAGMA foreign_keys=ON"] {
        tx.execute(sql, &[]).unwrap();
    }
    let report = tx.finish().unwrap();
    assert_eq!((report.migration.version, report.migration.lsn_before), (3, bookmark));
    assert_eq!(report.statements.iter().filter(|s| s.rebuild.is_some()).count(), 1);
    assert_eq!(ids(&store.db, "p"), (1, vec![("id".into(), 101), ("w".into(), 102)]));
    assert_eq!(migration_support::count(&store.db, "c"), 2);
    assert_log_is_true(&store.db);
    let back = store.db.begin_rollback(3).unwrap();
    back.transaction.execute("ALTER TABLE p RENAME COLUMN w TO v", &[]).unwrap();
    back.finish().unwrap();
    assert_eq!((store.db.migration_version().unwrap(), store.db.schema().table("p").unwrap().columns[1].name.as_str()), (0, "v"));
    assert!(store.db.begin_migration(3).unwrap().is_some());
    assert_log_is_true(&store.db);
}

#[test]
fn a_check_may_refuse_before_anything_is_committed() {
    let store = store();
    let all = all();
    store.db.migrate(&all[0]).unwrap();
    let mut seen = None;
    let mut check = |proposal: &relstore_engine::migration::Proposal<'_>| {
        let columns = |s: &relstore_model::Schema| s.table("users").unwrap().columns.len();
        seen = Some((proposal.versions()?.len(), columns(&proposal.before), columns(&proposal.after)));
        Err(Error::new(ErrorKind::Incompatible, "as meant"))
    };
    let error = store.db.migrate_checked(&all[1], Some(&mut check)).unwrap_err();
    assert_eq!((error.kind(), seen), (ErrorKind::Incompatible, Some((1, 1, 2))));
    assert_eq!((store.db.migration_version().unwrap(), store.db.schema().version), (1, 1));
    assert_log_is_true(&store.db);
}

#[test]
fn a_check_can_refuse_a_down_as_it_can_an_up() {
    let store = store();
    let migrations = || {
        vec![
            InlineMigration::new(1, |m| m.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)"))
                .with_down(|m| m.execute_batch("DROP TABLE t")),
            InlineMigration::new(2, |m| m.execute_batch("ALTER TABLE t ADD COLUMN b TEXT"))
                .with_down(|m| m.execute_batch("ALTER TABLE t DROP COLUMN b")),
        ]
    };
    store.db.migrate_all(&migrations()).unwrap();
    let before = (store.db.schema(), store.db.migrations().unwrap(), store.db.high_water());
    let mut seen = Vec::new();
    let mut refuse = |proposal: &Proposal<'_>| {
        let lost: Vec<String> = proposal.plan.destructions().map(|(_, _, d)| d.to_string()).collect();
        seen.push((lost, proposal.before.version, proposal.after.version));
        Err(Error::new(ErrorKind::Incompatible, "as meant"))
    };
    let all = migrations();
    assert_eq!(store.db.roll_back_checked(&all[1], Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(store.db.roll_back_to_checked(0, &all, Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    let open = store.db.begin_rollback(2).unwrap();
    open.transaction.execute("ALTER TABLE t DROP COLUMN b", &[]).unwrap();
    assert_eq!(open.finish_checked(Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    let open = store.db.begin_migration(3).unwrap().unwrap();
    open.execute("ALTER TABLE t DROP COLUMN b", &[]).unwrap();
    assert_eq!(open.finish_checked(Some(&mut refuse)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(seen, vec![(vec!["drops column t.b".to_owned()], 2, 3); 4]);
    assert_eq!((store.db.schema(), store.db.migrations().unwrap(), store.db.high_water()), before, "nothing was done");
    let mut count = 0;
    let mut allow = |_: &Proposal<'_>| {
        count += 1;
        Ok(())
    };
    assert_eq!(store.db.roll_back_to_checked(0, &all, Some(&mut allow)).unwrap().len(), 2);
    assert_eq!((count, store.db.schema().tables.len()), (2, 0));
}
