//! A durable subscriber is given every chosen commit at least once, in order, over restarts and kills, until it acknowledges.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use relstore_cdc::{Delivery, Follower, Subscribe, Subscriber};
use relstore_engine::{Database, Settings, Start};
use relstore_model::event::{Images, Selection};
use relstore_model::{Error, ErrorKind, Lsn, Op};
use support::{logged, ns, open, run};

const SOON: Duration = Duration::from_secs(10);

fn mailer(db: &Arc<Database>) -> Subscribe {
    Subscribe::new(Arc::clone(db), ns(), "mailer")
}

/// Everything there is now, by LSN.
fn drain(subscriber: &mut Subscriber) -> Vec<u64> {
    std::iter::from_fn(|| subscriber.next(Duration::ZERO).unwrap()).map(|d| d.lsn.get()).collect()
}

#[test]
fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let mut first = mailer(&db).open().unwrap();
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    run(&db, "INSERT INTO t VALUES(1, 0), (2, 0), (3, 0)");
    run(&db, "UPDATE t SET v = 1 WHERE id = 2");
    run(&db, "ALTER TABLE t ADD COLUMN w DEFAULT 5");
    run(&db, "DELETE FROM t WHERE id = 1");
    assert_eq!(drain(&mut first), [1, 4, 5, 6, 7]);
    // The insert's commit holds 2 to 4: within it, what came before it is done.
    first.acknowledge(Lsn::new(3)).unwrap();
    assert_eq!(db.cursor("mailer").unwrap(), Lsn::new(1));
    first.acknowledge(Lsn::new(4)).unwrap();
    assert_eq!(first.acknowledge(Lsn::new(8)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(mailer(&db).open().err().unwrap().kind(), ErrorKind::Conflict, "it runs already");
    drop(first);
    drop(db);
    let db = open(dir.path());
    let mut again = mailer(&db).open().unwrap();
    assert_eq!(drain(&mut again), [5, 6, 7]);
    assert_eq!(again.replay_after(Lsn::new(3)).unwrap(), Lsn::new(1));
    let replayed: Vec<Delivery> = std::iter::from_fn(|| again.next(Duration::ZERO).unwrap()).collect();
    let expected: Vec<_> = logged(&db, &Selection::default()).into_iter().skip(1).collect();
    assert_eq!(replayed.iter().map(|d| d.events.clone()).collect::<Vec<_>>(), expected, "ids and all; each read with its own shape");
    again.acknowledge(replayed.last().unwrap().lsn).unwrap();
    assert!(again.next(Duration::from_millis(10)).unwrap().is_none());
    assert_eq!(again.replay_after(Lsn::new(99)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn commits_of_which_nothing_is_chosen_are_acknowledged_too() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE orders(id INTEGER PRIMARY KEY, v)");
    run(&db, "CREATE TABLE noise(id INTEGER PRIMARY KEY)");
    let chosen = || mailer(&db).tables(["Orders"]).ops([Op::Create, Op::Delete]).images(Images::Full);
    let mut subscriber = chosen().open().unwrap();
    for _ in 0..5 {
        run(&db, "INSERT INTO noise DEFAULT VALUES");
    }
    assert!(subscriber.next(Duration::from_millis(150)).unwrap().is_none());
    assert_eq!(db.cursor("mailer").unwrap(), db.high_water(), "the log is not held for what nobody wants");
    run(&db, "INSERT INTO orders VALUES(1, 0)");
    run(&db, "UPDATE orders SET v = 1");
    db.transaction(|tx| {
        tx.execute("INSERT INTO noise DEFAULT VALUES", &[])?;
        tx.execute("DELETE FROM orders", &[])?;
        tx.execute("INSERT INTO noise DEFAULT VALUES", &[]).map(|_| ())
    })
    .unwrap();
    run(&db, "INSERT INTO noise DEFAULT VALUES");
    let insert = subscriber.next(SOON).unwrap().unwrap();
    let delete = subscriber.next(SOON).unwrap().unwrap();
    assert_eq!((insert.events.len(), insert.lsn), (1, Lsn::new(8)));
    assert_eq!((delete.events.len(), delete.events[0].op, delete.lsn), (1, Some("d"), Lsn::new(12)), "the LSN is the commit's");
    assert!(subscriber.next(Duration::from_millis(150)).unwrap().is_none());
    assert_eq!(db.cursor("mailer").unwrap(), Lsn::new(7), "not over what was given and not acknowledged");
    subscriber.acknowledge(insert.lsn).unwrap();
    assert_eq!(db.cursor("mailer").unwrap(), insert.lsn);
    subscriber.acknowledge(delete.lsn).unwrap();
    assert_eq!(db.cursor("mailer").unwrap(), db.high_water());
}

#[test]
fn a_handler_is_tried_again_parked_and_let_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let seen: Arc<Mutex<Vec<(u64, u32)>>> = Arc::default();
    let handler = || {
        let (seen, mut tries) = (Arc::clone(&seen), 0);
        move |d: &Delivery| -> Result<(), Error> {
            let id = d.events[0].key.clone().unwrap_or_default();
            tries += 1;
            match (id.as_str(), tries) {
                ("2", 2 | 3) => return Err(Error::unavailable("the mail server is away")),
                ("3", 5) => return Err(Error::invalid("no such address")),
                ("4", 7) => panic!("a bug in the handler"),
                _ => {}
            }
            seen.lock().unwrap().push((d.lsn.get(), d.events[0].meta.retries));
            Ok(())
        }
    };
    let running = mailer(&db).each(handler()).unwrap();
    for id in 1..=2 {
        run(&db, &format!("INSERT INTO t VALUES({id})"));
    }
    running.wait_for(db.high_water()).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(2, 0), (3, 2)]);
    assert!(running.status().last_error.unwrap().contains("the mail server is away"));
    run(&db, "INSERT INTO t VALUES(3)");
    let error = running.wait_for(db.high_water()).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && format!("{error:?}").contains("no such address"), "{error:?}");
    assert_eq!((running.status().watermark, running.status().lag), (Lsn::new(3), 1));
    // Parked for good: a restart does not forget why, and gives it nothing.
    drop(running);
    drop(db);
    let db = open(dir.path());
    assert!(db.find_cursor("mailer").unwrap().unwrap().parked.unwrap().contains("no such address"));
    let running = mailer(&db).each({
        let mut handler = handler();
        // As if it had been tried five times before.
        let mut skipped = 0;
        move |d: &Delivery| {
            while skipped < 5 {
                skipped += 1;
                let mut other = d.clone();
                other.events[0].key = Some("x".into());
                let _ = handler(&other);
            }
            handler(d)
        }
    });
    let running = running.unwrap();
    assert_eq!(running.wait_for(db.high_water()).unwrap_err().kind(), ErrorKind::Internal);
    seen.lock().unwrap().clear();
    running.unpark();
    running.wait_for(db.high_water()).unwrap();
    assert_eq!(db.find_cursor("mailer").unwrap().unwrap().parked, None);
    run(&db, "INSERT INTO t VALUES(4)");
    let error = running.wait_for(db.high_water()).unwrap_err();
    assert!(format!("{error:?}").contains("a bug in the handler"), "{error:?}");
    running.unpark();
    running.wait_for(db.high_water()).unwrap();
    drop(running);
    assert_eq!(db.cursor("mailer").unwrap(), db.high_water());
}

