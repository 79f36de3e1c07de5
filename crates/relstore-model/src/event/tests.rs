//! The envelope's JSON, to the letter.

use std::sync::Arc;

use super::{Images, Selection, SnapshotPlace, UnifiedEvent, WithoutVirtualCells, events_of};
use crate::change::codec;
use crate::schema::TableShape;
use crate::{Column, ColumnId, Commit, LogicalType, Lsn, Namespace, Op, Schema, TableId, Timestamp, TxId, ValueRef};

fn column(name: &str, declared: &str) -> Column {
    Column {
        id: ColumnId(0),
        name: name.into(),
        declared: declared.into(),
        logical: LogicalType::from_declared(declared),
        not_null: false,
        added_in: 0,
        is_virtual: false,
        is_computed: false,
        initial_default: None,
    }
}

fn table(name: &str, columns: Vec<Column>, primary_key: Vec<usize>) -> TableShape {
    TableShape { name: name.into(), sql: String::new(), columns, primary_key, without_rowid: false, dependents: Vec::new(), facts: None }
}

/// `users(id TEXT, name TEXT, active BOOLEAN, seen TIMESTAMP)`, `seats(row INTEGER, seat TEXT, taken_by TEXT)`, `notes(text)`.
fn schema() -> Arc<Schema> {
    let users = vec![column("id", "TEXT"), column("name", "TEXT"), column("active", "BOOLEAN"), column("seen", "TIMESTAMP")];
    let seats = vec![column("row", "INTEGER"), column("seat", "TEXT"), column("taken_by", "TEXT")];
    let shapes =
        vec![table("users", users, vec![0]), table("seats", seats, vec![0, 1]), table("notes", vec![column("text", "TEXT")], vec![])];
    Arc::new(Schema::default().evolved(shapes, Vec::new()).expect("it differs from the empty one"))
}

fn commit() -> Commit {
    let text = |t: &'static str| ValueRef::Text(t.as_bytes());
    let alice = [text("user_123"), text("Alice"), ValueRef::Integer(1), ValueRef::Integer(1_385_856_000)];
    let smith = [text("user_123"), text("Alice Smith"), ValueRef::Integer(1), ValueRef::Integer(1_385_856_000)];
    let seat = [ValueRef::Integer(9_007_199_254_740_993), text("B"), ValueRef::Null];
    let mut packed = Vec::new();
    codec::put_row(&mut packed, Op::Create, TableId(1), None, alice.into_iter());
    codec::put_update(&mut packed, TableId(1), None, &alice, &smith);
    codec::put_row(&mut packed, Op::Delete, TableId(2), None, seat.into_iter());
    codec::put_row(&mut packed, Op::Create, TableId(3), Some(-7), [text("a \"note\"")].into_iter());
    let timestamp = Timestamp::from_micros(1_700_000_000_123_456);
    Commit { lsn_first: Lsn::new(41), count: 4, timestamp, schema_version: 1, txid: None, packed }
}

fn lines(selection: &Selection) -> Vec<String> {
    let events = selection.events_of(&Namespace::new("acme").unwrap(), &commit(), &mut schema(), &WithoutVirtualCells).unwrap();
    events.iter().map(|e| serde_json::to_string(e).unwrap()).collect()
}

#[test]
fn the_short_form_is_this_text() {
    let expected = [
        r#"{"id":"ID","type":"cdc.insert","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"c","store":"relational","table":"users","key":"user_123","after":{"id":"user_123","name":"Alice","active":true,"seen":"2013-12-01T00:00:00.000Z"},"txid":"TX","lsn":41,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#,
        r#"{"id":"ID","type":"cdc.update","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"u","store":"relational","table":"users","key":"user_123","before":{"name":"Alice"},"after":{"name":"Alice Smith"},"txid":"TX","lsn":42,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#,
        r#"{"id":"ID","type":"cdc.delete","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"d","store":"relational","table":"seats","key":"[9007199254740993,\"B\"]","before":{"row":9007199254740993,"seat":"B","taken_by":null},"txid":"TX","lsn":43,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#,
        r#"{"id":"ID","type":"cdc.insert","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"c","store":"relational","table":"notes","key":"-7","after":{"text":"a \"note\""},"txid":"TX","lsn":44,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#,
    ];
    check(&lines(&Selection::default()), &expected);
    assert_eq!(
        events_of(&Namespace::new("acme").unwrap(), &commit(), &mut schema(), Images::Changed, &WithoutVirtualCells).unwrap().len(),
        4
    );
}

