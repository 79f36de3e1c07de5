//! One file per verb.

mod adopt;
mod backup;
mod check;
mod demo;
mod migrate;
mod query;
mod reconcile;
mod restore;
mod schema;
mod schema_evolution;
mod sql;
mod stores;
mod tail;

use std::io::{BufWriter, StdoutLock};
use std::path::Path;

use relstore::Fleet;
use relstore::model::{Error, ErrorKind, Namespace};

use crate::cli::{Arguments, Verb};
use crate::failure::Outcome;

/// Runs what the command line asks for.
pub(crate) fn run(arguments: Arguments) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::unavailable("the threads of the program cannot be started").with_source(e))?;
    runtime.block_on(async {
        match arguments.verb {
            Verb::Demo(arguments) => demo::run(arguments).await,
            Verb::Sql(arguments) => sql::run(arguments).await,
            Verb::Tail(arguments) => tail::run(arguments).await,
            Verb::Query(arguments) => query::run(arguments).await,
            Verb::Restore(arguments) => restore::run(arguments).await,
            Verb::Stores(arguments) => stores::run(arguments).await,
            Verb::Schema(arguments) => schema::run(arguments).await,
            Verb::Check(arguments) => check::run(arguments).await,
            Verb::Reconcile(arguments) => reconcile::run(arguments).await,
            Verb::Backup(arguments) => backup::run(arguments).await,
            Verb::Migrate(arguments) => migrate::run(arguments).await,
            Verb::Adopt(arguments) => adopt::run(arguments).await,
        }
    })
}

/// Standard output for much of it: flush it at the end.
fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, std::io::stdout().lock())
}

/// The store that `--ns` names.
fn namespace(name: &str) -> Result<Namespace, Error> {
    Namespace::new(name)
}

/// The installation `dir`; it is made if the folder is empty or not there.
async fn open_or_create(dir: &Path) -> Result<Fleet, Error> {
    match Fleet::open(dir).await {
        Err(e) if e.kind() == ErrorKind::NotFound => Fleet::create(dir).await,
        result => result,
    }
}
