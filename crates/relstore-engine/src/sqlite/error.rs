//! SQLite's errors as ours: a kind by the result code, the place in the SQL where SQLite knows it.

use relstore_model::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The error `e` of the statement `sql` (empty where there is none).
pub(crate) fn from_sqlite(e: &rusqlite::Error, sql: &str) -> Error {
    match e {
        rusqlite::Error::SqliteFailure(code, message) => from_code(code, message.as_deref().unwrap_or("SQLite failed"), sql),
        rusqlite::Error::SqlInputError { error, msg, sql: text, offset } => {
            let at = usize::try_from(*offset).ok();
            with_caret(from_code(error, msg, ""), text, at)
        }
        rusqlite::Error::InvalidParameterCount(given, wanted) => Error::invalid("another number of parameters than the statement has")
            .with("given", given)
            .with("wanted", wanted)
            .with("sql", sql),
        rusqlite::Error::MultipleStatement => {
            Error::invalid("more than one statement").with("sql", sql).with_hint("run them one at a time")
        }
        other => Error::internal(other.to_string()).with("sql", sql),
    }
}

fn from_code(code: &rusqlite::ffi::Error, message: &str, sql: &str) -> Error {
    let unavailable = |hint: &str| Error::unavailable(message).with_hint(hint);
    let error = match code.code {
        ErrorCode::ConstraintViolation => Error::new(ErrorKind::Constraint, message),
        ErrorCode::TypeMismatch => Error::new(ErrorKind::Constraint, message).with_hint("give a value of the column's type"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => unavailable("another connection is writing: try again"),
        ErrorCode::DiskFull => unavailable("free some space on the disk: what was committed is safe"),
        ErrorCode::ReadOnly => unavailable("the file or its folder is read-only: make it writable"),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => unavailable("check that the folder exists and may be written"),
        ErrorCode::SystemIoFailure => unavailable("the disk reported an error: check it and its free space"),
        ErrorCode::OutOfMemory => unavailable("there is no memory for it: free some, or ask for less at a time"),
        ErrorCode::FileLockingProtocolFailed => unavailable("another connection is starting or ending: try again"),
        ErrorCode::InternalMalfunction | ErrorCode::ApiMisuse => Error::internal(message),
        ErrorCode::OperationInterrupted => Error::new(ErrorKind::Conflict, "the statement was interrupted"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::corrupt(message),
        ErrorCode::AuthorizationForStatementDenied => Error::unsupported(message).with_hint(instead_of(sql)),
        ErrorCode::TooBig => Error::invalid(message).with_hint("a row or a value may have one gigabyte at the most"),
        _ if message.starts_with("not authorized") => Error::unsupported(message),
        _ if message.starts_with("cannot VACUUM") => Error::unsupported("SQL cannot vacuum")
            .with_hint("call Database::vacuum, which keeps rowids; Database::backup copies the store"),
        _ if message.starts_with("no such table") || message.starts_with("no such column") => Error::not_found(message),
        _ => Error::invalid(message),
    };
    if sql.is_empty() { error } else { error.with("sql", one_line(sql)) }
}

/// What to do instead of a statement that is not allowed.
fn instead_of(sql: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|w| sql.get(..w.len()).is_some_and(|s| s.eq_ignore_ascii_case(w)));
    if begins(&["ATTACH", "DETACH", "VACUUM"]) {
        "a store is one file, and what is done to another is not in its log: open the other file as a store of its own"
    } else if begins(&["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]) {
        "transactions are the API's: give the statements to transaction(), which nests"
    } else if begins(&["PRAGMA"]) {
        "only PRAGMAs that look are allowed: how a store is opened is in its settings"
    } else {
        "the engine's own tables are reached through the API, not by SQL"
    }
}

/// Shows the line of the SQL that is wrong, with a caret under the place.
fn with_caret(error: Error, sql: &str, at: Option<usize>) -> Error {
    let Some(at) = at.filter(|at| *at <= sql.len() && sql.is_char_boundary(*at)) else {
        return error.with("sql", one_line(sql));
    };
    let start = sql[..at].rfind('\n').map_or(0, |i| i + 1);
    let end = sql[at..].find('\n').map_or(sql.len(), |i| at + i);
    let column = sql[start..at].chars().count();
    error.with("at", format!("\n  {}\n  {}^\n", &sql[start..end], " ".repeat(column)))
}

fn one_line(sql: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut line: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((i, _)) = line.char_indices().nth(CHARS_MAX) {
        line.truncate(i);
        line.push('…');
    }
    line
}
