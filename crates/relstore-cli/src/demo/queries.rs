//! Chapter 7: one question to three stores.

use relstore::Fleet;

use super::document::{CrossStore, Seconds, timed_async};
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::counted;
use crate::output::table::Table;

const LATEST_AIRLINES: &str = "\
SELECT store, place, airline, flights, minutes_late FROM (
  SELECT f._ns AS store, a.name AS airline, count(*) AS flights, round(avg(f.dep_delay), 2) AS minutes_late,
         row_number() OVER (PARTITION BY f._ns ORDER BY avg(f.dep_delay) DESC) AS place
  FROM flights f JOIN airlines a ON a._ns = f._ns AND a.carrier = f.carrier
  GROUP BY f._ns, a.name HAVING count(*) >= 100) AS ranked
WHERE place <= 3 ORDER BY store, place";

const CHANGES: &str = "\
SELECT _ns, count(*) FILTER (WHERE _op = 'c') AS created, count(*) FILTER (WHERE _op = 'u') AS updated,
       count(*) FILTER (WHERE _op = 'd') AS deleted
FROM history.flights GROUP BY _ns ORDER BY _ns";

pub(crate) async fn tell(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet) -> Outcome<CrossStore> {
    story.chapter("One question to three stores")?;
    story.say(
        "Every table of every store is also one table of the fleet, with the store's name in _ns. DataFusion reads the newest version of \
         each row from history, whatever is hot or evicted. Which airlines keep their passengers waiting, airport by airport?",
    )?;
    // The correction of the last chapter is to be in it.
    fleet.archive().await?;
    story.statement(LATEST_AIRLINES)?;
    let (answer, time) = timed_async(&mut seconds.query, fleet.query(LATEST_AIRLINES)).await;
    let answer = answer?;
    story.table(&Table::of_answer(&answer))?;
    story.took(&counted(answer.rows.len() as u64, "row"), time)?;

    story.say("Under it lies every version that a row ever had:")?;
    story.statement(CHANGES)?;
    let (changes, time) = timed_async(&mut seconds.query, fleet.query(CHANGES)).await;
    let changes = changes?;
    story.table(&Table::of_answer(&changes))?;
    story.took(&counted(changes.rows.len() as u64, "row"), time)?;
    Ok(CrossStore { sql: LATEST_AIRLINES.to_owned(), rows: fleet.query_json(LATEST_AIRLINES).await? })
}
