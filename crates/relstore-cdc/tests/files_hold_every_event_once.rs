//! The lines of a file sink's files are the log's events, each once, wherever a crash or a full disk cut them off.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod support;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use relstore_cdc::sink::{FileSink, Sink};
use relstore_cdc::{Backoff, ChangeBatch, Pump};
use relstore_engine::{Database, Start};
use relstore_model::event::Selection;
use relstore_model::{ErrorKind, Lsn, Op};
use relstore_testkit::{Rng, seeds};
use serde_json::Value as Json;
use support::{logged, ns, open, run};

const FILE_BYTES: u64 = 3_000;

fn sink(folder: &Path) -> FileSink {
    FileSink::new("file", folder, ns()).file_bytes(FILE_BYTES)
}

fn pump(db: &Arc<Database>, folder: &Path) -> Pump {
    Pump::new(Arc::clone(db), ns(), Box::new(sink(folder)))
}

fn lines(folder: &Path) -> Vec<Json> {
    let paths = sink(folder).paths().unwrap();
    let text: String = paths.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn events(db: &Database, selection: &Selection) -> Vec<Json> {
    logged(db, selection).iter().flatten().map(|e| serde_json::to_value(e).unwrap()).collect()
}

fn newest(folder: &Path) -> Option<PathBuf> {
    sink(folder).paths().unwrap().pop()
}

#[tokio::test]
async fn every_event_is_there_once_wherever_a_crash_fell() {
    for seed in seeds(12) {
        println!("RELSTORE_SEED={seed}");
        let mut rng = Rng::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("events");
        let db = open(dir.path());
        run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
        for _ in 0..12 {
            for _ in 0..rng.below(6) {
                let rows: Vec<String> = (0..=rng.below(12)).map(|_| format!("('{}')", "x".repeat(rng.below(60) as usize))).collect();
                run(&db, &format!("INSERT INTO t(v) VALUES {}", rows.join(", ")));
            }
            // A crash after the write and before the cursor, with the end of it torn off or garbled.
            if rng.one_in(2) {
                let at = db.cursor("file").unwrap();
                let mut crashing = sink(&folder);
                crashing.recover(at).await.unwrap();
                if let Some(batch) = ChangeBatch::read(&db, &ns(), at, 1 << 20).unwrap() {
                    let written = crashing.deliver(&batch).await.unwrap();
                    let path = newest(&folder).unwrap();
                    let size = path.metadata().unwrap().len();
                    // What was acknowledged is on the disk: only what came after can be torn.
                    let file = OpenOptions::new().append(true).open(&path).unwrap();
                    if sink(&folder).paths().unwrap().len() == 1 || written < size {
                        file.set_len(size - rng.below(written.min(size) + 1)).unwrap();
                    }
                    if rng.one_in(3) {
                        (&file).write_all([b"\0\0\0".as_slice(), b"{\"id\":", b"garbage\n"][rng.below(3) as usize]).unwrap();
                    }
                }
            } else {
                pump(&db, &folder).run_until_caught_up().await.unwrap();
                assert_eq!(lines(&folder), events(&db, &Selection::default()));
            }
        }
        pump(&db, &folder).run_until_caught_up().await.unwrap();
        assert_eq!(lines(&folder), events(&db, &Selection::default()));
        for path in sink(&folder).paths().unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            let first: Json = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let expected = format!("acme.{:020}.ndjson", first["lsn"].as_u64().unwrap());
            assert_eq!(path.file_name().unwrap().to_str().unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn files_turn_over_between_commits_and_hold_what_is_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    run(&db, "CREATE TABLE u(id INTEGER PRIMARY KEY)");
    for _ in 0..20 {
        run(&db, "INSERT INTO t(v) VALUES(1), (2), (3)");
        run(&db, "INSERT INTO u DEFAULT VALUES");
        run(&db, "UPDATE t SET v = 9 WHERE v = 1");
    }
    let selection = Selection { tables: vec!["t".into()], ops: vec![Op::Create], ..Selection::default() };
    let folder = dir.path().join("events");
    let chosen = sink(&folder).selection(selection.clone());
    Pump::new(Arc::clone(&db), ns(), Box::new(chosen)).run_until_caught_up().await.unwrap();
    assert_eq!(lines(&folder), events(&db, &selection));
    let paths = sink(&folder).paths().unwrap();
    assert!(paths.len() > 3, "{paths:?}");
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.len() as u64 <= FILE_BYTES && text.lines().count() % 3 == 0, "a commit of three is in one file");
    }
    assert_eq!(db.cursor("file").unwrap(), db.high_water());
}

#[tokio::test]
async fn damage_before_the_cursor_is_refused_and_another_stores_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let (db, folder) = (open(dir.path()), dir.path().join("events"));
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    for _ in 0..3 {
        run(&db, "INSERT INTO t DEFAULT VALUES");
    }
    pump(&db, &folder).run_until_caught_up().await.unwrap();
    let path = newest(&folder).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] = b'\n';
    std::fs::write(&path, &damaged).unwrap();
    run(&db, "INSERT INTO t DEFAULT VALUES");
    let error = pump(&db, &folder).run_until_caught_up().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && format!("{error}").contains("ndjson"), "{error:?}");
    std::fs::write(&path, String::from_utf8(whole).unwrap().replace("\"acme\"", "\"other\"")).unwrap();
    assert_eq!(pump(&db, &folder).run_until_caught_up().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_running_pump_follows_live_and_gets_over_a_folder_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let (db, folder) = (open(dir.path()), dir.path().join("events"));
    std::fs::write(&folder, "in the way").unwrap();
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let backoff = || Backoff::new(Duration::from_millis(5), Duration::from_millis(20), 1);
    let running = pump(&db, &folder).start_running(Start::Oldest, backoff()).await.unwrap();
    assert_eq!(pump(&db, &folder).start_running(Start::Oldest, backoff()).await.err().unwrap().kind(), ErrorKind::Conflict);
    while running.status().retries < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(running.status().last_error.is_some() && running.status().watermark == Lsn::ZERO);
    std::fs::remove_file(&folder).unwrap();
    for _ in 0..50 {
        run(&db, "INSERT INTO t DEFAULT VALUES");
        tokio::task::yield_now().await;
    }
    running.wait_for(db.high_water()).await.unwrap();
    assert_eq!((running.status().lag, running.status().retries), (0, 0));
    assert_eq!(lines(&folder), events(&db, &Selection::default()));
    running.stop().await.unwrap();
    assert_eq!(db.cursor("file").unwrap(), db.high_water());
    let again = pump(&db, &folder).start_running(Start::Now, backoff()).await.unwrap();
    run(&db, "INSERT INTO t DEFAULT VALUES");
    again.wait_for(db.high_water()).await.unwrap();
    assert_eq!(lines(&folder), events(&db, &Selection::default()));
}

/// Not a test by itself: what the next one starts and kills. It writes, and a pump follows.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(dir) = std::env::var_os("RELSTORE_TEST_CHILD") else { return };
    let (db, folder) = (open(dir.as_ref()), Path::new(&dir).join("events"));
    if db.high_water() == Lsn::ZERO {
        run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    }
    let _running = pump(&db, &folder).start_running(Start::Oldest, Backoff::standard(1)).await.unwrap();
    println!("begun");
    loop {
        run(&db, "INSERT INTO t(v) VALUES('a'), ('b'), ('c'), ('d'), ('e')");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_kill_neither_loses_nor_doubles_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("events");
    for round in 0..5_u64 {
        let mut child = support::child(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().ends_with("begun") {}
        // Until the files have grown by some commits: the kill falls where it falls.
        let before = size(&folder);
        while size(&folder) < before + 2_000 * (round + 1) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let db = open(dir.path());
    pump(&db, &folder).run_until_caught_up().await.unwrap();
    assert_eq!(lines(&folder), events(&db, &Selection::default()));
}

fn size(folder: &Path) -> u64 {
    sink(folder).paths().unwrap().iter().map(|p| p.metadata().unwrap().len()).sum()
}
