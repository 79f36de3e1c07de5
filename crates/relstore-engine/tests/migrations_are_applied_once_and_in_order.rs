//! Folders against the history: applied once, in order, unchanged; late ones by policy; and what drizzle has applied counts.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use common::{assert_log_is_true, changes, open, script, store};
use migration_support::{LAYOUTS, apply, count, file_of, folder, write};
use relstore_engine::migration::{
    ApplyOptions, LateMigrations, Layout, MigrationFolder, MigrationKind, MigrationPlan, Proposal, RowsTouched,
};
use relstore_model::{Error, ErrorKind, Lsn};

const A: &str = "CREATE TABLE a(id INTEGER PRIMARY KEY);\nINSERT INTO a VALUES(1);";
const B: &str = "CREATE TABLE b(id INTEGER PRIMARY KEY);";
const C: &str = "ALTER TABLE a ADD COLUMN c;";

#[test]
fn each_is_applied_once_and_the_history_says_when_and_where() {
    for layout in LAYOUTS {
        let common::Store { db, dir } = store();
        let (_first, first) = folder(layout, &[A]);
        let (_all, all) = folder(layout, &[A, B, C]);
        assert_eq!(apply(&db, &first).unwrap().applied.len(), 1);
        script(&db, &["INSERT INTO a VALUES(2)"]);
        let bookmark = db.high_water();
        let status = db.migration_status(&all).unwrap();
        assert_eq!((status.applied.len(), status.pending.iter().map(|p| p.is_late).collect::<Vec<_>>()), (1, vec![false, false]));
        let report = apply(&db, &all).unwrap();
        assert_eq!(
            report.applied.iter().map(|r| r.migration.name.clone()).collect::<Vec<_>>(),
            [all.migrations[1].name.clone(), all.migrations[2].name.clone()]
        );
        assert_eq!(report.applied[0].migration.lsn_before, bookmark);
        assert!(report.pending.is_empty());
        assert_eq!(apply(&db, &all).unwrap().applied, []);
        let history = db.migrations().unwrap();
        assert_eq!(history.iter().map(|m| (m.id, m.kind)).collect::<Vec<_>>(), [1, 2, 3].map(|id| (id, MigrationKind::Folder)));
        assert!(history.windows(2).all(|w| w[0].lsn_after <= w[1].lsn_before && w[0].applied_at <= w[1].applied_at));
        assert_eq!(history[2].lsn_after, db.high_water());
        assert_eq!((history[2].schema_before, history[2].schema_after), (2, 3));
        assert_log_is_true(&db);
        drop(db);
        let db = open(&dir);
        assert_eq!((db.migrations().unwrap(), apply(&db, &all).unwrap().applied.len()), (history, 0));
    }
}

#[test]
fn a_changed_or_missing_file_is_refused_with_what_differs() {
    for layout in LAYOUTS {
        let store = store();
        let (dir, both) = folder(layout, &[A, B]);
        apply(&store.db, &both).unwrap();
        let file = file_of(dir.path(), layout, 1, "step_1");
        std::fs::write(&file, A.replace("VALUES(1)", "VALUES(7)")).unwrap();
        let changed = MigrationFolder::read(dir.path()).unwrap();
        for error in [apply(&store.db, &changed).unwrap_err(), store.db.migration_status(&changed).unwrap_err()] {
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(
                text.contains("was changed since")
                    && text.contains("line: 2, applied: INSERT INTO a VALUES(1);, now: INSERT INTO a VALUES(7);"),
                "{text}"
            );
            assert!(text.contains(&both.migrations[0].hash) && text.contains(&changed.migrations[0].hash), "{text}");
        }
        let (_dir, fewer) = folder(layout, &[A]);
        let error = apply(&store.db, &fewer).unwrap_err();
        assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("is missing from the folder"), "{error}");
    }
}

