//! Cells, JSON and names of an answer.

use relstore_model::Value;
use serde_json::json;

use crate::people::{small, texts};

#[tokio::test]
async fn cells_are_typed_and_moments_are_microseconds() {
    let (_lake, session) = small().await;
    let answer = session.query("SELECT id, fullName, amount, active, seen FROM people WHERE _ns = 'zeta'").await.unwrap();
    let types: Vec<&str> = answer.columns.iter().map(|c| c.type_name.as_str()).collect();
    assert_eq!(types, ["integer", "text", "real", "boolean", "timestamp"]);
    let seen = Value::Integer(1_356_998_401_000_000);
    assert_eq!(answer.rows, [vec![Value::Integer(1), "Zoe".into(), Value::Null, Value::Integer(0), seen.clone()]]);
    assert_eq!(answer.columns[4].text(&seen), "2013-01-01T00:00:01.000Z");
    assert_eq!(answer.columns[3].text(&Value::Integer(0)), "false");
}

#[tokio::test]
async fn json_has_members_in_the_order_of_the_columns() {
    let (_lake, session) = small().await;
    let rows = session
        .json("SELECT seen, active, id, _ts, fullName AS \"Name\", array_agg(id) AS ids FROM history.people WHERE _ns = 'zeta' GROUP BY 1, 2, 3, 4, 5")
        .await
        .unwrap();
    let text = serde_json::to_string(&rows).unwrap();
    let wanted =
        r#"[{"seen":"2013-01-01T00:00:01.000Z","active":false,"id":1,"_ts":"2013-01-01T00:00:00.000001Z","Name":"Zoe","ids":[1]}]"#;
    assert_eq!(text, wanted);
    let rows = session.json("SELECT 9223372036854775807 AS big, x'00ff' AS b, date '2013-01-01' AS d, NULL AS n, 1.5 AS r").await.unwrap();
    assert_eq!(rows, [json!({"big": i64::MAX, "b": "AP8=", "d": "2013-01-01", "n": null, "r": 1.5})]);
}

#[tokio::test]
async fn columns_of_one_name_are_told_apart_in_json() {
    let (_lake, session) = small().await;
    let rows = session.json("SELECT a.id, b.id FROM people a JOIN people b ON a._ns = b._ns WHERE a._ns = 'zeta'").await.unwrap();
    assert_eq!(rows, [json!({"id": 1, "id_2": 1})]);
}

#[tokio::test]
async fn names_are_found_in_any_case_and_aliases_keep_theirs() {
    let (_lake, session) = small().await;
    let answer = session
        .query("SELECT FULLNAME, Count(*) AS howMany FROM People P WHERE p.ID > 0 GROUP BY fullname ORDER BY HOWMANY, 1")
        .await
        .unwrap();
    let names: Vec<&str> = answer.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!((names, answer.rows.len()), (vec!["fullName", "howMany"], 2));
    assert_eq!(texts(&session, "WITH Old AS (SELECT id AS theId FROM HISTORY.people) SELECT max(THEID) FROM old").await, ["2"]);
    assert!(session.query("SELECT \"FULLNAME\" FROM people").await.is_err(), "a quoted name is taken as it is written");
}

#[tokio::test]
async fn history_and_current_go_together_in_one_query() {
    let (_lake, session) = small().await;
    let sql = "SELECT h.fullName || ' -> ' || p.fullName FROM history.people h JOIN people p USING (_ns, id) WHERE h._op = 'c' ORDER BY 1";
    assert_eq!(texts(&session, sql).await, ["Ada -> Ada L."]);
}
