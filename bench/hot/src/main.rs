//! The hot store beside bare rusqlite, in one run: what capture, transactions and the typed layer cost.
//!
//! `cargo run --release -p relstore-bench-hot [-- ROUNDS]` prints a table of medians and ratios. `-- one WORKLOAD ours|bare [ROWS]` runs one
//! side of one workload once, for a profiler. Both sides have the same statements, held, and the same settings of SQLite.

mod bare;
mod group;
mod ours;
mod reads;
mod shop;
mod stopwatch;
mod stores;

use relstore_model::{Error, Result};
use stopwatch::Rate;

/// One side of the comparison: each function runs a workload and gives operations a second.
struct Side {
    name: &'static str,
    run: fn(&str, usize) -> Result<Rate>,
}

const WORKLOADS: &[(&str, usize)] = &[
    ("bulk insert", 200_000),
    ("one-row commits", 30_000),
    ("update", 150_000),
    ("delete", 150_000),
    ("mixed", 100_000),
    ("wide bulk insert", 150_000),
    ("rebuild", 200_000),
];

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sides = [Side { name: "ours", run: ours::run }, Side { name: "bare", run: bare::run }];
    if arguments.first().is_some_and(|a| a == "one") {
        let [_, workload, side, rest @ ..] = arguments.as_slice() else { return Err(Error::invalid("one WORKLOAD ours|bare [ROWS]")) };
        let rows = rest.first().and_then(|n| n.parse().ok()).unwrap_or(20_000);
        let side = sides.iter().find(|s| s.name == side).ok_or_else(|| Error::invalid("ours or bare").with("side", side))?;
        println!("{:?}", (side.run)(workload, rows)?);
        return Ok(());
    }
    let rounds = arguments.first().and_then(|n| n.parse().ok()).unwrap_or(7);
    let only = arguments.get(1);
    println!(
        "{:<20} {:>12} {:>12} {:>7} {:>7}   medians of {rounds} rounds, operations/s; ratio by the wall and by CPU time",
        "workload", "ours", "rusqlite", "ratio", "cpu"
    );
    for (workload, rows) in WORKLOADS.iter().filter(|(w, _)| only.is_none_or(|only| only == w)) {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            // In turn, and each first as often as the other.
            for i in 0..2 {
                let i = (i + round) % 2;
                rates[i].push((sides[i].run)(workload, *rows)?);
            }
        }
        let [ours, theirs] = &rates;
        let ratio = |of: fn(&Rate) -> f64| median(ours.iter().zip(theirs).map(|(a, b)| of(a) / of(b)).collect());
        let wall = |side: &[Rate]| median(side.iter().map(|r| r.wall).collect());
        println!("{workload:<20} {:>12.0} {:>12.0} {:>7.2} {:>7.2}", wall(ours), wall(theirs), ratio(|r| r.wall), ratio(|r| r.cpu));
    }
    let is_asked = |name: &str| only.is_none_or(|only| only == name);
    if is_asked("typed reads") {
        reads::report(rounds)?;
    }
    if is_asked("group commit") {
        group::report(rounds)?;
    }
    if is_asked("subscriber") {
        stores::report_subscriber(rounds)?;
    }
    if is_asked("opening") {
        stores::report_opening()?;
    }
    Ok(())
}
