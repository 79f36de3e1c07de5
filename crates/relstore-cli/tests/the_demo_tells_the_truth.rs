//! The document of `relstore demo --json` against plain queries on the installation that it leaves.

mod support;

use serde_json::{Value as Json, json};
use support::Installation;

fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn keys(value: &Json) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_document_says_what_the_installation_holds() {
    let it = Installation::new();
    let ran = it.run("demo", &["--json"]);
    assert_eq!(ran.err, "", "no bar and no prose where nobody looks");
    let demo = ran.json();
    let wanted = [
        "rows_loaded",
        "stores",
        "events",
        "last_lsn",
        "segments",
        "segment_bytes",
        "iceberg",
        "view",
        "evicted_rows",
        "answers_equal_after_eviction",
        "restore",
        "cross_store",
        "seconds",
    ];
    assert_eq!(keys(&demo), wanted);
    assert_eq!((&demo["answers_equal_after_eviction"], &demo["restore"]["equal"]), (&json!(true), &json!(true)));

    // 336,776 flights and 26,115 hours once; 16 airlines, 1,458 + 4 airports, 3,322 + 721 planes in each of the three stores.
    assert_eq!(number(&demo["rows_loaded"]), 336_776 + 26_115 + 3 * (16 + 1_462 + 4_043));
    let stores = it.run("stores", &["--json"]).json();
    let stores = stores.as_array().expect("an array");
    assert_eq!(number(&demo["stores"]), stores.len() as u64);
    let mut lsns = 0;
    for store in stores {
        let ns = store["ns"].as_str().expect("a name");
        assert_eq!(demo["last_lsn"][ns], store["high_water"], "{ns}");
        assert_eq!(store["archived"], store["high_water"], "{ns}: history ends where the store ends");
        lsns += number(&store["high_water"]);
    }
    assert_eq!(number(&demo["events"]), lsns, "each change was one event, and each was received");

    // The newest rows of history are the rows of the stores.
    for table in ["airlines", "airports", "planes", "weather", "flights"] {
        let of_fleet = it.query(&format!("SELECT _ns AS ns, count(*) AS n FROM {table} GROUP BY _ns ORDER BY _ns")).json();
        let of_stores: Vec<Json> = ["EWR", "JFK", "LGA"]
            .map(|ns| json!({"ns": ns, "n": it.rows(ns, &format!("SELECT count(*) AS n FROM {table}"))[0]["n"]}))
            .to_vec();
        assert_eq!(of_fleet, Json::Array(of_stores), "{table}");
        let versions = it.query(&format!("SELECT count(*) AS n FROM history.{table}")).json();
        assert_eq!(demo["iceberg"]["tables"][table]["rows"], versions[0]["n"], "{table}");
    }
    for (name, table) in demo["iceberg"]["tables"].as_object().expect("tables") {
        assert!(std::path::Path::new(table["metadata"].as_str().expect("a path")).is_file(), "{name}");
    }
    assert_eq!(demo["iceberg"]["catalog"].as_str(), it.dir().join("catalog.db").to_str());

    let view = it.query("SELECT count(*) AS n, count(DISTINCT dt) AS days, sum(flights) AS flights FROM flights_per_day").json();
    assert_eq!((&view[0]["n"], &view[0]["days"]), (&demo["view"]["rows"], &demo["view"]["partitions"]));
    assert_eq!(view[0]["flights"], json!(336_776));
    let files = demo["view"]["files"].as_array().expect("files");
    assert!(files.iter().all(|file| it.dir().join("bucket").join(file.as_str().expect("a path")).is_file()));

    let segments = it.bucket_files(".seg");
    let bytes: u64 = segments.iter().map(|path| std::fs::metadata(path).expect("it is there").len()).sum();
    assert_eq!((number(&demo["segments"]), number(&demo["segment_bytes"])), (segments.len() as u64, bytes));
    assert_eq!(number(&demo["evicted_rows"]), 60_718 + 55_366 + 50_074, "the flights up to June");
    assert_eq!(it.query(demo["cross_store"]["sql"].as_str().expect("SQL")).json(), demo["cross_store"]["rows"]);
    cross_check(&it, &demo);

    it.run("demo", &["--json"]).refused("Conflict", &["installation", "Try: "]);
}

/// The answer over all stores agrees with each store's own.
fn cross_check(it: &Installation, demo: &Json) {
    let rows = demo["cross_store"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 9, "three airlines of each store");
    for row in rows {
        let sql = "SELECT count(*) AS flights, avg(f.dep_delay) AS late FROM flights f JOIN airlines a USING (carrier) WHERE a.name = ?";
        let (ns, airline) = (row["store"].as_str().expect("a name"), row["airline"].as_str().expect("a name"));
        let own = it.run("sql", &["--ns", ns, sql, "--param", airline, "--json"]).json();
        assert_eq!(row["flights"], own[0]["flights"], "{row}");
        let difference = row["minutes_late"].as_f64().expect("a number") - own[0]["late"].as_f64().expect("a number");
        assert!(difference.abs() <= 0.005 + 1e-9, "{row} {own}");
    }
}
