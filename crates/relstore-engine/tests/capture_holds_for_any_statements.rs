//! Random schemas and random statements: after each commit the log says exactly what happened, and plain SQLite answers the same; at the
//! end the log alone gives the database.
//!
//! `RELSTORE_SEED=7` runs one seed and tells its statements; `RELSTORE_SEEDS=1000..5000` runs a range without a limit of time.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod capture_support;
mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use capture_support::Twin;
use relstore_testkit::Rng;

const SEEDS: u64 = 400;
const TRANSACTIONS: u64 = 14;
const TIME_MAX: Duration = Duration::from_secs(15);

fn run(seed: u64) -> Result<(), String> {
    let mut twin = Twin::new();
    let mut rng = Rng::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| (0..TRANSACTIONS).for_each(|_| twin.step(&mut rng))));
    let story = twin.story.join(";\n");
    if std::env::var_os("RELSTORE_SEED").is_some() {
        println!("{story}");
    }
    let result = result.and_then(|()| catch_unwind(AssertUnwindSafe(|| twin.finish())));
    result.map_err(|_| format!("seed {seed} (run it again with RELSTORE_SEED={seed}):\n{story}"))
}

#[test]
fn the_log_is_true_and_the_answers_are_sqlites_for_any_statements() {
    let range = std::env::var("RELSTORE_SEEDS").ok().and_then(|s| {
        let (first, last) = s.split_once("..")?;
        Some(first.parse::<u64>().ok()?..last.parse::<u64>().ok()?)
    });
    let is_bounded = range.is_none();
    let seeds: Vec<u64> = range.map_or_else(|| relstore_testkit::seeds(SEEDS), Iterator::collect);
    let started = Instant::now();
    let mut done = 0;
    let mut failed = Vec::new();
    for seed in seeds {
        if is_bounded && started.elapsed() > TIME_MAX {
            break;
        }
        if let Err(story) = run(seed) {
            eprintln!("{story}\n");
            failed.push(seed);
        }
        done += 1;
    }
    println!("{done} seeds in {:?}", started.elapsed());
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    assert!(done > 0);
}
