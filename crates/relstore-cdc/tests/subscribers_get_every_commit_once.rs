//! A subscriber sees each commit once, in order, as the spec's events.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::sync::{Arc, Mutex};

use relstore_cdc::Subscription;
use relstore_engine::{Database, Settings};
use relstore_model::event::Images;
use relstore_model::{Error, Lsn, Namespace};
use relstore_testkit::ManualClock;
use serde_json::{Value as Json, json};

fn open(dir: &std::path::Path) -> Arc<Database> {
    Arc::new(Database::open(&dir.join("s.db"), Settings::default(), Arc::new(ManualClock::new(1_700_000_000_000_000, 1_000))).unwrap())
}

#[test]
fn the_events_are_those_of_the_spec_page() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let ns = Namespace::new("acme").unwrap();
    let seen: Arc<Mutex<Vec<Vec<Json>>>> = Arc::default();
    let into = Arc::clone(&seen);
    let subscription = Subscription::start(Arc::clone(&db), ns, Lsn::ZERO, Images::Changed, move |events| {
        into.lock().unwrap().push(events.iter().map(|e| serde_json::to_value(e).unwrap()).collect());
    })
    .unwrap();
    let run = |sql: &str| db.execute(sql, &[]).unwrap();
    run("CREATE TABLE users(id TEXT PRIMARY KEY, name TEXT, active BOOLEAN, created_at TIMESTAMP)");
    run("INSERT INTO users VALUES('user_123', 'Alice', 1, 1385856000)");
    run("UPDATE users SET name='Alice Smith'");
    let rolled_back: Result<(), Error> = db.transaction(|tx| {
        tx.execute("DELETE FROM users", &[])?;
        Err(Error::invalid("no"))
    });
    assert!(rolled_back.is_err());
    db.transaction(|tx| {
        tx.execute("INSERT INTO users(id) VALUES('b'),('c')", &[])?;
        tx.execute("DELETE FROM users WHERE id='user_123'", &[]).map(|_| ())
    })
    .unwrap();
    subscription.wait_for(db.high_water()).unwrap();
    let commits = seen.lock().unwrap().clone();
    let sizes: Vec<usize> = commits.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 1, 1, 3]);
    let insert = &commits[1][0];
    assert_eq!((&insert["type"], &insert["op"], &insert["store"]), (&json!("cdc.insert"), &json!("c"), &json!("relational")));
    assert_eq!(
        (&insert["table"], &insert["key"], &insert["ns"], &insert["lsn"]),
        (&json!("users"), &json!("user_123"), &json!("acme"), &json!(2))
    );
    let after = json!({"id": "user_123", "name": "Alice", "active": true, "created_at": "2013-12-01T00:00:00.000Z"});
    assert_eq!(insert["after"], after);
    assert_eq!(insert.get("before"), None);
    let update = &commits[2][0];
    assert_eq!((&update["before"], &update["after"]), (&json!({"name": "Alice"}), &json!({"name": "Alice Smith"})));
    assert_eq!(update["_meta"], json!({"schemaVersion": 1, "source": "relstore", "retries": 0}));
    let last = &commits[3];
    assert!(last.iter().all(|e| e["txid"] == last[0]["txid"]) && last[0]["txid"] != update["txid"]);
    assert_eq!(last[2]["before"]["name"], json!("Alice Smith"));
    let ids: Vec<&str> = commits.iter().flatten().map(|e| e["id"].as_str().unwrap()).collect();
    assert!(ids.windows(2).all(|w| w[0] < w[1]), "ids sort as they happened: {ids:?}");
}

#[test]
fn subscribers_of_different_speed_do_not_disturb_each_other_or_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let ns = Namespace::new("acme").unwrap();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let counts: Arc<Mutex<[usize; 2]>> = Arc::default();
    let (fast_count, slow_count) = (Arc::clone(&counts), Arc::clone(&counts));
    let fast = Subscription::start(Arc::clone(&db), ns.clone(), Lsn::ZERO, Images::Full, move |e| fast_count.lock().unwrap()[0] += e.len());
    let slow = Subscription::start(Arc::clone(&db), ns, Lsn::ZERO, Images::Full, move |e| {
        let _ = blocked.recv();
        slow_count.lock().unwrap()[1] += e.len();
    });
    let (fast, slow) = (fast.unwrap(), slow.unwrap());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).unwrap();
    for _ in 0..200 {
        db.execute("INSERT INTO t DEFAULT VALUES", &[]).unwrap();
    }
    fast.wait_for(db.high_water()).unwrap();
    assert_eq!(*counts.lock().unwrap(), [201, 0]);
    drop(release);
    slow.wait_for(db.high_water()).unwrap();
    assert_eq!(*counts.lock().unwrap(), [201, 201]);
}

#[test]
fn a_commit_wakes_its_subscriber_and_no_wake_up_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let subscription =
        Subscription::start(Arc::clone(&db), Namespace::new("acme").unwrap(), db.high_water(), Images::Changed, move |events| {
            tell.send(events[0].lsn).unwrap();
        });
    let subscription = subscription.unwrap();
    for i in 0..2_000 {
        if i % 7 == 0 {
            // Sometimes it has gone to sleep, sometimes it is about to.
            std::thread::yield_now();
        }
        db.execute("INSERT INTO t DEFAULT VALUES", &[]).unwrap();
        // A sleeper looks after its cursor each second: one that was not woken would come only then.
        let lsn = told.recv_timeout(std::time::Duration::from_millis(900)).unwrap_or_else(|e| panic!("commit {i}: {e}"));
        assert_eq!(lsn, db.high_water());
    }
    drop(subscription);
    db.execute("INSERT INTO t DEFAULT VALUES", &[]).unwrap();
    assert!(told.recv().is_err(), "nothing after the end");
}
