//! Group commit: one-row commits that survive a power cut, by one caller and by 64 at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use relstore_engine::{Durability, Settings};
use relstore_model::{Error, Result};

use crate::stopwatch::Stopwatch;
use crate::{median, ours, shop};

const CALLERS: usize = 64;
const COMMITS: usize = 20_000;
const COMMITS_ALONE: usize = 4_000;

/// Commits a second of `callers` threads together.
fn rate(callers: usize, commits: usize) -> Result<f64> {
    let dir = tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder").with_source(e))?;
    let db = ours::open(dir.path(), Settings { durability: Durability::Full, ..Settings::default() })?;
    for table in shop::TABLES {
        db.execute(table, &[])?;
    }
    ours::many(&db, shop::INSERT_USER, &(0..shop::USERS).map(shop::user).collect::<Vec<_>>(), shop::USERS)?;
    let orders: Vec<_> = (0..commits).map(shop::order).collect();
    let next = AtomicUsize::new(0);
    let begun = Stopwatch::start();
    std::thread::scope(|scope| {
        let run = || {
            while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
                db.execute(shop::INSERT_ORDER, order)?;
            }
            Ok::<_, Error>(())
        };
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(run)).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| Err(Error::internal("a caller panicked"))))
    })?;
    Ok(begun.rate(commits).wall)
}

/// Prints both, and how many times more the many make.
pub(crate) fn report(rounds: usize) -> Result<()> {
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(rate(1, COMMITS_ALONE)?);
        many.push(rate(CALLERS, COMMITS)?);
    }
    let times = median(one.iter().zip(&many).map(|(one, many)| many / one).collect());
    let (one, many) = (median(one), median(many));
    println!("group commit, durability full: 1 caller {one:.0} commits/s, {CALLERS} callers {many:.0}, {times:.1} times");
    Ok(())
}
