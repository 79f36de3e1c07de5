//! Cells become models, with the nullability that the joins give, or a clear error.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use relstore_model::{ErrorKind, Timestamp, Value};
use relstore_orm::{Executor, Table, Typed, eq};
use support::{Airport, Flight, Recorder, airports, flights};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn one_table_gives_its_model() {
    let store = Recorder::answering([vec![Flight::sample_cells(7)]]);
    assert_eq!(store.select().from(flights).all().unwrap(), [Flight::sample(7)]);
}

#[test]
fn a_left_joined_table_without_a_match_gives_none() {
    let matched = [Flight::sample_cells(1), vec![text("ORD"), text("O'Hare"), Value::Null]].concat();
    let unmatched = [Flight::sample_cells(2), vec![Value::Null; 3]].concat();
    let store = Recorder::answering([vec![matched, unmatched]]);
    let rows: Vec<(Flight, Option<Airport>)> =
        store.select().from(flights).left_join(airports, eq(flights.dest, airports.faa)).all().unwrap();
    let airport = Airport { faa: "ORD".into(), name: "O'Hare".into(), altitude: None };
    assert_eq!(rows, [(Flight::sample(1), Some(airport)), (Flight::sample(2), None)]);
}

#[test]
fn columns_of_a_left_joined_table_are_options_and_those_of_an_inner_joined_one_are_not() {
    let store = Recorder::answering([vec![vec![text("UA"), Value::Null, Value::Null]], vec![vec![text("UA"), text("O'Hare")]]]);
    let left: Vec<(String, Option<String>, Option<i64>)> = store
        .select_cols((flights.carrier, airports.name, airports.altitude))
        .from(flights)
        .left_join(airports, eq(flights.dest, airports.faa))
        .all()
        .unwrap();
    assert_eq!(left, [("UA".to_owned(), None, None)]);
    let inner: Vec<(String, String)> = store
        .select_cols((flights.carrier, airports.name))
        .from(flights)
        .inner_join(airports, eq(flights.dest, airports.faa))
        .all()
        .unwrap();
    assert_eq!(inner, [("UA".to_owned(), "O'Hare".to_owned())]);
}

#[test]
fn a_cell_of_another_type_is_refused_with_its_place() {
    for (position, cell, wanted) in [
        (0, text("x"), "(table: flights, column: id, expected: an integer, found: text)"),
        (1, Value::Null, "(table: flights, column: carrier, expected: text in UTF-8, found: null)"),
        (
            2,
            Value::Integer(1 << 40),
            "(table: flights, column: flight_number, expected: an integer of 32 bits, found: integer, because: 1099511627776 is outside the bounds)",
        ),
        (
            4,
            Value::Integer(i64::MAX),
            "(table: flights, column: departed, expected: whole seconds since 1970 as an integer, found: integer, because: 9223372036854775807 seconds are beyond 64 bits of microseconds)",
        ),
        (
            5,
            Value::Integer(2),
            "(table: flights, column: cancelled, expected: an integer 0 or 1, found: integer, because: 2 is outside the bounds)",
        ),
        (6, Value::Blob(vec![1]), "(table: flights, column: distance, expected: a number, found: blob)"),
    ] {
        let mut cells = Flight::sample_cells(1);
        cells[position] = cell;
        let error = Recorder::answering([vec![cells]]).select().from(flights).all().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Constraint);
        assert!(error.to_string().ends_with(wanted), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_row_that_is_too_short_is_the_executors_fault() {
    let error = Recorder::answering([vec![vec![Value::Integer(1)]]]).select().from(flights).all().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

/// Every type, with and without NULL.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "everything")]
struct Everything {
    long: i64,
    short: i32,
    float: f64,
    flag: bool,
    text: String,
    bytes: Vec<u8>,
    moment: Timestamp,
    long_null: Option<i64>,
    short_null: Option<i32>,
    float_null: Option<f64>,
    flag_null: Option<bool>,
    text_null: Option<String>,
    bytes_null: Option<Vec<u8>>,
    moment_null: Option<Timestamp>,
}

#[test]
fn a_model_written_and_read_is_the_same_model() {
    let full = Everything {
        long: i64::MIN,
        short: -1,
        float: -0.5,
        flag: true,
        text: "é".into(),
        bytes: vec![0, 255],
        moment: Timestamp::from_micros(-3_000_000),
        long_null: Some(1),
        short_null: Some(2),
        float_null: Some(3.0),
        flag_null: Some(false),
        text_null: Some(String::new()),
        bytes_null: Some(Vec::new()),
        moment_null: Some(Timestamp::from_micros(0)),
    };
    let empty = Everything {
        long_null: None,
        short_null: None,
        float_null: None,
        flag_null: None,
        text_null: None,
        bytes_null: None,
        moment_null: None,
        ..full.clone()
    };
    for model in [full, empty] {
        let written = Recorder::default();
        written.insert(everything).value(model.clone()).execute().unwrap();
        let store = Recorder::answering([vec![written.only_execution().1]]);
        assert_eq!(store.select().from(everything).first().unwrap(), Some(model));
    }
}

#[test]
fn a_moment_is_rounded_down_to_the_second() {
    for (micros, seconds) in [(1_999_999, 1), (0, 0), (-1, -1), (-1_000_000, -1), (-1_000_001, -2)] {
        let store = Recorder::default();
        store.insert(flights).value(Flight { departed: Timestamp::from_micros(micros), ..Flight::sample(1) }).execute().unwrap();
        assert_eq!(store.only_execution().1[4], Value::Integer(seconds), "{micros}");
    }
}

#[test]
fn rows_can_be_taken_one_by_one_from_any_executor_and_stopped() {
    let recorder = Recorder::answering([(1..=5).map(Flight::sample_cells).collect()]);
    let store: &dyn Executor = &recorder;
    let mut seen = Vec::new();
    let ended = store.select().from(flights).each(|flight| {
        seen.push(flight.id);
        if flight.id == 3 { Err(relstore_model::Error::invalid("enough")) } else { Ok(()) }
    });
    assert_eq!(ended.unwrap_err().message(), "enough");
    assert_eq!(seen, [1, 2, 3]);
}
