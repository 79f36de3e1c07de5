//! `current` is what folding every store's versions in order gives.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use relstore_model::Value;

use crate::lake::Lake;
use crate::people::{self, COLUMNS, Version, append, session};

type State = BTreeMap<(String, i64), (Option<String>, Option<f64>)>;

/// Some commits of a few stores, with the people that are left after them.
fn random_history(random: &mut SmallRng) -> (Vec<Version>, State) {
    let (mut versions, mut state) = (Vec::new(), State::new());
    for ns in ["acme", "beta", "gamma/eu"] {
        for lsn in 1..=random.random_range(0..120) {
            let id = random.random_range(0..25);
            let key = (ns.to_owned(), id);
            let name = random.random_bool(0.9).then(|| format!("n{}", random.random_range(0..1000)));
            let amount = random.random_bool(0.8).then(|| f64::from(random.random_range(-50..50)) / 4.0);
            let mut push = |op, id, name, amount| versions.push(Version { ns: ns.to_owned(), lsn, op, id: Some(id), name, amount });
            let known = state.get(&key).cloned();
            match known {
                Some((name, amount)) if random.random_bool(0.3) => {
                    push("d", id, name, amount);
                    state.remove(&key);
                }
                // An update that moves the row to a free key: two versions under one LSN.
                Some((name, amount)) if random.random_bool(0.2) && !state.contains_key(&(ns.to_owned(), id + 100)) => {
                    push("d", id, name.clone(), amount);
                    push("u", id + 100, name.clone(), amount);
                    state.remove(&key);
                    state.insert((ns.to_owned(), id + 100), (name, amount));
                }
                known => {
                    let op = if known.is_some() { "u" } else { "c" };
                    push(op, id, name.clone(), amount);
                    state.insert(key, (name, amount));
                }
            }
        }
    }
    (versions, state)
}

async fn check(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut versions, state) = random_history(&mut random);
    let lake = Lake::new().await;
    let mut table = lake.create("people", &COLUMNS).await;
    // Which append a version comes with is no matter, nor is its place in the file.
    while !versions.is_empty() {
        let count = random.random_range(1..=versions.len());
        let part: Vec<Version> = (0..count).map(|_| versions.swap_remove(random.random_range(0..versions.len()))).collect();
        table = append(&lake, &table, &part).await;
    }
    let session = session(&table).await;
    let wanted = |keep: &dyn Fn(&(String, i64)) -> bool| -> Vec<Vec<Value>> {
        let kept = state.iter().filter(|(k, _)| keep(k));
        kept.map(|((ns, id), (name, amount))| vec![ns.clone().into(), (*id).into(), name.clone().into(), (*amount).into()]).collect()
    };
    let columns = "_ns, id, fullName, amount";
    for (filter, keep) in [
        ("true", (&|_: &(String, i64)| true) as &dyn Fn(&(String, i64)) -> bool),
        ("_ns = 'beta'", &|k| k.0 == "beta"),
        ("_ns IN ('acme', 'gamma/eu') AND id < 10", &|k| k.0 != "beta" && k.1 < 10),
        ("id = 7 OR id = 107", &|k| k.1 == 7 || k.1 == 107),
    ] {
        let sql = format!("SELECT {columns} FROM people WHERE {filter} ORDER BY _ns, id");
        let answer = session.query(&sql).await.unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        assert_eq!(answer.rows, wanted(keep), "seed {seed}, {sql}");
    }
    let named = state.values().filter(|(name, _)| name.as_deref() > Some("n5")).count();
    let count = people::texts(&session, "SELECT count(*) FROM people WHERE fullName > 'n5'").await;
    assert_eq!(count, [named.to_string()], "seed {seed}: a filter on a cell judges the newest version and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_random_histories_of_three_stores() {
    for seed in 0..8 {
        check(seed).await;
    }
}

#[tokio::test]
async fn a_table_without_a_key_is_told_apart_by_rowid() {
    let lake = Lake::new().await;
    let table = lake.create("people", &COLUMNS).await;
    let versions =
        [people::version("acme", 1, "c", 1, "old"), people::version("acme", 2, "u", 1, "new"), people::version("acme", 3, "c", 2, "two")];
    let table = append(&lake, &table, &versions).await;
    let input = relstore_query::HistoryInput { primary_key: Vec::new(), ..people::input(&table) };
    let session = relstore_query::Session::new(vec![input], Vec::new()).await.unwrap();
    assert_eq!(people::texts(&session, "SELECT fullName FROM people ORDER BY 1").await, ["new", "two"]);
}

#[tokio::test]
async fn a_table_without_a_snapshot_is_empty() {
    let lake = Lake::new().await;
    let session = session(&lake.create("people", &COLUMNS).await).await;
    assert_eq!(people::texts(&session, "SELECT count(*) FROM people").await, ["0"]);
    assert_eq!(people::texts(&session, "SELECT id FROM history.people WHERE _ns = 'acme'").await, [""; 0]);
}
