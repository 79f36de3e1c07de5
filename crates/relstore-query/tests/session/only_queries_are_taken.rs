//! A session reads. Everything else is refused before anything is looked up.

use relstore_model::ErrorKind;

use crate::people::{small, texts};

#[tokio::test]
async fn statements_that_write_are_refused() {
    let (_lake, session) = small().await;
    for sql in [
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE people",
        "INSERT INTO people VALUES (1)",
        "UPDATE people SET id = 2",
        "DELETE FROM no_such_table",
        "COPY people TO '/tmp/out.parquet'",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "EXPLAIN DELETE FROM people",
        "BEGIN",
        "PREPARE p AS SELECT 1",
    ] {
        let e = session.query(sql).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Unsupported, "{sql}: {e:?}");
        assert!(e.hint().is_some(), "{sql}");
    }
    assert_eq!(texts(&session, "SELECT count(*) FROM people").await, ["2"]);
}

#[tokio::test]
async fn two_statements_and_none_are_refused() {
    let (_lake, session) = small().await;
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE people", "", " ; "] {
        assert_eq!(session.query(sql).await.unwrap_err().kind(), ErrorKind::Invalid, "{sql}");
    }
    assert_eq!(texts(&session, "SELECT 1;").await, ["1"]);
}

#[tokio::test]
async fn files_of_the_machine_are_no_tables() {
    let (_lake, session) = small().await;
    for sql in ["SELECT * FROM '/etc/passwd'", "SELECT * FROM \"/etc/hosts.parquet\"", "SELECT * FROM read_csv('/etc/passwd')"] {
        let kind = session.query(sql).await.unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::NotFound | ErrorKind::Invalid), "{sql}: {kind:?}");
    }
}

#[tokio::test]
async fn describing_is_a_query() {
    let (_lake, session) = small().await;
    assert_eq!(texts(&session, "DESCRIBE people").await, ["_ns", "id", "fullName", "amount", "active", "seen"]);
    assert_eq!(session.query("SHOW TABLES").await.unwrap().columns.len(), 4);
    assert!(!texts(&session, "EXPLAIN SELECT * FROM people").await.is_empty());
}
