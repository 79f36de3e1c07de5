//! The typed statements of the demo. The story shows the very text of this file, so what is read is what is run.

use relstore::RelationalStore;
use relstore::model::{Error, Result};
use relstore::orm::{Typed as _, asc, desc, eq, excluded, gt, is_null};

use super::schema::{Flight, FlightSet, NewAirline, Plane, PlaneSet, Weather};
use super::schema::{airlines, airports, flights, planes, weather};

/// A flight's id, airline, number, destination, delay in minutes and plane's maker.
pub(super) type Wait = (i64, String, i64, Option<String>, Option<i64>, Option<String>);
/// A flight's id, delays at departure and at arrival.
pub(super) type Delays = (i64, Option<i64>, Option<i64>);

pub(super) fn longest_waits(store: &RelationalStore) -> Result<Vec<Wait>> {
    store
        .select_cols((flights.id, airlines.name, flights.flight, airports.name, flights.dep_delay, planes.manufacturer))
        .from(flights)
        .inner_join(airlines, eq(flights.carrier, airlines.carrier))
        .inner_join(airports, eq(flights.dest, airports.faa))
        .left_join(planes, eq(flights.tailnum, planes.tailnum))
        .where_(gt(flights.dep_delay, 600))
        .order_by((desc(flights.dep_delay), asc(flights.id)))
        .limit(5)
        .all()
}

pub(super) fn correct(store: &RelationalStore, id: i64) -> Result<Vec<Delays>> {
    store.update(flights).set(FlightSet::new().dep_delay(126).arr_delay(109)).where_(eq(flights.id, id)).returning_cols((
        flights.id,
        flights.dep_delay,
        flights.arr_delay,
    ))
}

pub(super) fn list_plane(store: &RelationalStore, plane: Plane) -> Result<Vec<Plane>> {
    store
        .insert(planes)
        .value(plane)
        .on_conflict(planes.tailnum)
        .do_update(PlaneSet::new().manufacturer(excluded(planes.manufacturer)).model(excluded(planes.model)).listed(true))
        .returning()
}

pub(super) fn drop_empty_hours(store: &RelationalStore) -> Result<Vec<Weather>> {
    store.delete(weather).where_(is_null(weather.temp)).returning()
}

/// How many flights had changed hands when the merger was called off, and why it was.
pub(super) fn merge_airlines(store: &RelationalStore) -> Result<(u64, Error)> {
    store.transaction(|tx| {
        tx.insert(airlines).value(NewAirline::new("RS", "Relational Air")).execute()?;
        let mut moved = 0;
        let refused: Result<()> = tx.transaction(|nested| {
            moved = nested.update(flights).set(FlightSet::new().carrier("RS")).where_(eq(flights.carrier, "UA")).execute()?;
            Err(Error::invalid("the merger was called off"))
        });
        refused.map_or_else(|why| Ok((moved, why)), |()| Err(Error::internal("a failed transaction succeeded")))
    })
}

pub(super) fn flights_of(store: &RelationalStore, carrier: &str) -> Result<Vec<Flight>> {
    store.select().from(flights).where_(eq(flights.carrier, carrier)).order_by(asc(flights.id)).all()
}

pub(super) fn first_of(store: &RelationalStore, carrier: &str) -> Result<Option<Flight>> {
    store.select().from(flights).where_(eq(flights.carrier, carrier)).order_by(asc(flights.id)).first()
}

pub(super) fn bring_back(store: &RelationalStore, lost: Vec<Flight>) -> Result<u64> {
    store.transaction(|tx| tx.insert(flights).values(lost).execute())
}

/// The body of one of these functions, as it is written here.
pub(super) fn text_of(function: &str) -> String {
    const SOURCE: &str = include_str!("statements.rs");
    let opening = format!("fn {function}(");
    let body = SOURCE.lines().skip_while(|line| !line.contains(&opening)).skip(1).take_while(|line| *line != "}");
    body.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_shows_what_is_run() {
        assert_eq!(text_of("drop_empty_hours"), "store.delete(weather).where_(is_null(weather.temp)).returning()");
        for function in ["longest_waits", "correct", "list_plane", "merge_airlines", "flights_of", "bring_back"] {
            assert!(text_of(function).starts_with("store"), "{function}");
        }
    }
}