#[test]
fn a_migration_that_was_merged_late_is_refused_or_applied() {
    for layout in LAYOUTS {
        let store = store();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), layout, &[(1, "a", A), (3, "c", C)]);
        apply(&store.db, &MigrationFolder::read(dir.path()).unwrap()).unwrap();
        write(dir.path(), layout, &[(1, "a", A), (2, "b", B), (3, "c", C), (4, "d", "CREATE TABLE d(x)")]);
        let merged = MigrationFolder::read(dir.path()).unwrap();
        assert_eq!(store.db.migration_status(&merged).unwrap().pending.iter().map(|p| p.is_late).collect::<Vec<_>>(), [true, false]);
        let error = apply(&store.db, &merged).unwrap_err();
        assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("older than the newest"), "{error}");
        assert_eq!(store.db.migrations().unwrap().len(), 2, "nothing was applied");
        let options = ApplyOptions { late: LateMigrations::Apply, ..ApplyOptions::default() };
        assert_eq!(store.db.apply_migrations(&merged, options).unwrap().applied.len(), 2);
        assert_eq!(store.db.migration_status(&merged).unwrap().pending, []);
    }
}

#[test]
fn a_target_is_the_last_that_is_applied() {
    let store = store();
    let (_dir, all) = folder(Layout::Files, &[A, B, C]);
    let to = |target| ApplyOptions { target: Some(target), ..ApplyOptions::default() };
    let report = store.db.apply_migrations(&all, to(2)).unwrap();
    assert_eq!((report.applied.len(), report.pending.len()), (2, 1));
    assert_eq!(store.db.apply_migrations(&all, to(9)).unwrap_err().kind(), ErrorKind::NotFound);
}

/// The table as drizzle 0.30 to 0.45 makes it, and as 1.0 does.
const OLD: &str = "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)";
const NEW: &str =
    "CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric, name text, applied_at TEXT)";

#[test]
fn what_drizzle_has_applied_is_taken_over() {
    for (layout, table) in [(Layout::Journal, OLD), (Layout::Folders, NEW)] {
        let store = store();
        let (dir, all) = folder(layout, &[A, B, C]);
        script(&store.db, &["CREATE TABLE a(id INTEGER PRIMARY KEY)", "CREATE TABLE b(id INTEGER PRIMARY KEY)", table]);
        for m in &all.migrations[..2] {
            let (hash, made, name) = (&m.hash, m.made_at_ms.unwrap(), &m.name);
            let row = match table {
                OLD => format!("INSERT INTO __drizzle_migrations(hash, created_at) VALUES('{hash}', {made})"),
                _ => format!(
                    "INSERT INTO __drizzle_migrations(hash, created_at, name, applied_at) VALUES('{hash}', {made}, '{name}', '2024-05-06T07:08:09.000Z')"
                ),
            };
            script(&store.db, &[&row]);
        }
        assert_eq!(store.db.migration_status(&all).unwrap().applied.len(), 2);
        assert_eq!(store.db.migrations().unwrap(), [], "looking adopts nothing");
        let report = apply(&store.db, &all).unwrap();
        assert_eq!((report.adopted.len(), report.applied.len()), (2, 1));
        let history = store.db.migrations().unwrap();
        assert_eq!(
            history.iter().map(|m| m.kind).collect::<Vec<_>>(),
            [MigrationKind::Adopted, MigrationKind::Adopted, MigrationKind::Folder]
        );
        let time = if table == OLD { "2023-11-14T22:13:21.000Z" } else { "2024-05-06T07:08:09.000Z" };
        assert_eq!(history[0].applied_at.to_iso_millis(), time);
        assert_eq!(count(&store.db, "__drizzle_migrations"), 3, "drizzle's migrator finds nothing to do");
        assert_eq!(apply(&store.db, &all).unwrap().adopted, []);
        assert_log_is_true(&store.db);
        // Its checksum holds too.
        std::fs::write(file_of(dir.path(), layout, 1, "step_1"), "CREATE TABLE a(id INTEGER PRIMARY KEY, more)").unwrap();
        let error = apply(&store.db, &MigrationFolder::read(dir.path()).unwrap()).unwrap_err();
        assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("was changed since"), "{error}");
    }
}

