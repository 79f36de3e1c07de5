//! Two million changes in one transaction: the memory is the packed changes, and it goes back. A file of its own, because it measures the
//! process.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use common::{script, store};
use relstore_model::change::codec::Reader;

/// The process's memory in bytes: now, and the most it was.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (kib("VmRSS:") << 10, kib("VmHWM:") << 10)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the process's memory is read from /proc")]
fn two_million_changes_take_their_packed_size_and_give_it_back() {
    const ROWS: u64 = 1_000_000;
    let store = store();
    script(&store.db, &["CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"]);
    let (before, _) = memory();
    store
        .db
        .transaction(|tx| {
            let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS})");
            tx.execute(&format!("INSERT INTO t {numbers} SELECT i, 'the row of the number ' || i FROM n"), &[])?;
            tx.execute("UPDATE t SET name='the row that was number ' || id", &[])
        })
        .unwrap();
    let (after, peak) = memory();
    let packed: Vec<_> = store.db.commits_after(relstore_model::Lsn::new(1), 1).unwrap();
    let bytes = packed[0].packed.len() as u64;
    let mut reader = Reader::new(&packed[0].packed);
    let mut changes = 0;
    while reader.next().unwrap().is_some() {
        changes += 1;
    }
    assert_eq!((packed[0].count, changes), (2 * ROWS, 2 * ROWS));
    let mib = |bytes: u64| bytes >> 20;
    println!("packed {} MiB, memory {} MiB before, {} at most, {} after", mib(bytes), mib(before), mib(peak), mib(after));
    // The buffer doubles as it grows, and while it is copied the old one is there too: three times the changes at the very most. SQLite binds
    // it without a copy, and builds the log row once. 64 MiB are for its caches.
    assert!(peak - before < 3 * bytes + (64 << 20), "{} MiB at most for {} MiB of changes", mib(peak - before), mib(bytes));
    assert!(after - before < 64 << 20, "{} MiB stay", mib(after - before));
}
