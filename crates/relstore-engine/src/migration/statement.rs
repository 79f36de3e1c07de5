//! What a statement of a migration is, by its tokens.

use crate::sql::{self, Token, TokenKind};

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It drives the transaction or the foreign keys, which a migration does by itself.
    Control,
    CreateTable {
        name: String,
    },
    DropTable {
        name: String,
    },
    RenameTable {
        from: String,
        to: String,
    },
    AddColumn {
        table: String,
        column: String,
    },
    DropColumn {
        table: String,
        column: String,
    },
    RenameColumn {
        table: String,
        from: String,
        to: String,
    },
    CreateIndex {
        name: String,
        table: String,
    },
    CreateTrigger {
        name: String,
        table: String,
    },
    CreateView {
        name: String,
    },
    /// `INDEX`, `TRIGGER` or `VIEW`.
    Drop {
        what: &'static str,
        name: String,
    },
    Insert {
        table: String,
    },
    Update {
        table: String,
        is_whole: bool,
    },
    Delete {
        table: String,
        is_whole: bool,
    },
    Other,
}

/// A reader of tokens.
pub(crate) struct Parser<'a> {
    pub(crate) sql: &'a str,
    tokens: Vec<Token>,
    pub(crate) at: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(sql: &'a str) -> Self {
        Self { sql, tokens: sql::tokens(sql), at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Passes over this word, if it is next.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let is_it = self.peek().is_some_and(|t| t.is_word(self.sql, word));
        self.at += usize::from(is_it);
        is_it
    }

    /// Passes over these words, if they are all next.
    pub(crate) fn words(&mut self, words: &[&str]) -> bool {
        let at = self.at;
        let all = words.iter().all(|w| self.word(w));
        if !all {
            self.at = at;
        }
        all
    }

    pub(crate) fn symbol(&mut self, symbol: &str) -> bool {
        let is_it = self.peek().is_some_and(|t| t.text(self.sql) == symbol);
        self.at += usize::from(is_it);
        is_it
    }

    pub(crate) fn name(&mut self) -> Option<String> {
        let token = self.peek().filter(|t| matches!(t.kind, TokenKind::Word | TokenKind::Quoted))?;
        self.at += 1;
        Some(token.name(self.sql))
    }

    /// A name, with that of the schema `main` before it or not.
    pub(crate) fn qualified(&mut self) -> Option<String> {
        let first = self.name()?;
        if self.symbol(".") { self.name() } else { Some(first) }
    }

    /// Whether this word comes later, outside of parentheses.
    pub(crate) fn has_later(&self, word: &str) -> bool {
        let mut depth = 0_i32;
        self.tokens[self.at..].iter().any(|t| {
            depth += match t.text(self.sql) {
                "(" => 1,
                ")" => -1,
                _ => 0,
            };
            depth == 0 && t.is_word(self.sql, word)
        })
    }

    pub(crate) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

/// What the statement is.
pub(crate) fn kind(sql: &str) -> Kind {
    parsed(&mut Parser::new(sql)).unwrap_or(Kind::Other)
}

fn parsed(p: &mut Parser<'_>) -> Option<Kind> {
    let first = p.next()?;
    let word = first.text(p.sql).to_ascii_uppercase();
    Some(match word.as_str() {
        "BEGIN" | "COMMIT" | "END" => Kind::Control,
        "PRAGMA" => match p.qualified()?.to_ascii_lowercase().as_str() {
            "foreign_keys" | "defer_foreign_keys" | "legacy_alter_table" => Kind::Control,
            _ => Kind::Other,
        },
        "CREATE" => created(p)?,
        "DROP" => {
            let what = ["TABLE", "INDEX", "TRIGGER", "VIEW"].into_iter().find(|w| p.word(w))?;
            p.words(&["IF", "EXISTS"]);
            let name = p.qualified()?;
            if what == "TABLE" { Kind::DropTable { name } } else { Kind::Drop { what, name } }
        }
        "ALTER" => altered(p)?,
        "INSERT" | "REPLACE" => {
            if p.word("OR") {
                p.next();
            }
            p.word("INTO").then(|| p.qualified()).flatten().map(|table| Kind::Insert { table })?
        }
        "UPDATE" => {
            if p.word("OR") {
                p.next();
            }
            let table = p.qualified()?;
            Kind::Update { table, is_whole: !p.has_later("WHERE") && !p.has_later("FROM") }
        }
        "DELETE" => {
            p.word("FROM").then_some(())?;
            let table = p.qualified()?;
            Kind::Delete { table, is_whole: !p.has_later("WHERE") }
        }
        _ => Kind::Other,
    })
}

fn created(p: &mut Parser<'_>) -> Option<Kind> {
    let is_unique = p.word("UNIQUE");
    if p.word("TEMP") || p.word("TEMPORARY") {
        return Some(Kind::Other);
    }
    let what = ["TABLE", "INDEX", "TRIGGER", "VIEW"].into_iter().find(|w| p.word(w))?;
    p.words(&["IF", "NOT", "EXISTS"]);
    let name = p.qualified()?;
    Some(match what {
        "TABLE" if !is_unique => Kind::CreateTable { name },
        "INDEX" => p.word("ON").then(|| p.name()).flatten().map(|table| Kind::CreateIndex { name, table })?,
        "TRIGGER" => {
            while !p.is_end() && !p.word("ON") {
                p.next();
            }
            Kind::CreateTrigger { name, table: p.name()? }
        }
        "VIEW" => Kind::CreateView { name },
        _ => Kind::Other,
    })
}

fn altered(p: &mut Parser<'_>) -> Option<Kind> {
    p.word("TABLE").then_some(())?;
    let table = p.qualified()?;
    if p.word("RENAME") {
        if p.word("TO") {
            return p.name().map(|to| Kind::RenameTable { from: table, to });
        }
        p.word("COLUMN");
        let from = p.name()?;
        return p.word("TO").then(|| p.name()).flatten().map(|to| Kind::RenameColumn { table, from, to });
    }
    if p.word("ADD") {
        p.word("COLUMN");
        return p.name().map(|column| Kind::AddColumn { table, column });
    }
    p.word("DROP").then_some(())?;
    p.word("COLUMN");
    p.name().map(|column| Kind::DropColumn { table, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_known_by_their_tokens() {
        let table = |t: &str| t.to_owned();
        for (sql, wanted) in [
            ("PRAGMA foreign_keys=OFF", Kind::Control),
            ("pragma Defer_Foreign_Keys = 1", Kind::Control),
            ("PRAGMA user_version=3", Kind::Other),
            ("BEGIN IMMEDIATE", Kind::Control),
            ("CREATE TABLE IF NOT EXISTS main.\"a b\"(x)", Kind::CreateTable { name: table("a b") }),
            ("CREATE TEMP TABLE t(x)", Kind::Other),
            ("CREATE VIRTUAL TABLE t USING fts5(x)", Kind::Other),
            ("DROP TABLE IF EXISTS `x`", Kind::DropTable { name: table("x") }),
            ("ALTER TABLE `__new_x` RENAME TO `x`", Kind::RenameTable { from: table("__new_x"), to: table("x") }),
            ("ALTER TABLE x RENAME a TO b", Kind::RenameColumn { table: table("x"), from: table("a"), to: table("b") }),
            ("ALTER TABLE x ADD `c` text", Kind::AddColumn { table: table("x"), column: table("c") }),
            ("ALTER TABLE x DROP c", Kind::DropColumn { table: table("x"), column: table("c") }),
            ("CREATE UNIQUE INDEX i ON t(a)", Kind::CreateIndex { name: table("i"), table: table("t") }),
            ("CREATE TRIGGER g AFTER UPDATE OF a ON t BEGIN SELECT 1; END", Kind::CreateTrigger { name: table("g"), table: table("t") }),
            ("INSERT OR IGNORE INTO t SELECT 1", Kind::Insert { table: table("t") }),
            ("UPDATE t SET a=(SELECT 1 WHERE 0)", Kind::Update { table: table("t"), is_whole: true }),
            ("DELETE FROM t WHERE a", Kind::Delete { table: table("t"), is_whole: false }),
            ("DELETE FROM t", Kind::Delete { table: table("t"), is_whole: true }),
            ("WITH x AS (SELECT 1) DELETE FROM t", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(kind(sql), wanted, "{sql}");
        }
    }
}
