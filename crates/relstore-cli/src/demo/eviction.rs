//! Chapter 6: old flights leave the hot file, and nobody notices.

use std::time::Duration;

use relstore::model::{Error, ErrorKind, Result, Value};
use relstore::{Fleet, RelationalStore, StoreStatus};

use super::document::{Seconds, timed, timed_async};
use super::fingerprint::{Fingerprint, RowOrder};
use super::loading::Loaded;
use super::statements;
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{bytes, counted, grouped, took};
use crate::output::table::Table;

/// What leaves.
const OLD: &str = "month <= 6";

/// What came of it.
pub(crate) struct Eviction {
    pub(crate) rows: u64,
    pub(crate) are_answers_equal: bool,
}

/// A question whose whole answer must stay the same.
struct Question {
    kind: &'static str,
    sql: &'static str,
    order: RowOrder,
}

const fn ordered(kind: &'static str, sql: &'static str) -> Question {
    Question { kind, sql, order: RowOrder::Counts }
}

const QUESTIONS: [Question; 12] = [
    Question { kind: "every row", sql: "SELECT * FROM flights", order: RowOrder::IsOpen },
    ordered("rows by key", "SELECT * FROM flights WHERE id IN (1, 2, 3, 336774, 336775, 336776) ORDER BY id"),
    ordered("range of keys", "SELECT id, carrier, flight FROM flights WHERE id BETWEEN 40000 AND 42000 ORDER BY id"),
    ordered(
        "days around the cut",
        "SELECT id, day, dep_delay FROM flights WHERE (month = 6 AND day = 30) OR (month = 7 AND day = 1) ORDER BY id",
    ),
    ordered("count", "SELECT count(*), count(dep_time), count(DISTINCT tailnum) FROM flights"),
    ordered("aggregate", "SELECT min(dep_delay), max(arr_delay), sum(distance), avg(air_time) FROM flights"),
    ordered("group", "SELECT month, carrier, count(*), sum(dep_delay) FROM flights GROUP BY month, carrier ORDER BY month, carrier"),
    ordered(
        "join",
        "SELECT a.name, count(*), avg(f.dep_delay) FROM flights f JOIN airlines a ON a.carrier = f.carrier GROUP BY a.name HAVING count(*) > 50 \
         ORDER BY a.name",
    ),
    ordered(
        "left join",
        "SELECT f.id, p.manufacturer FROM flights f LEFT JOIN planes p ON p.tailnum = f.tailnum AND p.listed WHERE f.month = 3 AND f.day < 8 \
         ORDER BY f.id",
    ),
    ordered(
        "left join to flights",
        "SELECT a.faa, count(f.id) FROM airports a LEFT JOIN flights f ON f.dest = a.faa GROUP BY a.faa ORDER BY 2 DESC, 1 LIMIT 50",
    ),
    ordered(
        "order and limit",
        "SELECT id, carrier, dep_delay FROM flights WHERE dep_delay IS NOT NULL ORDER BY dep_delay DESC, id LIMIT 20",
    ),
    ordered("subquery", "SELECT faa FROM airports WHERE faa NOT IN (SELECT dest FROM flights WHERE month <= 7) ORDER BY faa"),
];

pub(crate) async fn tell(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet, loaded: &Loaded) -> Outcome<Eviction> {
    story.chapter("Old rows leave")?;
    story.say(&format!(
        "A hot file should hold what is hot. Flights of the first half of the year move to Parquet in the bucket, where they stay part of \
         their table. First, {} of different kinds are asked and their whole answers hashed, in each store.",
        counted(QUESTIONS.len() as u64, "question")
    ))?;
    let before = ask_all(loaded)?;
    let hot_before = Hot::all(fleet, loaded).await?;
    story.statement(&format!("fleet.evict(ns, \"flights\", \"{OLD}\").await?;    // in each store"))?;
    let rows = evict(story, seconds, fleet, loaded, &hot_before).await?;
    story.say("What stays is the other half of the year, and the recent log. The same questions again, timed over the three stores:")?;
    let after = ask_all(loaded)?;
    let are_answers_equal = compare(story, &before, &after)?;
    writes_find_what_left(story, loaded.store("EWR")?)?;
    Ok(Eviction { rows, are_answers_equal })
}

async fn evict(story: &Story, seconds: &mut Seconds, fleet: &Fleet, loaded: &Loaded, before: &[Hot]) -> Outcome<u64> {
    let mut rows = 0;
    let mut spent = Duration::ZERO;
    for followed in &loaded.stores {
        let (report, time) = timed_async(&mut seconds.evict, fleet.evict(followed.store.namespace(), "flights", OLD)).await;
        rows += report?.rows;
        spent += time;
    }
    let mut table = Table::new(&["store", "hot flights", "then", "file in use", "then", "evicted"]);
    for (before, after) in before.iter().zip(&Hot::all(fleet, loaded).await?) {
        let (flights, left) = (grouped(before.flights), grouped(after.flights));
        table.row([after.ns.clone(), flights, left, bytes(before.bytes), bytes(after.bytes), grouped(after.evicted)]);
    }
    story.table(&table)?;
    story.took(&format!("{} moved; no event says so, because nothing changed", counted(rows, "row")), spent)?;
    Ok(rows)
}

