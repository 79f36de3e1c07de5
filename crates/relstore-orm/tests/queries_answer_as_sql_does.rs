//! Typed queries give what the same query in hand-written SQL gives.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]
#![allow(clippy::type_complexity, reason = "the types of rows are what is checked")]

mod support;

use std::fmt::Debug;

use relstore_model::{ErrorKind, Result};
use relstore_orm::{Table, Typed, abs, alias, and, asc, avg, between, case, cast, coalesce, concat, count, count_distinct, count_of, desc};
use relstore_orm::{
    eq, exists, glob, gt, gte, ilike, in_array, is_null, length, like, lower, lt, max, min, ne, not, not_between, not_exists,
};
use relstore_orm::{not_glob, not_ilike, not_in_array, not_like, or, round, scalar, sql, sum, total, trim, upper, value};
use support::sqlite::Sqlite;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "people")]
struct Person {
    #[column(primary_key)]
    id: i64,
    name: String,
    age: Option<i64>,
    boss: Option<i64>,
    city: Option<String>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "cities")]
struct City {
    #[column(primary_key)]
    name: String,
    size: f64,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "ages")]
struct Age {
    city: Option<String>,
    people: i64,
    oldest: Option<i64>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "chain")]
struct Chain {
    id: i64,
    depth: i64,
}

fn store() -> Sqlite {
    let store = Sqlite::with(&[Person::DEF, City::DEF]);
    store.batch(
        "INSERT INTO people VALUES (1, 'Ann', 50, NULL, 'Rome'), (2, 'Bob', NULL, 1, 'Rome'), (3, 'Cy', 20, 1, 'Oslo'), (4, 'dee', 30, 3, NULL),
           (5, 'Eve_5', 20, 9, 'Nowhere'), (6, ' Flo ', -7, 3, 'Oslo');
         INSERT INTO cities VALUES ('Rome', 2.8), ('Oslo', 0.7), ('Bonn', 0.3);",
    );
    store
}

/// `rows`, debug-printed, are the rows of `sql`, whose cells are joined by `|`. An `Option` counts as what is in it, or NULL.
fn check<Row: Debug>(store: &Sqlite, rows: Result<Vec<Row>>, sql: &str) {
    let plain = |row: &Row| {
        let text = format!("{row:?}").replace("Some(", "").replace("None", "NULL").replace("\\\"", "\"");
        text.replace(['(', ')', '"'], "").replace(", ", "|").replace("false", "0").replace("true", "1")
    };
    let rows: Vec<String> = rows.unwrap().iter().map(plain).collect();
    assert_eq!(rows, store.text(sql), "{sql}");
}

