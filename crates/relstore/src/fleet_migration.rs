//! One folder of migrations over all stores of a fleet.
//!
//! Each store's own history says what it has, so a run that was stopped goes on where it was, and a store that another process has open, or
//! that was away, is migrated by the next run, or when it is opened ([`Fleet::migrate_on_open`]). A run begins with a few stores, the canaries,
//! one after another; only if all of them succeed do the others follow, several at a time, until too many have failed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use relstore_engine::migration::{MigrationFolder, PlanCache};
use relstore_model::{Error, Namespace, Result};

use crate::{Fleet, MigrateOptions, MigrateReport};

/// How a fleet is migrated.
#[derive(Clone, Debug)]
pub struct FleetMigrateOptions {
    /// How each store is.
    pub store: MigrateOptions,
    /// How many stores go first, one after another. If one of them fails, no other is touched.
    pub canaries: usize,
    /// How many stores may fail before no further one is begun; `None`: any number.
    pub failures_max: Option<usize>,
    /// How many stores are migrated at a time; `None`: as many as the machine has processors.
    pub threads: Option<NonZeroUsize>,
}

impl Default for FleetMigrateOptions {
    /// One canary, and the first failure stops the run.
    fn default() -> Self {
        Self { store: MigrateOptions::default(), canaries: 1, failures_max: Some(0), threads: None }
    }
}

/// What became of one store.
#[derive(Debug)]
pub enum StoreMigration {
    /// What was applied, or would be in a dry run.
    Migrated(Box<MigrateReport>),
    /// It has all of the folder already.
    Current,
    /// Another process has it open, and it is behind.
    Busy,
    /// It is as it was, or stands behind the last migration that succeeded.
    Failed(Error),
    /// The run was stopped before it came to it.
    NotReached,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct FleetMigrateReport {
    /// By store.
    pub stores: BTreeMap<Namespace, StoreMigration>,
}

impl FleetMigrateReport {
    /// How many stores it was `what` for.
    pub fn count(&self, what: impl Fn(&StoreMigration) -> bool) -> usize {
        self.stores.values().filter(|store| what(store)).count()
    }

    /// Whether every store has all of the folder now.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stores.values().all(|store| matches!(store, StoreMigration::Migrated(_) | StoreMigration::Current))
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct FleetProgress<'a> {
    /// The store that it is done with.
    pub ns: &'a Namespace,
    /// What became of it.
    pub outcome: &'a StoreMigration,
    /// How many stores it is done with.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

impl Fleet {
    /// Applies the folder to every store. What fails in one store says so in the report and leaves the others alone.
    ///
    /// `progress` hears of each store when it is done, on one of several threads; if it gives `false`, no further store is begun.
    ///
    /// # Errors
    /// `Unavailable` if the stores cannot be listed.
    pub fn migrate_all(
        &self,
        folder: &MigrationFolder,
        options: &FleetMigrateOptions,
        progress: &(dyn Fn(FleetProgress<'_>) -> bool + Sync),
    ) -> Result<FleetMigrateReport> {
        let names = self.namespaces()?;
        let run = Run {
            fleet: self,
            folder,
            options,
            progress,
            plans: PlanCache::default(),
            names: &names,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
            outcomes: Mutex::default(),
        };
        run.work_until(options.canaries.min(names.len()), 0);
        let threads = options.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let failures_max = options.failures_max.unwrap_or(usize::MAX);
        if run.failed.load(Ordering::Relaxed) == 0 {
            std::thread::scope(|scope| {
                for _ in 0..threads.min(names.len()) {
                    scope.spawn(|| run.work_until(names.len(), failures_max));
                }
            });
        }
        let mut stores = run.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ns in names {
            stores.entry(ns).or_insert(StoreMigration::NotReached);
        }
        Ok(FleetMigrateReport { stores })
    }

    fn migrate_one(&self, ns: &Namespace, folder: &MigrationFolder, options: &MigrateOptions, plans: &PlanCache) -> Result<StoreMigration> {
        let store = match self.store_apart(ns) {
            Ok(store) => store,
            Err(e) if e.context().iter().any(|(key, _)| *key == "held_by") => {
                let is_current = self.read_store(ns)?.migration_status(folder)?.pending.is_empty();
                return Ok(if is_current { StoreMigration::Current } else { StoreMigration::Busy });
            }
            Err(e) => return Err(e),
        };
        let report = store.apply_planned(folder, options, Some(plans), None)?;
        let is_current = report.run.plan.migrations.is_empty() && report.run.adopted.is_empty();
        Ok(if is_current { StoreMigration::Current } else { StoreMigration::Migrated(Box::new(report)) })
    }
}

/// A run over all stores.
struct Run<'a> {
    fleet: &'a Fleet,
    folder: &'a MigrationFolder,
    options: &'a FleetMigrateOptions,
    progress: &'a (dyn Fn(FleetProgress<'_>) -> bool + Sync),
    plans: PlanCache,
    names: &'a [Namespace],
    next: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicUsize,
    is_stopped: AtomicBool,
    outcomes: Mutex<BTreeMap<Namespace, StoreMigration>>,
}

impl Run<'_> {
    /// Migrates stores up to the place `until` as long as no more than `failures_max` have failed.
    fn work_until(&self, until: usize, failures_max: usize) {
        let may_go_on = || self.failed.load(Ordering::Relaxed) <= failures_max && !self.is_stopped.load(Ordering::Relaxed);
        let take = || self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < until).then_some(n + 1)).ok();
        while may_go_on()
            && let Some(ns) = take().and_then(|place| self.names.get(place))
        {
            let outcome = self
                .fleet
                .migrate_one(ns, self.folder, &self.options.store, &self.plans)
                .unwrap_or_else(|e| StoreMigration::Failed(e.with_ns(ns)));
            if matches!(outcome, StoreMigration::Failed(_)) {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            if !(self.progress)(FleetProgress { ns, outcome: &outcome, done, total: self.names.len() }) {
                self.is_stopped.store(true, Ordering::Relaxed);
            }
            self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(ns.clone(), outcome);
        }
    }
}

/// Says of which store an error is, once.
trait WithNs {
    fn with_ns(self, ns: &Namespace) -> Self;
}

impl WithNs for Error {
    fn with_ns(self, ns: &Namespace) -> Self {
        if self.context().iter().any(|(key, _)| *key == "ns") { self } else { self.with("ns", ns) }
    }
}
