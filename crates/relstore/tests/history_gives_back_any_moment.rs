//! The whole line on random work: whatever was committed can be restored, by position and by time, and asked for across stores.

use std::collections::BTreeMap;
use std::path::Path;

use relstore::model::{Error, ErrorKind, Lsn, Namespace, Timestamp, Value, identifier::quote};
use relstore::{At, Fleet, RelationalStore, ViewDefinition};
use relstore_testkit::{Rng, seeds};

/// Every table's rows, sorted, as text.
fn state(store: &RelationalStore) -> BTreeMap<String, Vec<String>> {
    let db = store.database();
    let tables = db.schema();
    tables
        .tables
        .iter()
        .map(|t| {
            let rowid = if t.is_keyed_by_rowid() { "rowid," } else { "" };
            let rows = db.query(&format!("SELECT {rowid} * FROM {}", quote(&t.name)), &[]).expect("a table can be read").rows;
            let mut rows: Vec<String> = rows.iter().map(|r| format!("{r:?}")).collect();
            rows.sort();
            (t.name.clone(), rows)
        })
        .collect()
}

fn ns(name: &str) -> Namespace {
    Namespace::new(name).expect("a plain name")
}

/// Fails with the rows that differ.
fn assert_same(got: &BTreeMap<String, Vec<String>>, wanted: &BTreeMap<String, Vec<String>>, what: &str) {
    for table in got.keys().chain(wanted.keys()) {
        let rows = |state: &BTreeMap<String, Vec<String>>| state.get(table).cloned();
        let (Some(got), Some(wanted)) = (rows(got), rows(wanted)) else { panic!("{what}: {table} is on one side alone") };
        let ghosts: Vec<_> = got.iter().filter(|r| !wanted.contains(r)).collect();
        let missing: Vec<_> = wanted.iter().filter(|r| !got.contains(r)).collect();
        assert!(got == wanted, "{what}: {table} has {ghosts:?} and lacks {missing:?}");
    }
}

async fn restored(fleet: &Fleet, name: &Namespace, at: At, to: &Path) -> (BTreeMap<String, Vec<String>>, Lsn) {
    let report = fleet.restore(name, at, to).await.expect("a moment within history can be restored");
    let copy = Fleet::open(to).await.expect("what was restored is an installation");
    let store = copy.store(name).expect("and holds the store");
    let state = state(&store);
    assert_eq!(report.rows, state.values().map(|rows| rows.len() as u64).sum::<u64>());
    (state, report.lsn)
}

const SETUP: &[&str] = &[
    "CREATE TABLE parents(id TEXT PRIMARY KEY, v INTEGER, flag BOOLEAN)",
    "CREATE TABLE children(a INTEGER, b TEXT, parent TEXT REFERENCES parents ON DELETE CASCADE, x REAL, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE TABLE loose(word, n INTEGER, doubled INTEGER AS (n*2) STORED, tripled INTEGER AS (n*3))",
    "CREATE INDEX children_parent ON children(parent)",
    "CREATE VIEW totals AS SELECT parent, count(*) AS n FROM children GROUP BY parent",
];

