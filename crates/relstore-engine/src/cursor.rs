//! Durable consumers of the log: how far each has come, kept in the hot file, and what holds the log.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use relstore_model::{Error, ErrorKind, Lsn, Result, Value};

use crate::database::Database;
use crate::log::{self, lsn_at};
use crate::sqlite::Connection;

/// A durable consumer of the log. The log is kept until it has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its name.
    pub name: String,
    /// It has finished everything up to here.
    pub lsn: Lsn,
    /// It has still to be given the rows that were there when it began; the log is held for it from [`Cursor::lsn`] on.
    pub is_snapshot_due: bool,
    /// Why it was given nothing more, if so. It holds the log nevertheless.
    pub parked: Option<String>,
}

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next commit.
    #[default]
    Now,
    /// With the oldest commit that the log retains.
    Oldest,
    /// With the commit after this position.
    After(Lsn),
    /// With every row that is there, and then the commits after.
    Snapshot,
}

/// The right to be the consumer of one name. Given back when it is dropped.
#[derive(Debug)]
pub struct CursorClaim {
    name: String,
    claimed: Claimed,
}

/// The names of the consumers that run.
pub(crate) type Claimed = Arc<Mutex<HashSet<String>>>;

impl Drop for CursorClaim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// The longest name of a consumer, in characters.
const NAME_CHARS_MAX: usize = 64;

impl Database {
    /// Makes the consumer `name` unless it exists, and gives it as it is then.
    ///
    /// # Errors
    /// `Invalid` if the name is not 1 to 64 letters, digits, `-`, `_` and `.`; `NotFound` if the log does not hold the position;
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn create_cursor(&self, name: &str, start: Start) -> Result<Cursor> {
        check_name(name)?;
        let writer = self.lock_writer()?;
        writer.write_apart(|c| {
            if let Some(found) = find(c, name)? {
                return Ok(found);
            }
            let range = log::range(c)?;
            let lsn = match start {
                Start::Now | Start::Snapshot => range.last,
                Start::Oldest => Lsn::new(range.first.get().saturating_sub(1)),
                Start::After(lsn) => boundary(c, range, lsn)?,
            };
            let params = [Value::from(name), Value::Integer(lsn.as_i64()), Value::from(start == Start::Snapshot)];
            c.execute("/*rs*/ INSERT INTO main._rs_cursor(name, lsn, snapshot_due) VALUES(?, ?, ?)", &params)?;
            Ok(Cursor { name: name.to_owned(), lsn, is_snapshot_due: start == Start::Snapshot, parked: None })
        })
    }

