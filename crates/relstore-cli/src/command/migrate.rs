//! `relstore migrate`: migrations of one store, or of all of an installation.

mod check;
mod document;
mod story;

pub(super) use story::verdict;

use std::io::Write;
use std::path::Path;

use relstore::engine::migration::{LateMigrations, MigrationFolder};
use relstore::model::{Error, ErrorKind, Namespace};
use relstore::{Fleet, FleetMigrateOptions, MigrateOptions, MigrateReport, RelationalStore, StoreMigration};
use serde_json::json;

use crate::cli::{MigrateApplyArguments, MigrateArguments, MigrateDownArguments, MigrateStatusArguments, MigrateVerb};
use crate::failure::{Failure, Outcome};
use crate::output::bar;

pub(crate) async fn run(arguments: MigrateArguments) -> Outcome {
    match arguments.verb {
        MigrateVerb::Apply(arguments) if arguments.stores.all => apply_all(arguments).await,
        MigrateVerb::Apply(arguments) => apply(arguments).await,
        MigrateVerb::Status(arguments) => status(arguments).await,
        MigrateVerb::Check(arguments) => check::run(&arguments),
        MigrateVerb::Down(arguments) => down(arguments).await,
    }
}

/// What `--json` or a person is given, and whether it is a failure of the command.
fn tell(text: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Outcome {
    let mut out = super::stdout();
    text(&mut out)?;
    out.flush()?;
    Ok(())
}

fn write_document(out: &mut dyn Write, document: &serde_json::Value) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

fn options(arguments: &MigrateApplyArguments) -> MigrateOptions {
    MigrateOptions {
        allow_destructive: arguments.allow_destructive,
        late: if arguments.late == "apply" { LateMigrations::Apply } else { LateMigrations::Refuse },
        dry_run: arguments.dry_run,
        target: arguments.to,
        ..MigrateOptions::default()
    }
}

/// The one store that is named.
fn named(ns: Option<&str>) -> Result<Namespace, Error> {
    super::namespace(ns.unwrap_or_default())
}

async fn apply(arguments: MigrateApplyArguments) -> Outcome {
    let folder = MigrationFolder::read(&arguments.folder)?;
    let ns = named(arguments.stores.ns.as_deref())?;
    let dir = &arguments.stores.dir;
    let known = match Fleet::open(dir).await.and_then(|fleet| fleet.read_store(&ns)) {
        Ok(store) => Some(store),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(e.into()),
    };
    if arguments.dry_run || known.is_none() {
        // What only plans makes no store, and a store that is not there yet is made only for migrations that go through on an empty one.
        let planned = plan(known, &folder, &ns, &options(&arguments)).await?;
        if arguments.dry_run {
            return tell(|out| {
                if arguments.json {
                    write_document(out, &document::of_report(&ns, &planned, true))
                } else {
                    story::plan(out, &ns, &planned)
                }
            });
        }
    }
    let store = super::open_or_create(dir).await?.store(&ns)?;
    let bar = bar(arguments.json, "{msg} {bar:40} {pos}/{len} statements");
    let report = store.apply_migrations(
        &folder,
        &options(&arguments),
        Some(&mut |progress| {
            bar.set_message(format!("{} ({} of {})", progress.migration, progress.migration_number, progress.migration_count));
            bar.set_length(progress.statement_count as u64);
            bar.set_position(progress.statement as u64);
        }),
    );
    bar.finish_and_clear();
    let report = report?;
    tell(|out| {
        if arguments.json { write_document(out, &document::of_report(&ns, &report, false)) } else { story::applied(out, &ns, &report, dir) }
    })
}

/// What the folder would do to the store, or to an empty one if there is none.
async fn plan(
    known: Option<RelationalStore>,
    folder: &MigrationFolder,
    ns: &Namespace,
    options: &MigrateOptions,
) -> Result<MigrateReport, Error> {
    let options = MigrateOptions { dry_run: true, ..options.clone() };
    if let Some(store) = known {
        return store.apply_migrations(folder, &options, None);
    }
    let unusable = |e| Error::unavailable("no temporary folder can be made to plan in").with_hint("set TMPDIR to a folder").with_source(e);
    let empty = tempfile::tempdir().map_err(unusable)?;
    Fleet::create(empty.path()).await?.store(ns)?.apply_migrations(folder, &options, None)
}

async fn apply_all(arguments: MigrateApplyArguments) -> Outcome {
    let folder = MigrationFolder::read(&arguments.folder)?;
    let fleet = Fleet::open(&arguments.stores.dir).await?;
    let fleet_options = FleetMigrateOptions {
        store: options(&arguments),
        canaries: arguments.canaries,
        failures_max: Some(arguments.failures_max),
        threads: None,
    };
    let bar = bar(arguments.json, "{bar:40} {pos}/{len} stores {msg}");
    let interrupted = interrupted();
    let started = std::time::Instant::now();
    let report = fleet.migrate_all(&folder, &fleet_options, &|progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        if let StoreMigration::Failed(error) = progress.outcome {
            bar.println(format!("{}: {}", progress.ns, error.message()));
        }
        !interrupted.load(std::sync::atomic::Ordering::Relaxed)
    });
    bar.finish_and_clear();
    let report = report?;
    tell(|out| {
        if arguments.json {
            write_document(out, &document::of_fleet(&report, arguments.dry_run))
        } else {
            story::fleet(out, &report, started.elapsed(), arguments.dry_run)
        }
    })?;
    if arguments.dry_run || report.is_complete() {
        return Ok(());
    }
    let failed = report.count(|store| matches!(store, StoreMigration::Failed(_)));
    Err(Failure::Error(
        Error::new(ErrorKind::Conflict, "not every store has all migrations")
            .with("failed", failed)
            .with("busy", report.count(|store| matches!(store, StoreMigration::Busy)))
            .with("not_reached", report.count(|store| matches!(store, StoreMigration::NotReached)))
            .with_hint("see what failed, mend it and run this again: stores that have all are passed over"),
    ))
}

