//! The initial snapshot and the commits after it, folded, are the store: no row missing, none twice, whatever is written meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "../../relstore-engine/tests/eviction_support/mod.rs"]
mod eviction_support;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use relstore_cdc::{Delivery, Subscribe};
use relstore_engine::Database;
use relstore_model::event::{Images, Selection, SnapshotPlace};
use relstore_model::{ErrorKind, Lsn, Value, identifier};
use relstore_testkit::{Rng, seeds};
use serde_json::{Map, Value as Json};
use support::{ns, run};

type State = BTreeMap<(String, String), Map<String, Json>>;

/// The rows as they are, by table and key, in the events' own words.
fn state(db: &Database) -> State {
    let mut state = State::new();
    db.read(|tx| {
        let ns = ns();
        let place = SnapshotPlace { namespace: &ns, lsn: tx.lsn(), timestamp: tx.timestamp(), schema_version: 0 };
        for table in &tx.schema().tables {
            let rowid = if table.is_keyed_by_rowid() { "rowid" } else { "NULL" };
            let columns: Vec<String> = table.stored_columns().map(|c| identifier::quote(&c.name)).collect();
            let sql = format!("SELECT {rowid}, {} FROM {}", columns.join(","), identifier::quote(&table.name));
            for row in tx.query(&sql, &[])?.rows {
                let rowid = if let Value::Integer(rowid) = row[0] { Some(rowid) } else { None };
                let cells: Vec<_> = row[1..].iter().map(Value::as_ref).collect();
                let event = Selection::row_found(&place, table, rowid, &cells, &relstore_engine::Computed::default())?;
                state.insert((table.name.clone(), event.key.unwrap()), event.after.unwrap());
            }
        }
        Ok::<_, relstore_model::Error>(())
    })
    .unwrap();
    state
}

/// What a consumer makes of deliveries, refusing whatever does not follow from what it has.
#[derive(Clone, Default)]
struct Fold {
    rows: State,
    at: Lsn,
}

