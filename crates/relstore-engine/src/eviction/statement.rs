//! What a statement is, by its tokens: what it writes, and which rows its `WHERE` clause takes.

use std::ops::Range;

use crate::sql::{Token, TokenKind};

/// A statement's text and tokens, with how deep in parentheses each stands.
pub(super) struct Text<'a> {
    pub(super) sql: &'a str,
    pub(super) tokens: Vec<Token>,
    depths: Vec<usize>,
}

/// The kinds of statement that write rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
}

/// What a writing statement writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) verb: Verb,
    /// The token of the verb.
    pub(super) at: usize,
    /// Whether rows in its way are replaced.
    pub(super) is_replace: bool,
    /// The name of its table.
    pub(super) table: String,
    /// The schema that it says the table is in, in lower case.
    pub(super) schema: Option<String>,
    /// The tokens of the table, its schema with it.
    pub(super) target: Range<usize>,
    /// The name that the statement gives to the table.
    pub(super) alias: Option<String>,
    /// The first token after all that.
    pub(super) after: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        let tokens = crate::sql::tokens(sql);
        let mut depth = 0usize;
        let depths = tokens
            .iter()
            .map(|token| {
                let text = token.text(sql);
                if token.kind == TokenKind::Symbol && text == ")" {
                    depth = depth.saturating_sub(1);
                }
                let here = depth;
                if token.kind == TokenKind::Symbol && text == "(" {
                    depth += 1;
                }
                here
            })
            .collect();
        Self { sql, tokens, depths }
    }

    pub(super) fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is_word(self.sql, word))
    }

    pub(super) fn is_symbol(&self, at: usize, symbol: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.kind == TokenKind::Symbol && t.text(self.sql) == symbol)
    }

    pub(super) fn is_top(&self, at: usize) -> bool {
        self.depths.get(at) == Some(&0)
    }

    /// The name that the token may stand for: SQLite takes a string for a name where it finds no better use for it.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        match token.kind {
            TokenKind::Word | TokenKind::Quoted => Some(token.name(self.sql)),
            TokenKind::Literal => Some(token.text(self.sql).trim_matches('\'').replace("''", "'")),
            TokenKind::Number | TokenKind::Parameter | TokenKind::Symbol => None,
        }
    }

    pub(super) fn is_name(&self, at: usize, name: &str) -> bool {
        self.name(at).is_some_and(|n| n.eq_ignore_ascii_case(name))
    }

    /// The text of these tokens.
    pub(super) fn span(&self, tokens: Range<usize>) -> Range<usize> {
        if tokens.is_empty() {
            return 0..0;
        }
        self.tokens[tokens.start].start..self.tokens[tokens.end - 1].end
    }

    /// What the statement writes, if it is one that writes rows.
    pub(super) fn write(&self) -> Option<Write> {
        let at = self.verb_at()?;
        let is_or = self.is_word(at + 1, "OR");
        let is_replace = self.is_word(at, "REPLACE") || (is_or && self.is_word(at + 2, "REPLACE"));
        let next = if is_or { at + 3 } else { at + 1 };
        let (verb, first) = match self.tokens[at].text(self.sql).to_ascii_uppercase().as_str() {
            "INSERT" | "REPLACE" if self.is_word(next, "INTO") => (Verb::Insert, next + 1),
            "UPDATE" => (Verb::Update, next),
            "DELETE" if self.is_word(next, "FROM") => (Verb::Delete, next + 1),
            _ => return None,
        };
        let (schema, last) = if self.is_symbol(first + 1, ".") { (self.name(first), first + 2) } else { (None, first) };
        let table = self.name(last)?;
        let (alias, after) = if self.is_word(last + 1, "AS") { (Some(self.name(last + 2)?), last + 3) } else { (None, last + 1) };
        let schema = schema.map(|s| s.to_ascii_lowercase());
        Some(Write { verb, at, is_replace, table, schema, target: first..last + 1, alias, after })
    }

    fn verb_at(&self) -> Option<usize> {
        let is_verb = |at: usize| {
            ["INSERT", "UPDATE", "DELETE"].iter().any(|v| self.is_word(at, v))
                || (self.is_word(at, "REPLACE") && self.is_word(at + 1, "INTO"))
        };
        if !self.is_word(0, "WITH") {
            return is_verb(0).then_some(0);
        }
        let is_read = |at: usize| self.is_word(at, "SELECT") || self.is_word(at, "VALUES");
        (1..self.tokens.len()).filter(|at| self.is_top(*at)).find(|at| is_verb(*at) || is_read(*at)).filter(|at| is_verb(*at))
    }

    /// The tokens of the condition on the rows that an update or a delete takes; `None` if it has none, or this is not certain.
    pub(super) fn condition(&self, write: &Write) -> Option<Range<usize>> {
        let mut start = None;
        let mut end = self.tokens.len();
        for at in (write.after..self.tokens.len()).filter(|at| self.is_top(*at)) {
            if self.tokens[at].kind != TokenKind::Word {
                continue;
            }
            match self.tokens[at].text(self.sql).to_ascii_uppercase().as_str() {
                "WHERE" if start.is_none() => start = Some(at + 1),
                "FROM" if start.is_some() || self.is_word(at - 1, "DISTINCT") => {}
                "WHERE" | "FROM" | "ORDER" | "LIMIT" | "INDEXED" => return None,
                "RETURNING" => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        start.filter(|start| *start < end).map(|start| start..end)
    }
}
