//! Bare rusqlite, as a careful program uses it: statements kept in its cache and held within a transaction, WAL, the settings of a store.

use relstore_model::{Error, Result, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement};

use crate::shop;
use crate::stopwatch::{Rate, Stopwatch};

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

fn execute(statement: &mut Statement<'_>, params: &[Value]) -> rusqlite::Result<usize> {
    statement.execute(rusqlite::params_from_iter(params.iter().map(Bound)))
}

fn many(db: &Connection, sql: &str, rows: &[Vec<Value>], per_commit: usize) -> rusqlite::Result<()> {
    for chunk in rows.chunks(per_commit) {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut statement = db.prepare_cached(sql)?;
        for row in chunk {
            execute(&mut statement, row)?;
        }
        drop(statement);
        db.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(())
}

fn mixed(db: &Connection, operations: &[(&str, Vec<Value>)]) -> rusqlite::Result<()> {
    for chunk in operations.chunks(5) {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (sql, params) in chunk {
            let mut statement = db.prepare_cached(sql)?;
            if statement.readonly() {
                let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(Bound)))?;
                while let Some(row) = rows.next()? {
                    std::hint::black_box(row.get_ref(3)?);
                }
            } else {
                execute(&mut statement, params)?;
            }
        }
        db.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(())
}

fn measure(workload: &str, rows: usize) -> rusqlite::Result<Rate> {
    let dir = tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidQuery)?;
    let db = Connection::open(dir.path().join("bare.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY",
    )?;
    for table in shop::TABLES {
        db.execute_batch(table)?;
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
            let begun = Stopwatch::start();
            db.execute_batch(&format!("PRAGMA foreign_keys=OFF; BEGIN; {}; COMMIT; PRAGMA foreign_keys=ON", shop::REBUILD.join("; ")))?;
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

struct Order {
    id: String,
    user_id: Option<String>,
    total: i64,
    status: String,
}

fn order(row: &rusqlite::Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order { id: row.get(0)?, user_id: row.get(1)?, total: row.get(2)?, status: row.get(3)? })
}

/// Reads the orders in the file by key, one each, and all of them `scans` times; gives rows a second of both.
pub(crate) fn reads(path: &std::path::Path, keys: &[String], scans: usize) -> Result<(Rate, Rate)> {
    let run = || -> rusqlite::Result<(Rate, Rate)> {
        let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        db.execute_batch("PRAGMA cache_size=-16384")?;
        let mut by_id = db.prepare(shop::SELECT_ORDER)?;
        let begun = Stopwatch::start();
        for key in keys {
            std::hint::black_box(by_id.query_row([key.as_str()], order)?.total);
        }
        let points = begun.rate(keys.len());
        let mut all = db.prepare("SELECT id, user_id, total, status FROM orders")?;
        let begun = Stopwatch::start();
        let mut rows = 0;
        for _ in 0..scans {
            let found: Vec<Order> = all.query_map([], order)?.collect::<rusqlite::Result<_>>()?;
            rows += std::hint::black_box(&found).len();
            std::hint::black_box(found.iter().map(|o| o.id.len() + o.status.len() + o.user_id.as_ref().map_or(0, String::len)).max());
        }
        Ok((points, begun.rate(rows)))
    };
    run().map_err(|e| Error::internal("bare SQLite failed").with_source(e))
}

/// Runs one workload; gives operations a second.
pub(crate) fn run(workload: &str, rows: usize) -> Result<Rate> {
    measure(workload, rows).map_err(|e| Error::internal("bare SQLite failed").with_source(e))
}
