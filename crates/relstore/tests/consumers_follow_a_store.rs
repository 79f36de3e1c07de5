//! A store's consumers, as a program sees them: a subscriber that begins with every row, evicted ones too, a file of events, and the
//! log that waits for both and for history.

use std::collections::BTreeMap;
use std::time::Duration;

use relstore::cdc::Backoff;
use relstore::cdc::sink::FileSink;
use relstore::engine::Start;
use relstore::model::{Error, ErrorKind, Lsn, Namespace, Value};
use relstore::{Fleet, RelationalStore};

const SOON: Duration = Duration::from_secs(10);

async fn filled(dir: &std::path::Path) -> (Fleet, Namespace) {
    let (fleet, ns) = (Fleet::create(dir).await.expect("an installation"), Namespace::new("acme").expect("a name"));
    let store = fleet.store(&ns).expect("a store");
    run(&store, "CREATE TABLE orders(id INTEGER PRIMARY KEY, status TEXT NOT NULL)");
    run(&store, "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 600) INSERT INTO orders SELECT n, 'old' FROM i");
    (fleet, ns)
}

fn run(store: &RelationalStore, sql: &str) {
    store.sql(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_begins_with_evicted_rows_and_goes_on_with_commits() {
    let dir = tempfile::tempdir().expect("a folder");
    let (fleet, ns) = filled(&dir.path().join("fleet")).await;
    let store = fleet.store(&ns).expect("a store");
    assert_eq!(fleet.evict(&ns, "orders", "id <= 400").await.expect("evicted").rows, 400);
    let mut search = store.subscribe("search").with_snapshot().open().expect("a subscriber");
    let mut rows: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    run(&store, "UPDATE orders SET status = 'paid' WHERE id = 7");
    let mut commits = 0;
    while let Some(delivery) = search.next(if rows.len() < 600 { SOON } else { Duration::ZERO }).expect("a delivery") {
        commits += u32::from(delivery.snapshot.is_none());
        for event in delivery.events {
            assert_eq!(event.op, Some(if delivery.snapshot.is_some() { "r" } else { "u" }));
            let after = serde_json::Value::Object(event.after.expect("a row"));
            rows.entry(event.key.expect("a key")).or_insert(serde_json::Value::Null)["status"] = after["status"].clone();
        }
        search.acknowledge(delivery.lsn).expect("acknowledged");
    }
    // The update is in the snapshot or after it, as the snapshot was quicker or the writer.
    assert!(commits <= 1);
    assert_eq!(rows.len(), 600);
    assert_eq!((&rows["7"]["status"], &rows["8"]["status"]), (&"paid".into(), &"old".into()));
    assert_eq!(search.acknowledged(), store.high_water());
    let read = store.read(|tx| {
        let paid = tx.query("SELECT count(*) FROM orders WHERE status = 'paid'", &[])?;
        Ok::<_, Error>((tx.lsn(), paid.rows[0][0].clone()))
    });
    assert_eq!(read.expect("read"), (store.high_water(), Value::Integer(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_waits_for_history_and_for_every_consumer_until_it_is_dropped() {
    let dir = tempfile::tempdir().expect("a folder");
    let (fleet, ns) = filled(&dir.path().join("fleet")).await;
    let store = fleet.store(&ns).expect("a store");
    let sink = FileSink::new("events", &dir.path().join("events"), ns.clone());
    let pump = store.pump(sink).start_running(Start::Oldest, Backoff::standard(1)).await.expect("a pump");
    pump.wait_for(store.high_water()).await.expect("written");
    pump.stop().await.expect("stopped");
    let text = std::fs::read_to_string(dir.path().join("events/acme.00000000000000000001.ndjson")).expect("a file");
    assert_eq!(text.lines().count(), 601);
    let names =
        |store: &RelationalStore| store.consumers().expect("consumers").into_iter().map(|c| (c.name, c.lsn.get())).collect::<Vec<_>>();
    assert_eq!(names(&store), [("events".to_owned(), 601)]);
    assert_eq!((store.database().trim_log().expect("trimmed"), store.log_range().expect("a range").first), (0, Lsn::new(1)));
    fleet.archive().await.expect("archived");
    assert_eq!(names(&store), [("archive".to_owned(), 601), ("events".to_owned(), 601), ("segments".to_owned(), 601)]);
    assert_eq!(store.drop_consumer("archive").expect_err("it is the store's own").kind(), ErrorKind::Invalid);
    assert_eq!(store.drop_consumer("event").expect_err("misspelt").hint(), Some("did you mean events?"));
    store.drop_consumer("events").expect("dropped");
    assert_eq!(names(&store).len(), 2);
}
