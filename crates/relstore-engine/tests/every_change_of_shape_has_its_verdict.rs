//! The golden table: each of the 45 rules by real schemas under each of the seven modes, in the words and letters the rules were decided
//! in.
#![allow(clippy::unwrap_used, reason = "tests")]

mod evolution_support;

use std::collections::BTreeSet;

use evolution_support::{Renamed, history, letter, letters, plain};
use relstore_engine::schema_of;
use relstore_model::Schema;
use relstore_model::evolution::{Code, ConstraintPolicy, Edit, Mode, Profile, Resolution, SchemaEvolution, Severity};

/// What a row is looked at with, beside its schemas.
#[derive(Clone, Copy, PartialEq)]
enum With {
    /// Constraints warn, records alone, readers by name.
    Plain,
    /// Constraints are enforced: the strict letters.
    Enforced,
    /// Constraints are passed over: the letters of shape.
    Ignored,
    /// History in Iceberg tables.
    Iceberg,
    /// Readers find columns by id.
    ById,
    /// History is partitioned by `t.x`.
    Partitioned,
    /// `t.x` and `t` are known to be dropped for good.
    Dropped,
}
use With::{ById, Dropped, Enforced, Iceberg, Ignored, Partitioned, Plain};

impl With {
    fn apply(self, evolution: SchemaEvolution) -> SchemaEvolution {
        match self {
            Plain => evolution,
            Enforced => evolution.constraints(ConstraintPolicy::Enforce),
            Ignored => evolution.constraints(ConstraintPolicy::Ignore),
            Iceberg => evolution.profile(Profile::Iceberg),
            ById => evolution.resolution(Resolution::ById),
            Partitioned => evolution.partitioned_by("t.x"),
            Dropped => evolution.dropped("t.x").dropped("t"),
        }
    }
}

type Row = (u8, &'static str, With, &'static str, &'static str, &'static str);

