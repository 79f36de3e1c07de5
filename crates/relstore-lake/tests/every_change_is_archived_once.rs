//! Segments in, history out: each change once, whatever is repeated, cut off or done twice at once.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use relstore_model::{LogicalType, Lsn, Namespace, Value};
use support::*;

/// Two stores with some commits each, shipped as two segments.
async fn two_stores(bed: &Bed) {
    for (ns, base) in [("acme", 0), ("Zürich 7", 100)] {
        let mut store = Store::new(ns, schema(1, vec![users()]));
        store.insert(1, &user(base + 2, "b", 0.5));
        store.insert(1, &user(base + 1, "a", 1.0));
        store.commit();
        store.ship(&bed.bucket).await;
        store.micros += DAY;
        store.update(1, &user(base + 2, "b", 0.5), &user(base + 2, "B", 0.75));
        store.commit();
        store.delete(1, &user(base + 1, "a", 1.0));
        store.commit();
        store.ship(&bed.bucket).await;
    }
}

const COLUMNS: [&str; 7] = ["_op", "_schema_version", "_changed", "_overflow", "id", "name", "score"];

const TWO_STORES: [&str; 8] = [
    "Zürich 7 1 c 1 - - 102 b 0.5",
    "Zürich 7 2 c 1 - - 101 a 1.0",
    "Zürich 7 3 u 1 [102, 103] - 102 B 0.75",
    "Zürich 7 4 d 1 - - 101 a 1.0",
    "acme 1 c 1 - - 2 b 0.5",
    "acme 2 c 1 - - 1 a 1.0",
    "acme 3 u 1 [102, 103] - 2 B 0.75",
    "acme 4 d 1 - - 1 a 1.0",
];

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_all_stores_stand_in_one_table_with_one_commit() {
    let bed = Bed::new();
    two_stores(&bed).await;
    let lake = bed.lake();
    let report = ingest(&lake, &[("acme", 0), ("Zürich 7", 0), ("nobody", 0)]).await.unwrap();
    assert_eq!((report.rows, report.segments, report.commits), (8, 4, 1));
    assert_eq!(report.offsets[&Namespace::new("acme").unwrap()], Lsn::new(4));
    assert_eq!(report.offsets[&Namespace::new("nobody").unwrap()], Lsn::ZERO);
    assert_eq!(report.tables["users"], 8);
    assert_eq!(rows(&lake, "users", &COLUMNS).await, TWO_STORES);

    let [table] = &lake.tables().await.unwrap()[..] else { panic!() };
    assert_eq!((table.name.as_str(), table.rows, table.snapshots), ("users", 8, 1));
    assert_eq!(table.primary_key, ["id"]);
    let columns: Vec<_> = table.columns.iter().map(|c| (c.id, c.name.as_str(), c.logical)).collect();
    assert_eq!(columns, [(101, "id", LogicalType::Integer), (102, "name", LogicalType::Text), (103, "score", LogicalType::Real)]);
    assert_eq!(table.offsets.values().copied().collect::<Vec<_>>(), [Lsn::new(4), Lsn::new(4)]);
    assert!(table.metadata_location.starts_with(&format!("file://{}/lake/users/metadata/", bed.root().display())));
    // Two days of two stores in two buckets.
    let files = bed.objects("lake/users/data", ".parquet").await;
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|f| f.contains("/_ns_bucket=") && f.contains("/_ts_day=2013-01-0")), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_again_doubles_nothing_even_with_an_old_watermark() {
    let bed = Bed::new();
    two_stores(&bed).await;
    let lake = bed.lake();
    ingest(&lake, &[("acme", 0)]).await.unwrap();
    let snapshot = lake.load("users").await.unwrap().metadata().current_snapshot_id();
    for after in [4, 2, 0] {
        let report = ingest(&lake, &[("acme", after)]).await.unwrap();
        assert_eq!((report.rows, report.commits), (0, 0));
        assert_eq!(report.offsets[&Namespace::new("acme").unwrap()], Lsn::new(4));
    }
    assert_eq!(lake.load("users").await.unwrap().metadata().current_snapshot_id(), snapshot);
    // The other store comes later, and a lake opened anew sees both.
    drop(lake);
    let lake = bed.lake();
    assert_eq!(ingest(&lake, &[("acme", 0), ("Zürich 7", 0)]).await.unwrap().rows, 4);
    assert_eq!(rows(&lake, "USERS", &COLUMNS).await, TWO_STORES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_commits_of_two_tables_loses_and_doubles_nothing() {
    let bed = Bed::new();
    let mut a = users();
    a.name = "a".into();
    let mut b = users();
    (b.id, b.name) = (relstore_model::TableId(2), "b".into());
    let mut store = Store::new("s", schema(1, vec![a, b]));
    for i in 0..10 {
        store.insert(1 + (i % 2) as u32, &user(i, "x", 0.0));
        store.commit();
    }
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    // Table b is as it was before its commit; table a has been committed; the watermark was not moved.
    drop(lake);
    let catalog = relstore_engine::sqlite::Connection::open(&bed.catalog()).unwrap();
    let gone = catalog.execute("DELETE FROM iceberg_tables WHERE table_name = 'b'", &[]).unwrap();
    assert_eq!(gone, 1);
    let lake = bed.lake();
    let report = ingest(&lake, &[("s", 0)]).await.unwrap();
    assert_eq!(report.tables.into_iter().collect::<Vec<_>>(), [("b".to_owned(), 5)]);
    for (table, first) in [("a", 1), ("b", 2)] {
        let lsns: Vec<String> = (0..5).map(|i| format!("s {}", first + 2 * i)).collect();
        assert_eq!(rows(&lake, table, &[]).await, lsns);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archivers_at_once_lose_and_double_nothing() {
    let bed = Bed::new();
    let mut stores: Vec<Store> = (0..4).map(|i| Store::new(&format!("s{i}"), schema(1, vec![users()]))).collect();
    let mut wanted = vec![];
    for round in 0..5i64 {
        for (i, store) in stores.iter_mut().enumerate() {
            for n in 0..20 {
                wanted.push(format!("s{i} {} {}", store.next, round * 20 + n));
                store.insert(1, &user(round * 20 + n, "x", 0.0));
                store.commit();
            }
            store.ship(&bed.bucket).await;
        }
        // Each with a catalog connection of its own, as two processes have; all want the same stores.
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let lake = bed.lake();
                tokio::spawn(async move { ingest(&lake, &[("s0", 0), ("s1", 0), ("s2", 0), ("s3", 0)]).await.unwrap().rows })
            })
            .collect();
        let mut written = 0;
        for task in tasks {
            written += task.await.unwrap();
        }
        assert_eq!(written, 80);
    }
    wanted.sort_by_key(|row| {
        let mut parts = row.split(' ');
        (parts.next().unwrap().to_owned(), parts.next().unwrap().parse::<u64>().unwrap())
    });
    assert_eq!(rows(&bed.lake(), "users", &["id"]).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_writer_s_log_counts_and_what_a_fenced_one_wrote_does_not() {
    let bed = Bed::new();
    let mut store = Store::new("s", schema(1, vec![users()]));
    store.insert(1, &user(1, "kept", 0.0));
    store.commit();
    store.ship(&bed.bucket).await;
    let (next, micros) = (store.next, store.micros);
    store.insert(1, &user(2, "fenced", 0.0));
    store.commit();
    store.ship(&bed.bucket).await;
    (store.next, store.micros, store.epoch) = (next, micros, 2);
    store.insert(1, &user(3, "newer", 0.0));
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    assert_eq!(rows(&lake, "users", &["name"]).await, ["s 1 kept", "s 2 newer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_file_are_sorted_by_store_key_and_position() {
    use arrow::array::AsArray;
    let bed = Bed::new();
    let mut inputs = vec![];
    let names: Vec<String> = (0..40).map(|i| format!("store-{i}")).collect();
    for name in &names {
        let mut store = Store::new(name, schema(1, vec![users()]));
        for i in 0..30 {
            store.insert(1, &user(i * 7 % 10, "x", 0.0));
            store.commit();
        }
        store.ship(&bed.bucket).await;
        inputs.push((name.as_str(), 0));
    }
    let lake = bed.lake();
    ingest(&lake, &inputs).await.unwrap();
    let files = bed.objects("lake/users/data", ".parquet").await;
    assert!(files.len() <= 16);
    let mut total = 0;
    for file in files {
        let bytes = bed.bucket.get(&file).await.unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let mut keys = vec![];
        for batch in reader {
            let batch = batch.unwrap();
            let number =
                |name: &str, row: usize| batch.column_by_name(name).unwrap().as_primitive::<arrow::datatypes::Int64Type>().value(row);
            let ns = batch.column_by_name("_ns").unwrap().as_string::<i32>();
            keys.extend((0..batch.num_rows()).map(|row| (ns.value(row).to_owned(), number("id", row), number("_lsn", row))));
        }
        assert!(keys.is_sorted());
        total += keys.len();
    }
    assert_eq!(total, 40 * 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_store_s_rows_are_scanned_up_to_a_position() {
    let bed = Bed::new();
    two_stores(&bed).await;
    let lake = bed.lake();
    ingest(&lake, &[("acme", 0), ("Zürich 7", 0)]).await.unwrap();
    let mut count = 0;
    let ns = Namespace::new("Zürich 7").unwrap();
    lake.scan_rows("users", &ns, Lsn::new(3), |batch| {
        count += batch.num_rows();
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(count, 3);
    let error = lake.scan_rows("user", &ns, Lsn::MAX, |_| Ok(())).await.unwrap_err();
    assert_eq!(error.hint(), Some("did you mean users?"));
}

#[tokio::test]
async fn a_table_without_a_key_keeps_its_rowids_on_a_runtime_of_one_thread() {
    let bed = Bed::new();
    let log = table(1, "log", vec![column(101, "line", LogicalType::Text)], vec![]);
    let mut store = Store::new("s", schema(1, vec![log]));
    store.insert_with_rowid(1, 9, &["b".into()]);
    store.insert_with_rowid(1, -4, &[Value::Null]);
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    assert_eq!(rows(&lake, "log", &["_rowid", "line"]).await, ["s 1 9 b", "s 2 -4 -"]);
    assert_eq!(lake.tables().await.unwrap()[0].primary_key, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_program_does_not_make_archiving_begin_anew() {
    use relstore_lake::iceberg::transaction::{ApplyTransactionAction, Transaction};
    let bed = Bed::new();
    two_stores(&bed).await;
    let lake = bed.lake();
    ingest(&lake, &[("acme", 0)]).await.unwrap();
    let table = lake.load("users").await.unwrap();
    let foreign = Transaction::new(&table);
    let append = foreign.fast_append().set_snapshot_properties([("engine-name".to_owned(), "other".to_owned())].into());
    append.apply(foreign).unwrap().commit(lake.catalog().as_ref()).await.unwrap();
    assert_eq!(lake.tables().await.unwrap()[0].snapshots, 2);
    assert_eq!(ingest(&lake, &[("acme", 0), ("Zürich 7", 0)]).await.unwrap().rows, 4);
    assert_eq!(rows(&lake, "users", &COLUMNS).await, TWO_STORES);
}
