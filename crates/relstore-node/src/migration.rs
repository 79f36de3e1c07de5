//! Migrations: of a folder, in one go, and of the program's own, whose statements come one by one to the thread that has the transaction.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use napi::Env;
use napi::bindgen_prelude::{AsyncTask, BufferSlice, Task};
use napi_derive::napi;
use relstore_engine::Database;
use relstore_engine::migration::{AppliedMigration, ApplyOptions, LateMigrations, MigrationFolder, MigrationReport, MigrationTransaction};
use relstore_model::{Error, ErrorKind, Result, Value};
use serde_json::{Value as Json, json};

use crate::answer::{Answer, Gathered};
use crate::failure::{caught, shielded, shielded_in};
use crate::statement::owned;
use crate::store::{Shared, Store, lock};

#[napi]
impl Store {
    /// Applies what of a folder is not applied: the names of the migrations, as JSON. `options` is JSON: `allowDestructive`, `allowLate`.
    #[napi(catch_unwind)]
    pub fn migrate_folder(&self, path: String, options: String) -> AsyncTask<ApplyFolder> {
        AsyncTask::new(ApplyFolder { shared: Arc::clone(&self.shared), path, options })
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
    pub fn begin_migration(&self, version: f64, is_back: bool) -> AsyncTask<BeginMigration> {
        AsyncTask::new(BeginMigration { shared: Arc::clone(&self.shared), version: version as u64, is_back })
    }
}

fn document(m: &AppliedMigration) -> Json {
    json!({
        "id": m.id, "version": m.version, "name": m.name, "kind": m.kind.name(), "hash": m.hash,
        "appliedAt": m.applied_at.micros() / 1000, "rolledBackAt": m.rolled_back_at.map(|at| at.micros() / 1000),
    })
}

/// A folder that is applied.
pub struct ApplyFolder {
    shared: Arc<Shared>,
    path: String,
    options: String,
}

impl Task for ApplyFolder {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> napi::Result<String> {
        shielded(|| {
            let json: Json = serde_json::from_str(&self.options).map_err(|e| Error::invalid("the options are no JSON").with_source(e))?;
            let is_set = |name: &str| json.get(name).and_then(Json::as_bool).unwrap_or(false);
            let options = ApplyOptions {
                allow_destructive: is_set("allowDestructive"),
                late: if is_set("allowLate") { LateMigrations::Apply } else { LateMigrations::Refuse },
                ..ApplyOptions::default()
            };
            let folder = MigrationFolder::read(self.path.as_ref())?;
            let report = self.shared.database()?.apply_migrations(&folder, options)?;
            let applied: Vec<Json> = report.applied.iter().map(|m| document(&m.migration)).collect();
            let adopted: Vec<Json> = report.adopted.iter().map(document).collect();
            Ok(json!({"applied": applied, "adopted": adopted}).to_string())
        })
    }

    fn resolve(&mut self, _env: Env, report: String) -> napi::Result<String> {
        Ok(report)
    }
}

/// What the migration's thread is asked to do.
pub enum Request {
    /// To run a statement.
    Run(String, Vec<Value>, Sender<Result<Gathered>>),
    /// To commit.
    Finish(Sender<Result<()>>),
}

/// Where requests go; `None` once it has ended. Dropped without an end, the migration leaves no trace.
type Requests = Arc<Mutex<Option<Sender<Request>>>>;

/// An open migration of the program's own.
#[napi]
pub struct Migration {
    database: Arc<Database>,
    requests: Requests,
}

#[napi]
impl Migration {
    /// Runs a statement, on the migration's thread.
    #[napi(catch_unwind)]
    pub fn run(&self, sql: String, io: BufferSlice<'_>, count: u32) -> napi::Result<AsyncTask<RunInMigration>> {
        let params = shielded(|| owned(&io, count))?;
        let (database, requests) = (Arc::clone(&self.database), Arc::clone(&self.requests));
        Ok(AsyncTask::new(RunInMigration { database, requests, sql, params }))
    }

