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
