//! Whether two shapes are the same to whoever uses them: by names, not by ids or by how a statement is written.

use relstore_model::evolution::{self, Kind, described};
use relstore_model::{Result, Schema};

use crate::sql::{TokenKind, tokens};

/// Whether the order of columns counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Ordered,
    InAnyOrder,
}

/// What is different in `b`, in words.
pub(super) fn differences(a: &Schema, b: &Schema, columns: Columns) -> Result<Vec<String>> {
    let b = described(a, b, &[])?;
    let counts = |change: &&evolution::Change| match change.rule.kind {
        Kind::Reorder => columns == Columns::Ordered,
        Kind::ChangeIndex => {
            let texts = |schema: &Schema| match change.table.as_str() {
                "" => normal(&schema.views),
                table => schema.by_name(table).map(|t| normal(&t.dependents)).unwrap_or_default(),
            };
            texts(a) != texts(&b)
        }
        _ => true,
    };
    Ok(evolution::diff(a, &b).iter().filter(counts).map(|change| format!("{}: {}", change.path(), change.detail)).collect())
}

/// The first of them, and how many more there are.
pub(super) fn listed(differences: &[String], named: usize) -> String {
    let first = differences.iter().take(named).map(String::as_str).collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(named) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// Statements as sets of tokens: a rename makes SQLite write names in quotes, and the order is that of creation.
fn normal(statements: &[String]) -> Vec<Vec<String>> {
    let token = |sql: &str, t: &crate::sql::Token| match t.kind {
        TokenKind::Word | TokenKind::Quoted => t.name(sql).to_lowercase(),
        _ => t.text(sql).to_owned(),
    };
    let mut all: Vec<Vec<String>> = statements.iter().map(|sql| tokens(sql).iter().map(|t| token(sql, t)).collect()).collect();
    all.sort();
    all
}
