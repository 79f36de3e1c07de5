//! Measures the forms that `current` could have, on a history as the flights of three airports give it.
//!
//! `cargo run --release -p relstore-query -p relstore-lake --example measure_current`

#[path = "../tests/lake/mod.rs"]
mod lake;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use relstore_lake::iceberg::spec::PrimitiveType as P;
use relstore_query::{HistoryInput, Session, SessionLimits};

/// Creates, updates and deletes: 340,000 changes.
const CREATED: i64 = 300_000;
const UPDATED: i64 = 30_000;
const DELETED: i64 = 10_000;
const STORES: [&str; 3] = ["EWR", "JFK", "LGA"];

const COLUMNS: [(&str, P); 19] = [
    ("id", P::Long),
    ("year", P::Long),
    ("month", P::Long),
    ("day", P::Long),
    ("dep_time", P::Long),
    ("sched_dep_time", P::Long),
    ("dep_delay", P::Double),
    ("arr_time", P::Long),
    ("sched_arr_time", P::Long),
    ("arr_delay", P::Double),
    ("carrier", P::String),
    ("flight", P::Long),
    ("tailnum", P::String),
    ("dest", P::String),
    ("air_time", P::Double),
    ("distance", P::Double),
    ("hour", P::Long),
    ("cancelled", P::Boolean),
    ("time_hour", P::Timestamptz),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lake = lake::Lake::new().await;
    let mut table = lake.create("flights", &COLUMNS).await;
    let mut random = SmallRng::seed_from_u64(7);
    let mut lsn = 0;
    for (op, count) in [("c", CREATED), ("u", UPDATED), ("d", DELETED)] {
        let mut keys: Vec<(&str, i64)> = (0..count)
            .map(|i| if op == "c" { i } else { random.random_range(0..CREATED) })
            .map(|id| (STORES[id as usize % 3], id))
            .collect();
        keys.sort_unstable();
        table = lake.append(&table, rows(op, &keys, &mut lsn, &mut random)).await;
    }
    let input = HistoryInput { name: "flights".to_owned(), table, primary_key: vec!["id".to_owned()] };
    for partition_count in [1, 2] {
        let limits = SessionLimits { partition_count: Some(partition_count), ..SessionLimits::default() };
        let session = Session::with_limits(vec![input.clone()], Vec::new(), limits).await?;
        measure(&session, partition_count).await?;
    }
    Ok(())
}

async fn measure(session: &Session, partition_count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let columns = COLUMNS.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
    let semi = |on: &str| {
        format!(
            "(SELECT h._ns, {} FROM history.flights h LEFT SEMI JOIN (SELECT _ns, id, max(_lsn) AS newest FROM history.flights GROUP BY _ns, id) n \
             ON h._ns = n._ns AND h._lsn = n.newest {on} WHERE h._op <> 'd')",
            columns.split(", ").map(|c| format!("h.{c}")).collect::<Vec<_>>().join(", ")
        )
    };
    let last = COLUMNS.iter().skip(1).map(|(n, _)| format!("last_value({n} ORDER BY _lsn) AS {n}")).collect::<Vec<_>>().join(", ");
    let forms = [
        (
            "window",
            format!(
                "(SELECT _ns, {columns} FROM (SELECT *, row_number() OVER (PARTITION BY _ns, id ORDER BY _lsn DESC) AS nth FROM history.flights) \
                 WHERE nth = 1 AND _op <> 'd')"
            ),
        ),
        ("semi on (_ns, _lsn)", semi("")),
        ("semi on (_ns, key, _lsn)", semi("AND h.id = n.id")),
        (
            "last_value",
            format!(
                "(SELECT * FROM (SELECT _ns, id, last_value(_op ORDER BY _lsn) AS _op, {last} FROM history.flights GROUP BY _ns, id) WHERE _op <> 'd')"
            ),
        ),
        ("current", "flights".to_owned()),
    ];
    let queries = [
        ("count", "SELECT count(*) FROM {t} AS f"),
        ("group", "SELECT carrier, avg(dep_delay), count(*) FROM {t} AS f GROUP BY carrier ORDER BY carrier"),
        ("one store", "SELECT carrier, avg(dep_delay) FROM {t} AS f WHERE _ns = 'JFK' GROUP BY carrier ORDER BY carrier"),
        ("one row", "SELECT * FROM {t} AS f WHERE _ns = 'JFK' AND id = 4444"),
        ("all rows", "SELECT * FROM {t} AS f"),
    ];
    println!("{partition_count} partitions; ms, best of 3\n{:26}{}", "", queries.map(|(n, _)| format!("{n:>12}")).concat());
    for (name, form) in &forms {
        let mut line = format!("{name:26}");
        for (_, query) in queries {
            let sql = query.replace("{t}", form);
            let mut best = f64::MAX;
            for _ in 0..3 {
                let start = Instant::now();
                session.batches(&sql).await?;
                best = best.min(start.elapsed().as_secs_f64() * 1e3);
            }
            line += &format!("{best:12.0}");
        }
        println!("{line}");
    }
    Ok(())
}

fn rows(op: &str, keys: &[(&str, i64)], lsn: &mut i64, random: &mut SmallRng) -> Vec<(&'static str, ArrayRef)> {
    let n = keys.len();
    let first = *lsn + 1;
    *lsn += n as i64;
    let carriers = ["UA", "AA", "B6", "DL", "EV", "MQ"];
    let mut given: Vec<(&'static str, ArrayRef)> = vec![
        ("_ns", Arc::new(StringArray::from_iter_values(keys.iter().map(|k| k.0)))),
        ("_lsn", Arc::new(Int64Array::from_iter_values((0..n as i64).map(|i| first + i)))),
        ("_op", Arc::new(StringArray::from_iter_values(vec![op; n]))),
        ("_ts", Arc::new(TimestampMicrosecondArray::from(vec![lake::T0; n]).with_timezone("+00:00"))),
        ("_txid", Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("tx{}", i / 100))))),
        ("_schema_version", Arc::new(Int32Array::from(vec![1; n]))),
    ];
    for (name, kind) in &COLUMNS {
        let column: ArrayRef = match kind {
            _ if *name == "id" => Arc::new(Int64Array::from_iter_values(keys.iter().map(|k| k.1))),
            P::Long => Arc::new(Int64Array::from_iter_values((0..n).map(|_| random.random_range(0..2400)))),
            P::Double => Arc::new(Float64Array::from_iter_values((0..n).map(|_| f64::from(random.random_range(-20..300))))),
            P::Boolean => Arc::new(BooleanArray::from_iter((0..n).map(|_| Some(random.random_bool(0.02))))),
            P::String if *name == "carrier" => Arc::new(StringArray::from_iter_values((0..n).map(|_| carriers[random.random_range(0..6)]))),
            P::String => Arc::new(StringArray::from_iter_values((0..n).map(|_| format!("N{}", random.random_range(0..4000))))),
            _ => Arc::new(TimestampMicrosecondArray::from(vec![lake::T0; n]).with_timezone("+00:00")),
        };
        given.push((name, column));
    }
    given
}
