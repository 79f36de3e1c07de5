//! What the typed layer costs: one row by its key, and a scan, beside bare rusqlite with a held statement.

use relstore_engine::{Database, Settings};
use relstore_model::{Error, Result, Value, ValueRef};
use relstore_orm::{Executor, Held, Param, Table, Typed, eq};

use crate::stopwatch::{Rate, Stopwatch};
use crate::{bare, median, ours, shop};

/// An order of the spec page.
#[derive(Table, Clone, Debug)]
#[table(name = "orders")]
struct Order {
    #[column(primary_key)]
    id: String,
    user_id: Option<String>,
    total: i64,
    status: String,
}

/// What the façade does for the typed layer.
struct Store(Database);

impl Executor for Store {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.0.execute_each(sql, params, each).map(|_| ())
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.0.execute(sql, params).map(|outcome| outcome.changes)
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        self.0.transaction(|tx| tx.execute_many(sql, rows))
    }

    fn query_held(&self, held: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.0.execute_held((held.id(), held.sql()), params, each).map(|_| ())
    }
}

const ROWS: usize = 100_000;
const POINTS: usize = 200_000;
const SCANS: usize = 5;

fn typed(store: &Store, keys: &[String]) -> Result<(Rate, Rate)> {
    let by_id = store.prepare(|id: Param<String>| store.select().from(orders).where_(eq(orders.id, id)))?;
    let begun = Stopwatch::start();
    for key in keys {
        std::hint::black_box(by_id.one(key.as_str())?);
    }
    let points = begun.rate(keys.len());
    let begun = Stopwatch::start();
    for _ in 0..SCANS {
        let all = store.select().from(orders).all()?;
        assert_eq!(std::hint::black_box(all).len(), ROWS);
    }
    Ok((points, begun.rate(SCANS * ROWS)))
}

/// Prints both as ratios of time: 1.0 costs nothing.
pub(crate) fn report(rounds: usize) -> Result<()> {
    let dir = tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))?;
    let db = ours::open(dir.path(), Settings::default())?;
    for table in shop::TABLES {
        db.execute(table, &[])?;
    }
    ours::many(&db, shop::INSERT_USER, &(0..shop::USERS).map(shop::user).collect::<Vec<_>>(), shop::USERS)?;
    ours::many(&db, shop::INSERT_ORDER, &(0..ROWS).map(shop::order).collect::<Vec<_>>(), ROWS)?;
    let path = db.path().to_owned();
    let keys: Vec<String> = (0..POINTS).map(|i| shop::order_key(i * 7919 % ROWS)).collect();
    let store = Store(db);
    let mut ratios = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let (points, scan) = typed(&store, &keys)?;
        let (bare_points, bare_scan) = bare::reads(&path, &keys, SCANS)?;
        ratios[0].push(bare_points.cpu / points.cpu);
        ratios[1].push(bare_scan.cpu / scan.cpu);
    }
    let [points, scan] = ratios.map(median);
    println!("typed reads, CPU time beside a held statement of rusqlite: point select {points:.2}, scan of {ROWS} rows {scan:.2}");
    Ok(())
}
