//! Which migrations were applied, when, and where in the log.

use relstore_model::{Error, ErrorKind, Lsn, Result, Row, Timestamp, Value};

use crate::database::Database;
use crate::sqlite::Connection;

/// Where a migration came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationKind {
    /// A folder.
    Folder,
    /// The program itself.
    Inline,
    /// drizzle applied it, before this store took over: it is known by `__drizzle_migrations`.
    Adopted,
}

impl MigrationKind {
    /// `folder`, `inline` or `adopted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Inline => "inline",
            Self::Adopted => "adopted",
        }
    }
}

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Its place in the order of application, from 1. Rolled back and applied again it has another.
    pub id: i64,
    /// Its version: inline ones and those of folders are counted apart.
    pub version: u64,
    /// Its name; of an inline one `version N`.
    pub name: String,
    /// Where it came from.
    pub kind: MigrationKind,
    /// The SHA-256 of its file in hex, as it was.
    pub hash: Option<String>,
    /// The text of its file, as it was; not kept of one that drizzle applied.
    pub sql: Option<String>,
    /// When it was applied. Of one that drizzle applied: when drizzle says that, or else when the migration was made.
    pub applied_at: Timestamp,
    /// The position of the last change before it: a restore to it takes the migration back.
    pub lsn_before: Lsn,
    /// The position of its last change.
    pub lsn_after: Lsn,
    /// The schema's version before it.
    pub schema_before: u32,
    /// The schema's version after it.
    pub schema_after: u32,
    /// When it was taken back, if it was.
    pub rolled_back_at: Option<Timestamp>,
}

impl AppliedMigration {
    /// Whether it is in force: not taken back.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        self.rolled_back_at.is_none()
    }

    /// Whether it is of a folder, applied by drizzle or by this store.
    pub(super) fn is_of_folder(&self) -> bool {
        self.kind != MigrationKind::Inline
    }
}

impl Database {
    /// Every migration that was ever applied, in that order, those that were taken back too.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn migrations(&self) -> Result<Vec<AppliedMigration>> {
        self.look(all)
    }

    /// The highest version of the inline migrations that are in force; 0 if there is none.
    ///
    /// # Errors
    /// As [`Database::migrations`].
    pub fn migration_version(&self) -> Result<u64> {
        self.look(inline_version)
    }
}

/// The history, oldest first. Empty in a store of before there was one.
pub(super) fn all(connection: &Connection) -> Result<Vec<AppliedMigration>> {
    const ALL: &str = "/*rs*/ SELECT id, version, name, kind, hash, sql, applied_at, lsn_before, lsn_after, schema_before, schema_after, \
        rolled_back_at FROM main._rs_migration ORDER BY id";
    match connection.query(ALL, &[]) {
        Err(e) if e.kind() == ErrorKind::NotFound && e.message() == "no such table: main._rs_migration" => Ok(Vec::new()),
        rows => rows?.into_iter().map(parse).collect(),
    }
}

/// The highest inline version in force.
pub(super) fn inline_version(connection: &Connection) -> Result<u64> {
    let in_force = all(connection)?.into_iter().filter(|m| m.is_in_force() && m.kind == MigrationKind::Inline);
    Ok(in_force.map(|m| m.version).max().unwrap_or(0))
}

fn parse(row: Row) -> Result<AppliedMigration> {
    let wrong = || Error::corrupt("the history of migrations has a row of another form");
    let integer = |at: usize| match row.get(at) {
        Some(Value::Integer(n)) => Ok(*n),
        _ => Err(wrong()),
    };
    let text = |at: usize| match row.get(at) {
        Some(Value::Text(t)) => Some(t.clone()),
        _ => None,
    };
    let version = |at: usize| u32::try_from(integer(at)?).map_err(|_| wrong());
    let kinds = [MigrationKind::Folder, MigrationKind::Inline, MigrationKind::Adopted];
    Ok(AppliedMigration {
        id: integer(0)?,
        version: integer(1)?.cast_unsigned(),
        name: text(2).ok_or_else(wrong)?,
        kind: kinds.into_iter().find(|k| Some(k.name()) == text(3).as_deref()).ok_or_else(wrong)?,
        hash: text(4),
        sql: text(5),
        applied_at: Timestamp::from_micros(integer(6)?),
        lsn_before: Lsn::from_i64(integer(7)?)?,
        lsn_after: Lsn::from_i64(integer(8)?)?,
        schema_before: version(9)?,
        schema_after: version(10)?,
        rolled_back_at: integer(11).ok().map(Timestamp::from_micros),
    })
}

/// Puts a migration into the history, in the open transaction; gives its id.
pub(super) fn put(connection: &Connection, m: &AppliedMigration) -> Result<i64> {
    const PUT: &str = "/*rs*/ INSERT INTO main._rs_migration(version, name, kind, hash, sql, applied_at, lsn_before, lsn_after, schema_before, \
        schema_after) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id";
    let optional = |t: &Option<String>| t.as_deref().map_or(Value::Null, Value::from);
    let params = [
        Value::Integer(m.version.cast_signed()),
        Value::from(m.name.as_str()),
        Value::from(m.kind.name()),
        optional(&m.hash),
        optional(&m.sql),
        Value::Integer(m.applied_at.micros()),
        Value::Integer(m.lsn_before.as_i64()),
        Value::Integer(m.lsn_after.as_i64()),
        Value::from(i64::from(m.schema_before)),
        Value::from(i64::from(m.schema_after)),
    ];
    match connection.query(PUT, &params)?.first().and_then(|r| r.first()) {
        Some(Value::Integer(id)) => Ok(*id),
        _ => Err(Error::internal("the history of migrations gave no id")),
    }
}

/// Says that a migration was taken back, in the open transaction.
pub(super) fn roll_back(connection: &Connection, id: i64, at: Timestamp) -> Result<()> {
    const SET: &str = "/*rs*/ UPDATE main._rs_migration SET rolled_back_at=? WHERE id=?";
    connection.execute(SET, &[Value::Integer(at.micros()), Value::Integer(id)]).map(|_| ())
}
