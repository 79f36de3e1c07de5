//! The lint of folders: each finding with its code, its place and a way out, in every layout; and nothing of a folder without faults.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;
mod migration_support;

use std::collections::BTreeSet;
use std::path::Path;

use migration_support::{LAYOUTS, file_of, folder, write};
use relstore_engine::Database;
use relstore_engine::migration::{
    ApplyOptions, InlineMigration, Layout, LintFinding, LintOptions, LintSeverity, MigrationFolder, MissingDefault,
};
use relstore_model::evolution::{ConstraintPolicy, Mode};
use relstore_model::{ErrorKind, Schema};
use relstore_testkit::{Rng, seeds};

const X: &str = "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT);\nCREATE INDEX x_b ON x(b);";

fn lint(folder: &MigrationFolder) -> Vec<LintFinding> {
    let found = folder.lint(&LintOptions::default()).unwrap();
    for finding in &found {
        assert!(!finding.message.is_empty() && !finding.message.ends_with('.') && !finding.fix.is_empty(), "{finding:?}");
        assert!(finding.migration.is_none() || finding.file.as_ref().is_some_and(|f| f.exists()), "{finding:?}");
    }
    found
}

/// Code, `!` for an error, the migration's number in the folder, statement and line: `drops-table 2.1:1`.
fn told(folder: &MigrationFolder, found: &[LintFinding]) -> Vec<String> {
    let place = |f: &LintFinding| {
        let at = f.migration.as_ref().map(|name| folder.migrations.iter().position(|m| m.name == *name).unwrap() + 1);
        let at = at.map_or_else(String::new, |n| format!(" {n}"));
        let statement = f.statement.map_or_else(String::new, |n| format!(".{n}"));
        let line = f.line.map_or_else(String::new, |n| format!(":{n}"));
        format!("{}{}{at}{statement}{line}", f.code, if f.severity == LintSeverity::Error { "!" } else { "" })
    };
    found.iter().map(place).collect()
}

/// What is found in a folder of these migrations, whatever its layout. That none has a down is left out.
#[track_caller]
fn check(sqls: &[&str], wanted: &[&str]) -> Vec<LintFinding> {
    let mut last = Vec::new();
    for layout in LAYOUTS {
        let (_dir, folder) = folder(layout, sqls);
        let mut found = lint(&folder);
        assert_eq!(found.remove(0).code, "no-down");
        assert_eq!(told(&folder, &found), wanted, "{layout:?} {found:#?}");
        last = found;
    }
    last
}

fn rebuild(create: &str, insert: &str) -> String {
    format!("CREATE TABLE n({create});\nINSERT INTO n {insert};\nDROP TABLE x;\nALTER TABLE n RENAME TO x")
}

#[test]
fn a_folder_without_faults_has_no_findings_but_that_it_has_no_downs() {
    let fine = [
        X,
        "ALTER TABLE x ADD COLUMN c TEXT; ALTER TABLE x ADD COLUMN d TEXT NOT NULL DEFAULT 'q'; UPDATE x SET b='q' WHERE b IS NULL",
        "CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x ON DELETE CASCADE, UNIQUE(x)); ALTER TABLE y RENAME TO z",
        "ALTER TABLE x ADD COLUMN z INTEGER REFERENCES z; CREATE UNIQUE INDEX x_z ON x(z); DELETE FROM x WHERE id=1; DROP INDEX x_b",
        "ALTER TABLE x RENAME COLUMN c TO e; CREATE VIEW v AS SELECT e FROM x; CREATE TRIGGER g AFTER INSERT ON x BEGIN SELECT 1; END",
    ];
    check(&fine, &[]);
}

#[test]
fn what_is_lost_is_found() {
    check(&[X, "DROP TABLE x"], &["drops-table 2.1:1"]);
    check(&[X, "SELECT 1;\nDROP INDEX x_b;\n\nALTER TABLE x DROP COLUMN b"], &["drops-column 2.3:4"]);
    check(&[X, "DELETE FROM x", "DELETE FROM x WHERE id=1"], &["deletes-all-rows 2.1:1"]);
    check(&[X, &rebuild("id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT", "SELECT * FROM x WHERE id>1")], &["leaves-rows-out 2.4:4"]);
    check(&[X, &rebuild("id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b TEXT", "SELECT * FROM x")], &["narrows-column 2.4:4"]);
}

