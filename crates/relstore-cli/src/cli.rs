//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Relational stores in a folder: SQL, every change as an event, history, views, restore.
#[derive(Debug, Parser)]
#[command(name = "relstore", version, about, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Tells the whole story on real data: every flight that left New York in 2013.
    Demo(DemoArguments),
    /// Runs one statement in one store.
    Sql(SqlArguments),
    /// Shows the changes that a store's log retains, as events.
    Tail(TailArguments),
    /// Runs one query over all stores and their history.
    Query(QueryArguments),
    /// Makes a new installation that holds a store as it was at a past moment.
    Restore(RestoreArguments),
    /// Lists the stores of an installation.
    Stores(StoresArguments),
    /// Shows what a store's tables are like, and what is in them.
    Schema(SchemaArguments),
    /// Looks whether a store is whole: its pages, foreign keys and log, and whether the log says what it holds.
    Check(StoreArguments),
    /// Logs what another program wrote to a store, so that it can be written again.
    Reconcile(StoreArguments),
    /// Copies a store into a file, while others read and write it.
    Backup(BackupArguments),
    /// Applies migrations, shows them, looks them through, takes them back.
    Migrate(MigrateArguments),
    /// Makes a store of a plain SQLite file.
    Adopt(AdoptArguments),
}

/// `relstore migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: MigrateVerb,
}

/// The verbs of `relstore migrate`.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateVerb {
    /// Applies what of a folder is not applied: drizzle-kit's folders of both kinds, or NNNN_name.sql.
    Apply(MigrateApplyArguments),
    /// Shows what is applied, and what of a folder is not.
    Status(MigrateStatusArguments),
    /// Looks a folder through without a store: what loses data, depends on it, cannot be taken back, or contradicts.
    Check(MigrateCheckArguments),
    /// Takes the newest migration of a folder back by its down.
    Down(MigrateDownArguments),
}

/// One store, or all.
#[derive(Debug, Args)]
pub(crate) struct WhichStores {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) ns: Option<String>,
    /// Every store of the installation.
    #[arg(long)]
    pub(crate) all: bool,
}

/// `relstore migrate apply`.
#[derive(Debug, Args)]
pub(crate) struct MigrateApplyArguments {
    /// The folder of migrations.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) stores: WhichStores,
    /// Say what would be done, statement by statement, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Allow what loses tables, columns or all rows of a table for good.
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// What becomes of a migration that is older than the newest applied one.
    #[arg(long, value_name = "POLICY", value_parser = ["refuse", "apply"], default_value = "refuse")]
    pub(crate) late: String,
    /// Stop after this version.
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,
    /// With --all: how many stores go first, one after another; the others follow only if all of these succeed.
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "all")]
    pub(crate) canaries: usize,
    /// With --all: go on until more than so many stores have failed.
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "all")]
    pub(crate) failures_max: usize,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore migrate status`.
#[derive(Debug, Args)]
pub(crate) struct MigrateStatusArguments {
    /// The folder of migrations; without it, the history alone is shown.
    #[arg(value_name = "FOLDER", required_if_eq("all", "true"))]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stores: WhichStores,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore migrate check`.
