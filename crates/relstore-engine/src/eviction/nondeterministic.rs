//! Conditions that may answer differently when they are asked twice.

use std::ops::Range;

use super::statement::Text;
use crate::sql::TokenKind;

const NEVER_THE_SAME: &[&str] =
    &["random", "randomblob", "changes", "total_changes", "last_insert_rowid", "current_time", "current_date", "current_timestamp"];

const OF_TIME: &[&str] = &["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];

/// Whether the condition in these tokens may depend on the moment at which it is asked, or on what was asked before.
pub(super) fn is_uncertain(text: &Text<'_>, tokens: Range<usize>) -> bool {
    let is_one_of = |at: usize, names: &[&str]| text.name(at).is_some_and(|n| names.iter().any(|name| n.eq_ignore_ascii_case(name)));
    for at in tokens.clone() {
        if is_one_of(at, NEVER_THE_SAME) {
            return true;
        }
        if is_one_of(at, OF_TIME) && text.is_symbol(at + 1, "(") && may_be_now(text, at, tokens.end) {
            return true;
        }
    }
    false
}

/// Whether the call of a function of time may mean the present: no argument, or one that is or may be `now`.
fn may_be_now(text: &Text<'_>, function: usize, end: usize) -> bool {
    let mut depth = 0usize;
    let mut has_comma = false;
    for at in function + 1..end {
        if text.is_symbol(at, "(") {
            depth += 1;
        } else if text.is_symbol(at, ")") {
            depth -= 1;
            if depth == 0 {
                // `f()`, and `strftime(format)` alone, mean now.
                return at == function + 2 || (!has_comma && text.is_name(function, "strftime"));
            }
        } else if text.is_symbol(at, ",") {
            has_comma |= depth == 1;
        } else if text.tokens[at].kind == TokenKind::Parameter {
            return true;
        } else if let Some(name) = text.name(at) {
            let name = name.trim().to_ascii_lowercase();
            if name == "now" || name.starts_with("subsec") {
                return true;
            }
        }
    }
    true
}
