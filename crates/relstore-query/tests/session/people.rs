//! A table of people with a history, and its versions as plain values.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use relstore_lake::iceberg::spec::PrimitiveType as P;
use relstore_lake::iceberg::table::Table;
use relstore_query::{HistoryInput, Session, SessionLimits};

use crate::lake::{Lake, T0};

pub(crate) const COLUMNS: [(&str, P); 5] =
    [("id", P::Long), ("fullName", P::String), ("amount", P::Double), ("active", P::Boolean), ("seen", P::Timestamptz)];

/// One version of one person.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) ns: String,
    pub(crate) lsn: i64,
    pub(crate) op: &'static str,
    pub(crate) id: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) amount: Option<f64>,
}

pub(crate) fn version(ns: &str, lsn: i64, op: &'static str, id: i64, name: &str) -> Version {
    Version { ns: ns.to_owned(), lsn, op, id: Some(id), name: Some(name.to_owned()), amount: None }
}

pub(crate) async fn append(lake: &Lake, table: &Table, versions: &[Version]) -> Table {
    lake.append(table, columns(versions)).await
}

pub(crate) fn columns(versions: &[Version]) -> Vec<(&'static str, ArrayRef)> {
    let n = versions.len();
    vec![
        ("_ns", Arc::new(StringArray::from_iter_values(versions.iter().map(|v| &v.ns)))),
        ("_lsn", Arc::new(Int64Array::from_iter_values(versions.iter().map(|v| v.lsn)))),
        ("_op", Arc::new(StringArray::from_iter_values(versions.iter().map(|v| v.op)))),
        ("_ts", Arc::new(TimestampMicrosecondArray::from_iter_values(versions.iter().map(|v| T0 + v.lsn)).with_timezone("+00:00"))),
        ("_txid", Arc::new(StringArray::from_iter_values(versions.iter().map(|v| format!("tx{}", v.lsn))))),
        ("_schema_version", Arc::new(Int32Array::from(vec![1; n]))),
        ("_rowid", Arc::new(Int64Array::from_iter(versions.iter().map(|v| v.id)))),
        ("id", Arc::new(Int64Array::from_iter(versions.iter().map(|v| v.id)))),
        ("fullName", Arc::new(StringArray::from_iter(versions.iter().map(|v| v.name.as_deref())))),
        ("amount", Arc::new(Float64Array::from_iter(versions.iter().map(|v| v.amount)))),
        ("active", Arc::new(BooleanArray::from_iter(versions.iter().map(|v| v.id.map(|i| i % 2 == 0))))),
        (
            "seen",
            Arc::new(TimestampMicrosecondArray::from_iter_values(versions.iter().map(|v| T0 + v.lsn * 1_000_000)).with_timezone("+00:00")),
        ),
    ]
}

pub(crate) fn input(table: &Table) -> HistoryInput {
    HistoryInput { name: "people".to_owned(), table: table.clone(), primary_key: vec!["id".to_owned()] }
}

pub(crate) async fn session(table: &Table) -> Session {
    let limits = SessionLimits { partition_count: Some(3), ..SessionLimits::default() };
    Session::with_limits(vec![input(table)], Vec::new(), limits).await.unwrap()
}

/// Three people of two stores: Ada was renamed, Bob is gone.
pub(crate) async fn small() -> (Lake, Session) {
    let lake = Lake::new().await;
    let table = lake.create("people", &COLUMNS).await;
    let first = [version("acme", 1, "c", 1, "Ada"), version("acme", 2, "c", 2, "Bob"), version("zeta", 1, "r", 1, "Zoe")];
    let table = append(&lake, &table, &first).await;
    let table = append(&lake, &table, &[version("acme", 3, "u", 1, "Ada L."), version("acme", 4, "d", 2, "Bob")]).await;
    let session = session(&table).await;
    (lake, session)
}

/// The text of the first column of the answer's rows, in order.
pub(crate) async fn texts(session: &Session, sql: &str) -> Vec<String> {
    let answer = session.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    answer.rows.iter().map(|r| answer.columns[0].text(&r[0])).collect()
}
