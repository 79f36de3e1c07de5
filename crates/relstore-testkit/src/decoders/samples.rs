//! Valid inputs of the decoders, and ways to damage them.

use std::collections::BTreeMap;

use relstore_model::change::codec::{put_row, put_schema, put_update, put_varint};
use relstore_model::segment::Segment;
use relstore_model::{
    Column, ColumnId, Commit, LogicalType, Lsn, Namespace, Op, Row, RowChange, Schema, Table, TableId, Timestamp, Value, ValueRef,
};

use crate::Rng;

/// A schema of up to four tables.
#[must_use]
pub fn schema(rng: &mut Rng) -> Schema {
    let logical = [LogicalType::Integer, LogicalType::Real, LogicalType::Text, LogicalType::Blob, LogicalType::Boolean]
        .into_iter()
        .chain([LogicalType::Timestamp, LogicalType::TimestampMs, LogicalType::Json, LogicalType::Any])
        .collect::<Vec<_>>();
    let (count, version) = (1 + rng.below(4) as u32, rng.below(9) as u32);
    let tables = (1..=count).map(|id| {
        let columns: Vec<Column> = (0..1 + rng.below(6) as i32)
            .map(|i| Column {
                id: ColumnId(ColumnId::FIRST.0 + i),
                name: format!("c{i}"),
                declared: String::new(),
                logical: *rng.pick(&logical),
                not_null: rng.one_in(2),
                added_in: 1,
                is_virtual: rng.one_in(5),
                is_computed: false,
                initial_default: None,
            })
            .collect();
        let keys = rng.below(columns.len().min(3) as u64 + 1) as usize;
        let next_column_id = ColumnId(ColumnId::FIRST.0 + columns.len() as i32);
        let (name, sql) = (format!("t{id}"), String::new());
        Table {
            id: TableId(id),
            name,
            columns,
            primary_key: (0..keys).collect(),
            without_rowid: false,
            sql,
            dependents: Vec::new(),
            next_column_id,
            facts: None,
        }
    });
    Schema { version, tables: tables.collect(), views: Vec::new(), last_table_id: count }
}

/// A cell of any class.
pub fn cell(rng: &mut Rng) -> Value {
    match rng.below(7) {
        0 => Value::Null,
        1 => Value::Integer(rng.below(2) as i64),
        2 => Value::Integer((rng.below(u64::MAX) as i64) >> rng.below(64)),
        3 => Value::Real(f64::from_bits(rng.below(u64::MAX) >> 2)),
        4 => Value::Text("é".repeat(rng.below(20) as usize)),
        5 => Value::Text(format!("{{\"a\":[{}]}}", rng.below(100))),
        _ => Value::Blob(vec![rng.below(256) as u8; rng.below(40) as usize]),
    }
}

/// A row's change.
pub fn row_change(rng: &mut Rng) -> RowChange {
    let n = rng.below(12);
    let before: Row = (0..n).map(|_| cell(rng)).collect();
    let after: Row = before.iter().map(|c| if rng.one_in(3) { cell(rng) } else { c.clone() }).collect();
    let op = *rng.pick(&[Op::Create, Op::Update, Op::Delete, Op::Read]);
    RowChange {
        table: TableId(rng.below(6) as u32),
        op,
        rowid: rng.one_in(2).then(|| rng.below(u64::MAX) as i64),
        before: matches!(op, Op::Update | Op::Delete).then_some(before),
        after: (op != Op::Delete).then_some(after),
    }
}

/// Appends a row's change.
pub fn put(out: &mut Vec<u8>, change: &RowChange) {
    fn refs(row: &Option<Row>) -> Vec<ValueRef<'_>> {
        row.iter().flatten().map(Value::as_ref).collect()
    }
    match change.op {
        Op::Update => put_update(out, change.table, change.rowid, &refs(&change.before), &refs(&change.after)),
        op => put_row(out, op, change.table, change.rowid, change.image().iter().map(Value::as_ref)),
    }
}

/// Packed changes, and how many.
pub fn packed(rng: &mut Rng) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    let count = 1 + rng.below(5);
    for _ in 0..count {
        if rng.one_in(8) {
            put_schema(&mut out, &schema(rng), "ALTER TABLE t1 ADD COLUMN x");
        } else {
            put(&mut out, &row_change(rng));
        }
    }
    (out, count)
}

/// A segment.
///
/// # Panics
/// Never: the name is a namespace.
pub fn segment(rng: &mut Rng) -> Segment {
    let schema = schema(rng);
    let mut lsn = Lsn::new(1 + rng.below(1 << 40));
    let mut micros = rng.below(1 << 50) as i64;
    let commits = (0..1 + rng.below(8)).map(|_| {
        let (packed, count) = packed(rng);
        let commit =
            Commit { lsn_first: lsn, count, timestamp: Timestamp::from_micros(micros), schema_version: schema.version, txid: None, packed };
        lsn = lsn.plus(count);
        micros += rng.below(1 << 30) as i64;
        commit
    });
    let (commits, epoch) = (commits.collect(), rng.below(9));
    Segment {
        namespace: Namespace::new("acme").expect("a plain name"),
        epoch,
        commits,
        schemas: BTreeMap::from([(schema.version, schema)]),
    }
}

/// A valid input of the target `name` of [`super::TARGETS`].
///
/// # Panics
/// If there is no such target.
pub fn valid(name: &str, rng: &mut Rng) -> Vec<u8> {
    match name {
        "segment" => segment(rng).encode(),
        "sealed_segment" => {
            let mut bytes = segment(rng).encode();
            bytes.truncate(bytes.len() - 4);
            bytes
        }
        "changes" => packed(rng).0,
        "events" => {
            let (changes, count) = packed(rng);
            let mut bytes = Vec::new();
            for number in [1 + rng.below(1 << 40), count, rng.below(1 << 50)] {
                put_varint(&mut bytes, number);
            }
            bytes.extend_from_slice(&changes);
            bytes
        }
        "schema" => schema(rng).to_json().into_bytes(),
        _ => panic!("no such target: {name}"),
    }
}

/// Damages `bytes` in one of many ways: bits and bytes flipped, cut short, parts doubled, moved, taken out or put in from elsewhere,
/// numbers made huge, digits of JSON changed.
pub fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    const HUGE: &[&[u8]] = &[
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
        &[0, 0, 0, 0],
        b"18446744073709551615",
        b"9223372036854775807",
        b"-1",
        b"[[[[[[[[[[[[[[[[",
    ];
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        let end = (at + rng.below(16) as usize).min(bytes.len());
        match rng.below(9) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            6 if !other.is_empty() => {
                let from = rng.below(other.len() as u64) as usize;
                let to = (from + rng.below(64) as usize).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            7 => {
                let huge = rng.pick(HUGE);
                let end = (at + huge.len()).min(bytes.len());
                let over = if rng.one_in(2) { end } else { at };
                bytes.splice(at..over, huge.iter().copied());
            }
            _ => {
                // A number of the JSON becomes another.
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    let number = rng.pick(HUGE);
                    let plain: &[u8] = if number[0].is_ascii() && number[0] != 0 { number } else { b"7" };
                    bytes.splice(at + digit..=at + digit, plain.iter().copied());
                }
            }
        }
    }
}

/// The checksum of a segment: CRC-32, IEEE.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}
