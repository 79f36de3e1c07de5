//! SQL text as tokens: enough to know what a statement is, without parsing it.

use relstore_model::{Error, Result};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word: a keyword or an unquoted name.
    Word,
    /// A name in double quotes, backticks or brackets.
    Quoted,
    /// A string in single quotes, or a blob literal.
    Literal,
    /// A number.
    Number,
    /// A parameter: `?`, `?1`, `:a`, `@a`, `$a`.
    Parameter,
    /// One character of anything else.
    Symbol,
}

/// One token and where it stands: bytes `start..end` of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl Token {
    /// The token's text in `sql`.
    #[must_use]
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Whether the token is this keyword, whatever its case.
    #[must_use]
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// The name that a bare or quoted token stands for.
    #[must_use]
    pub fn name(&self, sql: &str) -> String {
        let text = self.text(sql);
        match self.kind {
            TokenKind::Quoted if text.starts_with('[') => text.trim_matches(['[', ']']).to_owned(),
            TokenKind::Quoted if text.len() >= 2 => {
                let quote = &text[..1];
                text[1..text.len() - 1].replace(&quote.repeat(2), quote)
            }
            _ => text.to_owned(),
        }
    }
}

/// The tokens of `sql`, without white space and comments. Text that SQLite would refuse (an open quote) ends in one last token.
#[must_use]
pub fn tokens(sql: &str) -> Vec<Token> {
    let bytes = sql.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = sql[at..].find('\n').map_or(bytes.len(), |i| at + i + 1);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = sql[at + 2..].find("*/").map_or(bytes.len(), |i| at + 2 + i + 2);
                continue;
            }
            b'\'' => {
                at = end_of_quoted(bytes, at, b'\'');
                TokenKind::Literal
            }
            quote @ (b'"' | b'`') => {
                at = end_of_quoted(bytes, at, quote);
                TokenKind::Quoted
            }
            b'[' => {
                at = sql[at..].find(']').map_or(bytes.len(), |i| at + i + 1);
                TokenKind::Quoted
            }
            b'x' | b'X' if bytes.get(at + 1) == Some(&b'\'') => {
                at = end_of_quoted(bytes, at + 1, b'\'');
                TokenKind::Literal
            }
            b'?' | b':' | b'@' | b'$' | b'#' => {
                at += 1 + word_length(&bytes[at + 1..]);
                TokenKind::Parameter
            }
            b'0'..=b'9' => {
                at += 1;
                while at < bytes.len() && (bytes[at] == b'.' || is_word_byte(bytes[at])) {
                    at += 1;
                }
                TokenKind::Number
            }
            byte if is_word_byte(byte) => {
                at += word_length(&bytes[at..]);
                TokenKind::Word
            }
            _ => {
                at += 1;
                TokenKind::Symbol
            }
        };
        out.push(Token { kind, start, end: at });
    }
    out
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| is_word_byte(**b)).count()
}

fn end_of_quoted(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

/// `sql` from its first token to its last, a closing semicolon left out. Empty if there is no token.
///
/// The engine marks its own statements by a leading comment; a user's statement begins with its first word, so the two can never share a
/// prepared statement.
#[must_use]
pub fn trimmed(sql: &str) -> &str {
    // The common statement begins with a letter: no need to look further.
    let begins_plainly = sql.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let ends_plainly = sql.as_bytes().last().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b')' | b'?' | b'"'));
    // One byte is looked for much faster than two.
    let has_comment = || sql.as_bytes().iter().any(|b| matches!(b, b'-' | b'/')) && (sql.contains("--") || sql.contains("/*"));
    if begins_plainly && ends_plainly && !has_comment() {
        return sql;
    }
    let tokens = tokens(sql);
    let Some(first) = tokens.iter().find(|t| t.text(sql) != ";") else { return "" };
    let last = tokens.iter().rfind(|t| t.text(sql) != ";").map_or(first.end, |t| t.end);
    &sql[first.start..last]
}

/// The statement that `sql` holds, [`trimmed`].
///
/// # Errors
/// `Invalid` if it holds none.
pub(crate) fn statement(sql: &str) -> Result<&str> {
    match trimmed(sql) {
        "" => Err(Error::invalid("there is no statement").with("sql", sql).with_hint("write one, such as SELECT 1")),
        statement => Ok(statement),
    }
}

/// Whether the statement begins with a word that only statements which write rows begin with. One that begins with `WITH`, a comment or white
/// space may write all the same.
#[must_use]
pub fn surely_writes(sql: &str) -> bool {
    const WORDS: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];
    let length = word_length(sql.as_bytes());
    WORDS.iter().any(|word| sql[..length].eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).iter().map(|t| t.text(sql)).collect()
    }

    #[test]
    fn tokens_are_found_among_quotes_and_comments() {
        let sql = "SELECT 'a''b', \"c\"\"d\", [e f] /* ; */ FROM x -- y\nWHERE é=?1 AND z=:n AND w=1.5e3 AND v=x'00';";
        let wanted = [
            "SELECT",
            "'a''b'",
            ",",
            "\"c\"\"d\"",
            ",",
            "[e f]",
            "FROM",
            "x",
            "WHERE",
            "é",
            "=",
            "?1",
            "AND",
            "z",
            "=",
            ":n",
            "AND",
            "w",
            "=",
            "1.5e3",
            "AND",
            "v",
            "=",
            "x'00'",
            ";",
        ];
        assert_eq!(texts(sql), wanted);
        assert_eq!(tokens("\"c\"\"d\"")[0].name("\"c\"\"d\""), "c\"d");
        assert_eq!(tokens("[e f]")[0].name("[e f]"), "e f");
        for broken in ["'abc", "\"abc", "[abc", "/* abc", "-- abc", "x'", "é'"] {
            let _ = texts(broken);
        }
    }

    #[test]
    fn a_statement_that_writes_is_known_by_its_first_word() {
        for (sql, wanted) in [
            ("INSERT INTO t VALUES(1)", true),
            ("delete from t", true),
            ("Replace into t VALUES(1)", true),
            ("UPDATE\tt SET x=1", true),
            ("INSERTED", false),
            ("WITH x AS (SELECT 1) DELETE FROM t", false),
            ("SELECT replace('a', 'b', 'c')", false),
            (" UPDATE t SET x=1", false),
            ("é", false),
            ("", false),
        ] {
            assert_eq!(surely_writes(sql), wanted, "{sql}");
        }
    }

    #[test]
    fn a_statement_is_trimmed_to_its_tokens() {
        assert_eq!(trimmed("/*rs*/ COMMIT ;; -- end"), "COMMIT");
        assert_eq!(trimmed("SELECT 1"), "SELECT 1");
        assert_eq!(trimmed(" -- nothing\n;"), "");
        assert_eq!(trimmed("SELECT ';'; "), "SELECT ';'");
    }
}
