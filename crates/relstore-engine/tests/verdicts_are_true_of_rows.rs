//! Random changes of shape, and random rows that SQLite itself takes under the writer's: what a verdict allows, the reader decodes, every
//! row of it; what it refuses because of decoding has a row that shows why. `RELSTORE_SEED=n` runs one seed again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod evolution_support;

use std::fmt::Write as _;

use evolution_support::history;
use relstore_engine::sqlite::Connection;
use relstore_model::evolution::{Direction, Letter, Mode, Reading, Reason, Resolution, SchemaEvolution, diff};
use relstore_model::{Row, Schema, Value, ValueRef};
use relstore_testkit::{Rng, seeds};

const SEEDS: u64 = 400;
const TYPES: [&str; 15] = [
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT4",
    "REAL",
    "DECIMAL(5,2)",
    "DECIMAL(9,2)",
    "DECIMAL(9,3)",
    "VARCHAR(5)",
    "VARCHAR(9)",
    "TEXT",
    "BLOB",
    "BOOLEAN",
    "TIMESTAMP_MS",
    "JSON",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const SYMBOLS: [&str; 5] = ["red", "green", "blue", "teal", "plum"];

#[derive(Clone, Debug)]
struct Column {
    name: String,
    declared: &'static str,
    not_null: bool,
    default: Option<&'static str>,
    allowed: Option<Vec<&'static str>>,
}

#[derive(Clone, Debug)]
struct Shape {
    strict: bool,
    columns: Vec<Column>,
}

/// A constant that a column of the type takes.
fn constant(rng: &mut Rng, declared: &str) -> &'static str {
    let constants: [&'static str; 2] = match declared {
        "INT" | "INTEGER" | "BIGINT" | "TIMESTAMP_MS" => ["0", "-7"],
        "BOOLEAN" => ["TRUE", "0"],
        "FLOAT4" | "REAL" => ["1", "0.5"],
        "DECIMAL(5,2)" | "DECIMAL(9,2)" | "DECIMAL(9,3)" => ["12.25", "3"],
        "BLOB" => ["x'00ff'", "x''"],
        "JSON" => ["'{}'", "'[]'"],
        _ => ["'a'", "''"],
    };
    constants[rng.below(2) as usize]
}

impl Column {
    fn random(rng: &mut Rng, name: String, strict: bool) -> Self {
        let is_enum = rng.one_in(5);
        let declared = match (is_enum, strict) {
            (true, _) => "TEXT",
            (false, true) => *rng.pick(&STRICT_TYPES),
            (false, false) => *rng.pick(&TYPES),
        };
        let allowed = is_enum.then(|| SYMBOLS[..2 + rng.below(3) as usize].to_vec());
        let mut column = Self { name, declared, not_null: rng.one_in(2), default: None, allowed };
        column.set_default(rng);
        column
    }

    fn set_default(&mut self, rng: &mut Rng) {
        self.default = match rng.below(5) {
            0 | 1 => None,
            2 if self.allowed.is_none() => Some("(abs(random() / 2))"),
            // One that the column may refuse: SQLite takes the definition all the same.
            3 if rng.one_in(4) => Some("'red'"),
            _ if self.allowed.is_some() => Some("'green'"),
            _ => Some(constant(rng, self.declared)),
        };
    }

    fn sql(&self) -> String {
        let mut sql = format!("{} {}", self.name, self.declared);
        if self.not_null {
            sql.push_str(" NOT NULL");
        }
        if let Some(default) = self.default {
            write!(sql, " DEFAULT {default}").unwrap();
        }
        if let Some(allowed) = &self.allowed {
            write!(sql, " CHECK ({} IN ('{}'))", self.name, allowed.join("', '")).unwrap();
        }
        sql
    }

