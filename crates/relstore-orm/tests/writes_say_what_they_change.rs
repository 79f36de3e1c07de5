//! Inserts, updates and deletes as SQL text and parameters.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use relstore_model::{ErrorKind, Timestamp, Value};
use relstore_orm::{Table, Typed, eq, excluded};
use support::{Airport, AirportSet, Call, Flight, FlightSet, NewAirport, NewFlight, Recorder, airports, flights};

const RETURNING_AIRPORT: &str = r#" RETURNING "airports"."faa", "airports"."name", "airports"."altitude""#;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn models_are_inserted_with_every_column_in_one_batch() {
    let store = Recorder::default();
    let inserted = store.insert(flights).values((1..=3).map(Flight::sample)).execute().unwrap();
    assert_eq!(inserted, 3);
    assert_eq!(
        *store.calls.borrow(),
        [Call::Many(
            r#"INSERT INTO "flights" ("id", "carrier", "flight_number", "dest", "departed", "cancelled", "distance", "tail") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"#.to_owned(),
            (1..=3).map(Flight::sample_cells).collect()
        )]
    );
}

#[test]
fn a_new_row_leaves_out_what_has_a_default() {
    let store = Recorder::default();
    store.insert(flights).value(NewFlight::new("UA", 12, "ORD", Timestamp::from_micros(0), 733.0)).execute().unwrap();
    let (sql, params) = store.only_execution();
    assert_eq!(sql, r#"INSERT INTO "flights" ("carrier", "flight_number", "dest", "departed", "distance") VALUES (?, ?, ?, ?, ?)"#);
    assert_eq!(params, [text("UA"), Value::Integer(12), text("ORD"), Value::Integer(0), Value::Real(733.0)]);
}

#[test]
fn consecutive_rows_of_one_shape_go_together_whatever_order_their_columns_were_set_in() {
    let store = Recorder::default();
    let plain = || NewFlight::new("UA", 1, "ORD", Timestamp::from_micros(0), 1.0);
    let rows = [plain().id(1).tail("N1"), plain().tail("N2").id(2), plain(), plain().tail(None).id(3), plain().id(4).tail("N4")];
    assert_eq!(store.insert(flights).values(rows).execute().unwrap(), 5);
    let shapes: Vec<_> = store
        .calls
        .borrow()
        .iter()
        .map(|call| match call {
            Call::Many(_, rows) => rows.iter().map(|row| row.first().cloned()).collect::<Vec<_>>(),
            Call::Execute(_, params) => vec![params.first().cloned()],
            Call::Query(..) => unreachable!("an insert without RETURNING is no query"),
        })
        .collect();
    let id = |id| Some(Value::Integer(id));
    assert_eq!(shapes, [vec![id(1), id(2)], vec![Some(text("UA"))], vec![id(3), id(4)]]);
}

#[test]
fn no_rows_are_no_statement() {
    let store = Recorder::default();
    assert_eq!(store.insert(flights).values(Vec::<Flight>::new()).execute().unwrap(), 0);
    assert!(store.insert(flights).values(Vec::<Flight>::new()).returning().unwrap().is_empty());
    assert!(store.calls.borrow().is_empty());
}

/// A table that fills itself.
#[derive(Table, Debug, PartialEq)]
#[table(name = "ticks")]
struct Tick {
    #[column(primary_key)]
    id: i64,
    note: Option<String>,
}

#[test]
fn a_row_without_any_column_is_all_defaults() {
    let answer = |id| vec![vec![Value::Integer(id), Value::Null]];
    let store = Recorder::answering([answer(1), answer(2)]);
    let made = store.insert(ticks).values([NewTick::new(), NewTick::new()]).returning().unwrap();
    assert_eq!(made, [Tick { id: 1, note: None }, Tick { id: 2, note: None }]);
    let sql = r#"INSERT INTO "ticks" DEFAULT VALUES RETURNING "ticks"."id", "ticks"."note""#.to_owned();
    assert_eq!(*store.calls.borrow(), [Call::Query(sql.clone(), vec![]), Call::Query(sql, vec![])]);
}

#[test]
fn returning_inserts_several_rows_in_one_statement() {
    let row = |faa: &str| vec![text(faa), text("a name"), Value::Null];
    let store = Recorder::answering([vec![row("ORD"), row("EWR")]]);
    let made = store.insert(airports).values([NewAirport::new("ORD", "O'Hare"), NewAirport::new("EWR", "Newark")]).returning().unwrap();
    assert_eq!(made[1], Airport { faa: "EWR".into(), name: "a name".into(), altitude: None });
    let (sql, params) = store.only_query();
    assert_eq!(sql, format!(r#"INSERT INTO "airports" ("faa", "name") VALUES (?, ?), (?, ?){RETURNING_AIRPORT}"#));
    assert_eq!(params, [text("ORD"), text("O'Hare"), text("EWR"), text("Newark")]);
}

#[test]
fn returning_never_needs_more_parameters_than_sqlite_takes() {
    let store = Recorder::default();
    let set = FlightSet::new().dest("ORD");
    store
        .insert(flights)
        .values((0..10_000).map(Flight::sample))
        .on_conflict(flights.id)
        .do_update(set)
        .returning_cols(flights.id)
        .unwrap();
    let calls = store.calls.borrow();
    let counts: Vec<usize> = calls.iter().map(|call| if let Call::Query(_, params) = call { params.len() } else { 0 }).collect();
    // 8 columns a row and 1 parameter of the update: 4,095 rows fit.
    assert_eq!(counts, [8 * 4_095 + 1, 8 * 4_095 + 1, 8 * 1_810 + 1]);
}

#[test]
fn a_conflict_does_nothing_or_updates() {
    let ord = || Airport { faa: "ORD".into(), name: "O'Hare".into(), altitude: Some(672) };
    let check = |store: Recorder, tail: &str, extra: &[Value]| {
        let (sql, params) = store.only_execution();
        assert_eq!(sql, format!(r#"INSERT INTO "airports" ("faa", "name", "altitude") VALUES (?, ?, ?){tail}"#));
        assert_eq!(params[3..], *extra);
    };
    let store = Recorder::default();
    store.insert(airports).value(ord()).on_conflict(()).do_nothing().execute().unwrap();
    check(store, " ON CONFLICT DO NOTHING", &[]);

    let store = Recorder::default();
    store.insert(airports).value(ord()).on_conflict((airports.faa, airports.name)).do_nothing().execute().unwrap();
    check(store, r#" ON CONFLICT ("faa", "name") DO NOTHING"#, &[]);

    let store = Recorder::default();
    let set = AirportSet::new().name(excluded(airports.name)).altitude(5).altitude(None);
    store.insert(airports).value(ord()).on_conflict(airports.faa).do_update(set).execute().unwrap();
    check(store, r#" ON CONFLICT ("faa") DO UPDATE SET "name" = excluded."name", "altitude" = ?"#, &[Value::Null]);
}

#[test]
fn updates_and_deletes_have_conditions_and_give_rows() {
    let store = Recorder::default();
    let set = FlightSet::new().tail("N1").cancelled(true);
    store.update(flights).set(set).where_(eq(flights.id, 3)).where_(eq(flights.dest, "ORD")).execute().unwrap();
    let (sql, params) = store.only_execution();
    assert_eq!(sql, r#"UPDATE "flights" SET "tail" = ?, "cancelled" = ? WHERE "flights"."id" = ? AND "flights"."dest" = ?"#);
    assert_eq!(params, [text("N1"), Value::Integer(1), Value::Integer(3), text("ORD")]);

    let store = Recorder::answering([vec![vec![text("ORD"), text("O'Hare"), Value::Integer(672)]]]);
    let changed = store.update(airports).set(AirportSet::new().name(airports.faa)).returning().unwrap();
    assert_eq!(changed[0].altitude, Some(672));
    assert_eq!(store.only_query().0, format!(r#"UPDATE "airports" SET "name" = "airports"."faa"{RETURNING_AIRPORT}"#));

    let store = Recorder::answering([vec![vec![text("ORD")]]]);
    let gone: Vec<String> = store.delete(airports).where_(eq(airports.faa, "ORD")).returning_cols(airports.faa).unwrap();
    assert_eq!(gone, ["ORD"]);
    assert_eq!(store.only_query().0, r#"DELETE FROM "airports" WHERE "airports"."faa" = ? RETURNING "airports"."faa""#);

    let store = Recorder::default();
    store.delete(flights).execute().unwrap();
    assert_eq!(store.only_execution().0, r#"DELETE FROM "flights""#);
}

#[test]
fn a_statement_that_sql_cannot_say_is_invalid() {
    let store = Recorder::default();
    let errors = [
        store.update(flights).set(FlightSet::maybe_empty()).execute().unwrap_err(),
        store.update(flights).set(FlightSet::new().dest(excluded(flights.dest))).execute().unwrap_err(),
        store.insert(flights).value(Flight::sample(1)).on_conflict(flights.id).do_update(FlightSet::maybe_empty()).execute().unwrap_err(),
        // SQLite has no ON CONFLICT after DEFAULT VALUES.
        store.insert(ticks).value(NewTick::new()).on_conflict(()).do_nothing().execute().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.hint().is_some(), "{error}");
    }
    assert!(store.calls.borrow().is_empty());
}
