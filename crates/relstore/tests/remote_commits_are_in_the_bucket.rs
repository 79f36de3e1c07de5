//! Durability `remote`: what was acknowledged is in the bucket, and a bucket that refuses is said so without losing the commit.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::time::Duration;

use relstore::model::segment::Segment;
use relstore::model::{Error, ErrorKind, Lsn, TxId, Value};
use relstore::{Durability, Fleet, RelationalStore, Settings};

fn settings() -> Settings {
    Settings { durability: Durability::Remote, ..Settings::default() }
}

/// The positions and the given ids of the commits in the bucket, in order.
fn shipped(dir: &Path) -> (Lsn, Vec<String>) {
    let mut files = Vec::new();
    let mut folders = vec![dir.join("bucket/stores")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let segments = files.iter().filter(|f| f.extension().is_some_and(|e| e == "seg"));
    let mut segments: Vec<_> = segments.map(|f| Segment::decode("s", &std::fs::read(f).unwrap()).unwrap()).collect();
    segments.sort_by_key(Segment::lsn_first);
    let ids = segments.iter().flat_map(|s| s.commits.iter().filter_map(|c| c.txid.as_ref().map(ToString::to_string)));
    (segments.last().map_or(Lsn::ZERO, Segment::lsn_last), ids.collect())
}

#[test]
fn an_acknowledged_commit_is_in_the_bucket() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("fleet");
    let store = RelationalStore::open_with(&folder, "acme", settings()).unwrap();
    store.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", &[]).unwrap();
    for i in 0..5 {
        store.sql("INSERT INTO t(v) VALUES(?)", &[Value::Integer(i)]).unwrap();
        assert_eq!(shipped(&folder).0, store.high_water());
    }
    let id = TxId::new("order-7").unwrap();
    let pay = || store.transaction_once(&id, |tx| tx.sql("INSERT INTO t(v) VALUES('paid')", &[]).map(|o| o.changes));
    assert!(!pay().unwrap().is_repeat);
    assert!(pay().unwrap().is_repeat);
    assert_eq!(shipped(&folder), (store.high_water(), vec!["order-7".to_owned()]));
    // From inside of a runtime too, and many at once.
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let rest = store.high_water();
    runtime.block_on(async {
        let insert = || store.transaction(|tx| tx.sql("INSERT INTO t(v) VALUES(1)", &[]).map(|_| ()));
        insert().unwrap();
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| insert().unwrap()))));
    });
    assert_eq!(shipped(&folder).0, rest.plus(9));
    drop(store);
    // What it shipped is archived like anything else.
    runtime.block_on(async {
        let fleet = Fleet::open(&folder).await.unwrap().with_settings(settings());
        let report = fleet.archive().await.unwrap();
        assert_eq!(report.rows, 16, "a change of shape and fifteen rows");
    });
}

#[test]
fn a_bucket_that_refuses_is_said_so_and_the_commit_stands() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("fleet");
    let settings = Settings { remote_timeout: Duration::from_millis(200), ..settings() };
    let store = RelationalStore::open_with(&folder, "acme", settings).unwrap();
    store.sql("CREATE TABLE t(v)", &[]).unwrap();
    // A file stands where the folder of the segments must be.
    let log = std::fs::read_dir(folder.join("bucket/stores")).unwrap().next().unwrap().unwrap().path().join("log");
    let aside = log.with_extension("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, b"in the way").unwrap();
    let error: Error = store.sql("INSERT INTO t VALUES(1)", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("safe on this machine"), "{error:?}");
    assert_eq!(store.sql("SELECT count(*) FROM t", &[]).unwrap().rows[0][0], Value::Integer(1), "it stands, and reads go on");
    // When the bucket is back, a new handle ships what was left.
    drop(store);
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    let store = RelationalStore::open_with(&folder, "acme", self::settings()).unwrap();
    store.database().park_cursor("segments", None).unwrap();
    drop(store);
    let store = RelationalStore::open_with(&folder, "acme", self::settings()).unwrap();
    store.sql("INSERT INTO t VALUES(2)", &[]).unwrap();
    assert_eq!(shipped(&folder).0, store.high_water());
}