/// Number, change, what it is looked at with, the statements before and after, and the letters BACKWARD FORWARD FULL. `T(…)` is
/// `CREATE TABLE t(id INTEGER PRIMARY KEY, …);`; a rename is written after a `|`.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    (1, "add nullable column (no default)", Plain, "T(a)", "T(a, x TEXT)", "✓ ✓ ✓"),
    (1, "add nullable column DEFAULT NULL", Plain, "T(a)", "T(a, x TEXT DEFAULT NULL)", "✓ ✓ ✓"),
    (1, "add nullable column with non-constant default", Plain, "T(a)", "T(a, x TEXT DEFAULT CURRENT_TIMESTAMP)", "✓ ✓ ✓"),
    (2, "add nullable column DEFAULT c", Plain, "T(a)", "T(a, x TEXT DEFAULT 'c')", "✓ ✓ ✓"),
    (3, "add NOT NULL DEFAULT c (constant)", Plain, "T(a)", "T(a, x TEXT NOT NULL DEFAULT 'c')", "✓ ✓ ✓"),
    (4, "add NOT NULL, no default", Plain, "T(a)", "T(a, x TEXT NOT NULL)", "✗ ✓ ✗"),
    (4, "add NOT NULL DEFAULT NULL", Plain, "T(a)", "T(a, x TEXT NOT NULL DEFAULT NULL)", "✗ ✓ ✗"),
    (5, "add NOT NULL with non-constant default", Plain, "T(a)", "T(a, x INTEGER NOT NULL DEFAULT (unixepoch()))", "✗ ✓ ✗"),
    (6, "drop nullable column", Plain, "T(a, x TEXT)", "T(a)", "✓ ✓ ✓"),
    (7, "drop NOT NULL column with default", Plain, "T(a, x TEXT NOT NULL DEFAULT 'c')", "T(a)", "✓ ✓w ✓w"),
    (8, "drop NOT NULL column, no default", Plain, "T(a, x TEXT NOT NULL)", "T(a)", "✓ ✗ ✗"),
    (8, "drop NOT NULL column with non-constant default", Plain, "T(a, x TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)", "T(a)", "✓ ✗ ✗"),
    (10, "rename column, recorded", Plain, "T(a TEXT)", "T(x TEXT) | t a x", "✓ ✗ ✗"),
    (10, "rename column, recorded, every consumer resolves by id", ById, "T(a TEXT)", "T(x TEXT) | t a x", "✓ ✓ ✓"),
    (10, "rename of a NOT NULL column, recorded", Plain, "T(a TEXT NOT NULL)", "T(x TEXT NOT NULL) | t a x", "✓ ✗ ✗"),
    (11, "rename column, unrecorded (drop+add)", Plain, "T(x TEXT)", "T(y TEXT)", "✗ ✗ ✗"),
    (11, "rename column, unrecorded, also by id", ById, "T(x TEXT)", "T(y TEXT)", "✗ ✗ ✗"),
    (11, "no rename: the drop is meant", Dropped, "T(x TEXT)", "T(y TEXT)", "✓ ✓ ✓"),
    (11, "rename table, unrecorded (drop+add)", Plain, "T(a)", "CREATE TABLE u(id INTEGER PRIMARY KEY, a);", "✗ ✗ ✗"),
    (30, "no rename of a table: the drop is meant", Dropped, "T(a)", "CREATE TABLE u(id INTEGER PRIMARY KEY, a);", "✓ ✗ ✗"),
    (12, "widen INT32→INT64", Plain, "T(x INT)", "T(x BIGINT)", "✓ ✗ ✗"),
    (12, "widen INT32→INT64", Iceberg, "T(x INT)", "T(x BIGINT)", "✓ ✗ ✗"),
    (12, "narrow INT64→INT32", Plain, "T(x BIGINT)", "T(x INT)", "✗ ✓ ✗"),
    (13, "INT32→REAL(double)", Plain, "T(x INT)", "T(x REAL)", "✓ ✗ ✗"),
    (13, "INT32→REAL(double)", Iceberg, "T(x INT)", "T(x REAL)", "✗ ✗ ✗"),
    (14, "INT64→REAL", Plain, "T(x INTEGER)", "T(x REAL)", "✗ ✗ ✗"),
    (14, "INT64→REAL", Iceberg, "T(x INTEGER)", "T(x REAL)", "✗ ✗ ✗"),
    (14, "REAL→INT64", Plain, "T(x REAL)", "T(x INTEGER)", "✗ ✗ ✗"),
    (15, "REAL→INT (narrow)", Plain, "T(x REAL)", "T(x INT)", "✗ ✓ ✗"),
    (15, "REAL→INT (narrow)", Iceberg, "T(x REAL)", "T(x INT)", "✗ ✗ ✗"),
    (16, "FLOAT32→FLOAT64", Plain, "T(x FLOAT4)", "T(x DOUBLE)", "✓ ✗ ✗"),
    (16, "FLOAT32→FLOAT64", Iceberg, "T(x FLOAT4)", "T(x DOUBLE)", "✓ ✗ ✗"),
    (16, "FLOAT64→FLOAT32", Plain, "T(x DOUBLE)", "T(x FLOAT4)", "✗ ✓ ✗"),
    (17, "DECIMAL(p)→(p'>p), same scale", Plain, "T(x DECIMAL(5,2))", "T(x DECIMAL(9,2))", "✓ ✗ ✗"),
    (17, "DECIMAL(p)→(p'>p), same scale", Iceberg, "T(x DECIMAL(5,2))", "T(x DECIMAL(9,2))", "✓ ✗ ✗"),
    (17, "DECIMAL(p)→(p'<p), same scale", Plain, "T(x DECIMAL(9,2))", "T(x DECIMAL(5,2))", "✗ ✓ ✗"),
    (17, "DECIMAL, another scale", Plain, "T(x DECIMAL(5,2))", "T(x DECIMAL(9,3))", "✗ ✗ ✗"),
    (18, "TEXT→INT", Plain, "T(x TEXT)", "T(x INT)", "✗ ✗ ✗"),
    (18, "INT→TEXT", Plain, "T(x INT)", "T(x TEXT)", "✗ ✗ ✗"),
    (18, "bool→text", Plain, "T(x BOOLEAN)", "T(x TEXT)", "✗ ✗ ✗"),
    (19, "TEXT→BLOB", Plain, "T(x TEXT)", "T(x BLOB)", "✗ ✗ ✗"),
    (19, "BLOB→TEXT", Plain, "T(x BLOB)", "T(x TEXT)", "✗ ✗ ✗"),
    (20, "VARCHAR(n) longer", Plain, "T(x VARCHAR(5))", "T(x VARCHAR(9))", "✓ ✗ ✗"),
    (20, "VARCHAR(n) without a bound", Plain, "T(x VARCHAR(5))", "T(x TEXT)", "✓ ✗ ✗"),
    (20, "VARCHAR(n) longer, and no allowed value is", Plain, "T(x VARCHAR(5) CHECK (x IN ('a', 'b')))", "T(x VARCHAR(9) CHECK (x IN ('a', 'b')))", "✓ ✓ ✓"),
    (20, "VARCHAR(n) shorter", Plain, "T(x VARCHAR(9))", "T(x VARCHAR(5))", "✗ ✓ ✗"),
    (21, "nullable → NOT NULL", Plain, "T(x TEXT)", "T(x TEXT NOT NULL)", "✗ ✓ ✗"),
    (21, "nullable → NOT NULL (even with default)", Plain, "T(x TEXT DEFAULT 'c')", "T(x TEXT NOT NULL DEFAULT 'c')", "✗ ✓ ✗"),
    (22, "NOT NULL → nullable", Plain, "T(x TEXT NOT NULL)", "T(x TEXT)", "✓ ✗ ✗"),
    (23, "add UNIQUE", Plain, "T(x)", "T(x UNIQUE)", "✓w ✓ ✓w"),
    (23, "add UNIQUE, constraints enforced", Enforced, "T(x)", "T(x UNIQUE)", "✗ ✓ ✗"),
    (23, "add UNIQUE, constraints ignored", Ignored, "T(x)", "T(x UNIQUE)", "✓ ✓ ✓"),
    (23, "add a unique index", Enforced, "T(x)", "T(x) CREATE UNIQUE INDEX i ON t(x);", "✗ ✓ ✗"),
    (24, "drop UNIQUE", Plain, "T(x UNIQUE)", "T(x)", "✓ ✓w ✓w"),
    (24, "drop UNIQUE, constraints enforced", Enforced, "T(x UNIQUE)", "T(x)", "✓ ✗ ✗"),
    (24, "drop UNIQUE, constraints ignored", Ignored, "T(x UNIQUE)", "T(x)", "✓ ✓ ✓"),
    (25, "add CHECK", Plain, "T(x INT)", "T(x INT CHECK (x > 0))", "✓w ✓ ✓w"),
    (25, "add CHECK, constraints enforced", Enforced, "T(x INT)", "T(x INT CHECK (x > 0))", "✗ ✓ ✗"),
    (25, "add FK", Plain, "T(x INT)", "T(x INT REFERENCES t(id))", "✓w ✓ ✓w"),
    (25, "add FK, constraints enforced", Enforced, "T(x INT)", "T(x INT REFERENCES t(id))", "✗ ✓ ✗"),
    (25, "add FK, constraints ignored", Ignored, "T(x INT)", "T(x INT REFERENCES t(id))", "✓ ✓ ✓"),
    (26, "drop CHECK", Plain, "T(x INT CHECK (x > 0))", "T(x INT)", "✓ ✓w ✓w"),
    (26, "drop CHECK, constraints enforced", Enforced, "T(x INT CHECK (x > 0))", "T(x INT)", "✓ ✗ ✗"),
    (26, "drop FK", Plain, "T(x INT REFERENCES t(id))", "T(x INT)", "✓ ✓w ✓w"),
    (26, "drop FK, constraints enforced", Enforced, "T(x INT REFERENCES t(id))", "T(x INT)", "✓ ✗ ✗"),
    (26, "FK ON DELETE action change", Enforced, "T(x INT REFERENCES t)", "T(x INT REFERENCES t(id) ON DELETE CASCADE)", "✓w ✓w ✓w"),
    (26, "drop AUTOINCREMENT", Enforced, "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT);", "CREATE TABLE t(id INTEGER PRIMARY KEY);", "✓ ✗ ✗"),
    (27, "change PK: add a column", Plain, "CREATE TABLE t(a INT NOT NULL, b INT NOT NULL, PRIMARY KEY(a));", "CREATE TABLE t(a INT NOT NULL, b INT NOT NULL, PRIMARY KEY(a, b));", "✗ ✗ ✗"),
    (27, "change PK: drop it", Plain, "CREATE TABLE t(a INT NOT NULL PRIMARY KEY, b INT);", "CREATE TABLE t(a INT NOT NULL, b INT);", "✗ ✗ ✗"),
    (27, "change PK: replace the column", Plain, "CREATE TABLE t(a INT NOT NULL PRIMARY KEY, b INT NOT NULL);", "CREATE TABLE t(a INT NOT NULL, b INT NOT NULL PRIMARY KEY);", "✗ ✗ ✗"),
    (27, "change PK: its type", Plain, "CREATE TABLE t(a TEXT NOT NULL PRIMARY KEY);", "CREATE TABLE t(a INT NOT NULL PRIMARY KEY);", "✗ ✗ ✗"),
    (27, "change PK: narrow it", Plain, "CREATE TABLE t(a BIGINT NOT NULL PRIMARY KEY);", "CREATE TABLE t(a INT NOT NULL PRIMARY KEY);", "✗ ✗ ✗"),
    (28, "PK widen INT32→INT64", Plain, "CREATE TABLE t(a INT NOT NULL PRIMARY KEY);", "CREATE TABLE t(a BIGINT NOT NULL PRIMARY KEY);", "✓ ✗ ✗"),
    (29, "add table", Plain, "T(a)", "T(a) CREATE TABLE u(b);", "✓ ✓ ✓"),
    (30, "drop table", Plain, "T(a) CREATE TABLE u(b);", "T(a)", "✓ ✗ ✗"),
    (31, "rename table, recorded", Plain, "T(a)", "CREATE TABLE u(id INTEGER PRIMARY KEY, a); | _ t u", "✓ ✗ ✗"),
    (31, "rename table, recorded, every consumer resolves by id", ById, "T(a)", "CREATE TABLE u(id INTEGER PRIMARY KEY, a); | _ t u", "✓ ✓ ✓"),
    (32, "change default c→c'", Plain, "T(x TEXT NOT NULL DEFAULT 'c')", "T(x TEXT NOT NULL DEFAULT 'd')", "✓ ✓ ✓"),
    (33, "add default to required column", Plain, "T(x TEXT NOT NULL)", "T(x TEXT NOT NULL DEFAULT 'd')", "✓ ✓ ✓"),
    (34, "remove default (NOT NULL)", Plain, "T(x TEXT NOT NULL DEFAULT 'd')", "T(x TEXT NOT NULL)", "✓ ✓ ✓"),
    (35, "enum value added", Plain, "T(x TEXT CHECK (x IN ('a', 'b')))", "T(x TEXT CHECK (x IN ('a', 'b', 'c')))", "✓ ✗ ✗"),
    (35, "enum becomes any text", Plain, "T(x TEXT CHECK (x IN ('a', 'b')))", "T(x TEXT)", "✓ ✗ ✗"),
    (36, "enum value removed", Plain, "T(x TEXT CHECK (x IN ('a', 'b', 'c')))", "T(x TEXT CHECK (x IN ('a', 'b')))", "✗ ✓ ✗"),
    (36, "any text becomes an enum", Plain, "T(x TEXT)", "T(x TEXT CHECK (x IN ('a', 'b')))", "✗ ✓ ✗"),
    (37, "enum renamed value", Plain, "T(x TEXT CHECK (x IN ('a', 'b')))", "T(x TEXT CHECK (x IN ('a', 'c')))", "✗ ✗ ✗"),
    (38, "reorder columns", Plain, "T(x TEXT, y TEXT)", "T(y TEXT, x TEXT)", "✓ ✓ ✓"),
    (39, "add/drop non-unique index", Enforced, "T(x) CREATE INDEX i ON t(x);", "T(x)", "✓ ✓ ✓"),
    (39, "add/drop view", Enforced, "T(x)", "T(x) CREATE VIEW v AS SELECT x FROM t;", "✓ ✓ ✓"),
    (39, "add/drop trigger", Enforced, "T(x)", "T(x) CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;", "✓ ✓ ✓"),
    (40, "STRICT on", Plain, "CREATE TABLE t(x INT);", "CREATE TABLE t(x INT) STRICT;", "✗ ✓ ✗"),
    (40, "STRICT off", Plain, "CREATE TABLE t(x INT) STRICT;", "CREATE TABLE t(x INT);", "✓ ✗ ✗"),
    (41, "collation change on unique", Plain, "T(x TEXT UNIQUE)", "T(x TEXT COLLATE NOCASE UNIQUE)", "✗ ✗ ✗"),
    (41, "collation change on key", Plain, "CREATE TABLE t(x TEXT PRIMARY KEY);", "CREATE TABLE t(x TEXT COLLATE NOCASE PRIMARY KEY);", "✗ ✗ ✗"),
    (41, "collation change of a unique index", Plain, "T(x TEXT) CREATE UNIQUE INDEX i ON t(x);", "T(x TEXT) CREATE UNIQUE INDEX i ON t(x COLLATE NOCASE);", "✗ ✗ ✗"),
    (41, "collation change elsewhere", Plain, "T(x TEXT)", "T(x TEXT COLLATE NOCASE)", "✓w ✓w ✓w"),
    (42, "column split", Plain, "T(x TEXT)", "T(first TEXT, last TEXT)", "✗ ✗ ✗"),
    (42, "column merge", Plain, "T(first TEXT, last TEXT)", "T(x TEXT)", "✗ ✗ ✗"),
    (42, "JSON→columns", Plain, "T(x JSON)", "T(a INTEGER, b REAL)", "✗ ✗ ✗"),
    (43, "timestamp_ms↔timestamp", Plain, "T(x TIMESTAMP_MS)", "T(x TIMESTAMP)", "✗ ✗ ✗"),
    (43, "boolean↔number", Plain, "T(x BOOLEAN)", "T(x INTEGER)", "✗ ✗ ✗"),
    (43, "json↔text", Plain, "T(x TEXT)", "T(x JSON)", "✗ ✗ ✗"),
    (44, "generated column add (stored)", Plain, "T(a INT)", "T(a INT, x INT AS (a + 1) STORED)", "✓w ✓ ✓w"),
    (44, "generated column add (virtual)", Plain, "T(a INT)", "T(a INT, x INT AS (a + 1))", "✓w ✓ ✓w"),
    (45, "partition column dropped", Partitioned, "T(x TEXT)", "T(a)", "✗ ✗ ✗"),
    (45, "partition column type changed", Partitioned, "T(x INT)", "T(x BIGINT)", "✗ ✗ ✗"),
];

