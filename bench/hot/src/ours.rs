//! The engine: the same statements with capture, log and transactions.

use std::sync::Arc;

use relstore_engine::migration::{ApplyOptions, MigrationFolder};
use relstore_engine::{Database, Settings};
use relstore_model::{Clock, Error, Result, Timestamp, Value};

use crate::shop;
use crate::stopwatch::{Rate, Stopwatch};

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let micros = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Timestamp::from_micros(micros as i64)
    }
}

pub(crate) fn open(dir: &std::path::Path, settings: Settings) -> Result<Database> {
    Database::open(&dir.join("store.db"), settings, Arc::new(WallClock))
}

pub(crate) fn many(db: &Database, sql: &str, rows: &[Vec<Value>], per_commit: usize) -> Result<()> {
    for chunk in rows.chunks(per_commit) {
        db.transaction(|tx| {
            let mut statement = tx.prepare(sql)?;
            for row in chunk {
                statement.execute(row)?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

fn mixed(db: &Database, operations: &[(&str, Vec<Value>)]) -> Result<()> {
    for chunk in operations.chunks(5) {
        db.transaction(|tx| {
            for (sql, params) in chunk {
                tx.execute_each(sql, params, &mut |cells| {
                    std::hint::black_box(cells[3]);
                    Ok(())
                })?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

/// Runs one workload; gives operations a second.
pub(crate) fn run(workload: &str, rows: usize) -> Result<Rate> {
    let dir = tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))?;
    let db = open(dir.path(), Settings::default())?;
    for table in shop::TABLES {
        db.execute(table, &[])?;
    }
    many(&db, shop::INSERT_USER, &(0..shop::USERS).map(shop::user).collect::<Vec<_>>(), shop::USERS)?;
    let orders: Vec<Vec<Value>> = (0..if workload.starts_with("wide") { 0 } else { rows }).map(shop::order).collect();
    let begun = match workload {
        "bulk insert" => {
            let begun = Stopwatch::start();
            many(&db, shop::INSERT_ORDER, &orders, shop::ROWS_PER_COMMIT)?;
            begun
        }
        "one-row commits" => {
            let begun = Stopwatch::start();
            many(&db, shop::INSERT_ORDER, &orders, 1)?;
            begun
        }
        "wide bulk insert" => {
            let wide: Vec<Vec<Value>> = (0..rows).map(shop::wide).collect();
            let begun = Stopwatch::start();
            many(&db, shop::INSERT_WIDE, &wide, shop::ROWS_PER_COMMIT)?;
            begun
        }
        "update" | "delete" => {
            many(&db, shop::INSERT_ORDER, &orders, rows)?;
            let update = workload == "update";
            let sql = if update { shop::UPDATE_ORDER } else { shop::DELETE_ORDER };
            let params: Vec<Vec<Value>> = shop::in_no_order(&orders)
                .map(|o| if update { vec![Value::from("paid"), o[0].clone()] } else { vec![o[0].clone()] })
                .collect();
            let begun = Stopwatch::start();
            many(&db, sql, &params, shop::ROWS_PER_COMMIT)?;
            begun
        }
        "rebuild" => {
            many(&db, shop::INSERT_ORDER, &orders, shop::ROWS_PER_COMMIT)?;
            let folder = dir.path().join("migrations");
            let written =
                std::fs::create_dir(&folder).and_then(|()| std::fs::write(folder.join("0001_rebuild.sql"), shop::REBUILD.join(";\n")));
            written.map_err(|e| Error::unavailable("no folder").with_source(e))?;
            let begun = Stopwatch::start();
            db.apply_migrations(&MigrationFolder::read(&folder)?, ApplyOptions::default())?;
            begun
        }
        _ => {
            many(&db, shop::INSERT_ORDER, &orders, rows)?;
            let operations: Vec<_> = (0..rows).map(|i| shop::mixed(i, rows)).collect();
            let begun = Stopwatch::start();
            mixed(&db, &operations)?;
            begun
        }
    };
    Ok(begun.rate(rows))
}
