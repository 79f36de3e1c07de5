//! An installation: all stores of a folder at once.

use std::sync::{Arc, Mutex};

use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;
use relstore_engine::Outcome;
use relstore_model::{Error, ErrorKind, Namespace, Result};

use crate::answer::{Answer, Gathered};
use crate::failure::shielded;
use crate::home::{Home, Leaving};
use crate::jobs::{Done, Jobs, Lane, telling, when_its_thread_ends};
use crate::store::{lock, read_settings};
use crate::tiers::written;

struct Shared {
    home: Mutex<Option<Arc<Home>>>,
    jobs: Arc<Jobs>,
    leaving: Leaving,
}

impl Shared {
    fn home(&self) -> Result<Arc<Home>> {
        let closed = || Error::new(ErrorKind::Closed, "the fleet is closed").with_hint("open it again");
        lock(&self.home).as_ref().map(Arc::clone).ok_or_else(closed)
    }

    /// Waits for the threads; the thread that it was opened on may be ending.
    fn end(&self) {
        self.leaving.leave();
        self.jobs.forget();
        let home = lock(&self.home).take();
        if let Some(home) = &home {
            home.give_up_transactions();
        }
        self.jobs.end();
    }
}

/// What a query over all stores gave.
pub(crate) struct Table {
    rows: Gathered,
    types: Vec<String>,
}

/// An installation.
#[napi]
pub struct Fleet {
    shared: Arc<Shared>,
}

impl Fleet {
    fn start(&self, lane: Lane, work: impl FnOnce(&Home, &Leaving) -> Result<Done> + Send + 'static) -> napi::Result<u32> {
        shielded(|| {
            let (home, shared) = (self.shared.home()?, Arc::clone(&self.shared));
            self.shared.jobs.start(lane, move || work(&home, &shared.leaving))
        })
    }

    fn take<T>(&self, number: u32, of: impl FnOnce(Done) -> Option<T>) -> napi::Result<T> {
        shielded(|| of(self.shared.jobs.take(number)?).ok_or_else(|| Error::internal("a result of another kind")))
    }
}

#[napi]
impl Fleet {
    /// Opens the installation `dir`, and makes it if it is not there. Stores that it opens by itself have `settings`. `tell` is called when something
    /// is done.
    #[napi(factory, catch_unwind)]
    pub fn open(env: Env, dir: String, settings: String, tell: Function<'_, (), ()>) -> napi::Result<Self> {
        let tell = telling(tell)?;
        let shared = shielded(|| {
            let settings = read_settings(&settings)?;
            let home = Home::open(&dir)?;
            home.fleet.set_settings(settings);
            Ok(Arc::new(Shared { home: Mutex::new(Some(home)), jobs: Jobs::new(tell), leaving: Leaving::default() }))
        })?;
        when_its_thread_ends(env, &shared, Shared::end)?;
        Ok(Self { shared })
    }

    /// Where it is.
    #[napi(catch_unwind)]
    pub fn path(&self) -> napi::Result<String> {
        shielded(|| Ok(self.shared.home()?.fleet.dir().display().to_string()))
    }

    /// The stores that exist, as JSON.
    #[napi(catch_unwind)]
    pub fn namespaces(&self) -> napi::Result<u32> {
        self.start(Lane::Read, |home, _| written(&home.fleet.namespaces()?.iter().map(Namespace::as_str).collect::<Vec<_>>()))
    }

    /// Every store as it is now, as JSON.
    #[napi(catch_unwind)]
    pub fn stores(&self) -> napi::Result<u32> {
        self.start(Lane::Read, |home, leaving| written(&home.look(leaving, home.fleet.stores())?))
    }

    /// Ships the log of every store and brings history up to it: the report, as JSON.
    #[napi(catch_unwind)]
    pub fn archive(&self) -> napi::Result<u32> {
        self.start(Lane::Tier, |home, leaving| written(&home.work(leaving, home.fleet.archive())?))
    }

    /// Asks all stores at once.
    #[napi(catch_unwind)]
    pub fn query(&self, sql: String) -> napi::Result<u32> {
        self.start(Lane::Read, move |home, leaving| {
            let answer = home.look(leaving, home.fleet.query(&sql))?;
            let (columns, types) = answer.columns.into_iter().map(|column| (column.name, column.type_name)).unzip();
            let rows = Gathered::of(Outcome { columns, rows: answer.rows, ..Outcome::default() });
            Ok(Done::Table(Table { rows, types }))
        })
    }

    /// How `query` would go about it.
    #[napi(catch_unwind)]
    pub fn explain(&self, sql: String) -> napi::Result<u32> {
        self.start(Lane::Read, move |home, leaving| home.look(leaving, home.fleet.explain(&sql)).map(|plan| Done::Text(Some(plan))))
    }

    /// The numbers of what was done since this was last asked. Each result is to be taken once.
    #[napi(catch_unwind)]
    pub fn news(&self) -> Vec<u32> {
        self.shared.jobs.news()
    }

    /// Takes a text.
    #[napi(catch_unwind)]
    pub fn take_text(&self, number: u32) -> napi::Result<Option<String>> {
        self.take(number, |done| if let Done::Text(text) = done { Some(text) } else { None })
    }

    /// Takes what a query gave.
    #[napi(catch_unwind)]
    pub fn take_table(&self, number: u32) -> napi::Result<FleetAnswer> {
        let table = self.take(number, |done| if let Done::Table(table) = done { Some(table) } else { None })?;
        Ok(FleetAnswer(table))
    }

    /// Closes it, once nothing runs any more.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        self.shared.end();
    }

    /// The process ends at once: gives up what runs, and takes a temporary folder away.
    #[napi(catch_unwind)]
    pub fn exit(&self) {
        self.shared.leaving.leave();
        self.shared.jobs.leave_tiers();
        if let Ok(home) = self.shared.home() {
            home.remove_temporary();
        }
    }
}

/// What a query over all stores gave.
#[napi]
pub struct FleetAnswer(Table);

#[napi]
impl FleetAnswer {
    /// What the cells of each column mean.
    #[napi(catch_unwind)]
    pub fn types(&self) -> napi::Result<Vec<String>> {
        shielded(|| Ok(self.0.types.clone()))
    }

    /// The rows. They are taken once.
    #[napi(catch_unwind)]
    pub fn rows(&mut self) -> Answer {
        Answer::new(std::mem::take(&mut self.0.rows))
    }
}