/// The statements of a cell of the table, and its renames.
fn parse(cell: &str) -> (String, Vec<Renamed<'_>>) {
    let (sql, renames) = cell.split_once('|').unwrap_or((cell, ""));
    let mut words = renames.split_whitespace();
    let mut out = Vec::new();
    while let (Some(table), Some(from), Some(to)) = (words.next(), words.next(), words.next()) {
        out.push((if table == "_" { "" } else { table }, from, to));
    }
    let Some(rest) = sql.trim().strip_prefix("T(") else { return (sql.to_owned(), out) };
    let mut depth = 1;
    let close = rest.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0
    });
    let at = close.expect("T( is closed").0;
    (format!("CREATE TABLE t(id INTEGER PRIMARY KEY, {}); {}", &rest[..at], &rest[at + 1..]), out)
}

/// A table that has nothing to do with the change.
const ELSEWHERE: &str = "CREATE TABLE elsewhere(z);";

#[test]
fn every_row_has_its_letters_under_every_mode() {
    let mut wrong = Vec::new();
    for (row, change, with, before, after, wanted) in TABLE {
        let ((before, _), (after, renames)) = (parse(before), parse(after));
        let wanted: Vec<&str> = wanted.split(' ').collect();
        let twice = |row: &[&str]| row.iter().flat_map(|letter| [*letter, *letter]).collect::<Vec<_>>().join(" ");
        let mut check = |versions: &[Schema], new: &Schema, wanted: String| {
            let found = letters(versions, new, |e| with.apply(e));
            if found != wanted {
                wrong.push(format!("{row} {change} after {} versions: {found}, wanted {wanted}", versions.len()));
            }
            let none = with.apply(SchemaEvolution::new(Mode::None)).check(versions, new);
            assert!(none.ok(), "{row} {change}: NONE refuses nothing");
            for mode in Mode::ALL {
                let report = with.apply(SchemaEvolution::new(mode)).check(versions, new);
                // `row` 11 and 42 go with the drops and adds that they are made of.
                let is_found = report.errors().next().is_none() || report.errors().any(|f| f.rule == *row);
                assert!(is_found, "{row} {change}: {mode}: {:#?}", report.findings);
            }
        };
        // Against the version before, alone and as one of two.
        let one = history(&[(&before, &[]), (&after, &renames)]);
        check(&one[..1], &one[1], twice(&wanted));
        let beside = format!("{before} {ELSEWHERE}");
        let two = history(&[(&before, &[]), (&beside, &[]), (&format!("{after} {ELSEWHERE}"), &renames)]);
        check(&two[..2], &two[2], twice(&wanted));
        // The change was made one version ago: only a transitive mode sees it, and sees it whole. What a step alone can tell is settled by
        // then.
        if matches!(row, 11 | 42) || change.contains("no rename") {
            continue;
        }
        let late = history(&[(&before, &[]), (&after, &renames), (&format!("{after} {ELSEWHERE}"), &[])]);
        let behind: Vec<&str> = wanted.iter().flat_map(|letter| ["✓", *letter]).collect();
        let behind = match row {
            // A default that is gone: the older version has the column, so nothing is lacking.
            34 => twice(&wanted),
            _ => behind.join(" "),
        };
        check(&late[..2], &late[2], behind);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let rows: BTreeSet<u8> = TABLE.iter().map(|(row, ..)| *row).collect();
    // Row 9 takes three versions: it is below.
    assert_eq!(rows, (1..=45).filter(|row| *row != 9).collect());
}

#[test]
fn row_9_a_dropped_name_that_comes_back_is_another_column() {
    let versions = plain(&["CREATE TABLE t(a, y TEXT);", "CREATE TABLE t(a);", "CREATE TABLE t(a, y TEXT);"]);
    assert_ne!(versions[0].tables[0].columns[1].id, versions[2].tables[0].columns[1].id);
    assert_eq!(letters(&versions[..2], &versions[2], |e| e), "✗ ✗ ✗ ✗ ✗ ✗", "by name");
    assert_eq!(letters(&versions[..2], &versions[2], |e| e.resolution(Resolution::ById)), "✓ ✓ ✓ ✓ ✓ ✓", "by id, as rows 1 to 4");
    let required = plain(&["CREATE TABLE t(a, y TEXT);", "CREATE TABLE t(a);", "CREATE TABLE t(a, y TEXT NOT NULL);"]);
    assert_eq!(letters(&required[..2], &required[2], |e| e.resolution(Resolution::ById)), "✗ ✗ ✓ ✓ ✗ ✗", "by id, as rows 1 to 4");
    let report = SchemaEvolution::new(Mode::Backward).check(&versions[..2], &versions[2]);
    let finding = report.errors().next().unwrap();
    assert_eq!((finding.code, finding.path.as_str(), finding.against), (Code::NameReused, "t.y", 1));
    // Once it is there, a mode that is not transitive does not ask again.
    let later = plain(&["CREATE TABLE t(a, y);", "CREATE TABLE t(a);", "CREATE TABLE t(a, y);", "CREATE TABLE t(a, y, z);"]);
    assert_eq!(letters(&later[..3], &later[3], |e| e), "✓ ✗ ✓ ✗ ✓ ✗");
    // One step that drops and adds the same name again is the same column, as far as names tell; a table's name is looked after too.
    let tables = plain(&["CREATE TABLE t(a); CREATE TABLE u(b);", "CREATE TABLE t(a);", "CREATE TABLE t(a); CREATE TABLE u(c);"]);
    assert_eq!(letters(&tables[..2], &tables[2], |e| e), "✗ ✗ ✗ ✗ ✗ ✗");
}

#[test]
fn row_5_a_recorded_initial_constant_lets_the_column_be_read() {
    let mut versions = plain(&["CREATE TABLE t(a);", "CREATE TABLE t(a, x INTEGER NOT NULL DEFAULT (unixepoch()));"]);
    versions[1].tables[0].columns[1].initial_default = Some(relstore_model::schema::Cell::Integer(0));
    assert_eq!(letters(&versions[..1], &versions[1], |e| e), "✓w ✓w ✓ ✓ ✓w ✓w");
}

/// Confluent's vectors of AvroCompatibilityTest, as tables. A field is a column; the union with null is a nullable column. A union of two
/// types that are not null is no column of SQL, so its two vectors are not here.
mod confluent {
    use super::*;

    fn ok(mode: Mode, versions: &[&str], new: &str) -> bool {
        let all = plain(&[versions, &[new]].concat());
        SchemaEvolution::new(mode).check(&all[..versions.len()], &all[versions.len()]).ok()
    }

    const F1: &str = "CREATE TABLE r(f1 TEXT NOT NULL);";
    const F1_F2: &str = "CREATE TABLE r(f1 TEXT NOT NULL, f2 TEXT NOT NULL);";
    const F1_F2_DEFAULT: &str = "CREATE TABLE r(f1 TEXT NOT NULL, f2 TEXT NOT NULL DEFAULT 'foo');";
    const F1_F2_F3_DEFAULT: &str = "CREATE TABLE r(f1 TEXT NOT NULL, f2 TEXT NOT NULL DEFAULT 'foo', f3 TEXT NOT NULL DEFAULT 'bar');";
    const NULLABLE: &str = "CREATE TABLE r(f1 TEXT);";

    #[test]
    fn basic_backwards_compatibility() {
        assert!(ok(Mode::Backward, &[F1], F1_F2_DEFAULT), "adding a field with default is a backward compatible change");
        assert!(!ok(Mode::Backward, &[F1], F1_F2), "adding a field without default is not");
        let renamed = history(&[(F1, &[]), ("CREATE TABLE r(f1_new TEXT NOT NULL);", &[("r", "f1", "f1_new")])]);
        let report = SchemaEvolution::new(Mode::Backward).check(&renamed[..1], &renamed[1]);
        assert!(report.ok(), "changing a field name with an alias is a backward compatible change");
        assert!(ok(Mode::Backward, &[F1], NULLABLE), "evolving a field type to a union with null is a backward compatible change");
        assert!(!ok(Mode::Backward, &[NULLABLE], F1), "removing a type from a union is not");
        assert!(
            ok(Mode::Backward, &[F1, F1_F2_DEFAULT], F1_F2),
            "removing a default is not a transitively compatible change, and only that"
        );
        assert!(ok(Mode::Backward, &[F1_F2], F1), "deleting a field is a backward compatible change");
    }

    #[test]
    fn basic_backwards_transitive_compatibility() {
        assert!(ok(Mode::BackwardTransitive, &[F1, F1_F2_DEFAULT], F1_F2_F3_DEFAULT), "iteratively adding fields with defaults");
        assert!(ok(Mode::Backward, &[F1], F1_F2_DEFAULT), "adding a field with default");
        assert!(ok(Mode::Backward, &[F1_F2_DEFAULT], F1_F2), "removing a default");
        assert!(!ok(Mode::BackwardTransitive, &[F1, F1_F2_DEFAULT], F1_F2), "removing a default is not transitively compatible");
    }

    #[test]
    fn basic_forwards_compatibility() {
        assert!(ok(Mode::Forward, &[F1], F1_F2_DEFAULT), "adding a field is a forward compatible change");
        assert!(ok(Mode::Forward, &[F1], F1_F2), "adding a field without default too");
        assert!(ok(Mode::Forward, &[F1_F2_DEFAULT], F1_F2), "removing a default");
        assert!(ok(Mode::Forward, &[F1_F2], F1_F2_DEFAULT), "adding a default to a field");
        assert!(ok(Mode::Forward, &[F1_F2, F1_F2_DEFAULT], F1), "only the last version is checked");
        assert!(ok(Mode::Forward, &[F1_F2_DEFAULT], F1), "deleting a field with a default");
        assert!(!ok(Mode::Forward, &[F1_F2], F1), "deleting one without is not");
    }

    #[test]
    fn basic_forwards_transitive_compatibility() {
        assert!(ok(Mode::ForwardTransitive, &[F1_F2_F3_DEFAULT, F1_F2_DEFAULT], F1), "iteratively removing fields with defaults");
        assert!(ok(Mode::Forward, &[F1_F2], F1_F2_DEFAULT), "adding a default to a field");
        assert!(ok(Mode::Forward, &[F1_F2_DEFAULT], F1), "removing a field with a default");
        assert!(ok(Mode::Forward, &[F1_F2, F1_F2_DEFAULT], F1), "the last version has the default");
        assert!(!ok(Mode::ForwardTransitive, &[F1_F2, F1_F2_DEFAULT], F1), "an older one had the field without it");
    }

    #[test]
    fn basic_full_compatibility() {
        assert!(ok(Mode::Full, &[F1], F1_F2_DEFAULT), "adding a field with default is a backward and a forward compatible change");
        assert!(ok(Mode::Full, &[F1_F2_DEFAULT], F1), "and so is deleting it");
        assert!(ok(Mode::Full, &[F1, F1_F2_DEFAULT], F1_F2), "transitively removing a default: the last version alone");
        assert!(ok(Mode::Full, &[F1_F2, F1_F2_DEFAULT], F1), "transitively deleting a field: the last version alone");
    }

    #[test]
    fn basic_full_transitive_compatibility() {
        assert!(ok(Mode::FullTransitive, &[F1, F1_F2_DEFAULT], F1_F2_F3_DEFAULT), "iteratively adding fields with defaults");
        assert!(ok(Mode::FullTransitive, &[F1_F2_F3_DEFAULT, F1_F2_DEFAULT], F1), "iteratively removing fields with defaults");
        assert!(ok(Mode::FullTransitive, &[F1_F2], F1_F2_DEFAULT), "adding a default to a field");
        assert!(ok(Mode::FullTransitive, &[F1_F2_DEFAULT], F1), "removing a field with a default");
        assert!(ok(Mode::FullTransitive, &[F1], F1_F2_DEFAULT), "adding a field with a default");
        assert!(ok(Mode::FullTransitive, &[F1_F2_DEFAULT], F1_F2), "removing a default from a field");
        assert!(!ok(Mode::FullTransitive, &[F1, F1_F2_DEFAULT], F1_F2), "what FULL accepts of the same three versions");
        assert!(!ok(Mode::FullTransitive, &[F1_F2, F1_F2_DEFAULT], F1), "what FULL accepts of the same three versions");
    }

    #[test]
    fn a_frozen_initial_default_outlives_the_default_for_readers_by_id() {
        let all = plain(&[F1, F1_F2_DEFAULT, F1_F2]);
        assert_eq!(letters(&all[..2], &all[2], |e| e.resolution(Resolution::ById)), "✓ ✓ ✓ ✓ ✓ ✓");
    }
}

#[test]
fn a_report_says_where_why_and_what_to_do() {
    let all = plain(&["CREATE TABLE orders(id INTEGER PRIMARY KEY);", "CREATE TABLE orders(id INTEGER PRIMARY KEY, total REAL NOT NULL);"]);
    let report = SchemaEvolution::new(Mode::Backward).check(&all[..1], &all[1]);
    let wanted = serde_json::json!({
        "ok": false,
        "mode": "BACKWARD",
        "errors": [{
            "code": "REQUIRED_COLUMN_ADDED",
            "severity": "error",
            "path": "orders.total",
            "direction": "BACKWARD",
            "against": 1,
            "message": "REAL NOT NULL is added: rows written before have no value for it",
            "fix": "give it a constant DEFAULT, or let it be NULL",
        }],
        "oldSql": [{
            "code": "REQUIRED_COLUMN_ADDED",
            "severity": "error",
            "path": "orders.total",
            "message": "REAL NOT NULL is added: INSERTs that do not give it fail",
        }],
        "upgradeFirst": "deploy readers (warehouse jobs, consumers) first, then migrate the stores",
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), wanted);
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), relstore_model::ErrorKind::Incompatible);
    assert!(error.to_string().contains("code: REQUIRED_COLUMN_ADDED, path: orders.total, mode: BACKWARD"), "{error}");
    let allowed = SchemaEvolution::new(Mode::Forward).check(&all[..1], &all[1]);
    assert_eq!(serde_json::to_value(&allowed).unwrap()["ok"], true);
    assert!(serde_json::to_value(&allowed).unwrap().get("errors").is_none());
}

