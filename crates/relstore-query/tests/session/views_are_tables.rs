//! A view's Parquet files are a table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::parquet::arrow::ArrowWriter;
use relstore_query::{Session, ViewFiles, ViewInput};

use crate::lake::Lake;
use crate::people::{COLUMNS, append, input, texts, version};

fn write(folder: &Path, dt: &str, delay: &[f64]) -> PathBuf {
    let schema = Arc::new(Schema::new(vec![Field::new("dt", DataType::Utf8, false), Field::new("delay", DataType::Float64, true)]));
    let dts = StringArray::from(vec![dt; delay.len()]);
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(dts), Arc::new(Float64Array::from(delay.to_vec()))]).unwrap();
    let place = folder.join(format!("dt={dt}"));
    std::fs::create_dir_all(&place).unwrap();
    let path = place.join("part 1.parquet");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

#[tokio::test]
async fn local_files_are_read_with_their_own_dt() {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![write(folder.path(), "2013-01-01", &[1.0, 2.0]), write(folder.path(), "2013-01-02", &[3.0])];
    let view = ViewInput { name: "daily".to_owned(), files: ViewFiles::Local(files), schema: None };
    let session = Session::new(Vec::new(), vec![view]).await.unwrap();
    assert_eq!(texts(&session, "SELECT sum(delay) FROM views.daily").await, ["6"]);
    assert_eq!(texts(&session, "SELECT dt FROM daily WHERE delay > 2").await, ["2013-01-02"]);
    assert_eq!(texts(&session, "SELECT count(*) FROM daily WHERE dt = '2013-01-01'").await, ["2"]);
    assert_eq!(session.tables(), ["daily"]);
    let plan = session.explain("SELECT dt FROM daily WHERE delay > 2").await.unwrap();
    assert!(plan.contains("pruning_predicate"), "{plan}");
}

#[tokio::test]
async fn objects_of_a_bucket_are_read_by_key() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "2013-01-01", &[1.0, 2.0]);
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let files = ViewFiles::Bucket { store, keys: vec!["dt=2013-01-01/part 1.parquet".to_owned()] };
    let session = Session::new(Vec::new(), vec![ViewInput { name: "daily".to_owned(), files, schema: None }]).await.unwrap();
    assert_eq!(texts(&session, "SELECT sum(delay) FROM daily").await, ["3"]);
}

#[tokio::test]
async fn a_table_goes_before_a_view_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = ViewFiles::Local(vec![write(folder.path(), "2013-01-01", &[1.0])]);
    let lake = Lake::new().await;
    let table = append(&lake, &lake.create("people", &COLUMNS).await, &[version("acme", 1, "c", 1, "Ada")]).await;
    let view = ViewInput { name: "people".to_owned(), files, schema: None };
    let session = Session::new(vec![input(&table)], vec![view]).await.unwrap();
    assert_eq!(texts(&session, "SELECT fullName FROM people").await, ["Ada"]);
    assert_eq!(texts(&session, "SELECT dt FROM views.people").await, ["2013-01-01"]);
}

#[tokio::test]
async fn a_view_without_files_is_empty_and_two_of_one_name_are_refused() {
    let schema = Arc::new(Schema::new(vec![Field::new("dt", DataType::Utf8, false)]));
    let view = ViewInput { name: "daily".to_owned(), files: ViewFiles::Local(Vec::new()), schema: Some(schema) };
    let session = Session::new(Vec::new(), vec![view.clone()]).await.unwrap();
    assert_eq!(texts(&session, "SELECT dt FROM daily").await, [""; 0]);
    let twice = Session::new(Vec::new(), vec![view.clone(), ViewInput { name: "Daily".to_owned(), ..view }]).await.unwrap_err();
    assert_eq!(twice.kind(), relstore_model::ErrorKind::Invalid);
}

#[tokio::test]
async fn a_missing_file_says_which_view() {
    let folder = tempfile::tempdir().unwrap();
    let there = write(folder.path(), "2013-01-01", &[1.0]);
    let files = ViewFiles::Local(vec![there.clone(), PathBuf::from("/nonexistent/x.parquet")]);
    let e = Session::new(Vec::new(), vec![ViewInput { name: "daily".to_owned(), files, schema: None }]).await.unwrap_err();
    assert_eq!(e.kind(), relstore_model::ErrorKind::Unavailable, "{e:?}");
    assert!(e.to_string().contains("view: daily"), "{e}");

    let view = ViewInput { name: "daily".to_owned(), files: ViewFiles::Local(vec![there.clone()]), schema: None };
    let session = Session::new(Vec::new(), vec![view]).await.unwrap();
    std::fs::remove_file(there).unwrap();
    let e = session.query("SELECT sum(delay) FROM daily").await.unwrap_err();
    assert_eq!(e.kind(), relstore_model::ErrorKind::Unavailable, "a file that went since is no empty one: {e:?}");
}
