//! SQL files as statements, each with its place.

use std::path::{Path, PathBuf};

use crate::sql::{self, Token};

/// What drizzle-kit writes between two statements.
const BREAKPOINT: &str = "--> statement-breakpoint";

/// One SQL file, or a text in its stead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Where it was read from.
    pub path: PathBuf,
    /// The whole text, as it is in the file.
    pub text: String,
    /// Its statements, in order; without those that are nothing but white space and comments.
    pub statements: Vec<ScriptStatement>,
}

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptStatement {
    /// Its number in the script, from 1.
    pub number: usize,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its text, from its first word to its last, without the semicolon.
    pub sql: String,
}

impl Script {
    /// The script whose text is `text`. Statements end at a semicolon, and at drizzle-kit's breakpoints whether or not one is before them. The
    /// semicolons inside a trigger's body are the trigger's.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        let mut statements: Vec<ScriptStatement> = Vec::new();
        let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        for chunk in text[at..].split(BREAKPOINT) {
            for (start, end) in ranges(chunk) {
                let line = text[..at + start].matches('\n').count() + 1;
                statements.push(ScriptStatement { number: statements.len() + 1, line, sql: chunk[start..end].to_owned() });
            }
            at += chunk.len() + BREAKPOINT.len();
        }
        Self { path: path.to_owned(), text: text.to_owned(), statements }
    }
}

/// Where the statements of `text` begin and end.
fn ranges(text: &str) -> Vec<(usize, usize)> {
    let tokens = sql::tokens(text);
    let mut out = Vec::new();
    let mut first = 0;
    while first < tokens.len() {
        if tokens[first].text(text) == ";" {
            first += 1;
            continue;
        }
        let length = statement_length(text, &tokens[first..]);
        out.push((tokens[first].start, tokens[first + length - 1].end));
        first += length;
    }
    out
}

/// How many tokens the statement has that `tokens` begin with, its semicolon left out.
fn statement_length(text: &str, tokens: &[Token]) -> usize {
    let is_trigger = tokens[0].is_word(text, "CREATE") && tokens.iter().take(3).any(|t| t.is_word(text, "TRIGGER"));
    let (mut in_body, mut cases) = (false, 0_usize);
    for (i, token) in tokens.iter().enumerate() {
        if token.text(text) == ";" && !in_body {
            return i;
        }
        if is_trigger {
            if token.is_word(text, "CASE") {
                cases += 1;
            } else if token.is_word(text, "BEGIN") && !in_body {
                in_body = true;
            } else if token.is_word(text, "END") {
                in_body = in_body && cases > 0;
                cases = cases.saturating_sub(1);
            }
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[(usize, &str)]) {
        let script = Script::new(Path::new("x.sql"), text);
        let found: Vec<(usize, &str)> = script.statements.iter().map(|s| (s.line, s.sql.as_str())).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn statements_end_at_semicolons_and_at_breakpoints() {
        check("A;B ;\n;C", &[(1, "A"), (1, "B"), (2, "C")]);
        check("A\n--> statement-breakpoint\nB;\n--> statement-breakpoint\n\nC;\n", &[(1, "A"), (3, "B"), (6, "C")]);
        check("\u{feff}-- only a comment\nSELECT ';' -- ;\n, [;];", &[(2, "SELECT ';' -- ;\n, [;]")]);
        check(" -- nothing\n/* ; */ ;", &[]);
        check("SELECT 'open;", &[(1, "SELECT 'open;")]);
    }

    #[test]
    fn semicolons_of_a_triggers_body_are_its_own() {
        let trigger =
            "CREATE TRIGGER g AFTER INSERT ON t WHEN CASE WHEN 1 THEN 1 END BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM t; END";
        check(&format!("{trigger};\nSELECT 1"), &[(1, trigger), (2, "SELECT 1")]);
        check(
            "CREATE TEMP TRIGGER g BEGIN A; END; BEGIN; COMMIT",
            &[(1, "CREATE TEMP TRIGGER g BEGIN A; END"), (1, "BEGIN"), (1, "COMMIT")],
        );
    }
}
