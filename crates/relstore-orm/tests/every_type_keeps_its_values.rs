//! Every type that a field can have is written to SQLite and read back, and tells what is wrong with a cell that is not its own.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use relstore_model::{ErrorKind, LogicalType, Value, ValueRef};
use relstore_orm::{Json, SqlType, Table, TimestampMs, Typed, Unfit, eq, gt, in_array};
use serde::{Deserialize, Serialize};
use support::sqlite::Sqlite;

#[derive(SqlType, Clone, Copy, Debug, PartialEq)]
enum Status {
    Pending,
    InTransit,
    #[sql(name = "it's lost")]
    Lost,
}

#[derive(SqlType, Clone, Debug, PartialEq)]
struct Code(String);

#[derive(SqlType, Clone, Copy, Debug, PartialEq)]
struct Amount {
    cents: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Address(Ipv4Addr);

impl SqlType for Address {
    const DECLARED: &'static str = "TEXT";
    const EXPECTED: &'static str = "an IPv4 address as text";

    fn from_cell(cell: ValueRef<'_>) -> Result<Self, Unfit> {
        String::from_cell(cell)?.parse().map(Self).map_err(Unfit::because)
    }

    fn into_cell(self) -> Result<Value, Unfit> {
        self.0.to_string().into_cell()
    }
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Profile {
    tags: Vec<String>,
    age: Option<u8>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "everything")]
struct Everything {
    #[column(primary_key)]
    id: i64,
    tiny: i8,
    small: i16,
    int: i32,
    utiny: u8,
    usmall: u16,
    uint: u32,
    ulong: u64,
    huge: i128,
    flag: bool,
    double: f64,
    single: f32,
    text: String,
    bytes: Vec<u8>,
    profile: Json<Profile>,
    second: Timestamp,
    milli: TimestampMs,
    status: Status,
    code: Code,
    amount: Amount,
    address: Address,
}

#[derive(Table, Clone, Debug, Default, PartialEq)]
#[table(name = "nothings")]
struct Nothing {
    #[column(primary_key)]
    id: i64,
    tiny: Option<i8>,
    ulong: Option<u64>,
    huge: Option<i128>,
    flag: Option<bool>,
    single: Option<f32>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    profile: Option<Json<Profile>>,
    second: Option<Timestamp>,
    milli: Option<TimestampMs>,
    status: Option<Status>,
    amount: Option<Amount>,
    address: Option<Address>,
}

fn sample(id: i64) -> Everything {
    Everything {
        id,
        tiny: i8::MIN,
        small: i16::MAX,
        int: i32::MIN,
        utiny: u8::MAX,
        usmall: u16::MAX,
        uint: u32::MAX,
        ulong: i64::MAX as u64,
        huge: i128::MIN,
        flag: true,
        double: -0.1,
        single: 0.1,
        text: "é\0x".into(),
        bytes: vec![0, 255],
        profile: Json(Profile { tags: vec!["a".into()], age: None }),
        second: Timestamp::from_second(-62_135_596_800).unwrap(),
        milli: TimestampMs(Timestamp::from_millisecond(-1).unwrap()),
        status: Status::InTransit,
        code: Code("x".into()),
        amount: Amount { cents: 5 },
        address: Address(Ipv4Addr::LOCALHOST),
    }
}

#[test]
fn a_model_of_every_type_is_written_and_read_back() {
    let store = Sqlite::with(&[Everything::DEF, Nothing::DEF]);
    let written = [sample(1), Everything { status: Status::Lost, flag: false, ..sample(2) }];
    assert_eq!(store.insert(everything).values(written.clone()).execute().unwrap(), 2);
    assert_eq!(store.select().from(everything).all().unwrap(), written);
    assert_eq!(
        store.text("SELECT typeof(huge), profile, second, milli, status, amount FROM everything"),
        [r#"blob|{"tags":["a"],"age":null}|-62135596800|-1|in_transit|5"#, r#"blob|{"tags":["a"],"age":null}|-62135596800|-1|it's lost|5"#]
    );
    let empty = Nothing { id: 1, ..Nothing::default() };
    let full = Nothing {
        id: 2,
        tiny: Some(1),
        ulong: Some(2),
        huge: Some(3),
        flag: Some(true),
        single: Some(1.5),
        text: Some(String::new()),
        bytes: Some(Vec::new()),
        profile: Some(Json(Profile { tags: Vec::new(), age: Some(3) })),
        second: Some(Timestamp::UNIX_EPOCH),
        milli: Some(TimestampMs(Timestamp::UNIX_EPOCH)),
        status: Some(Status::Pending),
        amount: Some(Amount { cents: -1 }),
        address: Some(Address(Ipv4Addr::BROADCAST)),
    };
    let made = store.insert(nothings).values([NewNothing::new(), NewNothing::new()]).returning().unwrap();
    assert_eq!(made, [empty.clone(), Nothing { id: 2, ..empty.clone() }]);
    store.delete(nothings).execute().unwrap();
    store.insert(nothings).values([empty.clone(), full.clone()]).execute().unwrap();
    assert_eq!(store.select().from(nothings).all().unwrap(), [empty, full]);
}

#[test]
fn the_declared_type_says_the_logical_type() {
    let logical: BTreeMap<&str, LogicalType> =
        Everything::DEF.columns.iter().map(|column| (column.name, LogicalType::from_declared(column.declared))).collect();
    for (column, wanted) in [
        ("tiny", LogicalType::Integer),
        ("ulong", LogicalType::Integer),
        ("huge", LogicalType::Blob),
        ("flag", LogicalType::Boolean),
        ("single", LogicalType::Real),
        ("text", LogicalType::Text),
        ("bytes", LogicalType::Blob),
        ("profile", LogicalType::Json),
        ("second", LogicalType::Timestamp),
        ("milli", LogicalType::TimestampMs),
        ("status", LogicalType::Text),
        ("amount", LogicalType::Integer),
    ] {
        assert_eq!(logical[column], wanted, "{column}");
    }
}

#[test]
fn values_of_every_kind_are_compared_by_their_cells() {
    let store = Sqlite::with(&[Everything::DEF]);
    store.insert(everything).values([sample(1), Everything { status: Status::Lost, ..sample(2) }]).execute().unwrap();
    let found = |rows: relstore_model::Result<Vec<i64>>| rows.unwrap();
    let ids = || store.select_cols(everything.id).from(everything);
    assert_eq!(found(ids().where_(eq(everything.status, Status::Lost)).all()), [2]);
    assert_eq!(found(ids().where_(in_array(everything.status, [Status::Pending, Status::InTransit])).all()), [1]);
    assert_eq!(found(ids().where_(eq(everything.address, Address(Ipv4Addr::LOCALHOST))).all()), [1, 2]);
    assert_eq!(found(ids().where_(gt(everything.amount, Amount { cents: 5 })).all()), Vec::<i64>::new());
    assert_eq!(found(ids().where_(eq(everything.profile, sample(1).profile)).all()), [1, 2]);
    assert_eq!(found(ids().where_(gt(everything.second, Timestamp::MIN)).all()), [1, 2]);
}

#[test]
fn a_cell_of_another_type_is_told_with_table_column_class_and_reason() {
    let store = Sqlite::with(&[Everything::DEF]);
    for (column, cell, wanted) in [
        ("tiny", "128", "expected: an integer of 8 bits, found: integer, because: 128 is outside the bounds"),
        ("uint", "-1", "expected: an integer from 0 to 4294967295, found: integer, because: -1 is outside the bounds"),
        ("status", "'gone'", "expected: one of pending, in_transit, it's lost, found: text, because: `gone` is none of them"),
        ("status", "5.5", "expected: one of pending, in_transit, it's lost, found: text, because: `5.5` is none of them"),
        ("address", "'home'", "expected: an IPv4 address as text, found: text, because: invalid IPv4 address syntax"),
        ("profile", "'{'", "expected: a JSON document as text, found: text, because: EOF while parsing an object at line 1 column 1"),
        ("bytes", "'x'", "expected: a blob, found: text"),
        ("huge", "x'78'", "found: blob, because: invalid digit found in string"),
        ("amount", "'x'", "expected: an integer, found: text"),
    ] {
        store.insert(everything).value(sample(1)).execute().unwrap();
        store.batch(&format!("UPDATE everything SET {column} = {cell}"));
        let error = store.select().from(everything).all().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Constraint);
        let text = error.to_string();
        assert!(text.contains(&format!("(table: everything, column: {column}, ")) && text.ends_with(&format!("{wanted})")), "{text}");
        assert!(error.hint().is_some());
        store.delete(everything).execute().unwrap();
    }
}

#[derive(Table, Clone, Debug)]
#[table(name = "readings")]
struct Reading {
    #[column(primary_key)]
    id: i64,
    value: u64,
    by_point: Json<BTreeMap<(i32, i32), i32>>,
}

#[test]
fn a_value_that_no_cell_can_hold_is_refused_with_its_column_and_nothing_is_written() {
    let store = Sqlite::with(&[Reading::DEF]);
    let fine = |id| Reading { id, value: 1, by_point: Json(BTreeMap::new()) };
    let big = || Reading { value: u64::MAX, ..fine(9) };
    let keyed = || Reading { by_point: Json(BTreeMap::from([((1, 2), 3)])), ..fine(9) };
    let errors = [
        (store.insert(readings).value(big()).execute().unwrap_err(), "value"),
        (store.insert(readings).values([fine(1), fine(2), big(), fine(3)]).execute().unwrap_err(), "value"),
        (store.insert(readings).values([fine(1), keyed()]).returning().unwrap_err(), "by_point"),
        (store.insert(readings).value(NewReading::new(u64::MAX, Json(BTreeMap::new()))).execute().unwrap_err(), "value"),
        (store.update(readings).set(ReadingSet::new().value(u64::MAX)).execute().unwrap_err(), "value"),
        (store.delete(readings).where_(gt(readings.value, u64::MAX)).execute().unwrap_err(), "value"),
        (store.select().from(readings).where_(in_array(readings.value, [1, u64::MAX])).all().unwrap_err(), "value"),
    ];
    for (error, column) in errors {
        assert_eq!(error.kind(), ErrorKind::Constraint);
        assert!(
            error.to_string().starts_with(&format!("a value cannot be kept in its column (table: readings, column: {column}, ")),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    assert_eq!(store.count(readings).unwrap(), 0);
}
