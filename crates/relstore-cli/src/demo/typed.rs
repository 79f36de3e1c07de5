//! Chapter 3: the store in typed Rust.

use relstore::RelationalStore;
use relstore::model::{Error, Lsn, Result};

use super::document::{Seconds, timed};
use super::fingerprint::Fingerprint;
use super::schema::Plane;
use super::statements::{self, text_of};
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{counted, grouped};
use crate::output::table::Table;

pub(crate) fn tell(story: &mut Story, seconds: &mut Seconds, store: &RelationalStore) -> Outcome {
    story.chapter("Typed work")?;
    story.say(
        "The compiler knows the tables: a column of a table that is not joined, a value of the wrong type, a left-joined column that is \
         taken for one that is always there do not compile. Who waited longest at Newark?",
    )?;
    let worst = select(story, seconds, store)?;
    update(story, seconds, store, worst)?;
    upsert(story, seconds, store)?;
    delete(story, seconds, store)?;
    transaction(story, seconds, store)
}

/// Gives the id of the flight with the longest delay.
fn select(story: &Story, seconds: &mut Seconds, store: &RelationalStore) -> Outcome<i64> {
    story.statement(&text_of("longest_waits"))?;
    let (waits, time) = timed(&mut seconds.typed, || statements::longest_waits(store));
    let waits = waits?;
    let mut table = Table::new(&["id", "airline", "flight", "to", "minutes late", "plane by"]);
    for (id, airline, flight, to, late, maker) in &waits {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "NULL".to_owned());
        table.row([id.to_string(), airline.clone(), flight.to_string(), known(to), late.unwrap_or(0).to_string(), known(maker)]);
    }
    story.table(&table)?;
    story.took(&counted(waits.len() as u64, "row"), time)?;
    Ok(waits.first().map(|wait| wait.0).ok_or_else(|| Error::internal("nobody waited for ten hours"))?)
}

fn update(story: &Story, seconds: &mut Seconds, store: &RelationalStore, id: i64) -> Outcome {
    story.say("Nineteen hours? Somebody must have slipped by a digit. The row is corrected, and given back as it is now:")?;
    story.statement(&text_of("correct"))?;
    let before = store.high_water();
    let (rows, time) = timed(&mut seconds.typed, || statements::correct(store, id));
    let rows = rows?;
    story.answer(&format!("{rows:?}"))?;
    story.took(&counted(rows.len() as u64, "row"), time)?;
    story.say("And this is what everybody who follows the store hears of it. Only the columns that changed are in it:")?;
    story.answer(&event_after(store, before)?)?;
    story.gap()
}

/// The event of the next change after `after`, as JSON.
fn event_after(store: &RelationalStore, after: Lsn) -> Result<String> {
    let events = store.events_after(after, 1)?;
    let event = events.first().ok_or_else(|| Error::internal("a change without an event").with("after_lsn", after))?;
    serde_json::to_string_pretty(event).map_err(|e| Error::internal("an event is no JSON").with_source(e))
}

fn upsert(story: &Story, seconds: &mut Seconds, store: &RelationalStore) -> Outcome {
    story.say(
        "N546MQ flew from Newark 77 times and is not in the list of planes: its row was made in chapter 1. Somebody found its papers. An \
         upsert inserts the plane or completes it:",
    )?;
    story.statement(&text_of("list_plane"))?;
    let (manufacturer, model) = (Some("EMBRAER".to_owned()), Some("EMB-145LR".to_owned()));
    let plane = Plane { manufacturer, model, ..Plane::unlisted("N546MQ".to_owned()) };
    let (rows, time) = timed(&mut seconds.typed, || statements::list_plane(store, plane));
    let rows = rows?;
    let mut table = Table::new(&["tailnum", "manufacturer", "model", "listed"]);
    for plane in &rows {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "NULL".to_owned());
        table.row([plane.tailnum.clone(), known(&plane.manufacturer), known(&plane.model), plane.listed.to_string()]);
    }
    story.table(&table)?;
    story.took(&counted(rows.len() as u64, "row"), time)
}

fn delete(story: &Story, seconds: &mut Seconds, store: &RelationalStore) -> Outcome {
    story.say("Weather without a temperature helps nobody:")?;
    story.statement(&text_of("drop_empty_hours"))?;
    let (rows, time) = timed(&mut seconds.typed, || statements::drop_empty_hours(store));
    let rows = rows?;
    for hour in &rows {
        story.answer(&format!("{} {} was without", hour.origin, hour.time_hour.to_iso_millis()))?;
    }
    story.took(&format!("{} deleted", counted(rows.len() as u64, "row")), time)
}

fn transaction(story: &Story, seconds: &mut Seconds, store: &RelationalStore) -> Outcome {
    story.say(
        "Transactions nest. Here a new airline is founded and takes over all of United's flights; then the merger is called off, the inner \
         transaction fails, and the outer one goes on:",
    )?;
    story.statement(&text_of("merge_airlines"))?;
    let before = (Fingerprint::of_table(store, "flights")?, store.high_water());
    let (merged, time) = timed(&mut seconds.typed, || statements::merge_airlines(store));
    let (moved, why) = merged?;
    story.answer(&format!("{} had changed hands when: {why}", counted(moved, "flight")))?;
    story.took("the transaction committed", time)?;
    let after = (Fingerprint::of_table(store, "flights")?, store.high_water());
    let logged = after.1.get() - before.1.get();
    let left_no_trace = before.0 == after.0 && logged == 1;
    let text = format!(
        "All {} flights are as they were, and the log holds {}: the new airline.",
        grouped(after.0.rows),
        counted(logged, "new change")
    );
    story.verdict(left_no_trace, &text)?;
    if left_no_trace {
        return Ok(());
    }
    Err(Error::internal("a rolled back transaction left a trace").with("logged", logged).into())
}