#[test]
fn what_drizzle_has_applied_must_be_in_the_folder_and_unchanged() {
    for (layout, table) in [(Layout::Journal, OLD), (Layout::Folders, NEW)] {
        let (_dir, all) = folder(layout, &[A]);
        let made = all.migrations[0].made_at_ms.unwrap();
        let name = if table == NEW { format!("'{}'", all.migrations[0].name) } else { String::new() };
        let insert = |made: i64, name: &str| {
            if table == NEW {
                format!("INSERT INTO __drizzle_migrations(hash, created_at, name) VALUES('abc', {made}, {name})")
            } else {
                format!("INSERT INTO __drizzle_migrations(hash, created_at) VALUES('abc', {made})")
            }
        };
        for (row, message) in [(insert(made, &name), "was changed since"), (insert(5, "'other'"), "is missing from the folder")] {
            let store = store();
            script(&store.db, &[table, &row]);
            let error = apply(&store.db, &all).unwrap_err();
            assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains(message), "{error}");
        }
    }
}

#[test]
fn migrations_are_taken_back_by_their_downs() {
    let store = store();
    let (dir, _) = folder(Layout::Files, &[A, B, C]);
    let down = |n: u64, sql: &str| std::fs::write(dir.path().join(format!("{n:04}_step_{n}.down.sql")), sql).unwrap();
    down(3, "ALTER TABLE a DROP COLUMN c");
    let all = MigrationFolder::read(dir.path()).unwrap();
    apply(&store.db, &all).unwrap();
    let error = store.db.roll_back_migrations(&all, Some(1), true).unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("0002_step_2"), "{error}");
    assert_eq!(store.db.migration_status(&all).unwrap().applied.len(), 3, "nothing was taken back");
    let error = store.db.roll_back_migrations(&all, Some(2), false).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("drops column a.c"), "{error}");
    assert_eq!(store.db.roll_back_migrations(&all, Some(2), true).unwrap().len(), 1);
    down(2, "DROP TABLE b");
    let all = MigrationFolder::read(dir.path()).unwrap();
    store.db.roll_back_migrations(&all, Some(1), true).unwrap();
    assert!(store.db.schema().table("b").is_err());
    let history = store.db.migrations().unwrap();
    assert_eq!(history.iter().map(|m| m.is_in_force()).collect::<Vec<_>>(), [true, false, false]);
    assert!(history[1].rolled_back_at > history[2].rolled_back_at);
    let again = apply(&store.db, &all).unwrap();
    assert_eq!((again.applied.len(), again.applied[0].migration.id), (2, 4));
    assert_log_is_true(&store.db);
    assert!(db_positions_rise(&store.db));
}

#[test]
fn taking_back_is_planned_checked_and_done_wholly() {
    for layout in LAYOUTS {
        let store = store();
        let (dir, _) = folder(layout, &[A, B, C]);
        for (n, sql) in [(1, "DROP TABLE a"), (2, "DROP TABLE b"), (3, "ALTER TABLE a DROP COLUMN c")] {
            let up = file_of(dir.path(), layout, n, &format!("step_{n}"));
            let down = if layout == Layout::Folders { up.with_file_name("down.sql") } else { up.with_extension("down.sql") };
            std::fs::write(down, sql).unwrap();
        }
        let all = MigrationFolder::read(dir.path()).unwrap();
        apply(&store.db, &all).unwrap();
        let before = (store.db.schema(), store.db.migrations().unwrap(), changes(&store.db));
        let rows = count(&store.db, "a");
        let first = all.migrations[0].version;
        let plan = store.db.plan_roll_back(&all, Some(first)).unwrap();
        let told = |plan: &MigrationPlan| -> Vec<(u64, String, RowsTouched)> {
            plan.migrations.iter().flat_map(|m| m.statements.iter().map(|s| (m.version - first, s.words.clone(), s.rows))).collect()
        };
        let of_a = RowsTouched::Exactly(rows.unsigned_abs());
        let of_b = RowsTouched::Exactly(count(&store.db, "b").unsigned_abs());
        assert_eq!(told(&plan), [(2, "drops column c of a".to_owned(), of_a), (1, "drops table b".to_owned(), of_b)]);
        let plan = store.db.plan_roll_back(&all, None).unwrap();
        assert_eq!((plan.migrations.len(), told(&plan)[2].clone()), (3, (0, "drops table a".to_owned(), of_a)));
        let unknown = store.db.plan_roll_back(&all, Some(77)).unwrap_err();
        assert_eq!(
            (unknown.kind(), store.db.roll_back_migrations(&all, Some(77), true).unwrap_err().kind()),
            (ErrorKind::NotFound, ErrorKind::NotFound)
        );
        let mut asked = Vec::new();
        let mut refuse = |proposal: &Proposal<'_>| {
            asked.push((proposal.plan.migrations.len(), proposal.before.tables.len(), proposal.after.tables.len()));
            Err(Error::new(ErrorKind::Incompatible, "as meant"))
        };
        let refused = store.db.roll_back_migrations_checked(&all, None, true, Some(&mut refuse)).unwrap_err();
        assert_eq!((refused.kind(), asked), (ErrorKind::Incompatible, vec![(3, 2, 0)]));
        assert_eq!((store.db.schema(), store.db.migrations().unwrap(), changes(&store.db)), before, "nothing was done");
        assert_eq!(store.db.roll_back_migrations(&all, None, true).unwrap().len(), 3);
        assert_eq!((store.db.schema().tables.len(), store.db.migration_status(&all).unwrap().pending.len()), (0, 3));
        assert_eq!(store.db.roll_back_migrations(&all, None, false).unwrap(), [], "there is nothing to take back");
        assert_log_is_true(&store.db);
    }
}

