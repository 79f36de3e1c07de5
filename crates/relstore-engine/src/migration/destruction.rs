//! What a migration loses.

use std::fmt;

use crate::affinity::is_real;

/// Something that is lost for good, but for the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destruction {
    /// A table and its rows.
    Table {
        /// The table.
        table: String,
    },
    /// A column and its cells.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Every row of a table: `DELETE` without `WHERE`.
    Rows {
        /// The table.
        table: String,
    },
    /// The rows that the condition of a rebuild's copy leaves out.
    Filtered {
        /// The table.
        table: String,
    },
    /// What a column of numbers cannot hold of what a column of another type could.
    Narrowed {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type before.
        from: String,
        /// Its type after.
        to: String,
    },
}

impl Destruction {
    /// A stable code: `drops-table`, `drops-column`, `deletes-all-rows`, `leaves-rows-out`, `narrows-column`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Table { .. } => "drops-table",
            Self::Column { .. } => "drops-column",
            Self::Rows { .. } => "deletes-all-rows",
            Self::Filtered { .. } => "leaves-rows-out",
            Self::Narrowed { .. } => "narrows-column",
        }
    }
}

impl fmt::Display for Destruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { table } => write!(f, "drops table {table}"),
            Self::Column { table, column } => write!(f, "drops column {table}.{column}"),
            Self::Rows { table } => write!(f, "deletes every row of {table}"),
            Self::Filtered { table } => write!(f, "may leave rows of {table} out"),
            Self::Narrowed { table, column, from, to } => write!(f, "turns {table}.{column} from {from} into {to}"),
        }
    }
}

/// Whether a change of declared type makes SQLite turn cells into numbers, which loses how they were written.
pub(super) fn is_narrowing(from: &str, to: &str) -> bool {
    let is_text_or_blob = |declared: &str| {
        let upper = declared.to_ascii_uppercase();
        !upper.contains("INT") && (["CHAR", "CLOB", "TEXT", "BLOB"].iter().any(|w| upper.contains(w)) || upper.is_empty())
    };
    let is_integer = |declared: &str| declared.to_ascii_uppercase().contains("INT");
    (is_text_or_blob(from) && !is_text_or_blob(to)) || (is_real(from) && is_integer(to))
}
