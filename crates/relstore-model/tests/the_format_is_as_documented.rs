//! The worked example of docs/format.md is what the code writes and reads: the page cannot drift from the bytes.

use relstore_model::segment::Segment;
use relstore_model::{Change, Lsn, Op, Value};

/// The bytes of the segment in the page: hex pairs up to the first word that is none, and the JSON line as it is.
fn documented() -> Vec<u8> {
    let page = include_str!("../../../docs/format.md");
    let example = page.split("The segment, 230 bytes.").nth(1).expect("the page has the example");
    let block = example.split("```").nth(1).expect("in a block");
    let mut bytes = Vec::new();
    for line in block.lines() {
        if line.starts_with('{') {
            bytes.extend_from_slice(line.as_bytes());
            continue;
        }
        let pairs = line.split_whitespace().map_while(|word| if word.len() == 2 { u8::from_str_radix(word, 16).ok() } else { None });
        bytes.extend(pairs);
    }
    bytes
}

#[test]
fn the_example_of_the_page_is_a_segment() {
    let bytes = documented();
    assert_eq!(bytes.len(), 230);
    let segment = Segment::decode("docs/format.md", &bytes).expect("the page's bytes are a segment");
    assert_eq!(segment.encode(), bytes, "and what the code writes");
    assert_eq!((segment.epoch, segment.lsn_first(), segment.lsn_last()), (1, Lsn::new(1), Lsn::new(3)));
    let mut seen = Vec::new();
    segment
        .each_change(|commit, lsn, _, change| {
            let Change::Row(row) = change.to_change()? else { panic!("rows alone") };
            seen.push((lsn.get(), commit.timestamp.micros(), row.op, row.rowid, row.image().clone()));
            Ok(())
        })
        .expect("every change can be read");
    let created = vec![Value::Integer(7), Value::Text("UA".into()), Value::Null];
    let updated = vec![Value::Integer(7), Value::Text("UA".into()), Value::Integer(-3)];
    let deleted = vec![Value::Real(1.5), Value::Blob(vec![0xca, 0xfe])];
    let wanted = [
        (1, 1_000_000, Op::Create, None, created),
        (2, 1_000_000, Op::Update, None, updated),
        (3, 1_000_300, Op::Delete, Some(300), deleted),
    ];
    assert_eq!(seen, wanted);
}
