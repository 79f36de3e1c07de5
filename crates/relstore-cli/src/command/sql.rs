//! `relstore sql`: one statement in one store.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use relstore::model::{Error, ErrorKind, Namespace, Result, Value};
use relstore::{Fleet, Outcome as Answered, RelationalStore};

use crate::cli::SqlArguments;
use crate::failure::Outcome;
use crate::output::number::{counted, grouped, took};
use crate::output::style::Style;
use crate::output::{json, table::Table};

pub(crate) async fn run(arguments: SqlArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let params: Vec<Value> = arguments.params.iter().map(|text| param(text)).collect::<Result<_>>()?;
    let sql = arguments.sql.as_str();
    if arguments.explain {
        let plan = Fleet::open(&arguments.dir).await?.read_store(&ns)?.explain(sql, &params)?;
        let mut out = super::stdout();
        write!(out, "{plan}")?;
        out.flush()?;
        return Ok(());
    }
    let fleet = match Fleet::open(&arguments.dir).await {
        Ok(fleet) => fleet,
        Err(error) if error.kind() == ErrorKind::NotFound && is_free(&arguments.dir) => {
            makes_a_store(sql, &ns, error).await?;
            Fleet::create(&arguments.dir).await?
        }
        Err(error) => return Err(error.into()),
    };
    let started = Instant::now();
    let (answered, written_to) = match fleet.read_store(&ns) {
        Ok(store) if store.database().is_read(sql)? => (store.sql(sql, &params)?, None),
        Ok(_) => write(&fleet, &ns, sql, &params)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            makes_a_store(sql, &ns, error).await?;
            write(&fleet, &ns, sql, &params)?
        }
        Err(error) => return Err(error.into()),
    };
    let time = started.elapsed();
    let mut out = super::stdout();
    if arguments.json {
        json::write_array(&mut out, &json::of_rows(&answered.columns, &answered.rows))?;
        out.flush()?;
        return Ok(());
    }
    if !answered.columns.is_empty() {
        writeln!(out, "{}", Table::of_rows(&answered.columns, &answered.rows).render())?;
    }
    // What is usual is not said: a statement that scans nothing, and writes the rows that it changes.
    let scanned = if answered.rows_scanned > 0 { format!(", {} scanned", grouped(answered.rows_scanned)) } else { String::new() };
    let is_more = written_to.is_some() && answered.rows_written > answered.changes;
    let written = if is_more { format!(", {} written in all", grouped(answered.rows_written)) } else { String::new() };
    let note = match written_to {
        Some(lsn) => format!("{} changed{written}, LSN {lsn}{scanned}, {}", counted(answered.changes, "row"), took(time)),
        None => format!("{}{scanned}, {}", counted(answered.rows.len() as u64, "row"), took(time)),
    };
    writeln!(out, "{}", Style::of_stdout().faint(note))?;
    out.flush()?;
    Ok(())
}

type Written = (Answered, Option<relstore::model::Lsn>);

fn write(fleet: &Fleet, ns: &Namespace, sql: &str, params: &[Value]) -> Result<Written> {
    let store = fleet.store(ns)?;
    let answered = RelationalStore::sql(&store, sql, params)?;
    Ok((answered, Some(store.high_water())))
}

/// Whether an installation can be made at `dir`: there is nothing, or an empty folder.
fn is_free(dir: &Path) -> bool {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether the first statement of a store that does not exist is one that makes something: it is tried against an empty store
/// elsewhere, without being run, so that a slip of the pen leaves no store behind.
///
/// # Errors
/// The statement's own, if it is no SQL; `missing` otherwise.
async fn makes_a_store(sql: &str, ns: &Namespace, missing: Error) -> Result<()> {
    let elsewhere = tempfile::tempdir().map_err(|e| Error::unavailable("no temporary folder can be made").with_source(e))?;
    let fleet = Fleet::create(&elsewhere.path().join("empty")).await?;
    match fleet.store(ns)?.database().is_read(sql) {
        Ok(false) => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(true) | Err(_) => Err(missing),
    }
}

/// A parameter as it is written on the command line.
fn param(text: &str) -> Result<Value> {
    let quoted = |text: &str, quote: char| text.len() >= 2 && text.starts_with(quote) && text.ends_with(quote);
    if let Ok(i) = text.parse::<i64>() {
        return Ok(Value::Integer(i));
    }
    if text.eq_ignore_ascii_case("null") {
        return Ok(Value::Null);
    }
    if quoted(text, '\'') {
        return Ok(Value::Text(text[1..text.len() - 1].replace("''", "'")));
    }
    if let Some(hex) = text.strip_prefix("x'").or_else(|| text.strip_prefix("X'")).and_then(|rest| rest.strip_suffix('\'')) {
        let wrong = || Error::invalid("not a blob").with("param", text).with_hint("write two hexadecimal digits a byte, such as x'00ff'");
        let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>().ok_or_else(wrong)?;
        let (pairs, rest) = digits.as_chunks::<2>();
        return if rest.is_empty() { Ok(Value::Blob(pairs.iter().map(|[high, low]| high << 4 | low).collect())) } else { Err(wrong()) };
    }
    // `inf` and `nan` are words before they are numbers.
    match text.parse::<f64>() {
        Ok(r) if text.contains(|c: char| c.is_ascii_digit()) => Ok(Value::from(r)),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_the_type_that_they_look_like() {
        for (text, wanted) in [
            ("42", Value::Integer(42)),
            ("-1", Value::Integer(-1)),
            ("4.5", Value::Real(4.5)),
            ("1e3", Value::Real(1000.0)),
            ("null", Value::Null),
            ("'42'", Value::from("42")),
            ("'it''s'", Value::from("it's")),
            ("x'00fF'", Value::Blob(vec![0, 255])),
            ("inf", Value::from("inf")),
            ("O'Hare", Value::from("O'Hare")),
            ("'", Value::from("'")),
            ("", Value::from("")),
        ] {
            assert_eq!(param(text).unwrap(), wanted, "{text}");
        }
        assert!(param("x'0'").is_err() && param("x'zz'").is_err());
    }
}
