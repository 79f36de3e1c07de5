//! A log that is not whole is refused by name, and nothing of it reaches history.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use relstore_cdc::bucket::layout::segment_path;
use relstore_model::{ErrorKind, Lsn, Namespace};
use support::*;

async fn three_segments(bed: &Bed) -> Vec<String> {
    let mut store = Store::new("s", schema(1, vec![users()]));
    let mut paths = vec![];
    for i in 0..3 {
        store.insert(1, &user(i, "x", 0.0));
        store.insert(1, &user(i + 10, "y", 0.0));
        store.commit();
        paths.push(store.ship(&bed.bucket).await);
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_segment_is_named_and_nothing_is_committed() {
    let bed = Bed::new();
    let paths = three_segments(&bed).await;
    let file = bed.root().join(&paths[1]);
    let whole = std::fs::read(&file).unwrap();
    let mut bad = whole.clone();
    bad[whole.len() / 2] ^= 1;
    let lake = bed.lake();
    for bytes in [&bad[..], &whole[..whole.len() - 1], &[]] {
        std::fs::write(&file, bytes).unwrap();
        let error = ingest(&lake, &[("s", 0)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&paths[1]), "{error}");
        assert!(error.hint().is_some());
        assert!(lake.tables().await.unwrap().is_empty());
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(ingest(&lake, &[("s", 0)]).await.unwrap().rows, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_segment_is_a_gap_and_is_named() {
    let bed = Bed::new();
    let paths = three_segments(&bed).await;
    bed.bucket.delete(&paths[1]).await.unwrap();
    let lake = bed.lake();
    let error = ingest(&lake, &[("s", 0)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("ns: s, lsn_first: 3, lsn_last: 4"), "{error}");
    assert!(lake.tables().await.unwrap().is_empty());
    // What lies behind the watermark may go.
    assert_eq!(ingest(&lake, &[("s", 4)]).await.unwrap().rows, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_under_another_name_is_refused() {
    let bed = Bed::new();
    let paths = three_segments(&bed).await;
    let bytes = bed.bucket.get(&paths[0]).await.unwrap();
    for path in [
        segment_path(&Namespace::new("t").unwrap(), 1, Lsn::new(1), Lsn::new(2)),
        segment_path(&Namespace::new("u").unwrap(), 1, Lsn::new(1), Lsn::new(9)),
    ] {
        bed.bucket.put_new(&path, bytes.clone()).await.unwrap();
        let ns = path.split('/').nth(1).unwrap().to_owned();
        let error = ingest(&bed.lake(), &[(&ns, 0)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&path), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_history_is_an_error_and_not_an_empty_answer() {
    let bed = Bed::new();
    three_segments(&bed).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    for file in bed.objects("lake/users/data", ".parquet").await {
        std::fs::remove_file(bed.root().join(file)).unwrap();
    }
    let error = lake.scan_rows("users", &Namespace::new("s").unwrap(), Lsn::MAX, |_| Ok(())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
