//! Parameters by number: a part of a statement is run with the parameters of the whole.

use std::collections::HashMap;
use std::ops::Range;

use super::statement::Text;
use crate::sql::TokenKind;

/// The statement's tokens that are parameters, with the numbers that SQLite gives them.
pub(super) struct Parameters(HashMap<usize, usize>);

impl Parameters {
    /// `None` if a parameter is written in a form that is not known for certain.
    pub(super) fn of(text: &Text<'_>) -> Option<Self> {
        let mut numbers = HashMap::new();
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut last = 0;
        for (at, token) in text.tokens.iter().enumerate().filter(|(_, t)| t.kind == TokenKind::Parameter) {
            let written = token.text(text.sql);
            let number = match written.as_bytes() {
                [b'?'] => last + 1,
                [b'?', ..] => written[1..].parse().ok()?,
                // A Tcl variable may go on with `::` or an index in parentheses.
                [b'$', ..] if matches!(text.sql.as_bytes().get(token.end), Some(b':' | b'(')) => return None,
                [b':' | b'@' | b'$', _, ..] => *names.entry(written).or_insert(last + 1),
                _ => return None,
            };
            last = last.max(number);
            numbers.insert(at, number);
        }
        Some(Self(numbers))
    }

    /// The text of these tokens with every parameter written as its number.
    pub(super) fn numbered(&self, text: &Text<'_>, tokens: Range<usize>) -> String {
        let span = text.span(tokens.clone());
        let mut out = String::new();
        let mut from = span.start;
        for at in tokens {
            if let Some(number) = self.0.get(&at) {
                out.push_str(&text.sql[from..text.tokens[at].start]);
                out.push_str(&format!("?{number}"));
                from = text.tokens[at].end;
            }
        }
        out.push_str(&text.sql[from.max(span.start)..span.end]);
        out
    }
}
