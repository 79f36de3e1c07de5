use super::*;

fn buckets() -> (tempfile::TempDir, Vec<Bucket>) {
    let folder = tempfile::tempdir().unwrap();
    let local = Bucket::local(&folder.path().join("a b/c")).unwrap();
    (folder, vec![local, Bucket::memory()])
}

#[tokio::test]
async fn an_object_is_written_once_and_read_back() {
    let (_folder, buckets) = buckets();
    for bucket in buckets {
        let path = "stores/EWR%20x~7/log/1/x.seg";
        assert!(!bucket.exists(path).await.unwrap());
        assert_eq!(bucket.get(path).await.unwrap_err().kind(), ErrorKind::NotFound);
        bucket.put_new(path, Bytes::from_static(b"one")).await.unwrap();
        bucket.put_new_unsynced("stores/b.c/y", Bytes::from_static(b"12345")).await.unwrap();
        let again = bucket.put_new(path, Bytes::from_static(b"two")).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict);
        assert!(again.to_string().contains(path), "{again}");
        assert_eq!(bucket.get(path).await.unwrap(), "one");
        let listed = bucket.list("").await.unwrap();
        assert_eq!(listed.iter().map(|e| (e.path.as_str(), e.size_bytes)).collect::<Vec<_>>(), [(path, 3), ("stores/b.c/y", 5)]);
        assert_eq!(bucket.list("stores/EWR%20x~7").await.unwrap().len(), 1);
        assert_eq!(bucket.list("stores/nobody").await.unwrap(), []);
        bucket.delete(path).await.unwrap();
        bucket.delete(path).await.unwrap();
        assert!(!bucket.exists(path).await.unwrap());
    }
}

#[tokio::test]
async fn a_mutable_object_moves_only_from_what_was_expected() {
    let (_folder, buckets) = buckets();
    for bucket in buckets {
        let swap = |expected: Option<&'static str>, new: &'static str| {
            let bucket = bucket.clone();
            async move { bucket.replace("s/lease", expected.map(str::as_bytes), Bytes::from_static(new.as_bytes())).await }
        };
        assert_eq!(swap(Some("x"), "y").await.unwrap_err().kind(), ErrorKind::Conflict);
        swap(None, "1").await.unwrap();
        assert_eq!(swap(None, "1").await.unwrap_err().kind(), ErrorKind::Conflict);
        swap(Some("1"), "2").await.unwrap();
        assert_eq!(swap(Some("1"), "3").await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(bucket.get("s/lease").await.unwrap(), "2");
        assert_eq!(bucket.list("").await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_swap_at_once_each_step_is_won_by_one() {
    let (_folder, buckets) = buckets();
    for bucket in buckets {
        bucket.put_new("n", Bytes::from_static(b"0")).await.unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let bucket = bucket.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        loop {
                            let now = bucket.get("n").await.unwrap();
                            let n: u32 = std::str::from_utf8(&now).unwrap().parse().unwrap();
                            if bucket.replace("n", Some(&now), (n + 1).to_string().into()).await.is_ok() {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(bucket.get("n").await.unwrap(), "40");
    }
}

#[tokio::test]
async fn a_path_that_leaves_the_root_or_hides_is_refused() {
    let (_folder, buckets) = buckets();
    for bucket in buckets {
        for bad in ["", "/", "../x", "a/../b", "a//b", "a#1", "a\0b"] {
            assert_eq!(bucket.put_new(bad, Bytes::new()).await.unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
        }
    }
}

#[test]
fn a_root_that_cannot_be_a_folder_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"x").unwrap();
    let error = Bucket::local(&folder.path().join("file/below")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.hint().is_some());
}
