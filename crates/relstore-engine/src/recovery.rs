//! What is looked at when a store is opened: nothing after a clean close, the end of the log if something is off, more after a crash.

use std::path::Path;

use relstore_model::{Error, Lsn, Result, Value};

use crate::lock::Found;
use crate::sqlite::Connection;
use crate::trust::Belief;
use crate::{catalog, log};

/// After a crash, a hot file up to this size is checked page by page at open and its content against the log before the first write. A larger
/// one is when [`crate::Database::check`] is called.
const CHECKED_BYTES_MAX: u64 = 64 << 20;

/// How many of the newest commits are looked at after a crash: those that a disk may have lost.
const COMMITS_CHECKED: i64 = 1000;

/// Looks at the store as it was found, and says whether its log is believed.
///
/// # Errors
/// `Corrupt` if something is damaged, naming what.
pub(crate) fn check(connection: &Connection, path: &Path, found: &Found) -> Result<Belief> {
    let pid = match found {
        Found::Nothing | Found::Sealed => return Ok(Belief::Trusted),
        Found::Changed => {
            end_of_log(connection).map_err(|e| e.with("path", path.display()))?;
            return Ok(Belief::Suspect);
        }
        Found::Unclosed(pid) => pid,
    };
    let is_small = std::fs::metadata(path).is_ok_and(|m| m.len() <= CHECKED_BYTES_MAX);
    let look = || {
        end_of_log(connection)?;
        if is_small { quick_check(connection) } else { Ok(()) }
    };
    look().map_err(|e| e.with("path", path.display()).with("not_closed_by", format!("process {pid}")))?;
    Ok(if is_small { Belief::Suspect } else { Belief::Trusted })
}

/// The newest commits follow on each other, the last one can be read, and nothing is ahead of it.
fn end_of_log(connection: &Connection) -> Result<()> {
    const NEWEST: &str = "/*rs*/ SELECT lsn, count FROM main._rs_log ORDER BY lsn DESC LIMIT ?";
    let (mut next, mut newest_after) = (None, Lsn::ZERO);
    for row in connection.query(NEWEST, &[Value::Integer(COMMITS_CHECKED)])? {
        let [Value::Integer(lsn), Value::Integer(count)] = row.as_slice() else {
            return Err(Error::corrupt("the change log cannot be read"));
        };
        if *count < 1 || next.is_some_and(|next: i64| next != *lsn) {
            return Err(Error::corrupt("the change log has a gap").with("after", lsn).with("before", next.unwrap_or(*lsn) + 1));
        }
        if next.is_none() {
            newest_after = Lsn::from_i64(lsn - count)?;
        }
        next = Some(lsn - count);
    }
    let last = log::range(connection)?.last;
    if let Some(row) = log::ahead(connection, last)?.first()
        && let [Value::Text(name), Value::Text(lsn)] = row.as_slice()
    {
        return Err(Error::corrupt("the end of the change log is lost").with("last_lsn", last).with("reached_by", name).with("up_to", lsn));
    }
    for commit in log::commits_after(connection, newest_after, 1)? {
        relstore_model::change::codec::unpack(&commit.packed).map_err(|e| e.with("lsn", commit.lsn_last()))?;
        catalog::at_version(connection, commit.schema_version)?;
    }
    Ok(())
}

fn quick_check(connection: &Connection) -> Result<()> {
    let rows = connection.query("/*rs*/ PRAGMA main.quick_check(1)", &[])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Text(found)) if found != "ok" => Err(Error::corrupt("the hot file is damaged").with("found", found)),
        _ => Ok(()),
    }
}