#[test]
fn one_that_was_merged_late_is_taken_back_before_what_it_was_applied_on() {
    let store = store();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Layout::Files, &[(1, "a", A), (3, "b", B)]);
    apply(&store.db, &MigrationFolder::read(dir.path()).unwrap()).unwrap();
    write(dir.path(), Layout::Files, &[(2, "late", "ALTER TABLE b ADD COLUMN late")]);
    for (tag, sql) in [("0002_late", "ALTER TABLE b DROP COLUMN late"), ("0003_b", "DROP TABLE b")] {
        std::fs::write(dir.path().join(format!("{tag}.down.sql")), sql).unwrap();
    }
    let all = MigrationFolder::read(dir.path()).unwrap();
    store.db.apply_migrations(&all, ApplyOptions { late: LateMigrations::Apply, ..ApplyOptions::default() }).unwrap();
    let plan = store.db.plan_roll_back(&all, Some(1)).unwrap();
    assert_eq!(plan.migrations.iter().map(|m| m.version).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(store.db.roll_back_migrations(&all, Some(1), true).unwrap().len(), 2);
    assert_eq!(store.db.schema().tables.len(), 1);
    assert_log_is_true(&store.db);
}

#[test]
fn a_folders_schema_is_what_an_empty_store_gets_from_it() {
    let more =
        "ALTER TABLE a ADD COLUMN required TEXT NOT NULL DEFAULT 'q'; CREATE UNIQUE INDEX a_r ON a(required); CREATE VIEW v AS SELECT 1";
    for layout in LAYOUTS {
        let (_dir, all) = folder(layout, &[A, B, C, more]);
        let store = store();
        apply(&store.db, &all).unwrap();
        assert_eq!(all.schema().unwrap(), *store.db.schema());
    }
    let (_dir, bad) = folder(Layout::Files, &[A, "SELEC 1"]);
    let error = bad.schema().unwrap_err();
    assert!(error.to_string().contains("0002_step_2.sql, statement: 1, line: 1"), "{error}");
}

fn db_positions_rise(db: &relstore_engine::Database) -> bool {
    let history = db.migrations().unwrap();
    history.iter().all(|m| m.lsn_before <= m.lsn_after && m.lsn_after > Lsn::ZERO)
}

#[test]
fn two_runs_at_once_apply_each_migration_once() {
    let store = store();
    let steps: Vec<String> = (0..20).map(|i| format!("CREATE TABLE t{i}(x); INSERT INTO t{i} VALUES({i})")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let (_dir, all) = folder(Layout::Files, &steps);
    let applied: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| apply(&store.db, &all).unwrap().applied.len())).collect();
        runs.into_iter().map(|r| r.join().unwrap()).sum()
    });
    assert_eq!((applied, store.db.migrations().unwrap().len()), (20, 20));
    assert_log_is_true(&store.db);
}
