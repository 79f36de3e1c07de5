//! A wrong query says what is wrong, where, and what was probably meant.

use relstore_model::{Error, ErrorKind};

use crate::people::small;

fn at(e: &Error) -> &str {
    e.context().iter().find(|(k, _)| *k == "at").map(|(_, v)| v.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_syntax_error_has_a_caret() {
    let (_lake, session) = small().await;
    let e = session.query("SELECT id\nFROM people WHERE id = 1 2").await.unwrap_err();
    assert_eq!((e.kind(), at(&e)), (ErrorKind::Invalid, "\n  FROM people WHERE id = 1 2\n                           ^\n"));
    assert!(!e.message().contains("Line:"), "{e}");
    let e = session.query("SELEC id FROM people").await.unwrap_err();
    assert_eq!((e.kind(), at(&e)), (ErrorKind::Invalid, "\n  SELEC id FROM people\n  ^\n"));
    let e = session.query("SELECT 'open").await.unwrap_err();
    assert_eq!((e.kind(), at(&e)), (ErrorKind::Invalid, "\n  SELECT 'open\n         ^\n"));
}

#[tokio::test]
async fn an_unknown_table_gets_the_nearest_name() {
    let (_lake, session) = small().await;
    for (sql, table, hint) in [
        ("SELECT * FROM poeple", "poeple", "did you mean people?"),
        ("SELECT * FROM history.peple", "history.peple", "did you mean history.people?"),
        ("SELECT * FROM aardvarks", "aardvarks", "the tables are people"),
        ("SELECT * FROM nowhere.people", "nowhere.people", "the schemas are current, history, views"),
    ] {
        let e = session.query(sql).await.unwrap_err();
        assert_eq!((e.kind(), e.context()[0].1.as_str(), e.hint()), (ErrorKind::NotFound, table, Some(hint)), "{sql}: {e:?}");
    }
}

#[tokio::test]
async fn an_unknown_column_gets_the_nearest_name_and_a_caret() {
    let (_lake, session) = small().await;
    let e = session.query("SELECT id, fulName FROM people").await.unwrap_err();
    assert_eq!((e.kind(), e.hint()), (ErrorKind::NotFound, Some("did you mean fullName?")), "{e:?}");
    assert_eq!(at(&e), "\n  SELECT id, fulName FROM people\n             ^\n");
    let e = session.query("SELECT p.nothing FROM people AS p").await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound, "{e:?}");
    assert_eq!(e.hint(), Some("the columns here are _ns, id, fullName, amount, active, seen"));
    // `_lsn` is a column of the history alone.
    let e = session.query("SELECT _lsn FROM people").await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound, "{e:?}");
}

#[tokio::test]
async fn other_errors_have_their_kind() {
    let (_lake, session) = small().await;
    for (sql, kind) in [
        ("SELECT nosuch(id) FROM people", ErrorKind::NotFound),
        ("SELECT id / 0 FROM people", ErrorKind::Invalid),
        ("SELECT CAST(fullName AS BIGINT) FROM people", ErrorKind::Invalid),
        ("SELECT id FROM people GROUP BY fullName", ErrorKind::Invalid),
        ("SELECT id FROM people AS a, people AS b", ErrorKind::Invalid),
        ("SELECT id FROM people WHERE fullName", ErrorKind::Invalid),
    ] {
        let e = session.query(sql).await.unwrap_err();
        assert_eq!(e.kind(), kind, "{sql}: {e:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_unavailable_and_a_broken_one_corrupt() {
    let (lake, session) = small().await;
    let mut files = Vec::new();
    let mut folders = vec![lake.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|e| e == "parquet") {
                files.push(entry.path());
            }
        }
    }
    for file in &files {
        let bytes = vec![b'x'; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        std::fs::write(file, bytes).unwrap();
    }
    let e = session.query("SELECT id FROM people").await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e:?}");
    files.iter().for_each(|f| std::fs::remove_file(f).unwrap());
    let e = session.query("SELECT id FROM people").await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unavailable, "{e:?}");
}