#[test]
fn every_operator_finds_the_rows_that_sql_finds() {
    let store = store();
    macro_rules! each {
        ($($condition:expr => $sql:literal;)+) => { $(
            let rows = store.select_cols(people.id).from(people).where_($condition).order_by(people.id).all();
            check(&store, rows, concat!("SELECT id FROM people WHERE ", $sql, " ORDER BY id"));
        )+ };
    }
    each! {
        eq(people.age, 20) => "age = 20";
        ne(people.age, 20) => "age <> 20";
        and(gt(people.age, 20), lt(people.age, 50)) => "age > 20 AND age < 50";
        or(gte(people.age, 50), is_null(people.age)).and(eq(people.city, "Rome")) => "(age >= 50 OR age IS NULL) AND city = 'Rome'";
        not(or(eq(people.age, 20), eq(people.id, 1))) => "NOT (age = 20 OR id = 1)";
        between(people.age, 20, 30) => "age BETWEEN 20 AND 30";
        not_between(people.id, 2, people.boss) => "id NOT BETWEEN 2 AND boss";
        in_array(people.city, ["Rome", "Oslo"]) => "city IN ('Rome', 'Oslo')";
        not_in_array(people.id, [1, 2]) => "id NOT IN (1, 2)";
        not_in_array(people.id, Vec::<i64>::new()) => "id NOT IN ()";
        like(people.name, "%e%") => "name LIKE '%e%'";
        not_like(people.name, "%e%") => "name NOT LIKE '%e%'";
        ilike(people.name, "DEE") => "name LIKE 'DEE'";
        not_ilike(people.name, "DEE") => "name NOT LIKE 'DEE'";
        glob(people.name, "*_[0-9]") => "name GLOB '*_[0-9]'";
        not_glob(people.name, "[A-Z]*") => "name NOT GLOB '[A-Z]*'";
        gt(people.age, people.id * 10) => "age > id * 10";
        eq(people.age, people.boss + 19) => "age = boss + 19";
        lt((people.id - 1) * 2, people.age / 10) => "(id - 1) * 2 < age / 10";
        eq(people.id % 2, 1) => "id % 2 = 1";
        eq(concat(people.name, people.city), "AnnRome") => "name || city = 'AnnRome'";
        eq(concat(lower(people.name), "!"), "cy!") => "lower(name) || '!' = 'cy!'";
        eq(length(trim(people.name)), 3) => "length(trim(name)) = 3";
        eq(abs(people.age), 7) => "abs(age) = 7";
        gt(coalesce(people.age, 100), 40) => "coalesce(age, 100) > 40";
        gt(cast::<f64, _>(people.age) / 3.0, 10.0) => "CAST(age AS REAL) / 3.0 > 10.0";
        eq(gt(people.age, 25), true) => "(age > 25) = 1";
        in_array(people.city, store.select_cols(cities.name).from(cities).where_(gt(cities.size, 1.0))) => "city IN (SELECT name FROM cities WHERE size > 1)";
        not_in_array(people.id, store.select_cols(people.boss).from(people)) => "id NOT IN (SELECT boss FROM people)";
        exists(store.select().from(cities).correlate(people).where_(eq(cities.name, people.city)))
            => "EXISTS (SELECT * FROM cities WHERE cities.name = people.city)";
        not_exists(store.select_cols(cities.size).from(cities).correlate(people).where_(eq(cities.name, people.city)))
            => "NOT EXISTS (SELECT 1 FROM cities WHERE cities.name = people.city)";
        eq(people.age, scalar(store.select_cols(max(people.age)).from(people))) => "age = (SELECT max(age) FROM people)";
        sql!("{} % {} = '?{}' IS NOT {}", people.id, 2, sql!("{} = 1", people.id).of::<bool>()).condition() => "(id % 2 = '?{}' IS NOT (id = 1))";
    }
}

#[test]
fn projections_calculate_and_are_null_where_their_parts_are() {
    let store = store();
    let rows: Result<Vec<(i64, Option<i64>, Option<String>, Option<f64>, String, i64, Option<bool>)>> = store
        .select_cols((
            people.id + 1,
            people.age * 2,
            upper(people.city),
            round(cast::<f64, _>(people.age) / 7.0, 2),
            case::<String>()
                .when(lt(people.age, 25), "young")
                .when(is_null(people.age), concat(value("unknown: "), people.name))
                .otherwise("old"),
            coalesce(people.age, 0),
            gt(people.age, 20),
        ))
        .from(people)
        .order_by((asc(people.age).nulls_last(), desc(people.id)))
        .all();
    check(
        &store,
        rows,
        "SELECT id + 1, age * 2, upper(city), round(CAST(age AS REAL) / 7.0, 2),
           CASE WHEN age < 25 THEN 'young' WHEN age IS NULL THEN 'unknown: ' || name ELSE 'old' END, coalesce(age, 0), age > 20
         FROM people ORDER BY age ASC NULLS LAST, id DESC",
    );
    let rows: Result<Vec<Option<String>>> = store
        .select_cols(case().when(gt(people.age, 40), "old").end())
        .from(people)
        .order_by((desc(people.age).nulls_first(), people.id))
        .all();
    check(&store, rows, "SELECT CASE WHEN age > 40 THEN 'old' END FROM people ORDER BY age DESC NULLS FIRST, id");
}