#[test]
fn what_depends_on_rows_is_found() {
    let found = check(&[X, "SELECT 1;\nALTER TABLE x ADD COLUMN c TEXT NOT NULL"], &["adds-required-column! 2.2:2"]);
    assert!(found[0].message.starts_with("x.c: ") && found[0].fix.contains("DEFAULT"), "{found:?}");
    check(&[&format!("{X} ALTER TABLE x ADD COLUMN c TEXT NOT NULL")], &[]);
    check(&[X, "ALTER TABLE x ADD COLUMN c TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP"], &["adds-computed-default 2.1:1"]);
    check(&[X, "ALTER TABLE x ADD COLUMN c TEXT DEFAULT (1+1)"], &["adds-computed-default 2.1:1"]);
    check(&[X, "CREATE INDEX i ON x(a);\nCREATE UNIQUE INDEX u ON x(a)"], &["adds-unique 2.2:2"]);
    check(&[X, "ALTER TABLE x ADD COLUMN s TEXT; UPDATE x SET s='q'; CREATE UNIQUE INDEX u ON x(s)"], &["adds-unique 2.3:1"]);
    let (id, a, b) = ("id INTEGER PRIMARY KEY", "a TEXT NOT NULL", "b TEXT");
    let copy = "SELECT id, a, b FROM x";
    check(&[X, &rebuild(&format!("{id}, {a}, b TEXT NOT NULL"), copy)], &["tightens-not-null 2.4:4"]);
    check(&[X, &rebuild(&format!("{id}, {a}, b TEXT UNIQUE"), copy)], &["adds-unique 2.4:4"]);
    check(&[X, &rebuild(&format!("{id}, {a}, {b}, CHECK(length(a)>1)"), copy)], &["adds-check 2.4:4"]);
    check(&[X, &rebuild(&format!("{id}, {a}, b TEXT CHECK(b IN ('p', 'q'))"), copy)], &["adds-check 2.4:4"]);
    check(
        &[&format!("CREATE TABLE p(id INTEGER PRIMARY KEY); {X}"), &rebuild(&format!("{id}, {a}, b TEXT REFERENCES p"), copy)],
        &["adds-foreign-key 2.4:4"],
    );
    check(
        &[
            X,
            &format!("{} STRICT", rebuild(&format!("{id}, {a}, {b}"), copy))
                .replace(");\nINSERT", ") STRICT;\nINSERT")
                .replace(" RENAME TO x STRICT", " RENAME TO x"),
        ],
        &["adds-strict 2.4:4"],
    );
    check(
        &[X, &rebuild(&format!("{id}, {a}, {b}, c TEXT NOT NULL"), "(id, a, b, c) SELECT id, a, b, b FROM x")],
        &["adds-required-column 2.4:4"],
    );
    check(&[X, &rebuild(&format!("{id}, {a}, {b}, c TEXT NOT NULL"), "(id, a, b, c) SELECT id, a, b, 'q' FROM x")], &[]);
    check(&[X, &rebuild("id INTEGER, a TEXT NOT NULL PRIMARY KEY, b TEXT", copy)], &["changes-primary-key 2.4:4"]);
    check(
        &[
            "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT UNIQUE)",
            &rebuild("id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE", "SELECT * FROM x"),
        ],
        &["changes-key-collation 2.4:4"],
    );
    let strict = "CREATE TABLE x(id INTEGER PRIMARY KEY, a INTEGER) STRICT";
    let retyped = rebuild("id INTEGER PRIMARY KEY, a TEXT", "SELECT * FROM x").replacen(");", ") STRICT;", 1);
    check(&[strict, &retyped], &["narrows-strict-column 2.4:4"]);
    check(&[X, "INSERT INTO x(id, a) SELECT 9, (SELECT a FROM x WHERE id=1)"], &["depends-on-rows 2.1:1"]);
}

#[test]
fn wrong_sql_is_found_at_its_place_and_ends_the_search() {
    let found = check(&[X, "SELECT 1;\nSELECT 2;\n  ALTER TABLE x\n  ADDD COLUMN c", "DROP TABLE x"], &["fails! 2.3:4"]);
    assert_eq!((found[0].column, found[0].message.as_str()), (Some(3), "near \"ADDD\": syntax error"), "{found:?}");
    assert_eq!(found[0].excerpt.as_deref(), Some("    ADDD COLUMN c\n    ^"));
    let found = check(&[X, "CREATE VIEW v AS SELECT a FROM x;", "DROP TABLE x"], &["fails! 3"]);
    assert!(found[0].message.contains("views: v") && found[0].fix.contains("drop them"), "{found:?}");
}