impl Fold {
    fn take(&mut self, delivery: Delivery) {
        if let Some(part) = delivery.snapshot {
            if part.is_first {
                *self = Self::default();
            }
            self.at = delivery.lsn;
        } else {
            assert_eq!(delivery.events[0].lsn, self.at.next(), "no gap and no overlap");
            self.at = delivery.lsn;
        }
        for event in delivery.events {
            let Some(table) = event.table else { continue };
            let key = event.key.unwrap();
            let old_key = match (&event.before, table.as_str()) {
                (Some(before), "t") => before["id"].to_string(),
                (Some(before), "c") => Json::Array(vec![before["a"].clone(), before["b"].clone()]).to_string(),
                _ => key.clone(),
            };
            match event.op {
                Some("r" | "c") => {
                    assert!(self.rows.insert((table, key), event.after.unwrap()).is_none(), "a row that is there already");
                }
                Some("u") => {
                    assert_eq!(self.rows.remove(&(table.clone(), old_key)), event.before, "an update of what was there");
                    self.rows.insert((table, key), event.after.unwrap());
                }
                Some("d") => assert_eq!(self.rows.remove(&(table, old_key)), event.before),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn write(db: &Database, rng: &mut Rng) {
    let (a, b) = (rng.below(400), rng.below(400));
    let sql = match rng.below(12) {
        0..=2 => format!("INSERT OR IGNORE INTO t(id, v) VALUES({a}, {b}), ({b}, hex(randomblob(40)))"),
        3 => format!("UPDATE t SET v = {b} WHERE id % 17 = {}", a % 17),
        4 => format!("UPDATE OR IGNORE t SET id = {b} WHERE id = {a}"),
        5 => format!("DELETE FROM t WHERE id % 31 = {}", a % 31),
        6 => format!("INSERT OR REPLACE INTO c VALUES({}, 'k{}', {b})", a % 9, b % 9),
        7 => format!("DELETE FROM c WHERE a = {}", a % 9),
        8 | 9 => format!("INSERT INTO n VALUES({a}), ({b})"),
        10 => format!("DELETE FROM n WHERE rowid % 13 = {}", a % 13),
        _ => format!("UPDATE n SET v = {b} WHERE rowid = {a}"),
    };
    run(db, &sql);
}

#[test]
fn snapshot_and_stream_folded_are_the_store() {
    for seed in seeds(12) {
        println!("RELSTORE_SEED={seed}");
        let mut rng = Rng::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let db = support::open(dir.path());
        run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
        run(&db, "CREATE TABLE c(a INT, b TEXT, v, PRIMARY KEY(a, b)) WITHOUT ROWID");
        run(&db, "CREATE TABLE n(v)");
        for _ in 0..60 + rng.below(200) {
            write(&db, &mut rng);
        }
        let is_over = AtomicBool::new(false);
        let mut fold = Fold::default();
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let (db, is_over, mut rng) = (&db, &is_over, Rng::new(seed * 1_000 + writer));
                scope.spawn(move || {
                    for _ in 0..400 {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        write(db, &mut rng);
                        std::thread::yield_now();
                    }
                });
            }
            // Dropped at any place: what was not acknowledged is forgotten here too, and comes again.
            let mut kept = Fold::default();
            for _ in 0..rng.below(4) {
                let mut subscriber = Subscribe::new(Arc::clone(&db), ns(), "search").with_snapshot().images(Images::Full).open().unwrap();
                for _ in 0..rng.below(6) {
                    if let Some(delivery) = subscriber.next(Duration::from_secs(5)).unwrap() {
                        fold.take(delivery);
                    }
                }
                if fold.at > Lsn::ZERO && rng.one_in(2) {
                    subscriber.acknowledge(fold.at).unwrap();
                    if !db.find_cursor("search").unwrap().unwrap().is_snapshot_due {
                        kept = fold.clone();
                    }
                }
                drop(subscriber);
                fold = kept.clone();
            }
            let mut subscriber = Subscribe::new(Arc::clone(&db), ns(), "search").with_snapshot().images(Images::Full).open().unwrap();
            for _ in 0..50 {
                if let Some(delivery) = subscriber.next(Duration::from_millis(200)).unwrap() {
                    fold.take(delivery);
                }
            }
            is_over.store(true, Ordering::Relaxed);
            // Until every writer is done and nothing more comes.
            while let Some(delivery) = subscriber.next(Duration::from_millis(300)).unwrap() {
                fold.take(delivery);
            }
            subscriber.acknowledge(fold.at).unwrap();
        });
        let mut rest = Subscribe::new(Arc::clone(&db), ns(), "search").images(Images::Full).open().unwrap();
        while let Some(delivery) = rest.next(Duration::ZERO).unwrap() {
            fold.take(delivery);
        }
        assert_eq!(fold.at, db.high_water());
        assert_eq!(fold.rows, state(&db));
    }
}

#[test]
fn evicted_rows_are_in_the_snapshot_and_memory_is_bounded_by_parts() {
    let t = eviction_support::tiered(&[
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) INSERT INTO t SELECT n, n * 2 FROM i",
        "CREATE TABLE other(x)",
        "INSERT INTO other VALUES(1)",
    ]);
    t.evict("t", "id % 2 = 0").unwrap();
    assert_eq!(t.hot("t"), 1_000);
    let subscribe = || Subscribe::new(Arc::clone(&t.db), ns(), "search").with_snapshot().tables(["t"]);
    let mut subscriber = subscribe().open().unwrap();
    let first = subscriber.next(Duration::from_secs(5)).unwrap().unwrap();
    assert!(first.snapshot.unwrap().is_first && !first.snapshot.unwrap().is_last);
    // Before its end nothing of it can be acknowledged, and a new beginning is marked as one.
    subscriber.acknowledge(first.lsn).unwrap();
    drop(subscriber);
    t.run("DELETE FROM t WHERE id = 3");
    let mut subscriber = subscribe().open().unwrap();
    let mut fold = Fold::default();
    let mut parts = 0;
    loop {
        let delivery = subscriber.next(Duration::from_secs(5)).unwrap().unwrap();
        assert!(delivery.events.len() <= 256 && delivery.events.iter().all(|e| e.op == Some("r") && e.lsn == t.db.high_water()));
        let part = delivery.snapshot.unwrap();
        assert_eq!(part.is_first, parts == 0);
        parts += 1;
        fold.take(delivery);
        if part.is_last {
            break;
        }
    }
    let expected: State = state(&t.db).into_iter().filter(|((table, _), _)| table == "t").collect();
    assert_eq!((parts, fold.rows.len()), (8, 1_999));
    assert_eq!(fold.rows, expected);
    subscriber.acknowledge(fold.at).unwrap();
    t.run("INSERT INTO other VALUES(2)");
    t.run("INSERT INTO t VALUES(5000, 1)");
    assert_eq!(subscriber.next(Duration::from_secs(5)).unwrap().unwrap().events[0].key.as_deref(), Some("5000"));
}

#[test]
fn an_empty_store_has_an_empty_snapshot_and_a_handler_gets_both() {
    let dir = tempfile::tempdir().unwrap();
    let db = support::open(dir.path());
    let (tell, told) = std::sync::mpsc::channel();
    let subscription = Subscribe::new(Arc::clone(&db), ns(), "search")
        .with_snapshot()
        .each(move |d: &Delivery| tell.send((d.snapshot.is_some(), d.events.len())).unwrap())
        .unwrap();
    while db.find_cursor("search").unwrap().unwrap().is_snapshot_due {
        std::thread::sleep(Duration::from_millis(1));
    }
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    assert_eq!(told.recv().unwrap(), (false, 1));
    subscription.wait_for(db.high_water()).unwrap();
    drop(subscription);
    assert_eq!(db.find_cursor("search").unwrap().map(|c| (c.lsn, c.is_snapshot_due)), Some((Lsn::new(1), false)));
    run(&db, "INSERT INTO t VALUES(1), (2)");
    let again = Subscribe::new(Arc::clone(&db), ns(), "second").with_snapshot();
    let mut again = again.open().unwrap();
    assert_eq!(again.next(Duration::from_secs(5)).unwrap().unwrap().events.len(), 2);
    let (tell, told) = std::sync::mpsc::channel();
    let third = Subscribe::new(Arc::clone(&db), ns(), "third").with_snapshot();
    let third = third.each(move |d: &Delivery| tell.send((d.snapshot.is_some(), d.events.len())).unwrap()).unwrap();
    third.wait_for(db.high_water()).unwrap();
    run(&db, "INSERT INTO t VALUES(3)");
    third.wait_for(db.high_water()).unwrap();
    drop(third);
    assert_eq!(told.iter().collect::<Vec<_>>(), [(true, 2), (false, 1)]);
    assert_eq!(db.drop_cursor("second").unwrap_err().kind(), ErrorKind::Conflict, "it runs");
}
