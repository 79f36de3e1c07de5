//! What the tests of migrations share: folders in both of drizzle-kit's layouts and plain ones.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use relstore_engine::Database;
use relstore_engine::migration::{ApplyOptions, ApplyReport, Layout, MigrationFolder};
use relstore_model::{Result, Value};

pub const LAYOUTS: [Layout; 3] = [Layout::Journal, Layout::Folders, Layout::Files];

/// Where the migration number `number` named `name` lies in a folder of this layout.
pub fn file_of(folder: &Path, layout: Layout, number: u64, name: &str) -> PathBuf {
    match layout {
        Layout::Journal | Layout::Files => folder.join(format!("{number:04}_{name}.sql")),
        Layout::Folders => folder.join(format!("{}_{name}/migration.sql", 20_240_101_000_000 + number)),
    }
}

/// Writes a folder: migrations by number, name and SQL.
pub fn write(folder: &Path, layout: Layout, migrations: &[(u64, &str, &str)]) {
    std::fs::create_dir_all(folder.join("meta")).unwrap();
    let mut entries = String::new();
    for (number, name, sql) in migrations {
        let file = file_of(folder, layout, *number, name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, sql).unwrap();
        let comma = if entries.is_empty() { "" } else { "," };
        let when = 1_700_000_000_000 + number * 1_000;
        write!(entries, "{comma}\n    {{\"idx\": {number}, \"version\": \"6\", \"when\": {when}, \"tag\": \"{number:04}_{name}\", \"breakpoints\": true}}").unwrap();
    }
    if layout == Layout::Journal {
        let journal = format!("{{\n  \"version\": \"7\",\n  \"dialect\": \"sqlite\",\n  \"entries\": [{entries}\n  ]\n}}\n");
        std::fs::write(folder.join("meta/_journal.json"), journal).unwrap();
    } else {
        let _ = std::fs::remove_dir(folder.join("meta"));
    }
}

/// A folder of these migrations, numbered from 1.
pub fn folder(layout: Layout, sqls: &[&str]) -> (tempfile::TempDir, MigrationFolder) {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (1..=sqls.len()).map(|n| format!("step_{n}")).collect();
    let migrations: Vec<(u64, &str, &str)> = sqls.iter().zip(&names).zip(1..).map(|((sql, name), n)| (n, name.as_str(), *sql)).collect();
    write(dir.path(), layout, &migrations);
    let read = MigrationFolder::read(dir.path()).unwrap();
    assert_eq!(read.layout, layout);
    (dir, read)
}

/// Applies all of it, whatever is lost.
pub fn apply(db: &Database, folder: &MigrationFolder) -> Result<ApplyReport> {
    db.apply_migrations(folder, ApplyOptions { allow_destructive: true, ..ApplyOptions::default() })
}

/// Applies these migrations, whatever is lost.
pub fn migrate(db: &Database, sqls: &[&str]) -> Result<ApplyReport> {
    let (_dir, folder) = folder(Layout::Files, sqls);
    apply(db, &folder)
}

pub fn count(db: &Database, table: &str) -> i64 {
    integer(db, &format!("SELECT count(*) FROM {table}"))
}

pub fn integer(db: &Database, sql: &str) -> i64 {
    match db.query(sql, &[]).unwrap().rows[0][0] {
        Value::Integer(n) => n,
        ref other => panic!("{sql}: {other:?}"),
    }
}

/// The ids of a table and its columns.
pub fn ids(db: &Database, table: &str) -> (u32, Vec<(String, i32)>) {
    let schema = db.schema();
    let table = schema.table(table).unwrap();
    (table.id.0, table.columns.iter().map(|c| (c.name.clone(), c.id.0)).collect())
}
