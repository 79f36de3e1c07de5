//! A folder of migrations over a fleet of small stores that are at mixed versions, beside bare rusqlite that runs the same statements on as many
//! files with as many threads, each in a transaction.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use relstore::engine::migration::MigrationFolder;
use relstore::model::{Error, Namespace, Result};
use relstore::{Fleet, FleetMigrateOptions, MigrateOptions};

use crate::Line;

const STORES: usize = 1_000;

/// What each migration does; a store at version `n` has the first `n` of them.
const MIGRATIONS: [(&str, &str); 4] = [
    (
        "0001_first.sql",
        "CREATE TABLE users(id TEXT PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id TEXT REFERENCES users(id), total INTEGER);",
    ),
    ("0002_status.sql", "ALTER TABLE orders ADD COLUMN status TEXT NOT NULL DEFAULT 'pending';"),
    ("0003_index.sql", "CREATE INDEX orders_by_user ON orders(user_id);"),
    ("0004_email.sql", "ALTER TABLE users ADD COLUMN email TEXT;"),
];

const ROWS: &str = "INSERT INTO users(id, name) VALUES('u1', 'Alice'), ('u2', 'Bob')";

fn failed(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("the measurement cannot be set up").with_source(e)
}

/// The version that store `i` is at: 1, 2 or 3 of 4.
const fn version(i: usize) -> usize {
    1 + i % 3
}

pub(crate) async fn migrate(rounds: usize) -> Result<Line> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let dir = tempfile::tempdir().map_err(failed)?;
        ours.push(fleet(dir.path()).await?);
        theirs.push(files(dir.path())?);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Line {
        what: "migrate a fleet",
        unit: "stores/s",
        ours: crate::median(ours),
        peer: "rusqlite, the same statements",
        theirs: crate::median(theirs),
        note: format!("{STORES} stores at three versions, {threads} threads"),
    })
}

async fn fleet(dir: &Path) -> Result<f64> {
    let folder = dir.join("migrations");
    std::fs::create_dir(&folder).map_err(failed)?;
    let fleet = Fleet::create(&dir.join("ours")).await?;
    for (at, (name, sql)) in MIGRATIONS.iter().enumerate() {
        std::fs::write(folder.join(name), sql).map_err(failed)?;
        let read = MigrationFolder::read(&folder)?;
        for i in (0..STORES).filter(|i| at < version(*i)) {
            let store = fleet.store(&Namespace::new(format!("store_{i:04}"))?)?;
            store.apply_migrations(&read, &MigrateOptions::default(), None)?;
            if at == 0 {
                store.sql(ROWS, &[])?;
            }
            drop(store);
            fleet.close_idle();
        }
    }
    let folder = MigrationFolder::read(&folder)?;
    let begun = Instant::now();
    let report = fleet.migrate_all(&folder, &FleetMigrateOptions::default(), &|_| true)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !report.is_complete() || report.stores.len() != STORES {
        return Err(Error::internal("not every store was migrated"));
    }
    Ok(STORES as f64 / seconds)
}

fn open(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON")?;
    Ok(connection)
}

fn files(dir: &Path) -> Result<f64> {
    let path = |i: usize| dir.join(format!("store_{i:04}.db"));
    for i in 0..STORES {
        let made = open(&path(i)).and_then(|connection| {
            MIGRATIONS.iter().take(version(i)).try_for_each(|(_, sql)| connection.execute_batch(sql))?;
            connection.execute_batch(ROWS)
        });
        made.map_err(failed)?;
    }
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let work = || -> rusqlite::Result<()> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= STORES {
                return Ok(());
            }
            let connection = open(&path(i))?;
            for (_, sql) in &MIGRATIONS[version(i)..] {
                connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql} COMMIT"))?;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect()
    });
    results.into_iter().collect::<rusqlite::Result<()>>().map_err(failed)?;
    Ok(STORES as f64 / begun.elapsed().as_secs_f64())
}
