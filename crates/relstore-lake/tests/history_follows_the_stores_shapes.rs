//! Columns come and go, types are broken, stores differ: history holds it all and loses no cell.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use relstore_lake::archive::overflow_cells;
use relstore_model::schema::Cell;
use relstore_model::{ErrorKind, LogicalType, Value, ValueRef};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_of_another_type_than_its_column_s_survives() {
    let bed = Bed::new();
    let columns = vec![
        column(101, "id", LogicalType::Integer),
        column(102, "flag", LogicalType::Boolean),
        column(103, "at", LogicalType::Timestamp),
        column(104, "any", LogicalType::Any),
    ];
    let mut store = Store::new("s", schema(1, vec![table(1, "t", columns, vec![0])]));
    store.insert(1, &[1.into(), 1.into(), 1_700_000_000.into(), "text".into()]);
    store.insert(1, &[2.into(), 7.into(), "not a time".into(), Value::Blob(vec![0, 255])]);
    store.insert_cells(1, &[ValueRef::Real(0.1), ValueRef::Null, ValueRef::Integer(i64::MAX), ValueRef::Text(&[0xff])]);
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    let read = rows(&lake, "t", &["id", "flag", "at", "any", "_overflow"]).await;
    assert_eq!(read[0], "s 1 1 true 2023-11-14T22:13:20Z text -");
    let (head, overflow) = read[1].split_once(" {").unwrap();
    assert_eq!(head, "s 2 2 - - -");
    let cells = overflow_cells(&format!("{{{overflow}")).unwrap();
    assert_eq!(
        cells.into_iter().collect::<Vec<_>>(),
        [(102, Value::Integer(7)), (103, Value::Text("not a time".into())), (104, Value::Blob(vec![0, 255]))]
    );
    let (head, overflow) = read[2].split_once(" {").unwrap();
    assert_eq!(head, "s 3 - - - -");
    assert!(overflow.contains("\"text_bytes\":[255]"), "{overflow}");
    let cells = overflow_cells(&format!("{{{overflow}")).unwrap();
    assert_eq!(cells[&101], Value::Real(0.1));
    assert_eq!(cells[&103], Value::Integer(i64::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_later_is_null_before_and_schema_changes_are_rows() {
    let bed = Bed::new();
    let empty = schema(0, vec![]);
    let mut store = Store::new("s", empty);
    store.evolve(schema(1, vec![users()]), "CREATE TABLE users …");
    store.insert(1, &user(1, "a", 0.0));
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();

    let mut wider = users();
    wider.columns.push(column(104, "email", LogicalType::Text));
    store.evolve(schema(2, vec![wider]), "ALTER TABLE users ADD email TEXT");
    store.commit();
    let row = [user(2, "b", 0.0), vec!["b@x".into()]].concat();
    store.insert(1, &row);
    store.update(1, &row, &[user(2, "b", 0.0), vec!["b@y".into()]].concat());
    store.commit();
    store.ship(&bed.bucket).await;
    // As one call over everything on another lake, so that the column appears in the middle of it.
    let other = Bed::new();
    for path in bed.objects("stores", ".seg").await {
        other.bucket.put_new(&path, bed.bucket.get(&path).await.unwrap()).await.unwrap();
    }
    ingest(&lake, &[("s", 2)]).await.unwrap();
    let fresh = other.lake();
    assert_eq!(ingest(&fresh, &[("s", 0)]).await.unwrap().commits, 2);
    for lake in [&lake, &fresh] {
        let read = rows(lake, "users", &["_op", "_schema_version", "id", "email", "_changed"]).await;
        assert_eq!(read, ["s 2 c 1 1 - -", "s 4 c 2 2 b@x -", "s 5 u 2 2 b@y [104]"]);
        let read = rows(lake, "_schema", &["_op", "_schema_version", "sql"]).await;
        assert_eq!(read, ["s 1 s 1 CREATE TABLE users …", "s 3 s 2 ALTER TABLE users ADD email TEXT"]);
    }
    let definition = rows(&fresh, "_schema", &["definition"]).await[0].clone();
    let parsed: relstore_model::Schema = serde_json::from_str(definition.strip_prefix("s 1 ").unwrap()).unwrap();
    assert_eq!(parsed, schema(1, vec![users()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_with_other_columns_share_a_table_by_name() {
    let bed = Bed::new();
    let a = table(1, "t", vec![column(101, "id", LogicalType::Integer), column(102, "x", LogicalType::Text)], vec![0]);
    let b = table(4, "T", vec![column(101, "y", LogicalType::Blob), column(102, "ID", LogicalType::Integer)], vec![1]);
    let mut store = Store::new("a", schema(1, vec![a]));
    store.insert(1, &[1.into(), "one".into()]);
    store.commit();
    store.ship(&bed.bucket).await;
    let mut store = Store::new("b", schema(1, vec![b]));
    store.insert(4, &[Value::Blob(vec![1]), 2.into()]);
    store.update(4, &[Value::Blob(vec![1]), 2.into()], &[Value::Null, 2.into()]);
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("a", 0), ("b", 0)]).await.unwrap();
    assert_eq!(rows(&lake, "t", &["id", "x", "y", "_changed"]).await, ["a 1 1 one - -", "b 1 2 - 01 -", "b 2 2 - - [103]"]);
    let columns: Vec<_> = lake.tables().await.unwrap().remove(0).columns.into_iter().map(|c| (c.id, c.name)).collect();
    assert_eq!(columns, [(101, "id".to_owned()), (102, "x".to_owned()), (103, "y".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_another_type_is_refused_with_both() {
    let bed = Bed::new();
    let lake = bed.lake();
    for (ns, logical) in [("a", LogicalType::Text), ("b", LogicalType::Integer)] {
        let t = table(1, "t", vec![column(101, "x", logical)], vec![]);
        let mut store = Store::new(ns, schema(1, vec![t]));
        store.insert_with_rowid(1, 1, &[Value::Null]);
        store.commit();
        store.ship(&bed.bucket).await;
    }
    // In one call, and in two.
    let error = ingest(&lake, &[("a", 0), ("b", 0)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    ingest(&lake, &[("a", 0)]).await.unwrap();
    let error = ingest(&lake, &[("b", 0)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    for part in ["table: t", "column: x", "text", "integer"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_history_needs_are_refused_with_a_way_out() {
    let bed = Bed::new();
    let reserved = [("a", "t", "_LSN"), ("b", "t", "_ts_day"), ("c", "_schema", "x")];
    for (ns, name, column_name) in reserved {
        let t = table(1, name, vec![column(101, column_name, LogicalType::Text)], vec![]);
        let mut store = Store::new(ns, schema(1, vec![t]));
        store.insert_with_rowid(1, 1, &[Value::Null]);
        store.commit();
        store.ship(&bed.bucket).await;
        let error = ingest(&bed.lake(), &[(ns, 0)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.hint().unwrap().starts_with("rename"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_older_than_a_column_have_its_frozen_default() {
    let bed = Bed::new();
    let mut t = users();
    let mut added = column(104, "level", LogicalType::Integer);
    added.initial_default = Some(Cell::Integer(3));
    t.columns.push(added);
    let mut store = Store::new("s", schema(2, vec![t]));
    // SQLite gives short rows for what was written before the column was added.
    store.delete(1, &user(1, "old", 0.0));
    store.commit();
    store.ship(&bed.bucket).await;
    let lake = bed.lake();
    ingest(&lake, &[("s", 0)]).await.unwrap();
    assert_eq!(rows(&lake, "users", &["_op", "id", "level"]).await, ["s 1 d 1 3"]);
}
