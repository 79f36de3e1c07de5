//! The log stays until every consumer has passed it and a little longer; behind one that does not keep up it has an end.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relstore_engine::{Database, Settings, Start};
use relstore_model::{Error, ErrorKind, Lsn, Value};
use relstore_testkit::{ManualClock, Rng, seeds};

fn open(dir: &Path, settings: Settings) -> Database {
    Database::open(&dir.join("s.db"), settings, Arc::new(ManualClock::new(0, 1))).unwrap()
}

fn small(log_retained_bytes: u64, log_bytes_max: u64) -> Settings {
    Settings { log_retained_bytes, log_bytes_max, ..Settings::default() }
}

/// Inserts a row of some `bytes`.
fn insert(db: &Database, bytes: i64) -> Result<(), Error> {
    db.execute("INSERT INTO t(v) VALUES(zeroblob(?))", &[Value::Integer(bytes)]).map(|_| ())
}

fn bytes(db: &Database) -> u64 {
    db.log_range().unwrap().extent.bytes()
}

#[test]
fn behind_a_slow_consumer_commits_are_refused_by_name_until_it_moves() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), small(0, 100_000));
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    db.create_cursor("quick", Start::Now).unwrap();
    db.create_cursor("mailer", Start::Now).unwrap();
    let mut inserted = 0;
    let error = loop {
        match insert(&db, 10_000) {
            Ok(()) => inserted += 1,
            Err(error) => break error,
        }
        db.advance_cursor("quick", db.high_water()).unwrap();
    };
    assert_eq!(inserted, 9, "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = format!("{error:?}");
    for part in ["consumer: mailer", "consumer_lsn: 1", "log_bytes_max: 100000", "acknowledge", "drop it", "raise log_bytes_max"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    // Nothing of it happened; reads go on; so does what leaves no change.
    assert_eq!(db.query("SELECT count(*) FROM t", &[]).unwrap().rows[0][0], Value::Integer(9));
    assert_eq!(db.high_water(), Lsn::new(10));
    db.execute("UPDATE t SET v=1 WHERE id=-1", &[]).unwrap();
    insert(&db, 10).unwrap();
    // Some room for each acknowledgement, and all of it when the consumer is dropped.
    db.advance_cursor("mailer", Lsn::new(3)).unwrap();
    insert(&db, 10_000).unwrap();
    assert_eq!(insert(&db, 20_000).unwrap_err().kind(), ErrorKind::Unavailable);
    db.drop_cursor("mailer").unwrap();
    insert(&db, 20_000).unwrap();
    drop(db);
    let db = open(dir.path(), small(0, 100_000));
    assert_eq!(db.log_range().unwrap().last, Lsn::new(13));
    assert_eq!(insert(&db, 200_000).unwrap_err().kind(), ErrorKind::Unavailable, "one that never fits");
    assert_eq!(db.cursors().unwrap().len(), 1);
}

#[test]
fn a_store_that_ships_its_log_is_held_for_that_before_it_has_begun() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { log_held_for: &["segments", "archive"], ..small(0, 50_000) };
    let db = open(dir.path(), settings);
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    db.create_cursor("mailer", Start::Oldest).unwrap();
    insert(&db, 20_000).unwrap();
    insert(&db, 20_000).unwrap();
    db.advance_cursor("mailer", db.high_water()).unwrap();
    db.advance_cursor("segments", db.high_water()).unwrap();
    assert_eq!(db.trim_log().unwrap(), 0, "it is not in history yet");
    let error = insert(&db, 20_000).unwrap_err();
    assert!(format!("{error:?}").contains("consumer: archive") && error.hint().unwrap().contains("archive the store"), "{error:?}");
    assert_eq!(db.drop_cursor("archive").unwrap_err().kind(), ErrorKind::Invalid);
    db.advance_cursor("archive", db.high_water()).unwrap();
    insert(&db, 20_000).unwrap();
}

#[test]
fn a_log_that_nobody_reads_drops_its_oldest_commits_at_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), small(1 << 20, 100_000));
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    for _ in 0..50 {
        insert(&db, 10_000).unwrap();
        assert!(bytes(&db) <= 100_000);
    }
    assert!(db.log_range().unwrap().first > Lsn::new(1));
    assert_eq!(db.log_range().unwrap().last, Lsn::new(51));
}

#[test]
fn a_refused_or_failed_commit_leaves_the_log_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), small(0, 100_000));
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    db.execute("CREATE TABLE c(id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)", &[]).unwrap();
    for _ in 0..9 {
        insert(&db, 10_000).unwrap();
    }
    let before = db.log_range().unwrap();
    // Room is made in the transaction, and given back when its commit fails.
    let broken: Result<(), Error> = db.transaction(|tx| {
        tx.execute("INSERT INTO t(v) VALUES(zeroblob(50000))", &[])?;
        tx.execute("INSERT INTO c(t) VALUES(-1)", &[]).map(|_| ())
    });
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::Constraint);
    assert_eq!(db.log_range().unwrap(), before);
    insert(&db, 50_000).unwrap();
    let after = db.log_range().unwrap();
    assert!(after.first > before.first && after.extent.bytes() <= 100_000);
    assert_eq!(after.extent.end, before.extent.end + db.commits_after(before.last, 0).unwrap()[0].packed.len() as u64);
}

