//! The tables of the tests, and two executors: one that records statements and answers with rows given beforehand, one that is SQLite.

// Each test file uses its own part.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

pub(crate) mod sqlite;

use std::cell::RefCell;
use std::collections::VecDeque;

use relstore_model::{Result, Timestamp, Value, ValueRef};
use relstore_orm::{Executor, Table};

/// An airport.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "airports")]
pub(crate) struct Airport {
    #[column(primary_key)]
    pub(crate) faa: String,
    pub(crate) name: String,
    pub(crate) altitude: Option<i64>,
}

/// A flight.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "flights", unique(carrier, number, departed), index(dest), index(carrier, departed))]
pub(crate) struct Flight {
    #[column(primary_key)]
    pub(crate) id: i64,
    pub(crate) carrier: String,
    #[column(name = "flight_number")]
    pub(crate) number: i32,
    #[column(references = airports::faa)]
    pub(crate) dest: String,
    pub(crate) departed: Timestamp,
    #[column(default = false)]
    pub(crate) cancelled: bool,
    pub(crate) distance: f64,
    pub(crate) tail: Option<String>,
}

impl Flight {
    /// Flight 12 of United to Chicago.
    pub(crate) fn sample(id: i64) -> Self {
        Self {
            id,
            carrier: "UA".into(),
            number: 12,
            dest: "ORD".into(),
            departed: Timestamp::from_micros(1_000_000),
            cancelled: false,
            distance: 733.0,
            tail: None,
        }
    }

    /// Its cells as SQLite gives them.
    pub(crate) fn sample_cells(id: i64) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        let integer = Value::Integer;
        vec![integer(id), text("UA"), integer(12), text("ORD"), integer(1), integer(0), Value::Real(733.0), Value::Null]
    }
}

/// One call that an executor got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Query(String, Vec<Value>),
    Execute(String, Vec<Value>),
    Many(String, Vec<Vec<Value>>),
}

/// Records calls. Each query is answered with the next rows of `answers`, with none if they are used up.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) calls: RefCell<Vec<Call>>,
    answers: RefCell<VecDeque<Vec<Vec<Value>>>>,
}

impl Recorder {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Vec<Vec<Value>>>) -> Self {
        Self { calls: RefCell::default(), answers: RefCell::new(answers.into_iter().collect()) }
    }

    /// The only call, which was a query.
    pub(crate) fn only_query(&self) -> (String, Vec<Value>) {
        match self.calls.borrow().as_slice() {
            [Call::Query(sql, params)] => (sql.clone(), params.clone()),
            other => panic!("one query was expected: {other:?}"),
        }
    }

    /// The only call, which was an execution.
    pub(crate) fn only_execution(&self) -> (String, Vec<Value>) {
        match self.calls.borrow().as_slice() {
            [Call::Execute(sql, params)] => (sql.clone(), params.clone()),
            other => panic!("one execution was expected: {other:?}"),
        }
    }
}

impl Executor for Recorder {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.calls.borrow_mut().push(Call::Query(sql.to_owned(), params.to_vec()));
        let rows = self.answers.borrow_mut().pop_front().unwrap_or_default();
        for row in rows {
            let cells: Vec<ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
            each(&cells)?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.calls.borrow_mut().push(Call::Execute(sql.to_owned(), params.to_vec()));
        Ok(1)
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        let rows: Vec<_> = rows.collect();
        let row_count = rows.len() as u64;
        self.calls.borrow_mut().push(Call::Many(sql.to_owned(), rows));
        Ok(row_count)
    }
}
