//! Names in SQL text, and the nearest name to a misspelt one.

/// `name` as an SQL identifier: in double quotes, quotes inside doubled. It is the same identifier whatever the name contains.
#[must_use]
pub fn quote(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// `text` as an SQL string literal.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The prefix of the engine's own tables in the hot file. Programs may read them and may not write them.
pub const RESERVED_PREFIX: &str = "_rs_";

/// Whether a table of this name belongs to SQLite or to the engine, so that its rows are no changes of the user's.
#[must_use]
pub fn is_reserved(table: &str) -> bool {
    let lower = table.get(..7).unwrap_or(table).to_ascii_lowercase();
    lower.starts_with(RESERVED_PREFIX) || lower == "sqlite_"
}

/// The candidate nearest to `name` by edit distance, if one is near enough to be meant: at most a third of the letters differ.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (edit_distance(&wanted, &c.to_lowercase()), c))
        .filter(|(d, c)| *d * 3 <= c.chars().count().max(3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Damerau's edit distance in its restricted form (optimal string alignment), with two neighbours exchanged counting as one edit.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_name_stays_one_identifier() {
        assert_eq!(quote("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let tables = ["flights", "planes", "airports"];
        assert_eq!(nearest("flihgts", tables), Some("flights"));
        assert_eq!(nearest("Plane", tables), Some("planes"));
        assert_eq!(nearest("customers", tables), None);
    }

    #[test]
    fn engine_tables_are_reserved_whatever_their_case() {
        assert!(is_reserved("_rs_log") && is_reserved("_RS_LOG") && is_reserved("sqlite_stat1"));
        assert!(!is_reserved("rs_log") && !is_reserved("é") && !is_reserved("users"));
    }
}