#[test]
fn a_slow_subscriber_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let (release, blocked) = channel::<()>();
    let slow = Subscribe::new(Arc::clone(&db), ns(), "slow").each(move |_| {
        // Released when the sender goes.
        let _ = blocked.recv();
    });
    let slow = slow.unwrap();
    let quick = Subscribe::new(Arc::clone(&db), ns(), "quick").each(|_| ()).unwrap();
    for _ in 0..300 {
        run(&db, "INSERT INTO t DEFAULT VALUES");
    }
    quick.wait_for(db.high_water()).unwrap();
    assert_eq!((slow.status().watermark, slow.status().lag), (Lsn::new(1), 300));
    drop(release);
    slow.wait_for(db.high_water()).unwrap();
}

#[test]
fn a_follower_of_a_store_open_for_reading_sees_what_another_handle_commits() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let reading = Arc::new(Database::open_read_only(&dir.path().join("s.db"), Settings::default()).unwrap());
    let mut follower = Follower::new(reading, ns(), Lsn::ZERO, Selection::default());
    assert_eq!(follower.next(SOON).unwrap().unwrap().lsn, Lsn::new(1));
    assert!(follower.next(Duration::from_millis(30)).unwrap().is_none());
    std::thread::scope(|scope| {
        let next = scope.spawn(move || [(); 2].map(|()| follower.next(SOON).unwrap().unwrap().events[0].clone()));
        run(&db, "INSERT INTO t VALUES(7)");
        run(&db, "ALTER TABLE t ADD COLUMN v");
        let [insert, shape] = next.join().unwrap();
        assert_eq!((insert.key.as_deref(), &*shape.event_type), (Some("7"), "cdc.schema"));
    });
}

