//! Filters reach the files, and what they leave is right.

use relstore_query::Session;

use crate::lake::Lake;
use crate::people::{COLUMNS, append, session, texts, version};

/// Files that every scan of the plan reads.
fn files(plan: &str) -> Vec<usize> {
    plan.split("files=").skip(1).map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

async fn eight_stores() -> (Lake, Session) {
    let lake = Lake::new().await;
    let mut table = lake.create("people", &COLUMNS).await;
    for part in 0..2 {
        let versions: Vec<_> = (0..8).flat_map(|s| (1..=5).map(move |i| (s, part * 5 + i))).collect();
        let versions: Vec<_> = versions.iter().map(|(s, i)| version(&format!("store-{s}"), *i, "c", *i, &format!("p{i}"))).collect();
        table = append(&lake, &table, &versions).await;
    }
    let session = session(&table).await;
    (lake, session)
}

#[tokio::test]
async fn one_store_reads_fewer_files_in_history_and_on_both_sides_of_current() {
    let (_lake, session) = eight_stores().await;
    let all = files(&session.explain("SELECT * FROM history.people").await.unwrap());
    assert_eq!(all.len(), 1);
    let history = session.explain("SELECT * FROM history.people WHERE _ns = 'store-3'").await.unwrap();
    assert!(files(&history)[0] < all[0] && history.contains("pushed="), "{history}");
    let current = session.explain("SELECT fullName FROM people WHERE _ns = 'store-3'").await.unwrap();
    let sides = files(&current);
    assert_eq!(sides.len(), 2, "{current}");
    assert!(sides.iter().all(|n| *n < all[0]), "{current}");
    assert_eq!(texts(&session, "SELECT count(*) FROM people WHERE _ns = 'store-3'").await, ["10"]);
}

#[tokio::test]
async fn a_key_reads_fewer_files_on_both_sides_of_current() {
    let (_lake, session) = eight_stores().await;
    let all = files(&session.explain("SELECT * FROM history.people").await.unwrap())[0];
    let plan = session.explain("SELECT fullName FROM people WHERE id = 9").await.unwrap();
    assert_eq!(files(&plan), [all / 2, all / 2], "{plan}");
    assert_eq!(texts(&session, "SELECT DISTINCT fullName FROM people WHERE id = 9").await, ["p9"]);
}

#[tokio::test]
async fn counting_all_reads_no_file_and_a_limit_reads_few() {
    let (_lake, session) = eight_stores().await;
    let plan = session.explain("SELECT count(*) FROM history.people").await.unwrap();
    assert!(!plan.contains("HistoryScan"), "{plan}");
    assert_eq!(texts(&session, "SELECT count(*) FROM history.people").await, ["80"]);
    let plan = session.explain("SELECT * FROM history.people LIMIT 3").await.unwrap();
    assert_eq!(files(&plan), [1], "{plan}");
    assert_eq!(texts(&session, "SELECT id FROM history.people LIMIT 3").await.len(), 3);
}

#[tokio::test]
async fn filters_of_every_form_answer_as_they_do_unpushed() {
    let (_lake, session) = eight_stores().await;
    for filter in [
        "id = 3",
        "3 < id",
        "id <> 3",
        "id IN (1, 2, 77)",
        "id NOT IN (1, 2, 77)",
        "id NOT IN (1, NULL)",
        "id BETWEEN 2 AND 4",
        "amount IS NULL",
        "amount IS NOT NULL",
        "amount = 0.0 OR id = 1",
        "active",
        "NOT active",
        "NOT (id = 3 OR \"fullName\" = 'p4')",
        "fullName >= 'p3' AND (id < 3 OR abs(id) = 4)",
        "_ts > '2013-01-01T00:00:00.000004Z' AND seen < timestamp '2013-01-01T00:00:07Z'",
        "_ns LIKE 'store-1%'",
    ] {
        let pushed = texts(&session, &format!("SELECT count(*) FROM history.people WHERE {filter}")).await;
        // A projection by CASE is no filter, so nothing is pushed.
        let plain = texts(&session, &format!("SELECT coalesce(sum(CASE WHEN {filter} THEN 1 ELSE 0 END), 0) FROM history.people")).await;
        assert_eq!(pushed, plain, "{filter}");
    }
}