#[test]
fn a_table_is_joined_with_itself_by_an_alias() {
    let store = store();
    let bosses = alias!(people, "bosses");
    let chiefs = alias!(people, "chiefs");
    let rows: Vec<(Person, Option<Person>, Option<Person>)> = store
        .select()
        .from(people)
        .left_join(bosses, eq(people.boss, bosses.id))
        .left_join(chiefs, eq(bosses.boss, chiefs.id))
        .where_(or(gt(bosses.age, 40), is_null(bosses.id)))
        .order_by(people.id)
        .all()
        .unwrap();
    let names: Vec<_> =
        rows.iter().map(|(person, boss, chief)| (person.id, boss.as_ref().map(|b| b.id), chief.as_ref().map(|c| c.id))).collect();
    check(
        &store,
        Ok(names),
        "SELECT p.id, b.id, c.id FROM people p LEFT JOIN people b ON p.boss = b.id LEFT JOIN people c ON b.boss = c.id
         WHERE b.age > 40 OR b.id IS NULL ORDER BY p.id",
    );
    let rows: Result<Vec<(String, String)>> =
        store.select_cols((people.name, bosses.name)).from(people).inner_join(bosses, eq(people.boss, bosses.id)).order_by(people.id).all();
    check(&store, rows, "SELECT p.name, b.name FROM people p JOIN people b ON p.boss = b.id ORDER BY p.id");
}

#[test]
fn every_join_has_the_nullability_of_its_kind() {
    let store = store();
    let on = || eq(people.city, cities.name);
    let left: Vec<(Person, Option<City>)> = store.select().from(people).left_join(cities, on()).all().unwrap();
    assert_eq!(left.len(), 6);
    let right: Vec<(Option<Person>, City)> = store.select().from(people).right_join(cities, on()).all().unwrap();
    assert_eq!(right.len(), 5);
    let full: Vec<(Option<Person>, Option<City>)> = store.select().from(people).full_join(cities, on()).all().unwrap();
    assert_eq!(full.len(), 7);
    let cross: Vec<(Person, City)> = store.select().from(people).cross_join(cities).all().unwrap();
    assert_eq!(cross.len(), 18);
    let rows: Result<Vec<(Option<i64>, String, Option<i64>)>> = store
        .select_cols((people.id, cities.name, people.age + 1))
        .from(people)
        .right_join(cities, on())
        .order_by((cities.name, people.id))
        .all();
    check(&store, rows, "SELECT p.id, c.name, p.age + 1 FROM people p RIGHT JOIN cities c ON p.city = c.name ORDER BY c.name, p.id");
    let rows: Result<Vec<(Option<i64>, Option<f64>, bool, String)>> = store
        .select_cols((people.id, cities.size, sql!("{} IS NULL", cities.name).of::<bool>(), coalesce(people.name, "nobody")))
        .from(people)
        .full_join(cities, on())
        .order_by((people.id, cities.name))
        .all()
        .map(|rows: Vec<(Option<i64>, Option<f64>, Option<bool>, String)>| {
            rows.into_iter().map(|(id, size, is_alone, name)| (id, size, is_alone.unwrap(), name)).collect()
        });
    check(
        &store,
        rows,
        "SELECT p.id, c.size, c.name IS NULL, coalesce(p.name, 'nobody') FROM people p FULL JOIN cities c ON p.city = c.name ORDER BY p.id, c.name",
    );
    // Whole models beside columns; the third table makes the first two optional.
    let more = alias!(cities, "more");
    let rows: Vec<(Option<Person>, Option<City>, City)> = store
        .select()
        .from(people)
        .inner_join(cities, on())
        .right_join(more, eq(more.name, cities.name))
        .order_by(more.name)
        .all()
        .unwrap();
    assert_eq!(rows.iter().map(|row| (row.0.is_some(), row.2.name.as_str())).collect::<Vec<_>>()[..2], [(false, "Bonn"), (true, "Oslo")]);
    let rows: Vec<(Option<City>, i64)> =
        store.select_cols((cities, people.id)).from(people).left_join(cities, on()).order_by(people.id).all().unwrap();
    assert_eq!((rows[0].0.as_ref().unwrap().size, rows[3].0.is_none()), (2.8, true));
}

