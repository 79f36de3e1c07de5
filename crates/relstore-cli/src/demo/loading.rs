//! Chapter 2: three stores, loaded while every change is captured and a subscriber follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use relstore::model::event::Images;
use relstore::model::{Error, Lsn, Namespace, Result};
use relstore::orm::{TableRef, Typed as _};
use relstore::{Fleet, RelationalStore, Subscription};

use super::document::{Seconds, timed};
use super::schema::{self, Flight, TABLES, Weather, airlines, airports, flights, planes, weather};
use super::source::Source;
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{counted, grouped, rate};
use crate::output::table::Table;

/// How many rows a transaction inserts.
const ROWS_PER_COMMIT: usize = 10_000;

/// The stores of the demo, open for writing.
pub(crate) struct Loaded {
    pub(crate) stores: Vec<Followed>,
    /// Rows inserted, in all.
    pub(crate) rows: u64,
}

/// A store, and who follows it.
pub(crate) struct Followed {
    pub(crate) store: Arc<RelationalStore>,
    subscription: Subscription,
    events: Arc<AtomicU64>,
}

impl Loaded {
    /// The store of this name.
    pub(crate) fn store(&self, name: &str) -> Result<&RelationalStore> {
        let found = self.stores.iter().find(|f| f.store.namespace().as_str() == name);
        found.map(|f| &*f.store).ok_or_else(|| Error::internal("the demo has no such store").with("ns", name))
    }

    /// Waits until the subscribers have everything, and closes the stores. Gives each store's last position, and the number of events.
    pub(crate) fn finish(self) -> Result<(BTreeMap<Namespace, u64>, u64)> {
        let mut last = BTreeMap::new();
        let mut events = 0;
        for followed in &self.stores {
            let lsn = followed.store.high_water();
            followed.subscription.wait_for(lsn)?;
            events += followed.events.load(Ordering::Relaxed);
            last.insert(followed.store.namespace().clone(), lsn.get());
        }
        Ok((last, events))
    }
}

/// Makes the stores and fills them.
pub(crate) fn tell(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet, source: Source) -> Outcome<Loaded> {
    story.chapter("Three stores")?;
    story.say(
        "Each airport is a store of its own: one SQLite file with one writer. It gets all airlines, airports and planes, and its own \
         weather and flights. Tables are Rust structs, such as",
    )?;
    story.statement(&schema::text_of("Airport"))?;
    story.say("All of them are made in one transaction:")?;
    story.statement("store.create_tables(&[Airline::DEF, Airport::DEF, Plane::DEF, Weather::DEF, Flight::DEF])?;")?;
    story.say(
        "Every row that is written becomes an event in the same transaction; nothing can be committed and not be in the log. A \
         subscriber on each store gets the events while the load runs.",
    )?;
    let stores = ["EWR", "JFK", "LGA"].iter().map(|name| follow(fleet, name)).collect::<Result<Vec<_>>>()?;
    let shares = share_out(source, &stores);
    let total = shares.iter().map(Share::rows).sum();
    let bar = story.progress(total);
    let (filled, time) = timed(&mut seconds.load, || fill_all(&stores, shares, &bar));
    bar.finish_and_clear();
    let filled = filled?;
    let (followed, lag) = timed(&mut 0.0, || stores.iter().try_for_each(|f| f.subscription.wait_for(f.store.high_water())));
    followed?;
    let loaded = Loaded { rows: filled.iter().map(|(rows, _)| rows).sum(), stores };
    let mut table = Table::new(&["store", "rows", "last LSN", "events received", "time"]);
    for (followed, (rows, time)) in loaded.stores.iter().zip(&filled) {
        let Followed { store, events, .. } = followed;
        let events = grouped(events.load(Ordering::Relaxed));
        let lsn = grouped(store.high_water().get());
        table.row([store.namespace().to_string(), grouped(*rows), lsn, events, crate::output::number::took(*time)]);
    }
    story.table(&table)?;
    let summary = format!("{} with capture on: {} rows/s", counted(loaded.rows, "row"), rate(loaded.rows, time));
    story.took(&summary, time)?;
    story.say(&format!(
        "An LSN is the position of one change in a store's log, from 1 and without gaps: the rows, and the five tables, which are changes \
         too. The subscribers had the last event {} after the last commit.",
        crate::output::number::took(lag)
    ))?;
    Ok(loaded)
}

fn follow(fleet: &Fleet, name: &str) -> Result<Followed> {
    let store = fleet.store(&Namespace::new(name)?)?;
    let events = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&events);
    let subscription = store.on_event(Lsn::ZERO, Images::Changed, move |commit| {
        counter.fetch_add(commit.len() as u64, Ordering::Relaxed);
    })?;
    store.create_tables(&TABLES)?;
    Ok(Followed { store, subscription, events })
}

/// What one store gets.
struct Share {
    common: Arc<Source>,
    weather: Vec<Weather>,
    flights: Vec<Flight>,
}

impl Share {
    fn rows(&self) -> u64 {
        (self.common.airlines.len() + self.common.airports.len() + self.common.planes.len() + self.weather.len() + self.flights.len())
            as u64
    }
}

fn share_out(mut source: Source, stores: &[Followed]) -> Vec<Share> {
    let mut hours = std::mem::take(&mut source.weather);
    let mut departures = std::mem::take(&mut source.flights);
    let common = Arc::new(source);
    let of_store = |followed: &Followed| {
        let origin = followed.store.namespace().as_str();
        Share {
            common: Arc::clone(&common),
            weather: hours.extract_if(.., |w| w.origin == origin).collect(),
            flights: departures.extract_if(.., |f| f.origin == origin).collect(),
        }
    };
    stores.iter().map(of_store).collect()
}

/// Fills the stores, each on a thread of its own. Gives the rows of each, and the time it took.
fn fill_all(stores: &[Followed], shares: Vec<Share>, bar: &ProgressBar) -> Result<Vec<(u64, Duration)>> {
    std::thread::scope(|scope| {
        let fill = |(followed, share)| scope.spawn(move || fill_timed(followed, share, bar));
        let threads: Vec<_> = stores.iter().zip(shares).map(fill).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(Error::internal("a loading thread failed")))
        };
        threads.into_iter().map(join).collect()
    })
}

fn fill_timed(followed: &Followed, share: Share, bar: &ProgressBar) -> Result<(u64, Duration)> {
    let (rows, time) = timed(&mut 0.0, || fill(&followed.store, share, bar));
    Ok((rows?, time))
}

/// Parents first, so that every reference is checked against what is there.
fn fill(store: &RelationalStore, share: Share, bar: &ProgressBar) -> Result<u64> {
    let common = &share.common;
    let mut rows = insert(store, airlines, common.airlines.clone(), bar)?;
    rows += insert(store, airports, common.airports.clone(), bar)?;
    rows += insert(store, planes, common.planes.clone(), bar)?;
    rows += insert(store, weather, share.weather, bar)?;
    rows += insert(store, flights, share.flights, bar)?;
    Ok(rows)
}

/// Inserts rows in commits of [`ROWS_PER_COMMIT`].
fn insert<T: TableRef>(store: &RelationalStore, table: T, rows: Vec<T::Model>, bar: &ProgressBar) -> Result<u64> {
    let mut rows = rows.into_iter();
    let mut inserted = 0;
    while rows.len() > 0 {
        let batch: Vec<T::Model> = rows.by_ref().take(ROWS_PER_COMMIT).collect();
        let count = store.transaction(|tx| tx.insert(table).values(batch).execute())?;
        bar.inc(count);
        inserted += count;
    }
    Ok(inserted)
}
