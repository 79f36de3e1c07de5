//! Typed writes on SQLite leave what the same writes in SQL leave.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use relstore_model::ErrorKind;
use relstore_orm::{Table, Typed, case, coalesce, concat, count, eq, excluded, gt, is_null, lt, ne, scalar, sql};
use support::sqlite::Sqlite;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "pages", index(path, unique, where = "gone IS NULL", name = "pages_path"))]
struct Page {
    #[column(primary_key)]
    id: i64,
    path: String,
    #[column(default = 0)]
    visits: i64,
    gone: Option<i64>,
    note: Option<String>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "paths")]
struct PathOnly {
    #[column(primary_key)]
    path: String,
    visits: Option<i64>,
}

fn store() -> Sqlite {
    let store = Sqlite::with(&[Page::DEF, PathOnly::DEF]);
    store.batch("INSERT INTO pages VALUES (1, '/', 5, NULL, 'home'), (2, '/a', 3, NULL, NULL), (3, '/b', 1, 9, 'old')");
    store
}

#[test]
fn an_update_calculates_from_the_row_it_changes() {
    let store = store();
    let set = PageSet::new().visits(pages.visits + 1).note(concat(coalesce(pages.note, "none"), "!")).gone(pages.visits);
    assert_eq!(store.update(pages).set(set).where_(gt(pages.visits, 1)).execute().unwrap(), 2);
    assert_eq!(store.text("SELECT * FROM pages"), ["1|/|6|5|home!", "2|/a|4|3|none!", "3|/b|1|9|old"]);
    let set = PageSet::new()
        .visits(coalesce(scalar(store.select_cols(count()).from(pages)), 0))
        .note(case().when(lt(pages.id, 3), "low").end())
        .gone(sql!("{} + {}", pages.id, 100).of::<i64>());
    let changed = store.update(pages).set(set).returning_cols((pages.id, pages.visits, pages.note, pages.gone + 1)).unwrap();
    assert_eq!(changed, [(1, 3, Some("low".into()), Some(102)), (2, 3, Some("low".into()), Some(103)), (3, 3, None, Some(104))]);
}

#[test]
fn an_upsert_combines_the_row_there_is_with_the_one_that_could_not_be_inserted() {
    let store = store();
    let again = [NewPage::new("/new").id(1).visits(10), NewPage::new("/c").id(4).visits(1)];
    let set = || PageSet::new().visits(pages.visits + excluded(pages.visits)).path(excluded(pages.path));
    assert_eq!(store.insert(pages).values(again.clone()).on_conflict(pages.id).do_update(set()).execute().unwrap(), 2);
    assert_eq!(store.text("SELECT id, path, visits FROM pages WHERE id IN (1, 4)"), ["1|/new|15", "4|/c|1"]);
    let only_more = gt(excluded(pages.visits), pages.visits);
    let made = store.insert(pages).values(again).on_conflict(pages.id).do_update_where(set(), only_more).returning_cols(pages.id).unwrap();
    assert_eq!(made, Vec::<i64>::new(), "neither has more visits than the row there is");
}

#[test]
fn a_conflict_on_a_partial_index_names_its_condition() {
    let store = store();
    let row = || NewPage::new("/a").visits(7);
    let set = PageSet::new().visits(excluded(pages.visits));
    store.insert(pages).value(row()).on_conflict(pages.path).where_(is_null(pages.gone)).do_update(set).execute().unwrap();
    assert_eq!(store.text("SELECT visits FROM pages WHERE path = '/a'"), ["7"]);
    assert_eq!(store.insert(pages).value(row()).on_conflict(pages.path).where_(is_null(pages.gone)).do_nothing().execute().unwrap(), 0);
    assert_eq!(store.insert(pages).value(row()).execute().unwrap_err().kind(), ErrorKind::Constraint);
}

#[test]
fn rows_of_a_query_are_inserted() {
    let store = store();
    let query = || store.select_cols((pages.path, pages.visits)).from(pages).where_(is_null(pages.gone));
    assert_eq!(store.insert(paths).from_select((paths.path, paths.visits), query()).execute().unwrap(), 2);
    assert_eq!(store.insert(paths).from_select((paths.path, paths.visits), query()).execute().unwrap_err().kind(), ErrorKind::Constraint);
    let set = PathOnlySet::new().visits(paths.visits + excluded(paths.visits));
    let insert = store.insert(paths).from_select((paths.path, paths.visits), store.select_cols((pages.path, pages.visits)).from(pages));
    let rows = insert.on_conflict(paths.path).do_update(set).returning().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(store.text("SELECT * FROM paths ORDER BY path"), ["/|10", "/a|6", "/b|1"]);
    store.delete(paths).execute().unwrap();
    store.insert(paths).from_select(paths.path, store.select_cols(pages.path).from(pages)).execute().unwrap();
    assert_eq!(store.text("SELECT * FROM paths ORDER BY path"), ["/|NULL", "/a|NULL", "/b|NULL"]);
}

#[test]
fn a_delete_gives_what_it_deleted() {
    let store = store();
    let gone = store.delete(pages).where_(ne(pages.id, 1)).returning().unwrap();
    assert_eq!(gone.iter().map(|page| page.id).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(store.delete(pages).where_(eq(pages.id, 1)).returning_cols(concat(pages.path, "!")).unwrap(), ["/!"]);
    assert_eq!(store.count(pages).unwrap(), 0);
}

#[test]
fn a_run_of_rows_is_all_there_or_not_at_all() {
    let store = store();
    let rows = (10..15).map(|id| Page { id: if id == 14 { 1 } else { id }, path: format!("/{id}"), visits: 0, gone: None, note: None });
    assert_eq!(store.insert(pages).values(rows.clone()).execute().unwrap_err().kind(), ErrorKind::Constraint);
    assert_eq!(store.count(pages).unwrap(), 3);
    assert_eq!(store.insert(pages).values(rows.take(4)).execute().unwrap(), 4);
}

#[test]
fn columns_that_only_the_run_decides_are_set_by_an_update_that_may_be_empty() {
    let store = store();
    let patch = |path: Option<&str>, visits: Option<i64>| {
        let mut set = PageSet::maybe_empty();
        if let Some(path) = path {
            set = set.path(path);
        }
        if let Some(visits) = visits {
            set = set.visits(visits);
        }
        store.update(pages).set(set).where_(eq(pages.id, 1)).execute()
    };
    assert_eq!(patch(None, Some(8)).unwrap(), 1);
    assert_eq!(store.text("SELECT path, visits FROM pages WHERE id = 1"), ["/|8"]);
    assert_eq!(patch(None, None).unwrap_err().kind(), ErrorKind::Invalid);
}
