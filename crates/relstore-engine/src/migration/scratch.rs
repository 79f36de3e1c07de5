//! A store of the same shape and without rows, in a folder that goes with it: what a plan is tried on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relstore_model::{Clock, Error, Result, Schema, Timestamp, Value};

use crate::database::Database;
use crate::settings::Settings;
use crate::sqlite::Connection;

static NUMBER: AtomicU64 = AtomicU64::new(0);

pub(super) struct Scratch {
    database: Option<Database>,
    folder: PathBuf,
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.database = None;
        // What is left behind is empty tables in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The shape of a store: its schema with its ids, and what makes it.
pub(super) struct Shape {
    pub(super) schema: Schema,
    statements: Vec<String>,
}

impl Shape {
    /// The shape that a store has now.
    pub(super) fn of(connection: &Connection) -> Result<Self> {
        Ok(Self { schema: crate::catalog::newest(connection)?, statements: statements(connection)? })
    }
}

/// Texts that are the same for the same shape alone: all that [`Shape::of`] reads, as it lies in the file.
pub(super) fn fingerprint(connection: &Connection) -> Result<Vec<String>> {
    const ALL: &str = "/*rs*/ SELECT type || ' ' || name || ' ' || sql FROM main.sqlite_schema \
        WHERE sql IS NOT NULL AND tbl_name NOT GLOB '_rs_*' ORDER BY rowid";
    const NEWEST: &str = "/*rs*/ SELECT definition FROM main._rs_schema ORDER BY version DESC LIMIT 1";
    let rows = connection.query(NEWEST, &[])?.into_iter().chain(connection.query(ALL, &[])?);
    Ok(rows.flatten().filter_map(|v| if let Value::Text(t) = v { Some(t) } else { None }).collect())
}

impl Scratch {
    /// A store that has nothing yet.
    pub(super) fn empty() -> Result<Self> {
        Self::of(&Shape { schema: Schema::default(), statements: Vec::new() })
    }

    /// A store of this shape.
    pub(super) fn of(shape: &Shape) -> Result<Self> {
        let mut this = Self { database: None, folder: folder()? };
        let settings = Settings { cache_kib: 1 << 10, readers_idle_max: 1, ..Settings::default() };
        let database = Database::open(&this.folder.join("plan.db"), settings, Arc::new(Still))?;
        database.write(|writer| {
            writer.internally(|c| shape.statements.iter().try_for_each(|sql| c.execute_batch(sql)))?;
            // A store that never had a table has no version of its shape.
            if shape.schema.version > 0 {
                writer.record_schema(shape.schema.clone(), "/* as it is */")?;
            }
            Ok::<_, Error>(())
        })?;
        this.database = Some(database);
        Ok(this)
    }

    pub(super) fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or_else(|| Error::internal("a plan without a store to try it on"))
    }
}

/// What makes the shape, in an order that SQLite takes.
fn statements(connection: &Connection) -> Result<Vec<String>> {
    const ALL: &str = "/*rs*/ SELECT s.sql FROM main.sqlite_schema AS s LEFT JOIN pragma_table_list AS l ON l.schema='main' AND l.name=s.name \
        AND s.type='table' WHERE s.sql IS NOT NULL AND s.name NOT LIKE '\\_rs\\_%' ESCAPE '\\' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
        AND ifnull(l.type, '') <> 'shadow' ORDER BY s.type='trigger', s.type='index', s.type='view', s.sql LIKE 'CREATE VIRTUAL%', s.rowid";
    let texts = connection.query(ALL, &[])?.into_iter().flatten();
    Ok(texts.filter_map(|v| if let Value::Text(t) = v { Some(t) } else { None }).collect())
}

/// A new folder that is nobody else's.
fn folder() -> Result<PathBuf> {
    // In memory where the system has such a folder: nothing here is worth a write to the disk.
    let memory = std::path::Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    loop {
        let path = base.join(format!("relstore-plan-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                return Err(Error::unavailable("no folder to try the migrations in")
                    .with("path", path.display())
                    .with_hint("set TMPDIR to a folder that may be written")
                    .with_source(e));
            }
        }
    }
}