#[test]
fn a_store_with_archived_history_is_told_to_look_at_every_version() {
    assert_eq!(Profile::Records.default_mode(), Mode::Backward);
    assert_eq!(Profile::Iceberg.default_mode(), Mode::BackwardTransitive);
    let all = plain(&["CREATE TABLE t(a);", "CREATE TABLE t(a, b);"]);
    let hint = |evolution: SchemaEvolution| evolution.check(&all[..1], &all[1]).hint;
    assert!(hint(SchemaEvolution::new(Mode::Backward).profile(Profile::Iceberg)).is_some());
    assert_eq!(hint(SchemaEvolution::of_profile(Profile::Iceberg)), None);
    assert_eq!(hint(SchemaEvolution::of_profile(Profile::Records)), None);
}

#[test]
fn a_single_change_gets_the_verdict_of_the_schema_it_makes() {
    let v1 = schema_of(
        "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INT DEFAULT 3, UNIQUE(age, name), CHECK (age > length(name)));",
    )
    .unwrap();
    let check = |mode: Mode, json: &str| {
        let edit = Edit::from_json(&serde_json::from_str(json).unwrap()).unwrap();
        let versions = [v1.clone()];
        let new = edit.apply(&v1).unwrap();
        assert_eq!(Schema::from_json(&new.to_json()).unwrap(), new, "no fact is of a column that is gone");
        let report = SchemaEvolution::new(mode).check_edit(&versions, &edit).unwrap();
        (letter(&report), report.findings.first().map(|f| (f.code, f.path.clone())))
    };
    let found = |code, path: &str| Some((code, path.to_owned()));
    let add = r#"{"type":"ADD_COLUMN","table":"Users","column":{"name":"email","type":"TEXT","nullable":false}}"#;
    assert_eq!(check(Mode::Backward, add), ("✗", found(Code::RequiredColumnAdded, "users.email")));
    assert_eq!(check(Mode::Forward, add), ("✓", None));
    let with = r#"{"type":"ADD_COLUMN","table":"users","column":{"name":"email","type":"TEXT","nullable":false,"default":""}}"#;
    assert_eq!(check(Mode::Full, with), ("✓", None));
    let drop = r#"{"type":"DROP_COLUMN","table":"users","column":"name"}"#;
    assert_eq!(check(Mode::Forward, drop), ("✗", found(Code::RequiredColumnDropped, "users.name")));
    let rename = r#"{"type":"RENAME_COLUMN","table":"users","from":"name","to":"full_name"}"#;
    assert_eq!(check(Mode::Backward, rename), ("✓", None));
    assert_eq!(check(Mode::Full, rename), ("✗", found(Code::ColumnRenamedNoAlias, "users.full_name")));
    let widen = r#"{"type":"MODIFY_COLUMN","table":"users","column":"age","changes":{"type":"BIGINT"}}"#;
    assert_eq!(check(Mode::Backward, widen), ("✓", None));
    assert_eq!(check(Mode::Forward, widen), ("✗", found(Code::TypeWidened, "users.age")));
    let tighten = r#"{"type":"MODIFY_COLUMN","table":"users","column":"age","changes":{"nullable":false}}"#;
    assert_eq!(check(Mode::Backward, tighten), ("✗", found(Code::NullabilityTightened, "users.age")));
    let family = schema_of("CREATE TABLE p(a INTEGER PRIMARY KEY, b UNIQUE); CREATE TABLE c(x REFERENCES p(b));").unwrap();
    let rename = Edit::RenameColumn { table: "P".into(), from: "b".into(), to: "z".into() };
    let report = SchemaEvolution::new(Mode::Backward).constraints(ConstraintPolicy::Enforce).check_edit(&[family], &rename).unwrap();
    assert_eq!(report.findings, [], "references follow a rename");
    let missing = Edit::DropColumn { table: "users".into(), column: "nmae".into() };
    let error = SchemaEvolution::new(Mode::Full).check_edit(&[v1], &missing).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean name?"));
}