/// Not a test by itself: what the next one starts and kills. It inserts, and prints what its subscriber is given and acknowledges.
#[test]
fn child_that_is_killed() {
    let Some(dir) = std::env::var_os("RELSTORE_TEST_CHILD") else { return };
    let db = open(dir.as_ref());
    if db.high_water() == Lsn::ZERO {
        run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    }
    let mut subscriber = mailer(&db).start(Start::Oldest).open().unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        run(&db, "INSERT INTO t(v) VALUES(1), (2), (3)");
        while let Some(delivery) = subscriber.next(Duration::ZERO).unwrap() {
            let lsns = delivery.events.iter().map(|e| e.lsn.to_string()).collect::<Vec<_>>().join(" ");
            writeln!(out, "given {lsns}").unwrap();
            subscriber.acknowledge(delivery.lsn).unwrap();
            writeln!(out, "acknowledged {}", delivery.lsn).unwrap();
        }
    }
}

#[test]
fn a_kill_repeats_at_most_what_was_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut seen, mut acknowledged) = (0_u64, 0_u64);
    for round in 0..6 {
        let mut child = support::child(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut is_first = true;
        for _ in 0..40 + round * 13 {
            let Some(line) = lines.next() else { break };
            let line = line.unwrap();
            let (Some((word, numbers)), true) = (line.split_once(' '), line.starts_with("given") || line.starts_with("acknowledged"))
            else {
                continue;
            };
            let lsns: Vec<u64> = numbers.split(' ').map(|n| n.parse().unwrap()).collect();
            if word == "acknowledged" {
                acknowledged = lsns[0];
                continue;
            }
            if is_first {
                assert!(lsns[0] > acknowledged && lsns[0] <= seen + 1, "{line} after {seen}, acknowledged {acknowledged}");
                is_first = false;
            } else {
                assert_eq!(lsns[0], seen + 1, "nothing missing, nothing twice");
            }
            assert!(lsns.windows(2).all(|w| w[0] + 1 == w[1]));
            seen = lsns[lsns.len() - 1];
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed and we had not read.
        for line in lines.map_while(Result::ok) {
            if let Some(Ok(lsn)) = line.strip_prefix("acknowledged ").map(str::parse) {
                acknowledged = lsn;
            }
            // It may have been killed between acknowledging what it was given and saying so.
            if let Some(Ok(lsn)) = line.strip_prefix("given ").and_then(|lsns| lsns.split(' ').next_back()).map(str::parse) {
                seen = seen.max(lsn);
            }
        }
    }
    let db = open(dir.path());
    let mut subscriber = mailer(&db).open().unwrap();
    assert!(subscriber.acknowledged().get() >= acknowledged);
    let rest = drain(&mut subscriber);
    assert_eq!(rest.last().copied().unwrap_or(subscriber.acknowledged().get()), db.high_water().get());
}
