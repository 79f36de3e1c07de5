//! `relstore tail`: the changes that the log retains, as events; with `--follow` also those to come.

use std::io::Write;
use std::time::Duration;

use relstore::model::{Error, Lsn, Result, UnifiedEvent, Value};
use relstore::{Fleet, RelationalStore};
use serde_json::{Map, Value as Json};

use crate::cli::TailArguments;
use crate::failure::Outcome;
use crate::output::style::Style;
use crate::output::table::printable;

/// How many events are read at a time, at least.
const EVENTS_AT_A_TIME: usize = 1_000;
/// How long to wait before looking for new commits again.
const POLL: Duration = Duration::from_millis(100);

pub(crate) async fn run(arguments: TailArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = Fleet::open(&arguments.dir).await?;
    let store = fleet.read_store(&ns)?;
    let from = match &arguments.from {
        Some(text) => text.parse()?,
        None => store.log_range()?.first,
    };
    if let Some(table) = &arguments.table {
        check_table(&store, table)?;
    }
    let mut after = start(&store, from, &arguments)?;
    let style = Style::of_stdout();
    let mut stopped = Box::pin(interrupted(arguments.follow));
    loop {
        let events = store.events_after(after, EVENTS_AT_A_TIME)?;
        show(&events, from, &arguments, style)?;
        let pause = match events.last() {
            Some(last) => {
                after = last.lsn;
                Duration::ZERO
            }
            None if arguments.follow => POLL,
            None => return Ok(()),
        };
        tokio::select! {
            biased;
            () = &mut stopped => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Waits for Ctrl-C where it ends the command cleanly; elsewhere the signal does what it always does.
async fn interrupted(is_expected: bool) {
    if !is_expected || tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn show(events: &[UnifiedEvent], from: Lsn, arguments: &TailArguments, style: Style) -> Outcome {
    let mut out = super::stdout();
    for event in events.iter().filter(|event| event.lsn >= from && is_wanted(event, arguments.table.as_deref())) {
        if arguments.json {
            serde_json::to_writer(&mut out, event).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(event, style))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The position after which to read, so that the commit which holds `from` comes first.
fn start(store: &RelationalStore, from: Lsn, arguments: &TailArguments) -> Result<Lsn> {
    let range = store.log_range()?;
    let is_empty = range.last == Lsn::ZERO;
    if arguments.from.is_none() {
        return Ok(Lsn::new(range.first.get().saturating_sub(1)));
    }
    let newest = if arguments.follow || is_empty { range.last.next() } else { range.last };
    if from == Lsn::ZERO || from < range.first || from > newest {
        let error = Error::not_found("the log does not hold this position").with("from", from);
        let error = error.with("first_lsn", range.first).with("last_lsn", range.last);
        return Err(match (from > newest, range.first > Lsn::new(1)) {
            (true, _) => error.with_hint(format!("start at {} or earlier; --follow waits for what is to come", range.last)),
            (false, true) => error.with_hint("older changes are in history: relstore query \"SELECT * FROM history.<table>\""),
            (false, false) => error.with_hint("positions begin at 1"),
        });
    }
    const COMMIT_OF: &str = "SELECT lsn - count FROM _rs_log WHERE lsn >= ? ORDER BY lsn LIMIT 1";
    let found = store.sql(COMMIT_OF, &[Value::Integer(from.as_i64())])?;
    match found.rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(after)) => Lsn::from_i64(*after),
        _ => Ok(range.last),
    }
}

/// Refuses a table that the store never had: a misspelt name would wait for ever.
fn check_table(store: &RelationalStore, name: &str) -> Result<()> {
    match store.database().schema().table(name) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.with("ns", store.namespace())),
    }
}

fn is_wanted(event: &UnifiedEvent, table: Option<&str>) -> bool {
    table.is_none_or(|name| event.table.as_deref().is_some_and(|t| t.eq_ignore_ascii_case(name)))
}

/// `2013-06-30T12:00:00.000Z  42  update  flights 118  dep_delay 2 → 5`
fn line(event: &UnifiedEvent, style: Style) -> String {
    let what = event.event_type.strip_prefix("cdc.").unwrap_or(event.event_type);
    let place = match (&event.table, &event.key) {
        (Some(table), Some(key)) => format!("{table} {key}"),
        (Some(table), None) => table.clone(),
        _ => String::new(),
    };
    let detail = match (&event.before, &event.after, &event.sql) {
        (Some(before), Some(after), _) => changed(before, after),
        (None, Some(row), _) | (Some(row), None, _) => members(row),
        (None, None, Some(sql)) => sql.split_whitespace().collect::<Vec<_>>().join(" "),
        (None, None, None) => String::new(),
    };
    let what = match event.op {
        Some("d") => style.bad(format!("{what:<6}")),
        Some("u") => style.statement(format!("{what:<6}")),
        _ => style.good(format!("{what:<6}")),
    };
    let moment = style.faint(format!("{} {:>8}", event.timestamp, event.lsn));
    format!("{moment}  {what}  {}", printable(format!("{place}  {detail}").trim()).replace('\n', "\\n"))
}

fn members(row: &Map<String, Json>) -> String {
    row.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn changed(before: &Map<String, Json>, after: &Map<String, Json>) -> String {
    let one = |(name, new): (&String, &Json)| format!("{name} {} → {new}", before.get(name).unwrap_or(&Json::Null));
    after.iter().map(one).collect::<Vec<_>>().join(", ")
}