#[test]
fn aggregates_count_what_sql_counts() {
    let store = store();
    let rows: Result<Vec<(Option<String>, i64, i64, i64, i64, Option<i64>, f64, Option<f64>, Option<i64>)>> = store
        .select_cols((
            people.city,
            count(),
            count_of(cities.name),
            count_distinct(people.age),
            count().filter(gt(people.age, 20)),
            sum(people.age + people.id),
            total(people.age),
            avg(people.age),
            min(people.age),
        ))
        .from(people)
        .left_join(cities, eq(people.city, cities.name))
        .group_by(people.city)
        .having(or(gt(count(), 1), is_null(people.city)))
        .order_by((desc(count()), desc(max(people.age)), people.city))
        .all();
    check(
        &store,
        rows,
        "SELECT p.city, count(*), count(c.name), count(DISTINCT age), count(*) FILTER (WHERE age > 20), sum(age + id), total(age), avg(age), min(age)
         FROM people p LEFT JOIN cities c ON p.city = c.name GROUP BY p.city HAVING count(*) > 1 OR p.city IS NULL
         ORDER BY count(*) DESC, max(age) DESC, p.city",
    );
    let rows: Result<Vec<(Option<i64>, i64)>> = store
        .select_cols((people.age / 10, count() * 2 + 1))
        .from(people)
        .group_by((people.age / 10, lower(people.city)))
        .order_by((asc(people.age / 10), asc(lower(people.city))))
        .all();
    check(&store, rows, "SELECT age / 10, count(*) * 2 + 1 FROM people GROUP BY age / 10, lower(city) ORDER BY age / 10, lower(city)");
    // A count of a left-joined column is never NULL, whatever was found.
    let counts: Vec<i64> = store
        .select_cols(count_of(cities.name))
        .from(people)
        .left_join(cities, eq(people.city, cities.name))
        .group_by(people.id)
        .all()
        .unwrap();
    assert_eq!(counts.iter().sum::<i64>(), 4);
}

#[test]
fn set_operators_combine_queries() {
    let store = store();
    let in_city = |city: &'static str| store.select_cols((people.id, people.name)).from(people).where_(eq(people.city, city));
    let aged = || store.select_cols((people.id, people.name)).from(people).where_(eq(people.age, 20));
    let plain = "SELECT id, name FROM people WHERE";
    check(
        &store,
        in_city("Oslo").union(aged()).order_by(desc(people.id)).all(),
        &format!("{plain} city = 'Oslo' UNION {plain} age = 20 ORDER BY id DESC"),
    );
    check(
        &store,
        in_city("Oslo").union_all(aged()).order_by(people.id).limit(3).offset(1).all(),
        &format!("{plain} city = 'Oslo' UNION ALL {plain} age = 20 ORDER BY id LIMIT 3 OFFSET 1"),
    );
    check(&store, in_city("Oslo").intersect(aged()).all(), &format!("{plain} city = 'Oslo' INTERSECT {plain} age = 20"));
    check(&store, in_city("Oslo").except(aged()).all(), &format!("{plain} city = 'Oslo' EXCEPT {plain} age = 20"));
    // A member with an order of its own, and a compound beside a compound.
    check(
        &store,
        in_city("Oslo").union(aged().order_by(desc(people.id)).limit(1)).except(in_city("Rome").union(in_city("Nowhere"))).all(),
        &format!(
            "{plain} city = 'Oslo' UNION SELECT * FROM ({plain} age = 20 ORDER BY id DESC LIMIT 1)
             EXCEPT SELECT * FROM ({plain} city = 'Rome' UNION {plain} city = 'Nowhere')"
        ),
    );
    assert_eq!(in_city("Oslo").union(aged()).count().unwrap(), 3);
    assert_eq!(store.select().from(people).union(store.select().from(people)).first().unwrap().unwrap().id, 1);
}