    /// The consumer `name`, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn find_cursor(&self, name: &str) -> Result<Option<Cursor>> {
        self.look(|c| find(c, name))
    }

    /// Where the durable consumer `name` stands; [`Lsn::ZERO`] for a new one.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn cursor(&self, name: &str) -> Result<Lsn> {
        Ok(self.find_cursor(name)?.map_or(Lsn::ZERO, |c| c.lsn))
    }

    /// All durable consumers, by name.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn cursors(&self) -> Result<Vec<Cursor>> {
        self.with_reader(|reader| all(&reader.connection))
    }

    /// Moves a durable consumer forward to `to`: it has finished everything up to there. It is made if there is none; a position behind
    /// it is left alone. What nobody needs any more is trimmed, a bounded part of it at a time.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    ///
    /// # Panics
    /// If `to` lies beyond the last commit: nobody can have finished what did not happen.
    pub fn advance_cursor(&self, name: &str, to: Lsn) -> Result<()> {
        const ADVANCE: &str = "/*rs*/ INSERT INTO main._rs_cursor(name, lsn) VALUES(?, ?) \
            ON CONFLICT(name) DO UPDATE SET lsn=max(lsn, excluded.lsn)";
        let writer = self.lock_writer()?;
        assert!(to <= writer.last_lsn(), "a consumer cannot be ahead of the log");
        writer.write_apart(|c| c.execute(ADVANCE, &[Value::from(name), Value::Integer(to.as_i64())]))?;
        writer.retention().consumer_moved();
        let is_due = writer.retention().is_due();
        drop(writer);
        if is_due { self.trim_step().map(|_| ()) } else { Ok(()) }
    }

    /// The initial snapshot of `name`, taken at `at`, was acknowledged: the stream goes on from there.
    ///
    /// # Errors
    /// `NotFound` if there is no such consumer; `Unavailable` or `Corrupt` by the disk.
    pub fn finish_snapshot(&self, name: &str, at: Lsn) -> Result<()> {
        const FINISH: &str = "/*rs*/ UPDATE main._rs_cursor SET lsn=max(lsn, ?2), snapshot_due=0 WHERE name=?1";
        self.change_cursor(name, FINISH, &[Value::from(name), Value::Integer(at.as_i64())])
    }

    /// Moves the consumer `name` to `after`, back too: it is given again what the log retains from there on. A position inside a commit
    /// moves to that commit's beginning.
    ///
    /// # Errors
    /// `NotFound` if there is no such consumer, or the log does not hold the position, with its range.
    pub fn rewind_cursor(&self, name: &str, after: Lsn) -> Result<Lsn> {
        const REWIND: &str = "/*rs*/ UPDATE main._rs_cursor SET lsn=?2, snapshot_due=0 WHERE name=?1";
        let writer = self.lock_writer()?;
        let lsn = writer.internally(|c| boundary(c, log::range(c)?, after))?;
        let changed = writer.write_apart(|c| c.execute(REWIND, &[Value::from(name), Value::Integer(lsn.as_i64())]))?;
        writer.retention().consumer_moved();
        if changed == 0 { Err(self.no_cursor(name)) } else { Ok(lsn) }
    }

    /// Keeps why the consumer `name` is given nothing more; `None` lets it go on. It stays so over a restart, and the log is held.
    ///
    /// # Errors
    /// `NotFound` if there is no such consumer; `Unavailable` or `Corrupt` by the disk.
    pub fn park_cursor(&self, name: &str, reason: Option<&str>) -> Result<()> {
        const PARK: &str = "/*rs*/ UPDATE main._rs_cursor SET parked=?2 WHERE name=?1";
        self.change_cursor(name, PARK, &[Value::from(name), Value::from(reason.map(str::to_owned))])
    }

    /// Forgets the consumer `name`, which then holds the log no more. What it had not seen it will not see.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, if there is none; `Conflict` if it runs; `Invalid` if the store itself needs it.
    pub fn drop_cursor(&self, name: &str) -> Result<()> {
        if self.settings().log_held_for.contains(&name) {
            return Err(
                Error::invalid("the store itself needs this consumer: it brings the log to where it is kept").with("consumer", name)
            );
        }
        let _claim = self.claim_cursor(name)?;
        self.change_cursor(name, "/*rs*/ DELETE FROM main._rs_cursor WHERE name=?1", &[Value::from(name)])
    }

    /// Takes the right to be the consumer `name`, so that no two are given the same commits.
    ///
    /// # Errors
    /// `Conflict` if one runs already in this process (in another none can: it could not open the store for writing).
    pub fn claim_cursor(&self, name: &str) -> Result<CursorClaim> {
        if !self.claimed().lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(Error::new(ErrorKind::Conflict, "a consumer of this name is running")
                .with("consumer", name)
                .with_hint("stop it first, or choose another name"));
        }
        Ok(CursorClaim { name: name.to_owned(), claimed: Arc::clone(self.claimed()) })
    }

    /// Deletes the part of the log that every durable consumer has passed, except what [`crate::Settings::log_retained_bytes`] keeps. Gives
    /// how many commits went. Writers get their turn between its steps.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` by the disk.
    pub fn trim_log(&self) -> Result<u64> {
        let mut trimmed = 0;
        loop {
            let step = self.trim_step()?;
            if step == 0 {
                return Ok(trimmed);
            }
            trimmed += step;
            std::thread::yield_now();
        }
    }

    /// One step of a trim. What is to go is taken into the statistics first.
    fn trim_step(&self) -> Result<u64> {
        self.fold_statistics()?;
        let writer = self.lock_writer()?;
        writer.write_apart(|c| writer.retention().tidy(c))
    }

    fn change_cursor(&self, name: &str, sql: &str, params: &[Value]) -> Result<()> {
        let writer = self.lock_writer()?;
        let changed = writer.write_apart(|c| c.execute(sql, params))?;
        writer.retention().consumer_moved();
        let is_due = writer.retention().is_due();
        drop(writer);
        if is_due {
            self.trim_step()?;
        }
        if changed == 0 { Err(self.no_cursor(name)) } else { Ok(()) }
    }

    fn no_cursor(&self, name: &str) -> Error {
        let error = Error::not_found("no such consumer").with("consumer", name);
        let names: Vec<String> = self.cursors().unwrap_or_default().into_iter().map(|c| c.name).collect();
        match relstore_model::identifier::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None if names.is_empty() => error.with_hint("the store has none"),
            None => error.with_hint(format!("the consumers are {}", names.join(", "))),
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(is_fine) {
        return Ok(());
    }
    Err(Error::invalid("not the name of a consumer")
        .with("consumer", format!("{name:?}"))
        .with_hint("use 1 to 64 letters, digits, -, _ and ., such as mailer or search-index"))
}