    /// A cell for the column: mostly one of its type, at a bound or not; sometimes one that SQLite may refuse or keep all the same.
    fn cell(&self, rng: &mut Rng) -> Value {
        if rng.one_in(5) {
            return Value::Null;
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|_| !rng.one_in(8)) {
            return Value::from(*rng.pick(allowed));
        }
        if rng.one_in(8) {
            return rng.pick(&[Value::from("abc"), Value::Blob(vec![1, 2]), Value::Real(1.5), Value::Integer(1 << 40)]).clone();
        }
        match self.declared {
            "INT" => Value::Integer(*rng.pick(&[0, 1, -5, i64::from(i32::MAX), i64::from(i32::MIN)])),
            "INTEGER" | "BIGINT" | "ANY" | "TIMESTAMP_MS" => {
                Value::Integer(*rng.pick(&[0, 1, i64::from(i32::MAX) + 1, (1 << 53) + 1, -(1 << 53) - 1, 1 << 53]))
            }
            "FLOAT4" => Value::Real(*rng.pick(&[0.5, -2.0, 1024.25])),
            "REAL" => Value::Real(*rng.pick(&[0.1, 0.5, 1e300, -3.0])),
            "DECIMAL(5,2)" => Value::Real(*rng.pick(&[0.25, 999.75, 7.0])),
            "DECIMAL(9,2)" => Value::Real(*rng.pick(&[0.25, 1_234_567.25, 7.0])),
            "DECIMAL(9,3)" => Value::Real(*rng.pick(&[0.125, 123_456.125, 7.0])),
            "VARCHAR(5)" => Value::from(*rng.pick(&["", "abcde", "é"])),
            "VARCHAR(9)" => Value::from(*rng.pick(&["", "abcdefghi", "é"])),
            "TEXT" => Value::from(*rng.pick(&["", "a text longer than all", "12", "é"])),
            "JSON" => Value::from(*rng.pick(&["{}", "[1,2]"])),
            "BLOB" => Value::Blob(vec![rng.below(256) as u8; rng.below(3) as usize]),
            "BOOLEAN" => Value::Integer(rng.below(2) as i64),
            other => unreachable!("{other}"),
        }
    }
}

impl Shape {
    fn random(rng: &mut Rng) -> Self {
        let strict = rng.one_in(4);
        let columns = (0..1 + rng.below(4)).map(|i| Column::random(rng, format!("c{i}"), strict)).collect();
        Self { strict, columns }
    }

    /// `k` is in every version: a cell of any class can be in it where the table is not `STRICT`.
    fn sql(&self) -> String {
        let columns: String = self.columns.iter().map(|c| format!(", {}", c.sql())).collect();
        format!("CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER{columns}){}", if self.strict { " STRICT" } else { "" })
    }

    fn is_strict_able(&self) -> bool {
        self.columns.iter().all(|c| STRICT_TYPES.contains(&c.declared))
    }

    /// One to three things happen. The renames among them, and the columns that are gone.
    fn changed(&self, rng: &mut Rng, fresh: &mut u32) -> (Self, Vec<(String, String)>, Vec<String>) {
        let mut new = self.clone();
        let (mut renames, mut dropped): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
        for _ in 0..1 + rng.below(3) {
            let at = (!new.columns.is_empty()).then(|| rng.below(new.columns.len() as u64) as usize);
            let strict = new.strict;
            match (rng.below(10), at) {
                (0 | 1, _) | (_, None) => {
                    *fresh += 1;
                    let place = rng.below(new.columns.len() as u64 + 1) as usize;
                    new.columns.insert(place, Column::random(rng, format!("n{fresh}"), strict));
                }
                (2, Some(at)) => {
                    let gone = new.columns.remove(at).name;
                    let before = renames.iter().position(|(_, to)| *to == gone).map(|at| renames.remove(at).0);
                    dropped.push(before.unwrap_or(gone));
                }
                (3, Some(at)) => {
                    let from = new.columns[at].name.clone();
                    *fresh += 1;
                    let to = format!("r{fresh}");
                    new.columns[at].name.clone_from(&to);
                    match renames.iter_mut().find(|(_, known)| *known == from) {
                        Some(known) => known.1 = to,
                        None if self.columns.iter().any(|c| c.name == from) => renames.push((from, to)),
                        None => {}
                    }
                }
                (4 | 5, Some(at)) if new.columns[at].allowed.is_none() => {
                    let column = &mut new.columns[at];
                    column.declared = if strict { *rng.pick(&STRICT_TYPES) } else { *rng.pick(&TYPES) };
                    column.set_default(rng);
                }
                (6, Some(at)) => new.columns[at].not_null ^= true,
                (7, Some(at)) => new.columns[at].set_default(rng),
                (8, Some(at)) if new.columns[at].declared == "TEXT" => {
                    let from = rng.below(3) as usize;
                    new.columns[at].allowed = (!rng.one_in(3)).then(|| SYMBOLS[from..from + 2].to_vec());
                }
                (9, _) if new.is_strict_able() => new.strict ^= true,
                (_, Some(at)) => {
                    let column = new.columns.remove(at);
                    new.columns.insert(rng.below(new.columns.len() as u64 + 1) as usize, column);
                }
            }
        }
        (new, renames, dropped)
    }

