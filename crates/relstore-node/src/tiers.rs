//! What a store asks of the other tiers: archive, status, its past, views, eviction. Reports go out as JSON.
//!
//! All of it runs on a lane of its own, one at a time, and in a folder one at a time too: see [`Home::work`].

use std::sync::{Arc, Mutex};

use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;
use relstore::model::Timestamp;
use relstore::{At, RelationalStore, RestoreReport};
use relstore_model::{Error, Lsn, Result};
use serde::Serialize;

use crate::failure::shielded;
use crate::home::{Home, temporary};
use crate::jobs::{Done, Lane, telling};
use crate::store::{Shared, Store, lock, shared};
use crate::view::{Dates, definition};

/// A store as it was, in a temporary folder.
pub(crate) struct Restored {
    home: Arc<Home>,
    store: Arc<RelationalStore>,
    report: RestoreReport,
}

impl Store {
    /// Has `work` done on the store's fleet.
    fn on_tiers(&self, work: impl FnOnce(&Home, &Shared) -> Result<Done> + Send + 'static) -> napi::Result<u32> {
        shielded(|| {
            if self.shared.database()?.is_read_only() {
                return Err(Error::unsupported("the store is one of the past, and stands for itself")
                    .with_hint("ask the store that it was made of"));
            }
            let (home, shared) = (self.shared.home()?, Arc::clone(&self.shared));
            self.shared.jobs.start(Lane::Tier, move || work(&home, &shared))
        })
    }
}

#[napi]
impl Store {
    /// Ships the log and brings history up to it.
    #[napi(catch_unwind)]
    pub fn archive(&self) -> napi::Result<u32> {
        self.on_tiers(|home, shared| written(&home.work(&shared.leaving, home.fleet.archive_store(&shared.ns))?))
    }

    /// What the store is now.
    #[napi(catch_unwind)]
    pub fn status(&self) -> napi::Result<u32> {
        self.shared.start_open(Lane::Read, |open| written(&open.store.status()?))
    }

    /// Makes an installation of the folder `to`, with the store as it was at a position, or at the end of a millisecond since 1970.
    #[napi(catch_unwind)]
    pub fn restore(&self, lsn: Option<f64>, millis: Option<f64>, to: String) -> napi::Result<u32> {
        let at = shielded(|| moment(lsn, millis))?;
        self.on_tiers(move |home, shared| written(&home.work(&shared.leaving, home.fleet.restore(&shared.ns, at, to.as_ref()))?))
    }

    /// As `restore`, into a temporary folder, for `open_past`.
    #[napi(catch_unwind)]
    pub fn as_of(&self, lsn: Option<f64>, millis: Option<f64>) -> napi::Result<u32> {
        let at = shielded(|| moment(lsn, millis))?;
        self.on_tiers(move |home, shared| {
            let folder = temporary()?;
            let report = home.work(&shared.leaving, home.fleet.restore(&shared.ns, at, folder.path()))?;
            let home = Home::of_temporary(folder)?;
            let store = Arc::new(home.fleet.read_store(&shared.ns)?);
            Ok(Done::Restored(Restored { home, store, report }))
        })
    }

    /// Takes a store as it was.
    #[napi(catch_unwind)]
    pub fn take_restored(&self, number: u32) -> napi::Result<Past> {
        let restored = self.take(number, |done| if let Done::Restored(restored) = done { Some(restored) } else { None })?;
        Ok(Past(Mutex::new(Some(restored))))
    }

    /// Opens a store as it was, for reading alone. Its folder goes away when it is closed.
    #[napi(factory, catch_unwind)]
    pub fn open_past(env: Env, past: &Past, tell: Function<'_, (), ()>) -> napi::Result<Self> {
        let tell = telling(tell)?;
        let taken = lock(&past.0).take().ok_or_else(|| Error::internal("a past store was opened twice"));
        Self::of(env, shielded(|| taken.and_then(|Restored { home, store, .. }| shared(home, store, tell)))?)
    }

    /// Makes the view `name` of a query, or brings it up to what the stores are now. `columns` are the names of the query's columns, in order, where
    /// they are not those that SQL gives them; `dates` says how the column `by` holds the date of its row.
    #[napi(catch_unwind)]
    pub fn view(&self, name: String, sql: String, columns: Vec<String>, by: String, dates: String) -> napi::Result<u32> {
        let dates = shielded(|| dates.parse::<Dates>())?;
        self.on_tiers(move |home, shared| {
            let view = definition(&*shared.database()?, &name, &sql, columns, (&by, dates)).map_err(|e| e.with("view", &name))?;
            written(&home.work(&shared.leaving, home.fleet.refresh_view(&view))?)
        })
    }

    /// Moves the rows of `table` for which `condition` is true out of the hot file.
    #[napi(catch_unwind)]
    pub fn evict(&self, table: String, condition: String) -> napi::Result<u32> {
        self.on_tiers(move |home, shared| written(&home.work(&shared.leaving, home.fleet.evict(&shared.ns, &table, &condition))?))
    }
}

/// A store as it was, until it is opened.
#[napi]
pub struct Past(Mutex<Option<Restored>>);

#[napi]
impl Past {
    /// Of which moment it is, as JSON.
    #[napi(catch_unwind)]
    pub fn report(&self) -> napi::Result<String> {
        shielded(|| {
            let restored = lock(&self.0);
            let restored = restored.as_ref().ok_or_else(|| Error::internal("a past store that is open already"))?;
            json(&restored.report)
        })
    }
}

fn moment(lsn: Option<f64>, millis: Option<f64>) -> Result<At> {
    match (lsn, millis) {
        (Some(lsn), _) if lsn >= 0.0 => Ok(At::Lsn(Lsn::new(lsn as u64))),
        // To the end of it: a program's clock tells no less, and a commit's time does.
        (None, Some(millis)) if millis.is_finite() => {
            Ok(At::Time(Timestamp::from_micros((millis as i64).saturating_mul(1000).saturating_add(999))))
        }
        _ => Err(Error::invalid("no position and no time").with_hint("give an LSN, or a Date")),
    }
}

pub(crate) fn written(report: &impl Serialize) -> Result<Done> {
    json(report).map(|json| Done::Text(Some(json)))
}

fn json(report: &impl Serialize) -> Result<String> {
    serde_json::to_string(report).map_err(|e| Error::internal("a report is no JSON").with_source(e))
}
