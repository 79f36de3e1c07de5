//! Histories of schemas from SQL, and verdicts as the rules write them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use relstore_engine::schema_of;
use relstore_model::Schema;
use relstore_model::evolution::{Mode, Rename, Report, SchemaEvolution, described};

/// A rename into a version: the table, the name before, the name after.
pub type Renamed<'a> = (&'a str, &'a str, &'a str);

/// Versions of one history from the statements of each, told apart by names and the renames into each: `("t", "from", "to")` for a column,
/// `("", "from", "to")` for a table.
pub fn history(versions: &[(&str, &[Renamed<'_>])]) -> Vec<Schema> {
    let mut out: Vec<Schema> = Vec::new();
    for (sql, renames) in versions {
        let shape = schema_of(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let renames: Vec<Rename> = renames
            .iter()
            .map(|(table, from, to)| match *table {
                "" => Rename { table: (*to).into(), column: None, from: (*from).into() },
                table => Rename { table: table.into(), column: Some((*to).into()), from: (*from).into() },
            })
            .collect();
        let empty = Schema::default();
        let next = described(out.last().unwrap_or(&empty), &shape, &renames).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        out.push(next);
    }
    out
}

/// The same, without renames.
pub fn plain(versions: &[&str]) -> Vec<Schema> {
    history(&versions.iter().map(|sql| (*sql, &[][..])).collect::<Vec<_>>())
}

/// `✓`, `✓w` or `✗`.
pub fn letter(report: &Report) -> &'static str {
    match (report.ok(), report.warnings().next()) {
        (false, _) => "✗",
        (true, Some(_)) => "✓w",
        (true, None) => "✓",
    }
}

/// The letters of all modes but `NONE`, in the order of `BACKWARD`, `BACKWARD_TRANSITIVE`, `FORWARD`, `FORWARD_TRANSITIVE`, `FULL`,
/// `FULL_TRANSITIVE`.
pub fn letters(versions: &[Schema], new: &Schema, with: impl Fn(SchemaEvolution) -> SchemaEvolution) -> String {
    let letter = |mode: &Mode| letter(&with(SchemaEvolution::new(*mode)).check(versions, new));
    Mode::ALL[1..].iter().map(letter).collect::<Vec<_>>().join(" ")
}