    /// Rows that SQLite takes into a table of this shape, as it keeps them.
    fn rows(&self, rng: &mut Rng) -> Vec<Row> {
        let connection = Connection::scratch().unwrap();
        connection.execute_batch(&self.sql()).unwrap();
        let insert = format!("INSERT INTO t VALUES(?, ?{})", ", ?".repeat(self.columns.len()));
        let key = Column { name: String::new(), declared: "INTEGER", not_null: false, default: None, allowed: None };
        let mut taken = 0;
        for _ in 0..4000 {
            let cells = std::iter::once(Value::Null).chain(std::iter::once(key.cell(rng))).collect::<Vec<_>>();
            let cells: Vec<Value> = cells.into_iter().chain(self.columns.iter().map(|c| c.cell(rng))).collect();
            taken += u64::from(connection.execute(&insert, &cells).is_ok());
            if taken == 120 {
                break;
            }
        }
        assert!(taken > 20, "rows are hard to find for {}", self.sql());
        connection.query("SELECT * FROM t ORDER BY id", &[]).unwrap()
    }
}

/// What SQLite itself makes of the rows where it copies them into the new table, as a migration would: an oracle for what a reader sees.
fn copied(old: &Shape, rows: &[Row], new: &Shape, renames: &[(String, String)]) -> Vec<Row> {
    let connection = Connection::scratch().unwrap();
    connection.execute_batch(&old.sql().replacen("TABLE t(", "TABLE old(", 1)).unwrap();
    let insert = format!("INSERT INTO old VALUES(?, ?{})", ", ?".repeat(old.columns.len()));
    for row in rows {
        connection.execute(&insert, row).unwrap();
    }
    connection.execute_batch(&new.sql()).unwrap();
    let source = |column: &Column| {
        let from = renames.iter().find(|(_, to)| *to == column.name).map_or(&column.name, |(from, _)| from);
        let is_old = old.columns.iter().any(|c| c.name == *from) && !renames.iter().any(|(gone, to)| gone == from && *to != column.name);
        let is_refused = match &column.allowed {
            Some(allowed) => !allowed.iter().any(|symbol| column.default == Some(&format!("'{symbol}'"))),
            None => new.strict && column.default == Some("'red'") && !matches!(column.declared, "TEXT" | "ANY"),
        };
        let default = column.default.filter(|d| !is_refused && !d.contains("random"));
        if is_old { from.clone() } else { default.unwrap_or("NULL").to_owned() }
    };
    let sources: String = new.columns.iter().map(|c| format!(", {}", source(c))).collect();
    connection.execute_batch(&format!("INSERT INTO t SELECT id, k{sources} FROM old")).unwrap();
    connection.query("SELECT * FROM t ORDER BY id", &[]).unwrap()
}

fn told(renames: &[(String, String)]) -> Vec<(&str, &str, &str)> {
    renames.iter().map(|(from, to)| ("t", from.as_str(), to.as_str())).collect()
}

fn refs(row: &Row) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::as_ref).collect()
}

/// How often each thing was seen: the test proves nothing of what it never meets.
#[derive(Debug, Default)]
struct Seen {
    allowed: u64,
    refused: u64,
    rows: u64,
    copied: u64,
}

struct Side<'a> {
    schema: &'a Schema,
    rows: &'a [Row],
}