#[test]
fn a_query_is_a_table_of_another() {
    let store = store();
    let grouped = || store.select_cols((people.city, count(), max(people.age))).from(people).where_(gt(people.id, 1)).group_by(people.city);
    let plain = "(SELECT city, count(*) AS people, max(age) AS oldest FROM people WHERE id > 1 GROUP BY city)";
    let rows: Vec<Age> = store.select().from(grouped().as_table(ages)).where_(gt(ages.people, 1)).all().unwrap();
    assert_eq!(rows, [Age { city: Some("Oslo".into()), people: 2, oldest: Some(20) }]);
    let rows: Result<Vec<(String, Option<i64>)>> = store
        .select_cols((people.name, ages.oldest))
        .from(people)
        .left_join(grouped().as_table(ages), and(eq(people.city, ages.city), eq(people.age, ages.oldest)))
        .where_(ne(people.id, 4))
        .order_by(people.id)
        .all();
    check(
        &store,
        rows,
        &format!("SELECT name, oldest FROM people p LEFT JOIN {plain} a ON p.city = a.city AND p.age = a.oldest WHERE id <> 4 ORDER BY id"),
    );
    let rows: Result<Vec<(Option<String>, i64, f64)>> = store
        .with(ages, grouped())
        .select_cols((ages.city, ages.people, cities.size))
        .from(ages)
        .inner_join(cities, eq(ages.city, cities.name))
        .order_by(ages.city)
        .all();
    check(&store, rows, &format!("SELECT a.city, people, size FROM {plain} a JOIN cities c ON a.city = c.name ORDER BY a.city"));
}

#[test]
fn a_named_query_may_name_itself() {
    let store = store();
    let start = store.select_cols((people.id, value(0_i64))).from(people).where_(eq(people.id, 6));
    let step = store
        .select_cols((coalesce(people.boss, 0), chain.depth + 1))
        .from(chain)
        .inner_join(people, eq(people.id, chain.id))
        .where_(gt(people.boss, 0));
    let rows: Vec<Chain> = store.with(chain, start.union_all(step)).select().from(chain).order_by(chain.depth).all().unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.depth)).collect::<Vec<_>>(), [(6, 0), (3, 1), (1, 2)]);
}

#[test]
fn one_row_is_one_row() {
    let store = store();
    let of_age = |age: i64| store.select().from(people).where_(eq(people.age, age));
    assert_eq!(of_age(50).one().unwrap().name, "Ann");
    assert_eq!(of_age(99).one().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(of_age(20).one().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(of_age(20).count().unwrap(), 2);
    assert_eq!(of_age(20).limit(1).count().unwrap(), 1);
    assert_eq!(store.count(people).unwrap(), 6);
    assert_eq!(store.select_cols(people.age).from(people).distinct().count().unwrap(), 5);
    assert_eq!(
        store
            .select()
            .from(people)
            .where_some(Some(eq(people.id, 1)))
            .where_some(None::<relstore_orm::Condition<relstore_orm::scope::Nil>>)
            .count()
            .unwrap(),
        1
    );
    let mut seen = Vec::new();
    store
        .select()
        .from(people)
        .order_by(people.id)
        .each(|person| {
            seen.push(person.id);
            if seen.len() == 3 { Err(relstore_model::Error::invalid("enough")) } else { Ok(()) }
        })
        .unwrap_err();
    assert_eq!(seen, [1, 2, 3]);
}
