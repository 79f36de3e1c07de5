//! Queries as SQL text and parameters.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use relstore_model::{Timestamp, Value};
use relstore_orm::{Typed, and, asc, avg, between, count, count_distinct, count_of, desc, eq, gt, gte, in_array, is_not_null, is_null};
use relstore_orm::{like, lt, lte, max, min, ne, not, not_in_array, or, sum};
use support::{Recorder, airports, flights};

const FLIGHT_COLUMNS: &str = r#""flights"."id", "flights"."carrier", "flights"."flight_number", "flights"."dest", "flights"."departed", "flights"."cancelled", "flights"."distance", "flights"."tail""#;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_query_has_its_clauses_in_order_and_its_values_as_parameters() {
    let store = Recorder::default();
    let query = store
        .select()
        .from(flights)
        .offset(20)
        .order_by((desc(flights.departed), asc(flights.id)))
        .order_by(flights.carrier)
        .limit(10)
        .where_(eq(flights.dest, "ORD"))
        .left_join(airports, and(eq(flights.dest, airports.faa), gt(airports.altitude, 100)))
        .where_(lt(airports.altitude, 2000));
    let (sql, params) = query.to_sql();
    assert_eq!(
        sql,
        format!(
            r#"SELECT {FLIGHT_COLUMNS}, "airports"."faa", "airports"."name", "airports"."altitude" FROM "flights" LEFT JOIN "airports" ON ("flights"."dest" = "airports"."faa" AND "airports"."altitude" > ?) WHERE "flights"."dest" = ? AND "airports"."altitude" < ? ORDER BY "flights"."departed" DESC, "flights"."id" ASC, "flights"."carrier" LIMIT 10 OFFSET ?"#
        )
    );
    assert_eq!(params, [Value::Integer(100), text("ORD"), Value::Integer(2000), Value::Integer(20)]);
    assert!(store.calls.borrow().is_empty(), "nothing runs before it is asked for");
}

#[test]
fn every_operator_is_written_in_sql() {
    let store = Recorder::default();
    let mut seen = Vec::new();
    macro_rules! check {
        ($($condition:expr => $sql:literal, [$($param:expr),*];)+) => { $(
            let (sql, params) = store.select().from(flights).where_($condition).to_sql();
            let (_, condition) = sql.split_once(" WHERE ").unwrap();
            assert_eq!(condition.replace("\"flights\".", "").replace('"', ""), $sql);
            assert_eq!(params, Vec::<Value>::from([$($param),*]));
            seen.push($sql);
        )+ };
    }
    check! {
        eq(flights.id, 1) => "id = ?", [Value::Integer(1)];
        ne(flights.number, 2) => "flight_number <> ?", [Value::Integer(2)];
        gt(flights.distance, 1.5) => "distance > ?", [Value::Real(1.5)];
        gte(flights.departed, Timestamp::from_micros(-1)) => "departed >= ?", [Value::Integer(-1)];
        lt(flights.carrier, String::from("B")) => "carrier < ?", [text("B")];
        lte(flights.tail, &String::from("N1")) => "tail <= ?", [text("N1")];
        eq(flights.cancelled, true) => "cancelled = ?", [Value::Integer(1)];
        eq(flights.tail, flights.carrier) => "tail = carrier", [];
        eq(flights.id, 1).and(eq(flights.id, 2)).or(eq(flights.id, 3)) => "((id = ? AND id = ?) OR id = ?)",
            [Value::Integer(1), Value::Integer(2), Value::Integer(3)];
        or(and(eq(flights.id, 1), eq(flights.id, 2)), not(eq(flights.id, 3))) => "((id = ? AND id = ?) OR NOT (id = ?))",
            [Value::Integer(1), Value::Integer(2), Value::Integer(3)];
        in_array(flights.tail, ["N1", "N2"]) => "tail IN (?, ?)", [text("N1"), text("N2")];
        in_array(flights.id, Vec::<i64>::new()) => "id IN ()", [];
        not_in_array(flights.id, [4, 5]) => "id NOT IN (?, ?)", [Value::Integer(4), Value::Integer(5)];
        is_null(flights.tail) => "tail IS NULL", [];
        is_not_null(flights.tail) => "tail IS NOT NULL", [];
        like(flights.tail, "N%") => "tail LIKE ?", [text("N%")];
        between(flights.id, 1, 9) => "id BETWEEN ? AND ?", [Value::Integer(1), Value::Integer(9)];
    }
    assert_eq!(seen.len(), 17);
}

#[test]
fn groups_have_keys_aggregates_and_conditions() {
    let store = Recorder::default();
    let (sql, params) = store
        .select_cols((flights.dest, airports.name, count(), count_of(flights.tail), sum(flights.distance), max(flights.departed)))
        .from(flights)
        .inner_join(airports, eq(airports.faa, flights.dest))
        .group_by((flights.dest, airports.name))
        .having(gt(count(), 5).and(ne(flights.dest, "ORD")))
        .having(lt(avg(flights.distance), 900.0))
        .order_by((desc(count()), flights.dest))
        .to_sql();
    assert_eq!(
        sql,
        r#"SELECT "flights"."dest", "airports"."name", count(*), count("flights"."tail"), sum("flights"."distance"), max("flights"."departed") FROM "flights" INNER JOIN "airports" ON "airports"."faa" = "flights"."dest" GROUP BY "flights"."dest", "airports"."name" HAVING (count(*) > ? AND "flights"."dest" <> ?) AND avg("flights"."distance") < ? ORDER BY count(*) DESC, "flights"."dest""#
    );
    assert_eq!(params, [Value::Integer(5), text("ORD"), Value::Real(900.0)]);
}

#[test]
fn a_projection_has_up_to_eight_parts() {
    let store = Recorder::answering([vec![vec![
        Value::Integer(3),
        Value::Integer(3),
        Value::Integer(2),
        Value::Integer(7),
        Value::Real(2.5),
        Value::Null,
        text("Z"),
        text("UA"),
    ]]]);
    let parts = (
        count(),
        count_of(flights.id),
        count_distinct(flights.dest),
        sum(flights.number),
        avg(flights.number),
        min(flights.tail),
        max(flights.dest),
        flights.carrier,
    );
    let rows = store.select_cols(parts).from(flights).all().unwrap();
    assert_eq!(rows, [(3, 3, 2, Some(7), Some(2.5), None::<String>, Some("Z".to_owned()), "UA".to_owned())]);
    assert!(store.only_query().0.contains("count(DISTINCT \"flights\".\"dest\")"));
}

#[test]
fn distinct_and_a_lone_offset_are_understood() {
    let store = Recorder::default();
    let (sql, params) = store.select_cols(flights.dest).from(flights).distinct().offset(5).to_sql();
    assert_eq!(sql, r#"SELECT DISTINCT "flights"."dest" FROM "flights" LIMIT -1 OFFSET ?"#);
    assert_eq!(params, [Value::Integer(5)]);
}

#[test]
fn the_first_row_asks_for_one_row() {
    let store = Recorder::default();
    assert_eq!(store.select().from(airports).first().unwrap(), None);
    let (sql, params) = store.only_query();
    assert!(sql.ends_with("LIMIT 1"), "{sql}");
    assert_eq!(params, []);
}