fn check(seed: u64, dropped: &[String], old: Side<'_>, new: Side<'_>, seen: &mut Seen) {
    for (mode, direction) in [(Mode::Backward, Direction::Backward), (Mode::Forward, Direction::Forward)] {
        for resolution in [Resolution::ByName, Resolution::ById] {
            let mut evolution = SchemaEvolution::new(mode).resolution(resolution);
            for name in dropped {
                evolution = evolution.dropped(format!("t.{name}"));
            }
            let report = evolution.check(&[old.schema], new.schema);
            let (writer, reader) = if direction == Direction::Backward { (&old, &new) } else { (&new, &old) };
            let reading = Reading::new(writer.schema, reader.schema, old.schema.tables[0].id, resolution).unwrap();
            let fails = |row: &&Row| reading.row(&refs(row)).err();
            let place =
                || format!("RELSTORE_SEED={seed} {mode} {resolution:?}\n{}\n{}", old.schema.tables[0].sql, new.schema.tables[0].sql);
            seen.rows += writer.rows.len() as u64;
            if report.ok() {
                seen.allowed += 1;
                if let Some((row, error)) = writer.rows.iter().find_map(|row| fails(&row).map(|error| (row, error))) {
                    panic!("allowed, and {row:?} cannot be read: {error:?}\n{}", place());
                }
                continue;
            }
            let changes = diff(old.schema, new.schema);
            let refuses = |reason: Reason| {
                changes.iter().any(|c| {
                    let letter = c.rule.letter(direction);
                    let is_refused = letter == Letter::Refused || (letter == Letter::ByName && resolution == Resolution::ByName);
                    c.rule.reason == reason && is_refused
                })
            };
            // Where a name means another column, what fails for one reason may be read as something else.
            if refuses(Reason::Decode) && !refuses(Reason::Meaning) {
                seen.refused += 1;
                assert!(
                    writer.rows.iter().any(|row| fails(&row).is_some()),
                    "refused, and every row can be read\n{}\n{changes:#?}",
                    place()
                );
            }
        }
    }
}

#[test]
fn what_is_allowed_is_decoded_and_what_is_refused_has_a_witness() {
    let mut seen = Seen::default();
    for seed in seeds(SEEDS) {
        let mut rng = Rng::new(seed);
        let mut fresh = 0;
        let first = Shape::random(&mut rng);
        let (second, renames, dropped) = first.changed(&mut rng, &mut fresh);
        let (third, later_renames, later_dropped) = second.changed(&mut rng, &mut fresh);
        let versions = history(&[(&first.sql(), &[]), (&second.sql(), &told(&renames)), (&third.sql(), &told(&later_renames))]);
        let rows = [first.rows(&mut rng), second.rows(&mut rng), third.rows(&mut rng)];
        let side = |at: usize| Side { schema: &versions[at], rows: &rows[at] };
        check(seed, &dropped, side(0), side(1), &mut seen);
        check(seed, &later_dropped, side(1), side(2), &mut seen);
        // What is gone by the third version was dropped in one of two steps, maybe under a name of between.
        let all_dropped: Vec<String> = first.columns.iter().map(|c| c.name.clone()).collect();
        check(seed, &all_dropped, side(0), side(2), &mut seen);

        let mut evolution = SchemaEvolution::new(Mode::Backward).resolution(Resolution::ById);
        for name in &dropped {
            evolution = evolution.dropped(format!("t.{name}"));
        }
        if evolution.check(&versions[..1], &versions[1]).ok() {
            let reading = Reading::new(&versions[0], &versions[1], versions[0].tables[0].id, Resolution::ById).unwrap();
            let read: Vec<Row> = rows[0].iter().map(|row| reading.row(&refs(row)).unwrap()).collect();
            let wanted = copied(&first, &rows[0], &second, &renames);
            assert_eq!(read, wanted, "RELSTORE_SEED={seed}\n{}\n{}", first.sql(), second.sql());
            seen.copied += 1;
        }
    }
    println!("{seen:?}");
    if std::env::var("RELSTORE_SEED").is_err() {
        assert!(seen.allowed > 400 && seen.refused > 400 && seen.copied > 50, "{seen:?}");
    }
}
