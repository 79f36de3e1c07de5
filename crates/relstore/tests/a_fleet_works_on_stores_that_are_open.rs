//! A store that somebody has open with settings of its own is the fleet's too: archive, restore, views and eviction work on it, and a second
//! holder is refused. A store whose log was trimmed before it was ever archived has no history with a hole.

use relstore::engine::{Start, migration::MigrationFolder};
use relstore::model::{Error, ErrorKind, Lsn, Namespace, Value};
use relstore::{At, Durability, Fleet, LOG_HELD_FOR, MigrateOptions, RelationalStore, Settings, ViewDefinition};

fn ns(name: &str) -> Namespace {
    Namespace::new(name).expect("a name")
}

fn run(store: &RelationalStore, sql: &str) {
    store.sql(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

fn is_held_elsewhere(result: Result<std::sync::Arc<RelationalStore>, Error>) -> bool {
    let error = result.err().expect("it is open already");
    error.kind() == ErrorKind::Unavailable && error.context().iter().any(|(key, _)| *key == "held_by")
}

fn full() -> Settings {
    Settings { durability: Durability::Full, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_holder_has_open_is_archived_restored_viewed_and_evicted() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::open_or_create(&dir.path().join("fleet")).expect("an installation");
    let acme = fleet.store_with(&ns("acme"), full()).expect("a store");
    run(&acme, "CREATE TABLE orders(id INTEGER PRIMARY KEY, day TEXT NOT NULL, total INTEGER NOT NULL)");
    run(&acme, "INSERT INTO orders VALUES(1, '2026-01-01', 10), (2, '2026-01-02', 20)");
    let before = acme.high_water();
    run(&acme, "UPDATE orders SET total = 99 WHERE id = 1");
    assert!(is_held_elsewhere(fleet.store_with(&ns("acme"), full())), "one holder at a time");
    assert!(std::sync::Arc::ptr_eq(&acme, &fleet.store(&ns("acme")).expect("the same handle")));

    let report = fleet.archive().await.expect("archived");
    assert_eq!((report.watermarks[&ns("acme")], report.busy.len()), (acme.high_water(), 0));
    let status = acme.status().expect("a status");
    assert_eq!((status.shipped, status.archived, status.tables["orders"]), (acme.high_water(), acme.high_water(), 2));
    fleet.restore(&ns("acme"), At::Lsn(before), &dir.path().join("before")).await.expect("restored");
    let copy = Fleet::open(&dir.path().join("before")).await.expect("an installation").store(&ns("acme")).expect("a store");
    assert_eq!(copy.sql("SELECT sum(total) FROM orders", &[]).expect("read").rows, [[Value::Integer(30)]]);
    let view = ViewDefinition::new("daily", "SELECT day AS dt, sum(total) AS total FROM orders GROUP BY 1").expect("a view");
    assert_eq!(fleet.refresh_view(&view).await.expect("refreshed").rows, 2);
    assert_eq!(fleet.evict(&ns("acme"), "orders", "id = 2").await.expect("evicted").rows, 1);
    assert_eq!(acme.sql("SELECT total FROM orders ORDER BY id", &[]).expect("read").rows, [[Value::Integer(99)], [Value::Integer(20)]]);

    // Dropped, it is closed: whoever is next has it with other settings, and reads what was evicted.
    drop(acme);
    let acme = fleet.store_with(&ns("acme"), Settings::default()).expect("open again");
    assert_eq!(acme.database().settings().durability, Durability::Normal);
    assert_eq!(acme.sql("SELECT count(*) FROM orders WHERE total = 20", &[]).expect("read").rows, [[Value::Integer(1)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_the_fleet_has_open_by_itself_is_given_to_whoever_asks() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::open_or_create(dir.path()).expect("an installation");
    run(&fleet.store(&ns("acme")).expect("a store"), "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    // Idle: closed, and opened as asked for.
    let held = fleet.store_with(&ns("acme"), full()).expect("a store");
    assert_eq!(held.database().settings().durability, Durability::Full);
    drop(held);
    // In use, as an archive has it: the same handle if the settings are the same, and else a refusal that says so.
    let in_use = fleet.store(&ns("acme")).expect("a store");
    let refused = fleet.store_with(&ns("acme"), full()).err().expect("it is in use");
    assert!(refused.kind() == ErrorKind::Unavailable && refused.hint().is_some_and(|hint| hint.contains("try again")));
    let held = fleet.store_with(&ns("acme"), Settings::default()).expect("the same handle");
    assert!(std::sync::Arc::ptr_eq(&in_use, &held));
    assert!(is_held_elsewhere(fleet.store_with(&ns("acme"), Settings::default())));
    drop(in_use);
    assert_eq!(fleet.close_idle(), 0, "the holder has it still");
    drop(held);
    assert_eq!(fleet.close_idle(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_and_the_catalog_are_made_when_something_needs_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(dir.path()).await.expect("an installation");
    run(&fleet.store_with(&ns("acme"), Settings::default()).expect("a store"), "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    assert!(!fleet.catalog_path().exists() && !dir.path().join("bucket").exists());
    assert!(
        fleet
            .query_json("SELECT table_name FROM information_schema.tables WHERE table_schema = 'current'")
            .await
            .expect("asked")
            .is_empty()
    );
    assert!(fleet.catalog_path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_trimmed_before_the_first_archive_makes_no_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(dir.path()).await.expect("an installation");
    let small = |log_held_for| Settings { log_retained_bytes: 4096, log_bytes_max: 1 << 20, log_held_for, ..Settings::default() };
    let filled = |name: &str, log_held_for| {
        let store = fleet.store_with(&ns(name), small(log_held_for)).expect("a store");
        run(&store, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
        // A consumer that keeps up, so that the log is trimmed behind it.
        store.database().create_cursor("mailer", Start::Now).expect("a consumer");
        for _ in 0..40 {
            run(&store, "INSERT INTO t(body) VALUES(randomblob(8192))");
            store.database().advance_cursor("mailer", store.high_water()).expect("acknowledged");
        }
        store
    };
    let (trimmed, held) = (filled("trimmed", &[]), filled("held", LOG_HELD_FOR));
    assert!(trimmed.log_range().expect("a log").first > Lsn::new(1));
    assert_eq!(held.log_range().expect("a log").first, Lsn::new(1));

    let refused = fleet.archive_store(&ns("trimmed")).await.expect_err("there is no beginning");
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(refused.hint().is_some_and(|hint| hint.contains("archive: true")), "{refused:?}");
    let refused = fleet.restore(&ns("trimmed"), At::Lsn(trimmed.high_water()), &dir.path().join("to")).await.expect_err("no history");
    assert_eq!(refused.kind(), ErrorKind::NotFound);

    // It does not keep the others from being archived.
    let report = fleet.archive().await.expect("archived");
    assert_eq!(report.trimmed, [ns("trimmed")]);
    assert_eq!(report.watermarks.keys().collect::<Vec<_>>(), [&ns("held")]);
    assert_eq!(fleet.query("SELECT count(*) FROM t").await.expect("asked").rows, [[Value::Integer(40)]]);
    // Once archived, the log may be trimmed as it likes.
    for _ in 0..40 {
        run(&held, "INSERT INTO t(body) VALUES(randomblob(8192))");
        held.database().advance_cursor("mailer", held.high_water()).expect("acknowledged");
        fleet.archive_store(&ns("held")).await.expect("archived");
    }
    assert!(held.log_range().expect("a log").first > Lsn::new(1));
    assert_eq!(
        fleet.query("SELECT count(*), count(DISTINCT id) FROM t").await.expect("asked").rows,
        [[Value::Integer(80), Value::Integer(80)]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_nobody_waits_for_any_more_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation");
    let store = fleet.store(&ns("acme")).expect("a store");
    run(&store, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    run(&store, "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) INSERT INTO t SELECT n FROM i");
    fleet.archive().await.expect("archived");
    let to = dir.path().join("to");
    // Given up after each number of steps, until it is done before that.
    let mut steps = 0;
    loop {
        let mut restore = Box::pin(fleet.restore(store.namespace(), At::Lsn(store.high_water()), &to));
        let mut polled = 0;
        let done = std::future::poll_fn(|context| {
            polled += 1;
            match restore.as_mut().poll(context) {
                std::task::Poll::Pending if polled <= steps => std::task::Poll::Pending,
                std::task::Poll::Pending => std::task::Poll::Ready(None),
                std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
            }
        })
        .await;
        if let Some(done) = done {
            assert_eq!(done.expect("restored").rows, 2000);
            break;
        }
        drop(restore);
        let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(left, ["fleet"], "after {steps} steps");
        steps += 1;
    }
    assert!(steps > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_store_is_migrated_when_it_is_opened() {
    let dir = tempfile::tempdir().expect("a folder");
    let migrations = dir.path().join("migrations");
    std::fs::create_dir(&migrations).expect("a folder");
    std::fs::write(migrations.join("0001_made.sql"), "CREATE TABLE made(id INTEGER PRIMARY KEY)").expect("a file");
    let folder = MigrationFolder::read(&migrations).expect("a folder of migrations");
    let fleet = Fleet::create(&dir.path().join("fleet")).await.expect("an installation").migrate_on_open(folder, MigrateOptions::default());
    let store = fleet.store_with(&ns("acme"), Settings::default()).expect("a store");
    assert_eq!(store.status().expect("a status").tables["made"], 0);
}
