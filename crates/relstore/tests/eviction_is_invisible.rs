//! Rows in Parquet answer as they did in the hot file: every cell, every statement, after a restart and beside a writer.

use relstore::model::{ErrorKind, Namespace, Value};
use relstore::{Fleet, RelationalStore};

const SETUP: &[&str] = &[
    "CREATE TABLE kinds(code TEXT PRIMARY KEY)",
    "CREATE TABLE events(id INTEGER PRIMARY KEY, kind TEXT NOT NULL REFERENCES kinds, at TIMESTAMP, ok BOOLEAN, n REAL, note, UNIQUE(kind, at))",
    "INSERT INTO kinds VALUES('a'),('b')",
];

fn rows(store: &RelationalStore, sql: &str) -> Vec<Vec<Value>> {
    store.sql(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}")).rows
}

const QUERIES: &[&str] = &[
    "SELECT *, typeof(at), typeof(ok), typeof(n), typeof(note) FROM events ORDER BY id",
    "SELECT * FROM events WHERE id=7",
    "SELECT count(*), sum(n), max(id), min(at) FROM events",
    "SELECT k.code, count(e.id) FROM kinds k LEFT JOIN events e ON e.kind=k.code GROUP BY 1 ORDER BY 1",
    "SELECT id FROM events WHERE at BETWEEN 1357000000 AND 1359000000 ORDER BY at DESC, id LIMIT 10",
];

async fn filled(dir: &std::path::Path) -> Fleet {
    let fleet = Fleet::create(dir).await.expect("an installation");
    let store = fleet.store(&Namespace::new("s").expect("a name")).expect("a store");
    for sql in SETUP {
        store.sql(sql, &[]).expect(sql);
    }
    let insert = "INSERT INTO events(id, kind, at, ok, n, note) VALUES(?, ?, ?, ?, ?, ?)";
    let inserted: Result<(), relstore::model::Error> = store.transaction(|tx| {
        for i in 0..400i64 {
            // Cells that SQLite takes although they are of no such type: they must come back as they were.
            let note = match i % 6 {
                0 => Value::Null,
                1 => Value::Integer(i64::MAX - i),
                2 => Value::Real(0.1 * i as f64),
                3 => Value::Blob(vec![0, 255, i as u8]),
                _ => Value::from(format!("note \u{e9} {i}")),
            };
            let ok = if i % 50 == 0 { Value::from("maybe") } else { Value::Integer(i % 2) };
            let n = if i % 70 == 0 { Value::from("not a number") } else { Value::Real(i as f64 / 3.0) };
            let kind = if i % 2 == 0 { "a" } else { "b" };
            tx.sql(insert, &[Value::Integer(i), Value::from(kind), Value::Integer(1_356_998_400 + i * 7200), ok, n, note])?;
        }
        Ok(())
    });
    inserted.expect("rows");
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_writes_and_errors_are_those_of_a_hot_table() {
    let dir = tempfile::tempdir().expect("a folder");
    let (fleet, plain) = (filled(&dir.path().join("fleet")).await, filled(&dir.path().join("plain")).await);
    let ns = Namespace::new("s").expect("a name");
    let (store, hot) = (fleet.store(&ns).expect("a store"), plain.store(&ns).expect("a store"));
    let report = fleet.evict(&ns, "events", "at < 1358000000").await.expect("evicted");
    assert!(report.rows > 100 && report.files >= 1 && report.bytes > 0, "{report:?}");
    let status = &fleet.stores().await.expect("a status")[0];
    assert_eq!((status.tables["events"] + status.evicted_rows, status.evicted_rows), (400, report.rows));
    let events_before = store.high_water();
    let same = |sql: &str| {
        let (a, b) = (store.sql(sql, &[]), hot.sql(sql, &[]));
        match (a, b) {
            (Ok(a), Ok(b)) => assert_eq!((a.rows, a.changes), (b.rows, b.changes), "{sql}"),
            (Err(a), Err(b)) => assert_eq!((a.kind(), a.message()), (b.kind(), b.message()), "{sql}"),
            (a, b) => panic!("{sql}: {a:?} beside {b:?}"),
        }
        for query in QUERIES {
            assert_eq!(rows(&store, query), rows(&hot, query), "after {sql}: {query}");
        }
    };
    same("SELECT 1");
    assert_eq!(store.high_water(), events_before, "eviction is no change");
    same("UPDATE events SET note='seen' WHERE id=7 RETURNING *");
    same("INSERT INTO events(id, kind) VALUES(3, 'a')");
    same("INSERT INTO events(id, kind, at) VALUES(3000, 'a', 1356998400)");
    same("INSERT INTO events(id, kind, note) VALUES(5, 'b', 'x') ON CONFLICT(id) DO UPDATE SET note=excluded.note");
    same("DELETE FROM kinds WHERE code='a'");
    same("DELETE FROM events WHERE at < 1357100000 AND kind='b'");
    same("INSERT OR REPLACE INTO events(id, kind, at) VALUES(8, 'b', 5)");
    same("UPDATE events SET n=n+1 WHERE id<20");
    let ops: Vec<_> = [&store, &hot]
        .iter()
        .map(|s| {
            s.events_after(events_before, 10_000).expect("events").into_iter().map(|e| (e.op, e.key, e.before, e.after)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(ops[0], ops[1], "and emits the same events");
}

#[tokio::test(flavor = "multi_thread")]
async fn evicted_rows_outlive_the_process_and_are_read_beside_a_writer() {
    let dir = tempfile::tempdir().expect("a folder");
    let ns = Namespace::new("s").expect("a name");
    let fleet = filled(dir.path().join("fleet").as_path()).await;
    let before: Vec<_> = QUERIES.iter().map(|q| rows(&fleet.store(&ns).expect("a store"), q)).collect();
    fleet.evict(&ns, "events", "id % 3 = 0").await.expect("evicted");
    fleet.evict(&ns, "events", "id % 3 = 1").await.expect("evicted");
    let beside = fleet.read_store(&ns).expect("a reader");
    assert_eq!(QUERIES.iter().map(|q| rows(&beside, q)).collect::<Vec<_>>(), before);
    drop((fleet, beside));
    let fleet = Fleet::open(&dir.path().join("fleet")).await.expect("an installation");
    let store = fleet.store(&ns).expect("a store");
    assert_eq!(QUERIES.iter().map(|q| rows(&store, q)).collect::<Vec<_>>(), before);
    let answer = fleet.query("SELECT count(*) AS n FROM events").await.expect("an answer");
    assert_eq!(answer.rows, [[Value::Integer(400)]], "history knows nothing of tiers");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_evicted_unnoticed_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let ns = Namespace::new("s").expect("a name");
    let fleet = filled(dir.path().join("fleet").as_path()).await;
    let error = fleet.evict(&ns, "kinds", "true").await.expect_err("a parent");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(fleet.evict(&ns, "evnts", "true").await.expect_err("no such table").hint(), Some("did you mean events?"));
    assert_eq!(fleet.evict(&ns, "events", "id <").await.expect_err("no expression").kind(), ErrorKind::Invalid);
    std::fs::write(dir.path().join("fleet/hot/s/note"), b"").expect("a file beside");
    assert_eq!(fleet.evict(&ns, "events", "id < 0").await.expect("nothing to do").rows, 0);
}
