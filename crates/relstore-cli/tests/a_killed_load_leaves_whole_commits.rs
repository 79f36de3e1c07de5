//! `kill -9` in the middle of the demo's load: each store holds whole commits, knows what it holds, and goes on.

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use support::Installation;

/// As the demo loads.
const ROWS_PER_COMMIT: u64 = 10_000;

#[test]
fn a_killed_load_leaves_whole_commits() {
    // Later each time, so that the kill falls into different tables.
    for wait_ms in [0, 150, 600] {
        let it = Installation::new();
        let mut demo = it.command("demo", &["--json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the demo starts");
        let started = std::time::Instant::now();
        while it.rows_or_none("EWR") == 0 && started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        demo.kill().expect("it can be killed");
        demo.wait().expect("it ends");

        let stores = it.run("stores", &["--json"]).json();
        let stores = stores.as_array().expect("an array");
        assert!(!stores.is_empty());
        for store in stores {
            let ns = store["ns"].as_str().expect("a name");
            let rows: u64 = store["tables"].as_object().expect("tables").values().map(|n| n.as_u64().expect("a number")).sum();
            let tables = store["tables"].as_object().expect("tables").len() as u64;
            assert_eq!(store["high_water"].as_u64(), Some(rows + tables), "{ns}: each row and each table is one change");
            assert_eq!(it.rows(ns, "PRAGMA integrity_check"), json!([{"integrity_check": "ok"}]), "{ns}");
            assert_eq!(it.rows(ns, "SELECT count(*) AS n FROM pragma_foreign_key_check"), json!([{"n": 0}]), "{ns}");
            // Whole batches: a part of one would be a broken commit.
            let flights = store["tables"]["flights"].as_u64().unwrap_or(0);
            assert!(flights.is_multiple_of(ROWS_PER_COMMIT) || [120_835, 111_279, 104_662].contains(&flights), "{ns}: {flights} flights");
            let said = it.sql(ns, "CREATE TABLE afterwards (id INTEGER PRIMARY KEY)").ok();
            assert!(said.contains(&format!("LSN {}", rows + tables + 1)), "{said}");
        }
    }
}