/// What a hot file holds.
struct Hot {
    ns: String,
    flights: u64,
    evicted: u64,
    /// The bytes of its pages but for the free ones, which new rows will take.
    bytes: u64,
}

impl Hot {
    async fn all(fleet: &Fleet, loaded: &Loaded) -> Result<Vec<Self>> {
        let of = |status: StoreStatus| {
            let (ns, flights) = (status.ns.to_string(), status.tables.get("flights").copied().unwrap_or(0));
            let bytes = bytes_in_use(loaded.store(&ns)?)?;
            Ok(Self { ns, flights, evicted: status.evicted_rows, bytes })
        };
        fleet.stores().await?.into_iter().map(of).collect()
    }
}

fn bytes_in_use(store: &RelationalStore) -> Result<u64> {
    let pragma = |name: &str| match store.sql(&format!("PRAGMA {name}"), &[])?.rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(n)) => Ok(*n as u64),
        _ => Err(Error::internal("a PRAGMA gave no number").with("pragma", name)),
    };
    Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?)
}

/// An answer in each store, and the time for all of them.
struct Asked {
    answers: Vec<Fingerprint>,
    time: Duration,
}

fn ask_all(loaded: &Loaded) -> Result<Vec<Asked>> {
    let ask = |question: &Question| {
        let ask_in = |store: &RelationalStore| Fingerprint::of(store, question.sql, question.order);
        let (answers, time) = timed(&mut 0.0, || loaded.stores.iter().map(|f| ask_in(&f.store)).collect::<Result<Vec<_>>>());
        Ok(Asked { answers: answers.map_err(|e| e.with("question", question.kind))?, time })
    };
    QUESTIONS.iter().map(ask).collect()
}

fn compare(story: &Story, before: &[Asked], after: &[Asked]) -> Outcome<bool> {
    let mut table = Table::new(&["question", "rows", "all hot", "half evicted", "answer"]);
    for ((question, before), after) in QUESTIONS.iter().zip(before).zip(after) {
        let rows = after.answers.iter().map(|answer| answer.rows).sum();
        let verdict = if before.answers == after.answers { "equal" } else { "DIFFERENT" };
        table.row([question.kind.to_owned(), grouped(rows), took(before.time), took(after.time), verdict.to_owned()]);
    }
    story.table(&table)?;
    let are_equal = before.iter().zip(after).all(|(before, after)| before.answers == after.answers);
    story.verdict(are_equal, "Every answer is the same, to the last cell and in the same order.")?;
    Ok(are_equal)
}

/// Writes that concern evicted rows: an update brings its row back, and a key stays taken.
fn writes_find_what_left(story: &Story, store: &RelationalStore) -> Outcome {
    story.say(
        "Half the flights are read from Parquet now, and this is what it costs. Writes find evicted rows too. An update brings back the rows \
         that it touches, and no others:",
    )?;
    const FIRST: &str = "SELECT min(id) FROM flights WHERE month = 1 AND carrier = 'UA'";
    let id = store.sql(FIRST, &[])?.rows.first().and_then(|row| row.first()).cloned().unwrap_or(Value::Null);
    let update = "UPDATE flights SET dep_delay = dep_delay + 1 WHERE id = ? RETURNING id, month, day, carrier, dep_delay";
    story.statement(update)?;
    let (outcome, time) = timed(&mut 0.0, || store.sql(update, std::slice::from_ref(&id)));
    let outcome = outcome?;
    story.table(&Table::of_rows(&outcome.columns, &outcome.rows))?;
    story.took(&counted(outcome.rows.len() as u64, "row"), time)?;

    story.say("And the key of a row that left is still taken:")?;
    let Some(left) = statements::first_of(store, "DL")? else {
        return Err(Error::internal("Delta flew from Newark").into());
    };
    story.statement(&format!("store.insert(flights).value(Flight {{ id: {}, ..another }}).execute()", left.id))?;
    let (refused, time) = timed(&mut 0.0, || statements::bring_back(store, vec![left]));
    match refused {
        Err(error) if error.kind() == ErrorKind::Constraint => {
            story.answer(&format!("error[{}]: {}", error.kind().code(), error.message()))?;
            story.took("refused", time)
        }
        Err(error) => Err(error.into()),
        Ok(rows) => Err(Error::internal("a key that an evicted row has was taken again").with("rows", rows).into()),
    }
}
