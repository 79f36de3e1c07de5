//! A prepared statement keeps its text, takes typed arguments, and runs on whatever it is put on.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use relstore_model::ErrorKind;
use relstore_orm::{Changes, Detached, Param, Rows, Table, Typed, and, asc, between, eq, excluded, gt, gte, in_array, like, sql, value};
use support::sqlite::Sqlite;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "users")]
struct User {
    #[column(primary_key)]
    id: String,
    name: String,
    visits: i64,
    note: Option<String>,
}

fn store() -> Sqlite {
    let store = Sqlite::with(&[User::DEF]);
    store.batch("INSERT INTO users VALUES ('a', 'Ann', 1, NULL), ('b', 'Bob', 2, 'x'), ('c', 'Cy', 3, NULL)");
    store
}

#[test]
fn a_query_is_called_with_values_of_its_parameters_types() {
    let store = store();
    let by_id = store.prepare(|id: Param<String>| store.select().from(users).where_(eq(users.id, id))).unwrap();
    assert_eq!(by_id.one("a").unwrap().name, "Ann");
    let b = String::from("b");
    assert_eq!(by_id.one(&b).unwrap().name, "Bob");
    assert_eq!(by_id.first(String::from("z")).unwrap(), None);
    assert_eq!(by_id.one("z").unwrap_err().kind(), ErrorKind::NotFound);

    let between_visits = store
        .prepare(|(low, high, pattern, count): (Param<i64>, Param<i64>, Param<String>, Param<i64>)| {
            store
                .select_cols((users.id, users.visits + low))
                .from(users)
                .where_(and(between(users.visits, low, high), like(users.name, pattern)).and(gt(users.visits, -5)))
                .order_by(asc(users.id))
                .limit(count)
        })
        .unwrap();
    assert_eq!(between_visits.all((2, 3, "%", 9)).unwrap(), [("b".to_owned(), 4), ("c".to_owned(), 5)]);
    assert_eq!(between_visits.all((1, 3, "%", 2)).unwrap(), [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    let mut ids = Vec::new();
    between_visits
        .each((1, 3, "C%", 2), |(id, _)| {
            ids.push(id);
            Ok(())
        })
        .unwrap();
    assert_eq!(ids, ["c"]);
    assert_eq!(by_id.one("a").unwrap().visits, 1);
    assert_eq!(store.held_count.get(), 8);
    assert!(store.ran.borrow().is_empty(), "no text was handed over");
    let everyone = store.prepare(|()| store.select_cols(users.id).from(users)).unwrap();
    assert_eq!(everyone.one(()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(everyone.first(()).unwrap().as_deref(), Some("a"));
}

#[test]
fn writes_are_prepared_too() {
    let store = store();
    let rename = store
        .prepare(|(id, name, note): (Param<String>, Param<String>, Param<Option<String>>)| {
            store.update(users).set(UserSet::new().name(name).visits(users.visits + 1).note(note)).where_(eq(users.id, id))
        })
        .unwrap();
    assert_eq!(rename.execute(("a", "Anna", "new")).unwrap(), 1);
    assert_eq!(rename.execute(("b", "Rob", None)).unwrap(), 1);
    assert_eq!(rename.execute(("z", "Zoe", None)).unwrap(), 0);
    assert_eq!(store.text("SELECT * FROM users"), ["a|Anna|2|new", "b|Rob|3|NULL", "c|Cy|3|NULL"]);

    let add = store
        .prepare(|(id, visits): (Param<String>, Param<i64>)| {
            let set = UserSet::new().visits(users.visits + excluded(users.visits));
            store.insert(users).value(NewUser::new(id, "someone", visits).note("made")).on_conflict(users.id).do_update(set)
        })
        .unwrap();
    for visits in 1..=3 {
        assert_eq!(add.execute(("d", visits)).unwrap(), 1);
    }
    assert_eq!(store.text("SELECT * FROM users WHERE id = 'd'"), ["d|someone|6|made"]);

    let remove =
        store.prepare(|at_least: Param<i64>| store.delete(users).where_(sql!("{} >= {}", users.visits, at_least).condition())).unwrap();
    assert_eq!(remove.execute(6).unwrap(), 1);
    assert_eq!(remove.execute(6).unwrap(), 0);
}

/// What a program keeps beside its store.
struct Queries {
    by_id: Detached<Param<String>, Rows<User>>,
    forget: Detached<Param<String>, Changes>,
}

#[test]
fn a_program_keeps_statements_and_puts_them_on_a_transaction() {
    let queries = {
        let somewhere = Sqlite::open();
        let by_id = somewhere.prepare(|id: Param<String>| somewhere.select().from(users).where_(eq(users.id, id))).unwrap().detach();
        let forget = somewhere.prepare(|id: Param<String>| somewhere.delete(users).where_(eq(users.id, id))).unwrap().detach();
        Queries { by_id, forget }
    };
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&queries.by_id);
    let store = store();
    let refused: relstore_model::Result<()> = store.transaction(|tx| {
        assert_eq!(queries.forget.on(tx).execute("a")?, 1);
        queries.by_id.on(tx).one("a").map(|_| ())
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(queries.by_id.on(&store).one("a").unwrap().name, "Ann");
}

#[test]
fn a_statement_of_many_parameters_binds_them_all_in_order() {
    let store = store();
    let among = store
        .prepare(|(id, at_least): (Param<String>, Param<i64>)| {
            let numbers = in_array(users.visits, (1..=40).rev());
            store
                .select_cols((users.id, value(at_least)))
                .from(users)
                .where_(and(eq(users.id, id), gte(users.visits, at_least)).and(numbers))
        })
        .unwrap();
    assert_eq!(among.all(("b", 2)).unwrap(), [("b".to_owned(), 2)]);
    assert_eq!(among.all(("b", 3)).unwrap(), []);
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "readings")]
struct Reading {
    #[column(primary_key)]
    id: i64,
    value: u64,
}

#[test]
fn an_argument_that_no_cell_can_hold_is_refused_by_its_place() {
    let store = Sqlite::with(&[Reading::DEF]);
    let above = store.prepare(|(id, low): (Param<i64>, Param<u64>)| {
        store.select().from(readings).where_(and(gt(readings.id, id), gt(readings.value, low)))
    });
    let error = above.unwrap().all((1, u64::MAX)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint);
    assert!(error.to_string().contains("(table: (argument), column: 1, expected: an integer from 0 to 9223372036854775807"), "{error}");
}

#[test]
fn a_statement_that_cannot_be_prepared_says_why() {
    let store = store();
    let user = |id: &str| NewUser::new(id, "x", 1);
    let error = store.prepare(|()| store.insert(users).values([user("x"), user("y")])).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let error = store.prepare(|()| store.update(users).set(UserSet::maybe_empty())).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // A parameter that got out of its statement.
    let mut escaped = None;
    let _ = store.prepare(|id: Param<String>| {
        escaped = Some(id);
        store.select().from(users)
    });
    let error = store.select().from(users).where_(eq(users.id, escaped.unwrap())).all().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.hint().is_some());
}