#[test]
fn statements_without_effect_are_found_once() {
    let wrapped = format!(
        "PRAGMA foreign_keys=OFF;\nBEGIN;\n{};\nCOMMIT;\nPRAGMA foreign_keys=ON",
        rebuild("id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT", "SELECT * FROM x")
    );
    check(&[X, &wrapped], &["foreign-keys-pragma 2.1:1", "transaction-statement 2.2:2"]);
}

#[test]
fn a_rebuild_of_a_table_with_children_is_found() {
    let again = rebuild("id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT", "SELECT * FROM x");
    for action in ["CASCADE", "SET NULL", "SET DEFAULT"] {
        let child = format!("CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x ON DELETE {action})");
        let found = check(&[X, &child, &again], &["rebuild-with-cascade-child 3.4:4"]);
        assert!(found[0].message.contains("reaches y"), "{found:?}");
    }
    check(&[X, "CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x ON DELETE RESTRICT)", &again], &[]);
    check(
        &[
            "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b REFERENCES x ON DELETE CASCADE)",
            &rebuild("id INTEGER PRIMARY KEY, a TEXT NOT NULL, b REFERENCES x ON DELETE CASCADE", "SELECT * FROM x"),
        ],
        &[],
    );
}

#[test]
fn downs_are_tried() {
    for layout in LAYOUTS {
        let (dir, _) = folder(
            layout,
            &[
                X,
                "ALTER TABLE x ADD COLUMN c TEXT",
                "CREATE TABLE y(a)",
                "ALTER TABLE x RENAME COLUMN b TO e",
                "DROP INDEX x_b",
                "CREATE TABLE z(a)",
            ],
        );
        for (n, sql) in [
            (1, "DROP TABLE x"),
            (2, "ALTER TABLE x DROP COLUMN c"),
            (3, "SELECT 1;\nDROP TABLE yy"),
            (4, "ALTER TABLE x RENAME COLUMN e TO b"),
            (5, "CREATE INDEX x_b ON x(a)"),
        ] {
            let up = file_of(dir.path(), layout, n, &format!("step_{n}"));
            let down = if layout == Layout::Folders { up.with_file_name("down.sql") } else { up.with_extension("down.sql") };
            std::fs::write(down, sql).unwrap();
        }
        let all = MigrationFolder::read(dir.path()).unwrap();
        let found = lint(&all);
        assert_eq!(told(&all, &found), ["down-fails! 3.2:2", "down-differs 5", "no-down 6"], "{found:#?}");
        assert!(found[..2].iter().all(|f| f.file.as_ref().unwrap().to_string_lossy().contains("down")));
        assert!(found[1].message.contains("x: its indexes or triggers are others"), "{found:?}");
    }
}

