//! What is in the bucket is the log: whole commits, no gap, no overlap, whatever happened on the way.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::sync::Arc;

use relstore_cdc::bucket::{Bucket, layout};
use relstore_cdc::sink::SegmentSink;
use relstore_cdc::{ChangeBatch, Pump};
use relstore_engine::{Database, Settings};
use relstore_model::segment::Segment;
use relstore_model::{Commit, ErrorKind, Lsn, Namespace};
use relstore_testkit::ManualClock;

fn open(dir: &std::path::Path) -> Arc<Database> {
    Arc::new(Database::open(&dir.join("s.db"), Settings::default(), Arc::new(ManualClock::new(1, 1))).unwrap())
}

fn pump(db: &Arc<Database>, bucket: &Bucket) -> Pump {
    let ns = Namespace::new("EWR").unwrap();
    Pump::new(Arc::clone(db), ns.clone(), Box::new(SegmentSink::new(bucket.clone(), ns, 1)))
}

async fn shipped(bucket: &Bucket) -> Vec<Commit> {
    let mut commits = Vec::new();
    for object in bucket.list(&layout::log_prefix(&Namespace::new("EWR").unwrap())).await.unwrap() {
        let segment = Segment::decode(&object.path, &bucket.get(&object.path).await.unwrap()).unwrap();
        let name = layout::parse_segment_path(&object.path).unwrap();
        assert_eq!((name.lsn_first, name.lsn_last), (segment.lsn_first(), segment.lsn_last()), "named by its range");
        commits.extend(segment.commits);
    }
    commits
}

#[tokio::test]
async fn segments_together_are_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (db, bucket) = (open(dir.path()), Bucket::local(&dir.path().join("bucket")).unwrap());
    let mut pump = pump(&db, &bucket);
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    for i in 0..30 {
        db.execute("INSERT INTO t(v) VALUES(zeroblob(400000))", &[]).unwrap();
        if i % 7 == 0 {
            pump.run_until_caught_up().await.unwrap();
        }
    }
    let last = pump.run_until_caught_up().await.unwrap();
    assert_eq!(last.watermark, db.high_water());
    assert_eq!(shipped(&bucket).await, db.commits_after(Lsn::ZERO, usize::MAX).unwrap());
    assert_eq!(pump.run_until_caught_up().await.unwrap().batches, 0);
    assert_eq!(db.cursor(SegmentSink::CURSOR).unwrap(), db.high_water());
}

#[tokio::test]
async fn a_crash_between_the_put_and_the_cursor_gives_no_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let (db, bucket) = (open(dir.path()), Bucket::local(&dir.path().join("bucket")).unwrap());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).unwrap();
    db.execute("INSERT INTO t VALUES(1),(2)", &[]).unwrap();
    // The put arrived, the process died, the cursor still says 0.
    let ns = Namespace::new("EWR").unwrap();
    let batch = ChangeBatch::read(&db, &ns, Lsn::ZERO, 1 << 20).unwrap().unwrap();
    let mut sink = SegmentSink::new(bucket.clone(), ns, 1);
    relstore_cdc::sink::Sink::deliver(&mut sink, &batch).await.unwrap();
    db.execute("INSERT INTO t VALUES(3)", &[]).unwrap();
    pump(&db, &bucket).run_until_caught_up().await.unwrap();
    assert_eq!(shipped(&bucket).await, db.commits_after(Lsn::ZERO, usize::MAX).unwrap());
}

#[tokio::test]
async fn a_bucket_that_cannot_be_written_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("bucket");
    let (db, bucket) = (open(dir.path()), Bucket::local(&root).unwrap());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).unwrap();
    // A file where the folder should be: no user, root included, can write below it.
    std::fs::write(root.join("stores"), b"in the way").unwrap();
    let error = pump(&db, &bucket).run_until_caught_up().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::NotFound), "{error:?}");
    assert_eq!(db.cursor(SegmentSink::CURSOR).unwrap(), Lsn::ZERO);
    std::fs::remove_file(root.join("stores")).unwrap();
    pump(&db, &bucket).run_until_caught_up().await.unwrap();
    assert_eq!(shipped(&bucket).await.len(), 1);
}

#[tokio::test]
async fn a_bucket_of_another_store_of_the_same_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = Bucket::local(&dir.path().join("bucket")).unwrap();
    let db = open(dir.path());
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).unwrap();
    pump(&db, &bucket).run_until_caught_up().await.unwrap();
    drop(db);
    std::fs::create_dir(dir.path().join("other")).unwrap();
    let other = open(&dir.path().join("other"));
    assert_eq!(pump(&other, &bucket).run_until_caught_up().await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn what_was_shipped_survives_a_power_cut_of_the_machine() {
    let seed = std::env::var("RELSTORE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    eprintln!("RELSTORE_SEED={seed}");
    let mut rng = relstore_testkit::Rng::new(seed);
    for round in 0..6 {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = relstore_testkit::disk::Disk::attach(dir.path());
        let (db, bucket) = (open(dir.path()), Bucket::local(elsewhere.path()).unwrap());
        let mut pump = pump(&db, &bucket);
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
        for _ in 0..=round * 3 {
            db.execute("INSERT INTO t(v) VALUES(randomblob(3000))", &[]).unwrap();
        }
        let shipped = pump.run_until_caught_up().await.unwrap().watermark;
        db.execute("INSERT INTO t(v) VALUES('durability normal may lose this one')", &[]).unwrap();
        let left = tempfile::tempdir().unwrap();
        let what = disk.power_cuts().cut(disk.position(), &mut rng, left.path());
        let after = open(left.path());
        assert!(after.high_water() >= shipped, "round {round}: {} of {shipped}, {what}", after.high_water());
    }
}
