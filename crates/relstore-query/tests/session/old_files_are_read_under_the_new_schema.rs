//! Columns are found by id: added, renamed and widened ones are read out of files that do not know.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use relstore_lake::iceberg::Runtime;
use relstore_lake::iceberg::spec::{PrimitiveType, Schema, Type};
use relstore_lake::iceberg::table::Table;

use crate::lake::Lake;
use crate::people::{COLUMNS, append, columns, session, texts, version};

#[tokio::test]
async fn a_column_that_old_files_lack_reads_null() {
    let lake = Lake::new().await;
    let table = lake.create("people", &COLUMNS).await;
    let table = append(&lake, &table, &[version("acme", 1, "c", 1, "Ada"), version("acme", 2, "c", 2, "Bob")]).await;
    let table = lake.add_column(&table, "city", PrimitiveType::String).await;
    // The newest snapshot is older than the column.
    let bare = session(&table).await;
    assert_eq!(texts(&bare, "SELECT city FROM people WHERE city IS NULL ORDER BY id").await, ["NULL", "NULL"]);

    let mut given = columns(&[version("acme", 3, "u", 1, "Ada")]);
    given.push(("city", Arc::new(StringArray::from(vec!["Paris"])) as ArrayRef));
    let table = lake.append(&table, given).await;
    let session = session(&table).await;
    assert_eq!(texts(&session, "SELECT city FROM people ORDER BY id").await, ["Paris", "NULL"]);
    assert_eq!(texts(&session, "SELECT id FROM people WHERE city IS NULL").await, ["2"]);
    assert_eq!(texts(&session, "SELECT id FROM people WHERE city = 'Paris'").await, ["1"]);
    assert_eq!(texts(&session, "SELECT count(*) FROM history.people WHERE city <> 'Rome'").await, ["1"]);
}

/// The table as it is after a change of its fields by `edit`, as an own commit makes it.
fn evolved(table: &Table, edit: impl Fn(&mut relstore_lake::iceberg::spec::NestedField)) -> Table {
    let old = table.metadata().current_schema();
    let fields = old.as_struct().fields().iter().map(|f| {
        let mut f = f.as_ref().clone();
        edit(&mut f);
        Arc::new(f)
    });
    let schema = Schema::builder().with_fields(fields).build().unwrap();
    let builder = table.metadata().clone().into_builder(table.metadata_location().map(str::to_owned));
    let metadata = builder.add_current_schema(schema).unwrap().build().unwrap().metadata;
    Table::builder()
        .file_io(table.file_io().clone())
        .metadata(metadata)
        .identifier(table.identifier().clone())
        .runtime(Runtime::current())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_renamed_column_reads_and_filters_under_its_new_name() {
    let lake = Lake::new().await;
    let table = lake.create("people", &COLUMNS).await;
    let table = append(&lake, &table, &[version("acme", 1, "c", 1, "Ada"), version("acme", 2, "c", 2, "Bob")]).await;
    let table = evolved(&table, |f| {
        if f.name == "fullName" {
            f.name = "name".to_owned();
        }
    });
    let session = session(&table).await;
    assert_eq!(texts(&session, "SELECT name FROM people ORDER BY id").await, ["Ada", "Bob"]);
    assert_eq!(texts(&session, "SELECT id FROM people WHERE name = 'Bob'").await, ["2"]);
    let plan = session.explain("SELECT id FROM history.people WHERE name = 'Zoe'").await.unwrap();
    assert!(plan.contains("files=0"), "{plan}");
}

#[tokio::test]
async fn a_widened_column_reads_and_filters_as_the_wide_type() {
    let lake = Lake::new().await;
    let table = lake.create("people", &COLUMNS).await;
    let table = append(&lake, &table, &[version("acme", 1, "c", 1, "Ada"), version("acme", 2, "c", 2, "Bob")]).await;
    let table = evolved(&table, |f| {
        if f.name == "_schema_version" {
            *f.field_type = Type::Primitive(PrimitiveType::Long);
        }
    });
    let session = session(&table).await;
    let sql = "SELECT id FROM history.people WHERE _schema_version = 1 AND _schema_version < 5000000000 ORDER BY id";
    assert_eq!(texts(&session, sql).await, ["1", "2"]);
}