#[test]
fn full_images_hold_the_whole_row() {
    let update = r#"{"id":"ID","type":"cdc.update","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"u","store":"relational","table":"users","key":"user_123","before":{"id":"user_123","name":"Alice","active":true,"seen":"2013-12-01T00:00:00.000Z"},"after":{"id":"user_123","name":"Alice Smith","active":true,"seen":"2013-12-01T00:00:00.000Z"},"txid":"TX","lsn":42,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#;
    let full = Selection { ops: vec![Op::Update], ..Selection::from(Images::Full) };
    check(&lines(&full), &[update]);
}

#[test]
fn a_row_of_a_snapshot_and_a_domain_event_have_their_fields_in_place() {
    let (ns, schema) = (Namespace::new("acme").unwrap(), schema());
    let place =
        SnapshotPlace { namespace: &ns, lsn: Lsn::new(44), timestamp: Timestamp::from_micros(1_700_000_000_123_456), schema_version: 1 };
    let cells = [ValueRef::Integer(1), ValueRef::Text(b"B"), ValueRef::Blob(&[1, 2, 3])];
    let found = |cells: &[ValueRef<'_>]| -> UnifiedEvent {
        Selection::row_found(&place, &schema.tables[1], None, cells, &WithoutVirtualCells).unwrap()
    };
    let mut row = found(&cells);
    let (id, txid) = (row.id.clone(), row.txid.clone());
    assert_eq!((id.len(), txid.len()), (26, 26));
    assert_ne!(id, found(&[ValueRef::Integer(2), cells[1], cells[2]]).id);
    row.id = "ID".into();
    row.txid = "TX".into();
    let expected = r#"{"id":"ID","type":"cdc.read","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","op":"r","store":"relational","table":"seats","key":"[1,\"B\"]","after":{"row":1,"seat":"B","taken_by":"AQID"},"txid":"TX","lsn":44,"_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#;
    assert_eq!(serde_json::to_string(&row).unwrap(), expected);
    row.event_type = "Seat.sold".into();
    row.correlation_id = Some("req-1".into());
    (row.op, row.table, row.key, row.after) = (None, None, None, None);
    row.actor = Some("user_123".into());
    row.data = Some(serde_json::json!({"price": 9}));
    row.visibility = Some("team".into());
    let expected = r#"{"id":"ID","type":"Seat.sold","timestamp":"2023-11-14T22:13:20.123Z","ns":"acme","correlationId":"req-1","store":"relational","txid":"TX","lsn":44,"actor":"user_123","data":{"price":9},"visibility":"team","_meta":{"schemaVersion":1,"source":"relstore","retries":0}}"#;
    assert_eq!(serde_json::to_string(&row).unwrap(), expected);
}

#[test]
fn a_selection_by_table_and_kind_passes_over_the_rest() {
    let count = |tables: &[&str], ops: &[Op]| {
        lines(&Selection { images: Images::Changed, tables: tables.iter().map(|t| (*t).to_owned()).collect(), ops: ops.to_vec() }).len()
    };
    assert_eq!(count(&["USERS"], &[]), 2);
    assert_eq!(count(&["users", "seats"], &[Op::Delete, Op::Update]), 2);
    assert_eq!(count(&[], &[Op::Create]), 2);
    assert_eq!(count(&["nobody"], &[]), 0);
}

#[test]
fn a_transaction_id_that_was_given_is_told() {
    let given = Commit { txid: Some(TxId::new("req-7").unwrap()), ..commit() };
    let ns = Namespace::new("acme").unwrap();
    let events = Selection::default().events_of(&ns, &given, &mut schema(), &WithoutVirtualCells).unwrap();
    assert!(events.iter().all(|e| e.txid == "req-7"));
    assert_eq!(events[0].id, Selection::default().events_of(&ns, &commit(), &mut schema(), &WithoutVirtualCells).unwrap()[0].id);
}

/// Compares but for the ids, which are 26 letters that begin with the time and rise with the position.
#[track_caller]
fn check(lines: &[String], expected: &[&str]) {
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        let txid = line.find("\"txid\":\"").unwrap() + 8;
        assert!(line[7..].starts_with("01HF7YAT3V") && line[txid..].starts_with("01HF7YAT3V"), "{line}");
        assert_eq!(format!("{}ID{}TX{}", &line[..7], &line[33..txid], &line[txid + 26..]), *expected);
    }
    assert!(lines.windows(2).all(|w| w[0][7..33] < w[1][7..33]));
}