#[test]
fn a_rebuilt_parent_of_cascading_children_is_pointed_out() {
    let child = "CREATE TABLE c(p INT REFERENCES p ON DELETE CASCADE);";
    let all = plain(&[
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, x INT); {child}"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, x BIGINT); {child}"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, x BIGINT, y); {child}"),
    ]);
    let codes = |at: usize| {
        let report = SchemaEvolution::new(Mode::Backward).check(&all[..at], &all[at]);
        report.old_sql.iter().map(|f| (f.code, f.severity, f.path.clone())).collect::<Vec<_>>()
    };
    assert_eq!(codes(1), [(Code::RebuildWithCascadeChild, Severity::Warning, "p".to_owned())]);
    assert_eq!(codes(2), []);
}

#[test]
fn a_description_is_compared_by_names_and_told_renames() {
    let all = plain(&["CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE pets(id INTEGER PRIMARY KEY);"]);
    let new = schema_of("CREATE TABLE pets(id INTEGER PRIMARY KEY); CREATE TABLE people(id INTEGER PRIMARY KEY, full_name TEXT);").unwrap();
    let told = SchemaEvolution::new(Mode::Backward).renamed_table("users", "people").renamed_column("people", "name", "full_name");
    assert!(told.check_described(&all, &new).unwrap().ok());
    let untold = SchemaEvolution::new(Mode::Backward).renamed_table("users", "people").check_described(&all, &new).unwrap();
    let found: Vec<_> = untold.errors().map(|f| (f.code, f.path.as_str())).collect();
    assert_eq!(found, [(Code::ColumnRenameUnrecorded, "people.name")]);
    let wrong = SchemaEvolution::new(Mode::Backward).renamed_column("pets", "nmae", "id").check_described(&all, &new).unwrap_err();
    assert_eq!(wrong.kind(), relstore_model::ErrorKind::Invalid, "{wrong:?}");
    let twice = told.renamed_column("people", "name", "id").check_described(&all, &new).unwrap_err();
    assert_eq!(twice.message(), "two renames of the same thing");
}
