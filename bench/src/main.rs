//! End-to-end measurements: each number beside its peer, in the same run, on the flights of data/.
//!
//! `cargo run --release -p relstore-bench [-- ROUNDS [capture|history|fleet]]`. Rounds alternate between ours and the peer, the medians are printed, and the ratio
//! is theirs: compare ratios, not numbers of different runs or machines.

mod capture;
mod fleet;
mod flights;
mod history;

use comfy_table::Table;
use relstore::model::Result;

/// One line of the report.
struct Line {
    what: &'static str,
    unit: &'static str,
    ours: f64,
    peer: &'static str,
    theirs: f64,
    note: String,
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Runs both in turn, `rounds` times, and gives the medians of their rates.
fn side_by_side(rounds: usize, mut ours: impl FnMut() -> Result<f64>, mut theirs: impl FnMut() -> Result<f64>) -> Result<(f64, f64)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        a.push(ours()?);
        b.push(theirs()?);
    }
    Ok((median(a), median(b)))
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(5);
    let only = std::env::args().nth(2);
    let is_asked = |what: &str| only.as_deref().is_none_or(|only| only == what);
    let rows = flights::read()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| relstore::model::Error::unavailable("no runtime").with_source(e))?;
    let mut lines = Vec::new();
    if is_asked("capture") {
        lines.push(capture::bulk_insert(&rows, rounds)?);
        lines.push(capture::one_row_commits(&rows, rounds)?);
    }
    if is_asked("history") {
        lines.extend(runtime.block_on(history::archive_and_restore(&rows, rounds))?);
    }
    if is_asked("fleet") {
        lines.push(runtime.block_on(fleet::migrate(rounds))?);
    }
    let mut table = Table::new();
    table.set_header(["what", "unit", "ours", "peer", "theirs", "ours / theirs", "note"]);
    for line in lines {
        let number = |n: f64| format!("{n:.0}");
        let ratio = format!("{:.2}", line.ours / line.theirs);
        table.add_row([line.what, line.unit, &number(line.ours), line.peer, &number(line.theirs), &ratio, &line.note]);
    }
    println!("{} flights of 20 columns, {rounds} rounds, medians", rows.len());
    println!("{table}");
    Ok(())
}
