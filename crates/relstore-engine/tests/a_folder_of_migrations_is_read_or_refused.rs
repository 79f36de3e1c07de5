//! Folders of migrations: every layout is read, and each thing that can be wrong with one has its own error.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod migration_support;

use std::path::Path;

use migration_support::{LAYOUTS, file_of, write};
use relstore_engine::migration::{Layout, MigrationFolder};
use relstore_model::{Error, ErrorKind};

const TWO: &[(u64, &str, &str)] =
    &[(1, "one", "CREATE TABLE a(x);"), (2, "two", "CREATE TABLE b(x);\n--> statement-breakpoint\nDROP TABLE a")];

/// Reads a folder after `spoil` has been at it.
fn spoilt(layout: Layout, spoil: impl FnOnce(&Path)) -> Error {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), layout, TWO);
    MigrationFolder::read(dir.path()).unwrap();
    spoil(dir.path());
    MigrationFolder::read(dir.path()).unwrap_err()
}

#[track_caller]
fn check(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let text = format!("{error:?}");
    assert!(error.kind() == kind && parts.iter().all(|p| text.contains(p)), "{text}");
}

#[test]
fn every_layout_is_read_in_order() {
    for layout in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), layout, &[TWO[1], TWO[0]]);
        let folder = MigrationFolder::read(dir.path()).unwrap();
        assert_eq!(folder.layout, layout);
        let first = if layout == Layout::Folders { 20_240_101_000_001 } else { 1 };
        assert_eq!(folder.migrations.iter().map(|m| m.version).collect::<Vec<_>>(), [first, first + 1]);
        let two = &folder.migrations[1];
        assert_eq!(
            two.up.statements.iter().map(|s| (s.number, s.line, s.sql.as_str())).collect::<Vec<_>>(),
            [(1, 1, "CREATE TABLE b(x)"), (2, 3, "DROP TABLE a")]
        );
        assert_eq!(two.down, None);
        let made = match layout {
            Layout::Journal => Some(1_700_000_002_000),
            Layout::Folders => Some(1_704_067_202_000),
            Layout::Files => None,
        };
        assert_eq!(two.made_at_ms, made);
        assert_eq!(two.hash.len(), 64);
    }
}

#[test]
fn a_down_lies_beside_its_migration() {
    for layout in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), layout, TWO);
        let up = file_of(dir.path(), layout, 2, "two");
        let down = if layout == Layout::Folders { up.with_file_name("down.sql") } else { up.with_extension("down.sql") };
        std::fs::write(&down, "DROP TABLE b").unwrap();
        let folder = MigrationFolder::read(dir.path()).unwrap();
        assert_eq!(folder.migrations.iter().map(|m| m.down.is_some()).collect::<Vec<_>>(), [false, true]);
    }
    let lonely = spoilt(Layout::Files, |dir| std::fs::write(dir.join("0009_x.down.sql"), "DROP TABLE b").unwrap());
    check(&lonely, ErrorKind::NotFound, &["a down without its migration", "0009_x.down.sql"]);
}

#[test]
fn a_folder_that_is_none_says_so() {
    let dir = tempfile::tempdir().unwrap();
    check(&MigrationFolder::read(&dir.path().join("no")).unwrap_err(), ErrorKind::NotFound, &["the folder of migrations is not there"]);
    check(&MigrationFolder::read(dir.path()).unwrap_err(), ErrorKind::Invalid, &["the folder has no migrations", "try:"]);
    let file = dir.path().join("file.sql");
    std::fs::write(&file, "SELECT 1").unwrap();
    check(&MigrationFolder::read(&file).unwrap_err(), ErrorKind::Invalid, &["a file, not a folder", "file.sql"]);
    check(&MigrationFolder::read(dir.path()).unwrap_err(), ErrorKind::Invalid, &["does not begin with its number", "file.sql"]);
}

#[test]
fn a_journal_that_is_broken_says_where() {
    let journal = |text: &'static str| spoilt(Layout::Journal, move |dir| std::fs::write(dir.join("meta/_journal.json"), text).unwrap());
    check(&journal("{\n  \"entries\": [\n    oops"), ErrorKind::Invalid, &["is no JSON", "line: 3", "column: 5", "_journal.json"]);
    check(&journal(""), ErrorKind::Invalid, &["is no JSON", "line: 1"]);
    check(&journal("{\"entries\": [{\"idx\": 0}]}"), ErrorKind::Invalid, &["has another form", "missing field", "line: 1"]);
    check(&journal("[]"), ErrorKind::Invalid, &["has another form"]);
    let away = "{\"entries\": [{\"idx\": 0, \"when\": 1, \"tag\": \"../x\"}]}";
    check(&journal(away), ErrorKind::Invalid, &["no file's name", "../x"]);
    let twice = "{\"entries\": [{\"idx\": 0, \"when\": 1, \"tag\": \"0001_one\"}, {\"idx\": 1, \"when\": 2, \"tag\": \"0001_one\"}]}";
    check(&journal(twice), ErrorKind::Invalid, &["names a migration twice", "0001_one"]);
    check(&journal("{\"entries\": [{\"idx\": 1, \"when\": 1, \"tag\": \"0001_one\"}]}"), ErrorKind::Invalid, &["no entry", "0002_two.sql"]);
    check(&journal("{\"entries\": []}"), ErrorKind::Invalid, &["no entry", "0001_one.sql"]);
    let gone = spoilt(Layout::Journal, |dir| std::fs::remove_file(dir.join("0002_two.sql")).unwrap());
    check(&gone, ErrorKind::NotFound, &["has no file", "0002_two"]);
}

#[test]
fn each_bad_file_has_its_own_error() {
    for layout in LAYOUTS {
        let two = |dir: &Path| file_of(dir, layout, 2, "two");
        check(&spoilt(layout, |dir| std::fs::write(two(dir), "").unwrap()), ErrorKind::Invalid, &["has no statement", "two"]);
        check(&spoilt(layout, |dir| std::fs::write(two(dir), "-- later\n;").unwrap()), ErrorKind::Invalid, &["has no statement"]);
        check(&spoilt(layout, |dir| std::fs::write(two(dir), b"SELECT '\xff'").unwrap()), ErrorKind::Invalid, &["not UTF-8", "byte: 8"]);
    }
    let again = spoilt(Layout::Files, |dir| std::fs::write(dir.join("2_again.sql"), "SELECT 1").unwrap());
    check(&again, ErrorKind::Invalid, &["the same version", "version: 2", "0002_two", "2_again"]);
    let again = spoilt(Layout::Folders, |dir| {
        std::fs::create_dir(dir.join("20240101000002_b")).unwrap();
        std::fs::write(dir.join("20240101000002_b/migration.sql"), "SELECT 1").unwrap();
    });
    check(&again, ErrorKind::Invalid, &["the same version", "20240101000002_b"]);
    let hollow = spoilt(Layout::Folders, |dir| std::fs::create_dir(dir.join("20250101000002_b")).unwrap());
    check(&hollow, ErrorKind::NotFound, &["has no migration.sql", "20250101000002_b"]);
    let mixed = spoilt(Layout::Folders, |dir| std::fs::write(dir.join("0003_x.sql"), "SELECT 1").unwrap());
    check(&mixed, ErrorKind::Invalid, &["a file among folders"]);
    let nameless = spoilt(Layout::Folders, |dir| {
        std::fs::create_dir(dir.join("later")).unwrap();
        std::fs::write(dir.join("later/migration.sql"), "SELECT 1").unwrap();
    });
    check(&nameless, ErrorKind::Invalid, &["does not begin with its number", "later"]);
}