/// Set when Ctrl-C asks for an end: the stores that are begun are finished, and no other is begun.
fn interrupted() -> std::sync::Arc<std::sync::atomic::AtomicBool> {
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let set = std::sync::Arc::clone(&flag);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            set.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    flag
}

async fn status(arguments: MigrateStatusArguments) -> Outcome {
    let folder = arguments.folder.as_deref().map(MigrationFolder::read).transpose()?;
    let fleet = Fleet::open(&arguments.stores.dir).await?;
    if let (true, Some(folder)) = (arguments.stores.all, &folder) {
        let mut standings = Vec::new();
        for ns in fleet.namespaces()? {
            let standing = fleet.read_store(&ns).and_then(|store| store.migration_status(folder));
            standings.push((ns, standing));
        }
        return tell(|out| {
            if arguments.json {
                let stores: Vec<_> = standings.iter().map(|(ns, standing)| document::of_standing(ns, standing)).collect();
                write_document(out, &json!(stores))
            } else {
                story::standings(out, &standings)
            }
        });
    }
    let ns = named(arguments.stores.ns.as_deref())?;
    let store = fleet.read_store(&ns)?;
    let history = store.migrations()?;
    let standing = folder.as_ref().map(|folder| store.migration_status(folder)).transpose()?;
    tell(|out| {
        if arguments.json {
            write_document(out, &document::of_status(&ns, &history, standing.as_ref()))
        } else {
            story::status(out, &ns, &history, standing.as_ref())
        }
    })
}

async fn down(arguments: MigrateDownArguments) -> Outcome {
    let folder = MigrationFolder::read(&arguments.folder)?;
    let (dir, json) = (&arguments.store.dir, arguments.store.json);
    let ns = super::namespace(&arguments.store.ns)?;
    let fleet = Fleet::open(dir).await?;
    // Refuses a name that is no store's, before one is made.
    let known = fleet.read_store(&ns)?;
    let target = match arguments.to {
        Some(version) => Some(version),
        None => {
            let mut versions: Vec<u64> = known.migration_status(&folder)?.applied.iter().map(|(version, _)| *version).collect();
            versions.sort_unstable();
            versions.len().checked_sub(2).map(|newest_but_one| versions[newest_but_one])
        }
    };
    if arguments.dry_run {
        let plan = known.plan_roll_back(&folder, target)?;
        return tell(|out| if json { write_document(out, &document::of_plan(&ns, &plan)) } else { story::plan_down(out, &ns, &plan) });
    }
    let reports = fleet.store(&ns)?.roll_back_migrations(&folder, target, arguments.allow_destructive)?;
    tell(|out| {
        if json {
            write_document(out, &json!({"ns": ns, "reverted": reports.iter().map(document::of_migration).collect::<Vec<_>>()}))
        } else {
            story::reverted(out, &ns, &reports, dir)
        }
    })
}

/// How to go back to before a migration.
fn way_back(dir: &Path, ns: &Namespace, lsn: relstore::model::Lsn) -> String {
    format!("relstore restore --dir {} --ns {ns} --at {lsn} --to NEW_DIR", dir.display())
}