/// The end of the last commit that lies wholly at or before `lsn`, which the log must hold.
fn boundary(connection: &Connection, range: log::LogRange, lsn: Lsn) -> Result<Lsn> {
    if lsn > range.last || lsn.next() < range.first {
        return Err(Error::not_found("the log does not hold this position")
            .with("after_lsn", lsn)
            .with("first_lsn", range.first)
            .with("last_lsn", range.last)
            .with_hint(format!("begin after {} to {}", range.first.get().saturating_sub(1), range.last)));
    }
    const BEGINNING: &str = "/*rs*/ SELECT lsn-count FROM main._rs_log WHERE lsn > ? ORDER BY lsn LIMIT 1";
    let rows = connection.query(BEGINNING, &[Value::Integer(lsn.as_i64())])?;
    if rows.is_empty() { Ok(range.last) } else { lsn_at(rows.first(), 0) }
}

const COLUMNS: &str = "/*rs*/ SELECT name, lsn, snapshot_due, parked FROM main._rs_cursor";

fn read(row: &[Value]) -> Result<Cursor> {
    let [Value::Text(name), Value::Integer(lsn), Value::Integer(due), parked] = row else {
        return Err(Error::corrupt("a consumer of the log cannot be read"));
    };
    let parked = if let Value::Text(reason) = parked { Some(reason.clone()) } else { None };
    Ok(Cursor { name: name.clone(), lsn: Lsn::from_i64(*lsn)?, is_snapshot_due: *due != 0, parked })
}

fn find(connection: &Connection, name: &str) -> Result<Option<Cursor>> {
    let rows = connection.query(&format!("{COLUMNS} WHERE name=?"), &[Value::from(name)])?;
    rows.first().map(|row| read(row)).transpose()
}

fn all(connection: &Connection) -> Result<Vec<Cursor>> {
    connection.query(&format!("{COLUMNS} ORDER BY name"), &[])?.iter().map(|row| read(row)).collect()
}

/// The consumer that is furthest behind, of those that have a cursor and those in `held_for`.
pub(crate) fn slowest(connection: &Connection, held_for: &[&str]) -> Result<Option<(String, Lsn)>> {
    let cursors = all(connection)?;
    if let Some(missing) = held_for.iter().find(|name| cursors.iter().all(|c| c.name != **name)) {
        return Ok(Some(((*missing).to_owned(), Lsn::ZERO)));
    }
    Ok(cursors.into_iter().min_by_key(|c| c.lsn).map(|c| (c.name, c.lsn)))
}