#[test]
fn versions_that_repeat_are_a_finding_and_no_store_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Layout::Files, &[(1, "one", X), (2, "two", "ALTER TABLE x ADD COLUMN c"), (2, "zwei", "ALTER TABLE x ADD COLUMN d")]);
    assert_eq!(MigrationFolder::read(dir.path()).unwrap_err().kind(), ErrorKind::Invalid);
    let all = MigrationFolder::read_to_lint(dir.path()).unwrap();
    assert_eq!(told(&all, &lint(&all)), ["no-down", "version-repeats! 3"], "in any order the columns are there");
    let store = common::store();
    assert_eq!(store.db.apply_migrations(&all, ApplyOptions::default()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn siblings_that_do_not_commute_are_found() {
    let again = rebuild("id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT DEFAULT 'q'", "SELECT id, a, b FROM x");
    for (two, zwei, wanted) in [
        ("CREATE TABLE t(a)", "CREATE TABLE u(a)", None),
        ("ALTER TABLE x ADD COLUMN c", "ALTER TABLE x RENAME COLUMN b TO e", None),
        ("ALTER TABLE x RENAME TO y", "ALTER TABLE x ADD COLUMN c", Some("0002_zwei fails after 0002_two at its statement 1")),
        ("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)", Some("0002_zwei fails before 0002_two at its statement 1")),
        (
            &again,
            "ALTER TABLE x ADD COLUMN c",
            Some("0002_zwei first leaves another shape than 0002_two first: x.c: the column is dropped"),
        ),
        ("CREATE TABLE IF NOT EXISTS t(a)", "CREATE TABLE IF NOT EXISTS t(a, b)", Some("t.b")),
        ("CREATE TABLE t(a)", "CREATE TABLE t(a)", Some("0002_zwei fails after 0002_two at its statement 1")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Layout::Files, &[(1, "one", X), (2, "two", two), (2, "zwei", zwei), (3, "three", "SELECT 1")]);
        let all = MigrationFolder::read_to_lint(dir.path()).unwrap();
        let found = lint(&all);
        let conflicts: Vec<&LintFinding> = found.iter().filter(|f| f.code == "does-not-commute").collect();
        match wanted {
            None => assert_eq!(conflicts, Vec::<&LintFinding>::new(), "{two} / {zwei}"),
            Some(wanted) => {
                assert_eq!((conflicts.len(), conflicts[0].migration.as_deref()), (1, Some("0002_zwei")), "{two} / {zwei}: {found:#?}");
                assert!(conflicts[0].message.contains(wanted) && conflicts[0].severity == LintSeverity::Error, "{conflicts:?}");
            }
        }
    }
}

/// Writes a journal with these places, times and names, each with its file.
fn journal(folder: &Path, entries: &[(u64, u64, &str, &str)]) {
    std::fs::create_dir_all(folder.join("meta")).unwrap();
    let entry = |(idx, when, tag, sql): &(u64, u64, &str, &str)| {
        std::fs::write(folder.join(format!("{tag}.sql")), sql).unwrap();
        format!("{{\"idx\": {idx}, \"when\": {when}, \"tag\": \"{tag}\"}}")
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    std::fs::write(folder.join("meta/_journal.json"), format!("{{\"entries\": [{}]}}", entries.join(","))).unwrap();
}

#[test]
fn a_journal_out_of_order_is_found_and_its_pairs_are_tried() {
    let dir = tempfile::tempdir().unwrap();
    let rename = "ALTER TABLE x RENAME TO y";
    journal(
        dir.path(),
        &[(0, 10, "0000_a", X), (1, 30, "0001_b", "ALTER TABLE x ADD COLUMN c"), (2, 20, "0001_c", rename), (3, 40, "0000_d", "SELECT 1")],
    );
    let all = MigrationFolder::read(dir.path()).unwrap();
    let found = lint(&all);
    assert_eq!(
        told(&all, &found),
        ["no-down", "number-repeats 3", "time-order-differs 3", "does-not-commute! 3", "number-repeats 4", "name-order-differs 4",],
        "{found:#?}"
    );
    let named = |at: usize, parts: &[&str]| assert!(parts.iter().all(|p| found[at].message.contains(p)), "{:?}", found[at]);
    named(2, &["0001_b", "drizzle's own migrator"]);
    named(3, &["0001_b", "0001_c", "0001_b fails after 0001_c"]);
    named(5, &["0001_c"]);
}

fn snapshot(path: &Path, id: &str, parents: &str) {
    std::fs::write(path, format!("{{\"version\": \"6\", \"id\": \"{id}\", {parents}, \"tables\": {{}}}}")).unwrap();
}

#[test]
fn snapshots_of_one_parent_are_found_and_their_branches_tried() {
    let sqls = [X, "ALTER TABLE x ADD COLUMN c", "CREATE TABLE l(a)", "ALTER TABLE x RENAME TO y"];
    for layout in [Layout::Journal, Layout::Folders] {
        let (dir, all) = folder(layout, &sqls);
        let put = |n: u64, id: &str, parent: &str| {
            let up = file_of(dir.path(), layout, n, &format!("step_{n}"));
            match layout {
                Layout::Folders => snapshot(&up.with_file_name("snapshot.json"), id, &format!("\"prevIds\": [{parent}]")),
                _ => snapshot(&dir.path().join(format!("meta/{n:04}_snapshot.json")), id, &format!("\"prevId\": {parent}")),
            }
        };
        // In a row nothing is found: the later ones may build on the earlier.
        put(1, "s1", "\"00000000-0000-0000-0000-000000000000\"");
        put(2, "s2", "\"s1\"");
        put(3, "s3", "\"s2\"");
        put(4, "s4", "\"s3\"");
        assert_eq!(told(&all, &lint(&all)), ["no-down"]);
        // 2 and 3 are a branch, 4 is another.
        put(4, "s4", "\"s1\"");
        let found = lint(&all);
        assert_eq!(told(&all, &found), ["no-down", "same-parent! 4", "does-not-commute! 4"], "{found:#?}");
        let names: Vec<&str> = all.migrations.iter().map(|m| m.name.as_str()).collect();
        assert!(found[1].message.contains(&format!("{} and {} were both made from {}", names[1], names[3], names[0])), "{found:?}");
        assert!(found[1].file.as_ref().unwrap().to_string_lossy().contains("snapshot.json"));
        assert!(found[2].message.contains(names[1]) && found[2].message.contains(names[3]), "{found:?}");
    }
}

#[test]
fn branches_that_a_snapshot_merges_are_no_finding_by_themselves() {
    let (dir, all) = folder(Layout::Folders, &[X, "CREATE TABLE l(a)", "CREATE TABLE r(a)", "DROP INDEX x_b"]);
    for (n, parents) in [(1, "[]"), (2, "[\"s1\"]"), (3, "[\"s1\"]"), (4, "[\"s2\", \"s3\"]")] {
        let up = file_of(dir.path(), Layout::Folders, n, &format!("step_{n}"));
        snapshot(&up.with_file_name("snapshot.json"), &format!("s{n}"), &format!("\"prevIds\": {parents}"));
    }
    assert_eq!(told(&all, &lint(&all)), ["no-down"]);
}

#[test]
fn a_broken_snapshot_is_a_finding_with_its_place() {
    let (dir, all) = folder(Layout::Journal, &[X]);
    std::fs::write(dir.path().join("meta/0001_snapshot.json"), "{\n\"id\": ]").unwrap();
    let found = lint(&all);
    let broken = found.iter().find(|f| f.code == "snapshot-unreadable").unwrap();
    assert_eq!((broken.line, broken.severity), (Some(2), LintSeverity::Warning));
    assert!(broken.file.as_ref().unwrap().ends_with("meta/0001_snapshot.json"));
}

#[test]
fn pairs_beyond_the_bound_are_said_to_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..16).map(|n| format!("n{n:02}")).collect();
    let migrations: Vec<(u64, &str, &str)> = names.iter().map(|name| (1, name.as_str(), "SELECT 1")).collect();
    write(dir.path(), Layout::Files, &migrations);
    let all = MigrationFolder::read_to_lint(dir.path()).unwrap();
    let found = lint(&all);
    let left = found.iter().find(|f| f.code == "pairs-left-out").unwrap();
    assert!(left.message.contains("20 of them were not tried"), "120 pairs, of which 100 are tried: {left:?}");
}

#[test]
fn a_modes_verdict_is_told_of_each_migration() {
    let rename = "ALTER TABLE x RENAME COLUMN b TO e";
    let unique = "CREATE UNIQUE INDEX u ON x(a)";
    let (_dir, all) = folder(Layout::Journal, &[X, "ALTER TABLE x ADD COLUMN c TEXT", rename, unique]);
    let of = |mode: Mode, constraints: ConstraintPolicy| -> Vec<String> {
        let found = all.lint(&LintOptions { mode: Some(mode), constraints }).unwrap();
        let verdicts: Vec<LintFinding> = found.into_iter().filter(|f| ["incompatible", "compatibility"].contains(&f.code)).collect();
        assert!(verdicts.iter().all(|f| f.message.contains(mode.name())));
        told(&all, &verdicts)
    };
    assert_eq!(of(Mode::Backward, ConstraintPolicy::Warn), ["compatibility 4"]);
    assert_eq!(of(Mode::Backward, ConstraintPolicy::Enforce), ["incompatible 4"]);
    assert_eq!(of(Mode::Forward, ConstraintPolicy::Warn), ["incompatible 3"]);
    assert_eq!(of(Mode::None, ConstraintPolicy::Ignore), ["compatibility 3"]);
    let found = all.lint(&LintOptions { mode: Some(Mode::Forward), constraints: ConstraintPolicy::Warn }).unwrap();
    let refused = found.iter().find(|f| f.code == "incompatible").unwrap();
    assert!(refused.message.contains("against 0002_step_2") && refused.message.contains("x.e"), "{refused:?}");
}

/// What random migrations are made of: on most shapes some of it fails.
const POOL: [&str; 16] = [
    "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT)",
    "CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x ON DELETE CASCADE)",
    "CREATE TABLE IF NOT EXISTS x(id INTEGER PRIMARY KEY, a TEXT, b TEXT)",
    "ALTER TABLE x ADD COLUMN b TEXT",
    "ALTER TABLE x ADD COLUMN c TEXT NOT NULL",
    "ALTER TABLE x RENAME COLUMN a TO b",
    "ALTER TABLE x RENAME TO z",
    "ALTER TABLE z RENAME TO x",
    "ALTER TABLE x DROP COLUMN b",
    "DROP TABLE IF EXISTS y",
    "DROP TABLE x",
    "CREATE UNIQUE INDEX i ON x(a)",
    "CREATE VIEW v AS SELECT a FROM x",
    "INSERT INTO x(id, a) VALUES(1, 'q')",
    "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, d TEXT DEFAULT 'q'); INSERT INTO n(id, a) SELECT id, a FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x",
    "UPDATE x SET a=NULL",
];

/// A random migration; most often one that succeeds on `db`, where it is then applied.
fn random(rng: &mut Rng, db: &Database, version: u64) -> String {
    loop {
        let sql = (0..1 + rng.below(2)).map(|_| *rng.pick(&POOL)).collect::<Vec<_>>().join("; ");
        let succeeds = db.migrate(&InlineMigration::new(version, |m| m.execute_batch(&sql))).is_ok();
        if succeeds || rng.one_in(20) {
            return sql;
        }
    }
}

#[test]
fn what_is_found_is_true_of_any_folder() {
    let names = ["a", "b", "c", "d", "e"];
    let [mut fails, mut commute, mut conflicts] = [0; 3];
    let all_seeds = seeds(120);
    for seed in &all_seeds {
        let mut rng = Rng::new(*seed);
        let _note = faults::Note(format!("RELSTORE_SEED={seed}"));
        let side = common::store();
        let sqls: Vec<String> = (1..=5).map(|version| random(&mut rng, &side.db, version)).collect();
        // The last two are of one version.
        let numbered: Vec<(u64, &str, &str)> =
            sqls.iter().zip(names).zip([1, 2, 3, 4, 4]).map(|((sql, name), n)| (n, name, sql.as_str())).collect();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Layout::Files, &numbered);
        let all = MigrationFolder::read_to_lint(dir.path()).unwrap();
        let found = lint(&all);
        let has = |code: &str| found.iter().find(|f| f.code == code);
        // Rows are not there where a folder is looked through.
        if has("depends-on-rows").is_some() || sqls.iter().any(|sql| sql.contains("INSERT INTO x(id, a) VALUES")) {
            continue;
        }
        // On a store that takes the migrations one after the other; which fails, and what is there then.
        let run = |order: [usize; 5]| {
            let store = common::store();
            let failed = (1..=5).find(|n| {
                let (_dir, some) = folder(Layout::Files, &order[..*n].iter().map(|at| sqls[*at].as_str()).collect::<Vec<_>>());
                let options = ApplyOptions {
                    allow_destructive: true,
                    missing_default: MissingDefault::AllowOnEmptyTables,
                    ..ApplyOptions::default()
                };
                store.db.apply_migrations(&some, options).is_err()
            });
            (failed.map(|n| n - 1), store.db.schema())
        };
        let (in_order, schema) = run([0, 1, 2, 3, 4]);
        let failing = has("fails").map(|f| all.migrations.iter().position(|m| Some(&m.name) == f.migration.as_ref()).unwrap());
        assert_eq!(failing, in_order, "{sqls:?} {found:#?}");
        fails += u32::from(failing.is_some());
        if failing.is_some_and(|f| f < 3) {
            continue;
        }
        let (swapped, other) = run([0, 1, 2, 4, 3]);
        let names = |s: &Schema| -> BTreeSet<(String, BTreeSet<String>)> {
            s.tables.iter().map(|t| (t.name.clone(), t.columns.iter().map(|c| c.name.clone()).collect())).collect()
        };
        match has("does-not-commute") {
            None => {
                assert_eq!((in_order, swapped, names(&schema)), (None, None, names(&other)), "{sqls:?}");
                commute += 1;
            }
            Some(conflict) => {
                let told = conflict.message.contains("leaves another shape");
                assert_eq!(told, in_order.is_none() && swapped.is_none(), "{sqls:?} {found:#?}");
                conflicts += 1;
            }
        }
    }
    eprintln!("{fails} fail, {commute} commute, {conflicts} do not");
    assert!(all_seeds.len() == 1 || (fails > 5 && commute > 5 && conflicts > 5), "{fails} {commute} {conflicts}");
}
