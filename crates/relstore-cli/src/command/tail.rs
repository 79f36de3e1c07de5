//! `relstore tail`: the changes that the log retains, as events; with `--follow` also those to come.

use std::io::Write;
use std::time::Duration;

use relstore::model::event::{Images, Selection};
use relstore::model::{Error, Lsn, Op, Result, UnifiedEvent, Value};
use relstore::{Delivery, Fleet, RelationalStore};
use serde_json::{Map, Value as Json};

use crate::cli::TailArguments;
use crate::failure::Outcome;
use crate::output::style::Style;
use crate::output::table::printable;

/// How long to wait before looking for new commits again: another process makes them, and tells nobody. A look reads the log's two ends.
const POLL: Duration = Duration::from_millis(10);

pub(crate) async fn run(arguments: TailArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = Fleet::open(&arguments.dir).await?;
    let store = fleet.read_store(&ns)?;
    let from = match &arguments.from {
        Some(text) => text.parse()?,
        None => store.log_range()?.first,
    };
    for table in &arguments.tables {
        check_table(&store, table)?;
    }
    let mut follower = store.follow(start(&store, from, &arguments)?, selection(&arguments));
    let style = Style::of_stdout();
    let mut out = super::stdout();
    let mut stopped = Box::pin(interrupted(arguments.follow));
    loop {
        // Looked for again only where something was found: a store at rest costs its poll and no more.
        let given = match follower.next(Duration::ZERO)? {
            Some(delivery) => show(&mut out, &delivery, from, &arguments, style).map(|()| true)?,
            None => out.flush().map(|()| false)?,
        };
        if !given && !arguments.follow {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = &mut stopped => return Ok(out.flush()?),
            () = pause(if given { Duration::ZERO } else { POLL }) => {}
        }
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn selection(arguments: &TailArguments) -> Selection {
    let op = |letter: &String| [Op::Create, Op::Update, Op::Delete, Op::Read].into_iter().find(|op| op.letter() == letter);
    Selection {
        images: if arguments.full { Images::Full } else { Images::Changed },
        tables: arguments.tables.clone(),
        ops: arguments.ops.iter().filter_map(op).collect(),
    }
}

/// Waits for Ctrl-C where it ends the command cleanly; elsewhere the signal does what it always does.
async fn interrupted(is_expected: bool) {
    if !is_expected || tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn show(out: &mut impl Write, delivery: &Delivery, from: Lsn, arguments: &TailArguments, style: Style) -> Outcome {
    for event in delivery.events.iter().filter(|event| event.lsn >= from) {
        if arguments.json {
            serde_json::to_writer(&mut *out, event).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(event, style))?;
        }
    }
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

/// `2013-06-30T12:00:00.000Z  42  update  flights 118  dep_delay 2 → 5`
fn line(event: &UnifiedEvent, style: Style) -> String {
    let what = event.event_type.strip_prefix("cdc.").unwrap_or(&event.event_type);
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
    let old = |name: &String| before.get(name).unwrap_or(&Json::Null);
    let one = |(name, new): (&String, &Json)| {
        // Only whole rows hold columns that did not change.
        if old(name) == new { format!("{name}={new}") } else { format!("{name} {} → {new}", old(name)) }
    };
    after.iter().map(one).collect::<Vec<_>>().join(", ")
}