/// One random statement. Cells of every class go into columns of every type: SQLite takes them, so history must.
fn statement(rng: &mut Rng, added: &mut u32) -> String {
    let n = rng.below(12);
    let cell = match rng.below(6) {
        0 => "NULL".to_owned(),
        1 => format!("{}", rng.below(1000) as i64 - 500),
        2 => format!("{}.25", rng.below(100)),
        3 => format!("'text {}'", rng.below(50)),
        4 => "x'00ff'".to_owned(),
        _ => "1".to_owned(),
    };
    match rng.below(14) {
        0..=2 => {
            format!("INSERT INTO parents(id, v, flag) VALUES('p{n}', {cell}, {}) ON CONFLICT(id) DO UPDATE SET v=excluded.v", rng.below(2))
        }
        3 | 4 => format!("INSERT OR REPLACE INTO children VALUES({n}, 'b{}', (SELECT max(id) FROM parents), {cell})", rng.below(3)),
        5 => format!("UPDATE children SET x={cell} WHERE a={n}"),
        6 => format!("UPDATE OR IGNORE parents SET id='q{n}' WHERE id='p{n}' AND id NOT IN (SELECT parent FROM children)"),
        7 => format!("DELETE FROM parents WHERE id='p{n}'"),
        8 | 9 => format!("INSERT INTO loose(word, n) VALUES({cell}, {n}), ('w', {n})"),
        10 => format!("DELETE FROM loose WHERE n={n}"),
        11 => format!("UPDATE loose SET n=n+1, word={cell} WHERE n>={n}"),
        12 => format!("UPDATE OR IGNORE children SET a=a+100 WHERE a={n}"),
        _ => {
            *added += 1;
            format!("ALTER TABLE parents ADD COLUMN extra{added} INTEGER DEFAULT {n}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_moment_of_random_work_can_be_restored() {
    for seed in seeds(6) {
        let mut rng = Rng::new(seed);
        let dir = tempfile::tempdir().expect("a folder");
        let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
        let name = ns("Acme");
        let store = fleet.store(&name).expect("a store");
        for sql in SETUP {
            store.sql(sql, &[]).expect(sql);
        }
        let mut moments: Vec<(Lsn, Timestamp, BTreeMap<String, Vec<String>>)> = Vec::new();
        let mut added = 0;
        for step in 0..60 {
            let before = store.high_water();
            let committed: Result<(), Error> = store.transaction(|tx| {
                for _ in 0..rng.below(4) {
                    tx.sql(&statement(&mut rng, &mut added), &[])?;
                }
                Ok(())
            });
            committed.unwrap_or_else(|e| assert_eq!(e.kind(), ErrorKind::Constraint, "seed {seed}: {e:?}"));
            if store.high_water() > before {
                moments.push((store.high_water(), store.log_range().expect("a log").timestamp, state(&store)));
            }
            if step % 17 == 0 {
                fleet.archive().await.unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            }
        }
        for (i, (lsn, time, wanted)) in moments.iter().enumerate().filter(|(i, _)| i % 5 == 0 || *i + 1 == moments.len()) {
            let (got, at) = restored(&fleet, &name, At::Lsn(*lsn), &dir.path().join(format!("lsn-{i}"))).await;
            assert_same(&got, wanted, &format!("seed {seed}, LSN {lsn}"));
            assert_eq!(at, *lsn, "seed {seed}");
            // Several commits may share a microsecond: the last of them is meant.
            let (last, _, wanted) = moments.iter().rfind(|m| m.1 <= *time).expect("itself at least");
            let (got, at) = restored(&fleet, &name, At::Time(*time), &dir.path().join(format!("time-{i}"))).await;
            assert_same(&got, wanted, &format!("seed {seed}, time {time}"));
            assert_eq!(at, *last, "seed {seed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_inside_a_commit_means_the_commit_before_and_one_outside_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
    let store = fleet.store(&ns("a")).expect("a store");
    store.sql("CREATE TABLE t(id INTEGER PRIMARY KEY)", &[]).expect("a table");
    store.sql("INSERT INTO t VALUES(1)", &[]).expect("a row");
    store.sql("INSERT INTO t VALUES(2),(3),(4)", &[]).expect("rows");
    let (got, lsn) = restored(&fleet, &ns("a"), At::Lsn(Lsn::new(4)), &dir.path().join("r")).await;
    assert_eq!((got["t"].len(), lsn), (1, Lsn::new(2)));
    for at in [At::Lsn(Lsn::new(6)), At::Lsn(Lsn::ZERO), At::Time(Timestamp::from_micros(1))] {
        let error = fleet.restore(&ns("a"), at, &dir.path().join("x")).await.expect_err("outside");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.hint().expect("a way out").contains("LSN 1 to 5"), "{error:?}");
    }
    assert_eq!(
        fleet.restore(&ns("b"), At::Lsn(Lsn::new(1)), &dir.path().join("x")).await.expect_err("no such store").kind(),
        ErrorKind::NotFound
    );
    let occupied = fleet.restore(&ns("a"), At::Lsn(Lsn::new(2)), &dir.path().join("r")).await.expect_err("not empty");
    assert_eq!(occupied.kind(), ErrorKind::Conflict);
    assert!(!dir.path().join("x").exists(), "a refused restore leaves nothing");
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_of_a_column_without_a_type_are_seen_by_queries_and_restored_as_they_were() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
    let store = fleet.store(&ns("a")).expect("a store");
    store.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, x, d DECIMAL(10,2))", &[]).expect("a table");
    store.sql("INSERT INTO t VALUES(1, 2, 1.5),(2, 'two', 3),(3, NULL, 'x')", &[]).expect("rows");
    fleet.archive().await.expect("archived");
    let rows = fleet.query_json("SELECT id, x, d FROM t ORDER BY id").await.expect("an answer");
    let wanted = serde_json::json!([
        {"id": 1, "x": "2", "d": "1.5"}, {"id": 2, "x": "two", "d": "3"}, {"id": 3, "x": null, "d": "x"}
    ]);
    assert_eq!(serde_json::Value::Array(rows), wanted);
    let (got, _) = restored(&fleet, &ns("a"), At::Lsn(store.high_water()), &dir.path().join("r")).await;
    assert_eq!(got, state(&store));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_lives_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
    let store = fleet.store(&ns("a")).expect("a store");
    for sql in ["CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1,'x'),(2,'y')", "DELETE FROM t"] {
        store.sql(sql, &[]).expect(sql);
    }
    fleet.restore(&ns("a"), At::Lsn(Lsn::new(3)), &dir.path().join("r")).await.expect("restored");
    let copy = Fleet::open(&dir.path().join("r")).await.expect("an installation");
    let store = copy.store(&ns("a")).expect("a store");
    let ops: Vec<_> = store.events_after(Lsn::ZERO, 100).expect("events").iter().map(|e| e.op).collect();
    assert_eq!(ops, [None, Some("r"), Some("r")], "its log begins with what was there");
    store.sql("INSERT INTO t VALUES(3,'z')", &[]).expect("a row");
    copy.archive().await.expect("archived");
    let answer = copy.query("SELECT count(*) AS n FROM t").await.expect("an answer");
    assert_eq!(answer.rows, [[Value::Integer(3)]]);
    let (again, _) = restored(&copy, &ns("a"), At::Lsn(store.high_water()), &dir.path().join("rr")).await;
    assert_eq!(again, state(&store));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_what_its_query_says_over_all_stores_and_rewrites_only_what_changed() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
    for name in ["a", "B"] {
        let store = fleet.store(&ns(name)).expect("a store");
        store.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, day TEXT, n REAL)", &[]).expect("a table");
        store.sql("INSERT INTO t(day, n) VALUES('2013-01-01', 1),('2013-01-01', 2),('2013-01-02', 3)", &[]).expect("rows");
    }
    let view = ViewDefinition::new("daily", "SELECT day AS dt, count(*) AS n, sum(n) AS total FROM t GROUP BY day").expect("a view");
    let first = fleet.refresh_view(&view).await.expect("refreshed");
    assert_eq!((first.partitions, first.rows, first.files_written), (2, 4, 2));
    fleet.store(&ns("a")).expect("a store").sql("UPDATE t SET n=10 WHERE id=3", &[]).expect("an update");
    let second = fleet.refresh_view(&view).await.expect("refreshed");
    assert_eq!((second.files_written, second.files_unchanged), (1, 1));
    let rows = fleet.query_json("SELECT * FROM daily ORDER BY dt, _ns").await.expect("an answer");
    let wanted = serde_json::json!([
        {"_ns": "B", "dt": "2013-01-01", "n": 2, "total": 3.0},
        {"_ns": "a", "dt": "2013-01-01", "n": 2, "total": 3.0},
        {"_ns": "B", "dt": "2013-01-02", "n": 1, "total": 3.0},
        {"_ns": "a", "dt": "2013-01-02", "n": 1, "total": 10.0},
    ]);
    assert_eq!(serde_json::Value::Array(rows), wanted);
    let bad = ViewDefinition::new("bad", "SELECT count(*) AS n FROM t").expect("a name");
    assert_eq!(fleet.refresh_view(&bad).await.expect_err("no dt").kind(), ErrorKind::Invalid);
    assert!(ViewDefinition::new("../x", "SELECT 1").is_err());
}
