//! A view of a query that has no `dt` of its own: the date of each row is made of the column that the program names.

use std::str::FromStr;

use relstore::ViewDefinition;
use relstore_engine::Database;
use relstore_model::identifier::{nearest, quote};
use relstore_model::{Error, Result};

/// The column of a view that says which partition a row is in.
const DATE: &str = "dt";
/// What every view has beside its own columns: the store of a row.
const NAMESPACE: &str = "_ns";
/// The query's rows, under a name that no table has.
const ROWS: &str = "\"rows of the view\"";

/// How a column holds a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dates {
    /// Text that begins with it, as ISO 8601 does.
    Text,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
}

impl FromStr for Dates {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "timestamp" => Ok(Self::Seconds),
            "timestamp_ms" => Ok(Self::Milliseconds),
            _ => Err(Error::invalid("no such kind of date").with("dates", name)),
        }
    }
}

impl Dates {
    /// The date in SQL; NULL where there is none, which the refresh refuses.
    fn of(self, column: &str) -> String {
        let (class, date) = match self {
            Self::Text => ("'text'", format!("date({column})")),
            Self::Seconds => ("'integer'", format!("date({column}, 'unixepoch')")),
            Self::Milliseconds => ("'integer'", format!("date({column} / 1000.0, 'unixepoch')")),
        };
        format!("CASE typeof({column}) WHEN {class} THEN {date} END")
    }
}

/// The view `name` of the query `sql`, whose columns are called `columns`, or as SQL calls them if none are given.
///
/// # Errors
/// `Invalid` if the SQL is no query, or its columns have names that a view cannot have; `NotFound` if there is no column `by`.
pub(crate) fn definition(
    database: &Database,
    name: &str,
    sql: &str,
    columns: Vec<String>,
    (by, dates): (&str, Dates),
) -> Result<ViewDefinition> {
    let sql = sql.trim_end().trim_end_matches(';');
    let list = if columns.is_empty() { String::new() } else { format!("({})", quoted(&columns)) };
    // The line's end, because the query may end with a comment.
    let with = format!("WITH {ROWS}{list} AS ({sql}\n)");
    let columns = database.query_each(&format!("{with} SELECT * FROM {ROWS} LIMIT 0"), &[], &mut |_| Ok(()))?;
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    for column in &columns {
        let why = if is(column, NAMESPACE) {
            "a view has a column _ns of its own"
        } else if is(column, DATE) && !is(by, DATE) {
            "a view has a column dt of its own: it is made of the one that it is partitioned by"
        } else {
            continue;
        };
        return Err(Error::invalid(why).with("column", column).with_hint("give it another name: .as('name') in Drizzle, AS name in SQL"));
    }
    let Some(by) = columns.iter().find(|column| is(column, by)) else {
        let error =
            Error::not_found("the query has no such column to be partitioned by").with("column", by).with("columns", columns.join(", "));
        return Err(match nearest(by, columns.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => error,
        });
    };
    let others: String = columns.iter().filter(|column| !is(column, DATE)).map(|column| format!(", {}", quote(column))).collect();
    ViewDefinition::new(name, format!("{with} SELECT {} AS {DATE}{others} FROM {ROWS}", dates.of(&quote(by))))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}