#[test]
fn what_is_passed_is_trimmed_by_itself_down_to_what_is_retained() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), small(200_000, 1 << 30));
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    db.create_cursor("a", Start::Now).unwrap();
    for i in 0..2_000 {
        insert(&db, 1_000).unwrap();
        if i % 50 == 0 {
            db.advance_cursor("a", db.high_water()).unwrap();
        }
        assert!(bytes(&db) < 400_000, "after {i}: {}", bytes(&db));
    }
    assert!(bytes(&db) >= 200_000);
    // Held again: it grows, and nothing is tried in vain at each commit.
    for _ in 0..500 {
        insert(&db, 1_000).unwrap();
    }
    assert!(bytes(&db) > 500_000);
    db.advance_cursor("a", db.high_water()).unwrap();
    db.trim_log().unwrap();
    // The commit in which the limit falls stays.
    assert!(bytes(&db) >= 200_000 && bytes(&db) < 202_000, "{}", bytes(&db));
    // What was passed goes as new commits come, though nobody moves.
    for _ in 0..150 {
        insert(&db, 1_000).unwrap();
    }
    assert!(bytes(&db) < 300_000, "{}", bytes(&db));
}

#[test]
fn random_consumers_never_miss_what_they_have_not_passed() {
    for seed in seeds(20) {
        println!("RELSTORE_SEED={seed}");
        let mut rng = Rng::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let settings = || small(3_000, 40_000);
        let mut db = open(dir.path(), settings());
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
        let names = ["a", "b", "c"];
        for _ in 0..400 {
            let name = *rng.pick(&names);
            match rng.below(10) {
                0 => drop(db.create_cursor(name, *rng.pick(&[Start::Now, Start::Oldest])).unwrap()),
                1 if rng.one_in(4) => drop(db.drop_cursor(name)),
                2 if rng.one_in(10) => {
                    drop(db);
                    db = open(dir.path(), settings());
                }
                3..=5 => {
                    if let Some(cursor) = db.find_cursor(name).unwrap() {
                        // Whoever has a cursor can always read on from it, and finds no gap to the end.
                        let commits = db.commits_after(cursor.lsn, usize::MAX).unwrap();
                        let first = commits.first().map_or(cursor.lsn.next(), |c| c.lsn_first);
                        assert_eq!(first, cursor.lsn.next());
                        assert_eq!(commits.last().map_or(cursor.lsn, |c| c.lsn_last()), db.high_water());
                        if let Some(one) = commits.get(rng.below(commits.len().max(1) as u64) as usize) {
                            db.advance_cursor(name, one.lsn_last()).unwrap();
                        }
                    }
                }
                _ => match insert(&db, 1 + rng.below(3_000) as i64) {
                    Ok(()) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                },
            }
            let range = db.log_range().unwrap();
            let held: u64 =
                db.commits_after(Lsn::new(range.first.get() - 1), usize::MAX).unwrap().iter().map(|c| c.packed.len() as u64).sum();
            assert_eq!(range.extent.bytes(), held, "the account is true");
            assert!(held <= 40_000);
        }
    }
}

#[test]
fn consumers_are_named_found_rewound_and_parked_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), Settings::default());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    db.execute("INSERT INTO t VALUES(1, 0), (2, 0), (3, 0)", &[]).unwrap();
    for name in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
        assert_eq!(db.create_cursor(name, Start::Now).unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
    }
    assert_eq!(db.create_cursor("mailer", Start::Snapshot).unwrap().lsn, Lsn::new(4));
    assert!(db.find_cursor("mailer").unwrap().unwrap().is_snapshot_due);
    // Inside a commit goes to its beginning; beyond the log there is nothing.
    assert_eq!(db.rewind_cursor("mailer", Lsn::new(2)).unwrap(), Lsn::new(1));
    assert_eq!(db.rewind_cursor("mailer", Lsn::new(5)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(db.create_cursor("late", Start::After(Lsn::new(3))).unwrap().lsn, Lsn::new(1));
    db.park_cursor("mailer", Some("410 Gone")).unwrap();
    let error = db.park_cursor("mialer", None).unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.hint() == Some("did you mean mailer?"), "{error:?}");
    let claim = db.claim_cursor("mailer").unwrap();
    assert_eq!(db.claim_cursor("mailer").unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(db.drop_cursor("mailer").unwrap_err().kind(), ErrorKind::Conflict);
    drop(claim);
    drop(db);
    let db = open(dir.path(), Settings::default());
    let mailer = db.find_cursor("mailer").unwrap().unwrap();
    assert_eq!((mailer.lsn, mailer.parked.as_deref(), mailer.is_snapshot_due), (Lsn::new(1), Some("410 Gone"), false));
    db.drop_cursor("mailer").unwrap();
    assert_eq!(db.find_cursor("mailer").unwrap(), None);
}

#[test]
fn opening_does_not_depend_on_how_long_the_log_is() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path(), Settings::default());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    for _ in 0..20_000 {
        insert(&db, 500).unwrap();
    }
    let size = bytes(&db);
    drop(db);
    // The quickest of some: what else the machine does is not the store's.
    let quickest = (0..20).map(|_| {
        let begun = Instant::now();
        let db = open(dir.path(), Settings::default());
        let took = begun.elapsed();
        assert_eq!(bytes(&db), size);
        took
    });
    let quickest = quickest.min().unwrap();
    println!("opened over {size} bytes of log in {quickest:?}");
    assert!(quickest < Duration::from_millis(20), "{quickest:?}");
}