    /// Commits it.
    #[napi(catch_unwind)]
    pub fn finish(&self) -> AsyncTask<FinishMigration> {
        AsyncTask::new(FinishMigration { database: Arc::clone(&self.database), requests: Arc::clone(&self.requests) })
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

/// Asks the thread and waits for its answer.
fn ask<T>(requests: &Requests, is_last: bool, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<T> {
    let requests = if is_last { lock(requests).take() } else { lock(requests).clone() };
    let (answer, answered) = channel();
    requests.ok_or_else(ended)?.send(request(answer)).map_err(|_| ended())?;
    answered.recv().map_err(|_| ended())?
}

/// The thread's life: it begins, says so, and does what it is asked to until it is ended or given up.
fn live(database: &Database, version: u64, is_back: bool, begun: &Sender<Result<bool>>, requests: &Receiver<Request>) -> Result<()> {
    if is_back {
        let rollback = database.begin_rollback(version)?;
        let _ = begun.send(Ok(true));
        serve(requests, &rollback.transaction).map_or(Ok(()), |answer| answer.finished(|| rollback.finish()))
    } else {
        let Some(migration) = database.begin_migration(version)? else {
            let _ = begun.send(Ok(false));
            return Ok(());
        };
        let _ = begun.send(Ok(true));
        serve(requests, &migration).map_or(Ok(()), |answer| answer.finished(|| migration.finish()))
    }
}

/// Who waits for the end of a migration.
struct Waiting(Sender<Result<()>>);

impl Waiting {
    fn finished(self, finish: impl FnOnce() -> Result<MigrationReport>) -> Result<()> {
        // Who asked may be gone with its thread; the migration is done all the same.
        let _ = self.0.send(caught(|| finish().map(|_| ())));
        Ok(())
    }
}

/// Runs statements until the end is asked for; `None` if the migration is given up.
fn serve(requests: &Receiver<Request>, transaction: &MigrationTransaction<'_>) -> Option<Waiting> {
    loop {
        match requests.recv().ok()? {
            Request::Run(sql, params, answer) => {
                let result = caught(|| transaction.execute(&sql, &params).map(|outcome| Gathered::default().done(outcome)));
                let _ = answer.send(result);
            }
            Request::Finish(answer) => return Some(Waiting(answer)),
        }
    }
}

/// The begin of a migration.
pub struct BeginMigration {
    shared: Arc<Shared>,
    version: u64,
    is_back: bool,
}

impl Task for BeginMigration {
    type Output = Option<(Arc<Database>, Sender<Request>)>;
    type JsValue = Option<Migration>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        shielded(|| {
            let database = self.shared.database()?;
            let (request, requests) = channel();
            let (begin, begun) = channel();
            let (of_thread, version, is_back) = (Arc::clone(&database), self.version, self.is_back);
            let life = move || {
                if let Err(e) = caught(|| live(&of_thread, version, is_back, &begin, &requests)) {
                    let _ = begin.send(Err(e));
                }
            };
            std::thread::Builder::new()
                .name("relstore-migration".to_owned())
                .spawn(life)
                .map_err(|e| Error::unavailable("the migration's thread cannot be started").with_source(e))?;
            let is_begun = begun.recv().map_err(|_| Error::internal("the migration's thread ended"))??;
            Ok(is_begun.then_some((database, request)))
        })
    }

    fn resolve(&mut self, _env: Env, begun: Self::Output) -> napi::Result<Option<Migration>> {
        Ok(begun.map(|(database, request)| Migration { database, requests: Arc::new(Mutex::new(Some(request))) }))
    }
}

/// A statement of a migration.
pub struct RunInMigration {
    database: Arc<Database>,
    requests: Requests,
    sql: String,
    params: Vec<Value>,
}

impl Task for RunInMigration {
    type Output = Gathered;
    type JsValue = Answer;

    fn compute(&mut self) -> napi::Result<Gathered> {
        let (sql, params) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.params));
        shielded_in(&self.database, || ask(&self.requests, false, |answer| Request::Run(sql, params, answer)))
    }

    fn resolve(&mut self, _env: Env, gathered: Gathered) -> napi::Result<Answer> {
        Ok(Answer::new(gathered))
    }
}

/// The end of a migration.
pub struct FinishMigration {
    database: Arc<Database>,
    requests: Requests,
}

impl Task for FinishMigration {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        shielded_in(&self.database, || ask(&self.requests, true, Request::Finish))
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}