#[derive(Debug, Args)]
pub(crate) struct MigrateCheckArguments {
    /// The folder of migrations.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Say too what this compatibility mode makes of each migration: NONE, BACKWARD, FORWARD, FULL, and _TRANSITIVE.
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<String>,
    /// What that says of changes of unique keys, foreign keys and checks: warn, enforce, ignore.
    #[arg(long, value_name = "POLICY", requires = "mode")]
    pub(crate) constraints: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore migrate down`.
#[derive(Debug, Args)]
pub(crate) struct MigrateDownArguments {
    /// The folder of migrations.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Take back every migration above this version, newest first, instead of the newest alone.
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,
    /// Say what would be done, statement by statement, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Allow what loses tables, columns or all rows of a table for good.
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// `relstore adopt`.
#[derive(Debug, Args)]
pub(crate) struct AdoptArguments {
    /// The SQLite file. It is only read.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The installation. It is made if the folder is empty or not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The new store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: SchemaVerb,
}

/// The verbs of `relstore schema`.
#[derive(Debug, Subcommand)]
pub(crate) enum SchemaVerb {
    /// Shows columns, indexes, foreign keys, triggers and statistics.
    Show(SchemaShowArguments),
    /// Compares a store with a schema and names what differs.
    Diff(SchemaAgainstArguments),
    /// Says whether a store may have another shape, by the compatibility that it promises.
    Check(SchemaCheckArguments),
    /// Shows or chooses the compatibility that a store promises to readers of its rows.
    Mode(SchemaModeArguments),
}

/// `relstore schema diff`.
#[derive(Debug, Args)]
pub(crate) struct SchemaAgainstArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// What the store should be: a file of CREATE statements, a folder of migrations, or another store of the installation.
    #[arg(value_name = "FILE|FOLDER|STORE")]
    pub(crate) against: String,
}

/// `relstore schema check`.
#[derive(Debug, Args)]
pub(crate) struct SchemaCheckArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// The new shape: a file of CREATE statements, a folder of migrations, another store, or one change as a JSON object.
    #[arg(value_name = "FILE|FOLDER|STORE|JSON")]
    pub(crate) new: String,
}

/// `relstore schema mode`.
#[derive(Debug, Args)]
pub(crate) struct SchemaModeArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// NONE, BACKWARD, FORWARD, FULL, one of these with _TRANSITIVE, or DEFAULT.
    #[arg(value_name = "MODE")]
    pub(crate) mode: Option<String>,
    /// What becomes of changes of unique keys, foreign keys and checks: warn, enforce, ignore.
    #[arg(long, value_name = "POLICY")]
    pub(crate) constraints: Option<String>,
}

/// `relstore schema show`.
#[derive(Debug, Args)]
pub(crate) struct SchemaShowArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// This table alone.
    #[arg(value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Verbs on one store.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// The new file.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Where to keep the installation: a folder that does not exist yet or is empty. Without it a temporary one is made, and kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Tell no story: print one JSON document of what was found.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlArguments {
    /// The installation. The first statement that makes something makes the folder too.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// One statement in SQLite's SQL.
    #[arg(value_name = "SQL")]
    pub(crate) sql: String,
    /// A value for a `?` of the statement, from left to right: 42, 4.2, NULL, x'00ff', anything else is text. 'Quotes' make it text.
    #[arg(long = "param", value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) params: Vec<String>,
    /// Print how the statement would run, instead of running it.
    #[arg(long, conflicts_with = "json")]
    pub(crate) explain: bool,
    /// Print the rows as a JSON array of objects.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore tail`.
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// Start with the change at this position, instead of the oldest that the log retains.
    #[arg(long, value_name = "LSN")]
    pub(crate) from: Option<String>,
    /// Show the changes of this table alone; may be given several times.
    #[arg(long = "table", value_name = "NAME")]
    pub(crate) tables: Vec<String>,
    /// Show the changes of this kind alone: create, update, delete, or read (a row that was there when the log began); may be given
    /// several times.
    #[arg(long = "op", value_name = "KIND", value_parser = ["c", "u", "d", "r"])]
    pub(crate) ops: Vec<String>,
    /// Show whole rows of updates, not the changed columns alone.
    #[arg(long)]
    pub(crate) full: bool,
    /// Stay, and show changes as they are committed.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print one JSON event a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore query`.
#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// One query. Tables are the newest rows of all stores, `history.<table>` every version of them; `_ns` says the store.
    #[arg(value_name = "SQL")]
    pub(crate) sql: String,
    /// Print how the query would run, instead of its answer.
    #[arg(long, conflicts_with = "json")]
    pub(crate) explain: bool,
    /// Print the rows as a JSON array of objects.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The store.
    #[arg(long, value_name = "NAME")]
    pub(crate) ns: String,
    /// The moment: a position (42), or a time (2013-06-30T12:00:00Z, or 2013-06-30 for its midnight in UTC).
    #[arg(long, value_name = "LSN|TIME")]
    pub(crate) at: String,
    /// The new installation: a folder that does not exist yet or is empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Rehearse: restore into a temporary folder, say what came of it, and leave nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `relstore stores`.
#[derive(Debug, Args)]
pub(crate) struct StoresArguments {
    /// The installation.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print a JSON array of objects.
    #[arg(long)]
    pub(crate) json: bool,
}
