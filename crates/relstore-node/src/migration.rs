//! Migrations: of a folder, in one go, and of the program's own, whose statements come one by one to the thread that has the transaction.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;
use relstore_engine::Database;
use relstore_engine::migration::{AppliedMigration, ApplyOptions, LateMigrations, MigrationFolder, MigrationTransaction};
use relstore_model::{Error, ErrorKind, Result, Value};
use serde_json::{Value as Json, json};

use crate::answer::Gathered;
use crate::failure::{caught, shielded};
use crate::jobs::{Done, Jobs, Lane};
use crate::statement::owned;
use crate::store::{Shared, Store, lock};

#[napi]
impl Store {
    /// Applies what of a folder is not applied: the names of the migrations, as JSON. `options` is JSON: `allowDestructive`, `allowLate`.
    #[napi(catch_unwind)]
    pub fn migrate_folder(&self, path: String, options: String) -> napi::Result<u32> {
        self.shared.start(Lane::Write, move |database| apply_folder(database, &path, &options).map(|report| Done::Text(Some(report))))
    }

    /// Every migration that was applied, as JSON, the oldest first.
    #[napi(catch_unwind)]
    pub fn migrations(&self) -> napi::Result<String> {
        shielded(|| {
            let migrations = self.shared.database()?.migrations()?;
            Ok(Json::from(migrations.iter().map(document).collect::<Vec<_>>()).to_string())
        })
    }

    /// The highest version of the program's own migrations that are in force; 0 if there is none.
    #[napi(catch_unwind)]
    pub fn migration_version(&self) -> napi::Result<f64> {
        shielded(|| Ok(self.shared.database()?.migration_version()? as f64))
    }

    /// Begins a migration of the program's own, or to take one back; nothing if it is the current version already.
    #[napi(catch_unwind)]
    pub fn begin_migration(&self, version: f64, is_back: bool) -> napi::Result<u32> {
        shielded(|| {
            let (database, jobs) = (self.shared.database()?, Arc::clone(&self.shared.jobs));
            let number = jobs.number();
            let (request, requests) = channel();
            let request = Arc::new(Mutex::new(Some(request)));
            jobs.has_migration(&request);
            let life = Life { number, version: version as u64, requests: request, jobs: Arc::clone(&jobs) };
            jobs.thread("relstore-migration", move || {
                if let Err(e) = caught(|| life.live(&database, is_back, &requests)) {
                    life.begun(Err(e));
                }
            })?;
            Ok(number)
        })
    }
}

fn document(m: &AppliedMigration) -> Json {
    json!({
        "id": m.id, "version": m.version, "name": m.name, "kind": m.kind.name(), "hash": m.hash,
        "appliedAt": m.applied_at.micros() / 1000, "rolledBackAt": m.rolled_back_at.map(|at| at.micros() / 1000),
    })
}

fn apply_folder(database: &Database, path: &str, options: &str) -> Result<String> {
    let json: Json = serde_json::from_str(options).map_err(|e| Error::invalid("the options are no JSON").with_source(e))?;
    let is_set = |name: &str| json.get(name).and_then(Json::as_bool).unwrap_or(false);
    let options = ApplyOptions {
        allow_destructive: is_set("allowDestructive"),
        late: if is_set("allowLate") { LateMigrations::Apply } else { LateMigrations::Refuse },
        ..ApplyOptions::default()
    };
    let report = database.apply_migrations(&MigrationFolder::read(path.as_ref())?, options)?;
    let applied: Vec<Json> = report.applied.iter().map(|m| document(&m.migration)).collect();
    let adopted: Vec<Json> = report.adopted.iter().map(document).collect();
    Ok(json!({"applied": applied, "adopted": adopted}).to_string())
}

/// What the migration's thread is asked to do, and the number of its result.
pub(crate) enum Request {
    Run(u32, String, Vec<Value>),
    Finish(u32),
}

/// Where requests go; `None` once it has ended. Dropped without an end, the migration leaves no trace.
pub(crate) type OpenMigration = Mutex<Option<Sender<Request>>>;
pub(crate) type Requests = Arc<OpenMigration>;

/// An open migration of the program's own.
#[napi]
pub struct Migration {
    shared: Arc<Shared>,
    requests: Requests,
    /// The store is open as long as there is a migration.
    _database: Arc<Database>,
}

impl Migration {
    pub(crate) fn new(shared: &Arc<Shared>, (database, requests): (Arc<Database>, Requests)) -> Self {
        Self { shared: Arc::clone(shared), requests, _database: database }
    }

    fn ask(&self, requests: Option<Sender<Request>>, request: impl FnOnce(u32) -> Request) -> napi::Result<u32> {
        shielded(|| {
            let number = self.shared.jobs.number();
            requests.ok_or_else(ended)?.send(request(number)).map_err(|_| ended())?;
            Ok(number)
        })
    }
}

#[napi]
impl Migration {
    /// Runs a statement, on the migration's thread.
    #[napi(catch_unwind)]
    pub fn run(&self, sql: String, io: BufferSlice<'_>, count: u32) -> napi::Result<u32> {
        let params = shielded(|| owned(&io, count))?;
        self.ask(lock(&self.requests).clone(), |number| Request::Run(number, sql, params))
    }

    /// Commits it.
    #[napi(catch_unwind)]
    pub fn finish(&self) -> napi::Result<u32> {
        self.ask(lock(&self.requests).take(), Request::Finish)
    }

    /// Gives it up.
    #[napi(catch_unwind)]
    pub fn abandon(&self) {
        drop(lock(&self.requests).take());
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the migration has ended").with_hint("await every statement before up or down returns")
}

/// The life of a migration's thread: it begins, says so, and does what it is asked to until it is ended or given up.
struct Life {
    /// Of the begin.
    number: u32,
    version: u64,
    requests: Requests,
    jobs: Arc<Jobs>,
}

impl Life {
    /// Says how it began, once.
    fn begun(&self, result: Result<Option<Arc<Database>>>) {
        let begun = result.map(|database| Done::Migration(database.map(|database| (database, Arc::clone(&self.requests)))));
        self.jobs.finish(self.number, begun);
    }

    fn live(&self, database: &Arc<Database>, is_back: bool, requests: &Receiver<Request>) -> Result<()> {
        if is_back {
            let rollback = database.begin_rollback(self.version)?;
            self.begun(Ok(Some(Arc::clone(database))));
            if let Some(number) = self.serve(requests, &rollback.transaction) {
                self.jobs.finish(number, caught(|| rollback.finish().map(|_| Done::Nothing)));
            }
        } else {
            let Some(migration) = database.begin_migration(self.version)? else {
                self.begun(Ok(None));
                return Ok(());
            };
            self.begun(Ok(Some(Arc::clone(database))));
            if let Some(number) = self.serve(requests, &migration) {
                self.jobs.finish(number, caught(|| migration.finish().map(|_| Done::Nothing)));
            }
        }
        Ok(())
    }

    /// Runs statements until the end is asked for; `None` if the migration is given up.
    fn serve(&self, requests: &Receiver<Request>, transaction: &MigrationTransaction<'_>) -> Option<u32> {
        loop {
            match requests.recv().ok()? {
                Request::Run(number, sql, params) => {
                    let run = || transaction.execute(&sql, &params).map(|outcome| Done::Answer(Gathered::of(outcome)));
                    self.jobs.finish(number, caught(run));
                }
                Request::Finish(number) => return Some(number),
            }
        }
    }
}
