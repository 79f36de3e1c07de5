//! What every decoder must survive: one function a decoder, which takes any bytes and panics if the decoder does what it must not.
//!
//! The bounded test of this crate and the libFuzzer targets in `fuzz/` call the same functions. A decoder may refuse any input by an error
//! of its kind; it must not panic, must not allocate much more than the input is long, and what it takes must read back the same.
//! [`samples`] makes valid inputs and damages them.

pub mod samples;

use std::sync::Arc;

use relstore_model::change::codec::{self, ChangeRef, Reader, unpack};
use relstore_model::event::{Images, events_of, key_text};
use relstore_model::segment::Segment;
use relstore_model::{Change, Commit, ErrorKind, Lsn, Namespace, Op, Schema, Timestamp, ValueRef};

/// A decoder under test: its name, and what is done with each input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] =
    &[("segment", segment), ("sealed_segment", sealed_segment), ("changes", changes), ("events", events), ("schema", schema)];

/// `bytes` as a segment.
///
/// # Panics
/// If the decoder breaks its promise.
pub fn segment(bytes: &[u8]) {
    let read = match Segment::decode("fuzz", bytes) {
        Ok(read) => read,
        Err(e) => return assert_kind(&e, &[ErrorKind::Corrupt, ErrorKind::Unsupported]),
    };
    assert!(!read.commits.is_empty() && read.commits.iter().all(|c| c.count > 0), "a segment holds commits, and each a change");
    assert!(read.lsn_first() > Lsn::ZERO && read.lsn_last() <= Lsn::MAX, "positions are positions");
    assert_eq!(Segment::decode("again", &read.encode()).as_ref().ok(), Some(&read), "what was read is written and read the same");
    let mut seen = 0;
    let walked = read.each_change(|_, lsn, schema, change| {
        assert_eq!(lsn, read.lsn_first().plus(seen), "every change has its position");
        seen += 1;
        if let ChangeRef::Row(row) = change
            && let Some(table) = schema.by_id(row.table)
        {
            let _ = key_text(table, row.rowid, row.image());
        }
        Ok(())
    });
    match walked {
        Ok(()) => assert_eq!(read.lsn_first().plus(seen), read.lsn_last().next(), "no change is left out"),
        Err(e) => assert_kind(&e, &[ErrorKind::Corrupt]),
    }
}

/// `bytes` as a segment without its checksum, which is put right: otherwise almost no damage would come past it.
///
/// # Panics
/// As [`segment`].
pub fn sealed_segment(bytes: &[u8]) {
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&samples::crc32(bytes).to_le_bytes());
    segment(&sealed);
}

/// `bytes` as packed changes.
///
/// # Panics
/// If the reader breaks its promise.
pub fn changes(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let mut count = 0;
    let end = loop {
        match reader.next() {
            Ok(Some(ChangeRef::Row(row))) => {
                let width = row.image().len();
                assert!(row.op != Op::Update || (row.before.len() == width && row.changed.len() == width.div_ceil(8)));
                assert!(width <= bytes.len(), "a cell takes a byte");
            }
            Ok(Some(ChangeRef::Schema(json))) => assert!(json.len() <= bytes.len()),
            Ok(None) => break Ok(()),
            Err(e) => break Err(e),
        }
        count += 1;
    };
    if let Err(e) = &end {
        assert_kind(e, &[ErrorKind::Corrupt]);
    }
    match unpack(bytes) {
        Ok(read) => {
            assert!(end.is_ok() && read.len() == count, "both readers read the same");
            // Not the bytes: a number can be written longer than it must. As text, because NaN differs from itself.
            let again = unpack(&packed(&read)).expect("what was read can be written and read");
            assert_eq!(format!("{again:?}"), format!("{read:?}"));
        }
        Err(e) => assert_kind(&e, &[ErrorKind::Corrupt]),
    }
}

/// `bytes` as a commit (its first bytes are position, count and time) under a schema of some tables, read as events.
///
/// # Panics
/// If it panics.
pub fn events(bytes: &[u8]) {
    let mut at = bytes;
    let mut number = || codec::take_varint(&mut at).unwrap_or(1);
    let (lsn, count, micros) = (number(), number(), number());
    let commit = Commit {
        lsn_first: Lsn::new(lsn),
        count,
        timestamp: Timestamp::from_micros(micros as i64),
        schema_version: 0,
        txid: None,
        packed: at.to_vec(),
    };
    let namespace = Namespace::new("fuzz").expect("a plain name");
    for images in [Images::Changed, Images::Full] {
        let mut schema = Arc::new(samples::schema(&mut crate::Rng::new(1)));
        match events_of(&namespace, &commit, &mut schema, images, &relstore_model::event::WithoutVirtualCells) {
            Ok(events) => {
                assert_eq!(events.len() as u64, commit.count, "an event a change");
            }
            Err(e) => assert_kind(&e, &[ErrorKind::Corrupt]),
        }
    }
}

/// `bytes` as a schema's JSON.
///
/// # Panics
/// If the reader breaks its promise, or the schema that it took makes a reader of rows panic.
pub fn schema(bytes: &[u8]) {
    let Ok(json) = std::str::from_utf8(bytes) else { return };
    let read = match Schema::from_json(json) {
        Ok(read) => read,
        Err(e) => return assert_kind(&e, &[ErrorKind::Corrupt]),
    };
    assert_eq!(Schema::from_json(&read.to_json()).as_ref().ok(), Some(&read), "what was read is written and read the same");
    let image = [ValueRef::Integer(1), ValueRef::Null];
    for table in &read.tables {
        assert_eq!(read.by_id(table.id), Some(table), "every table is found by its id");
        let _ = (key_text(table, Some(1), &image), key_text(table, None, &[]), table.rowid_alias(), table.stored_columns().count());
    }
}

fn assert_kind(e: &relstore_model::Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&e.kind()) && e.hint().is_some(), "an error of another kind, or without a way out: {e:?}");
}

/// Changes as bytes.
fn packed(changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::new();
    for change in changes {
        match change {
            Change::Schema(s) => codec::put_schema(&mut out, &s.schema, &s.sql),
            Change::Row(row) => samples::put(&mut out, row),
        }
    }
    out
}
