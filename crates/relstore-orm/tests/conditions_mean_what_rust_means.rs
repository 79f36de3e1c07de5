//! Random conditions built by the typed layer find the rows that the same condition, evaluated in Rust with SQL's three truth values, finds.

mod support;

use relstore_orm::scope::On;
use relstore_orm::{
    Condition, Table, Typed, all_of, and, any_of, between, eq, gt, gte, in_array, is_not_null, is_null, like, lt, lte, ne, not,
};
use relstore_orm::{Expr, abs, coalesce, length, not_between, not_in_array, not_like, or, value};
use relstore_testkit::{Rng, seeds};
use support::sqlite::Sqlite;

const CONDITIONS: usize = 400;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "things")]
struct Thing {
    #[column(primary_key)]
    id: i64,
    a: i64,
    b: Option<i64>,
    word: Option<String>,
}

/// What SQL knows of a condition: true, false, or NULL.
type Truth = Option<bool>;
/// A condition, and the same in Rust.
type Pair = (Condition<On<Thing>>, Box<dyn Fn(&Thing) -> Truth>);
/// A number in each row, and the same in Rust.
type Number = (Expr<Option<i64>, On<Thing>>, Box<dyn Fn(&Thing) -> Option<i64>>);

fn number(rng: &mut Rng) -> Number {
    let n = small(rng);
    match rng.below(6) {
        0 => (things.b + n, Box::new(move |thing| Some(thing.b? + n))),
        1 => (things.b - n, Box::new(move |thing| Some(thing.b? - n))),
        2 => (things.b * n, Box::new(move |thing| Some(thing.b? * n))),
        3 => (things.a / n, Box::new(move |thing| thing.a.checked_div(n))),
        4 => (things.a % n, Box::new(move |thing| thing.a.checked_rem(n))),
        _ => (abs(things.b + 0), Box::new(|thing| Some(thing.b?.abs()))),
    }
}

fn small(rng: &mut Rng) -> i64 {
    rng.below(9) as i64 - 4
}

fn compared(rng: &mut Rng) -> Pair {
    let (left, read) = number(rng);
    let n = small(rng);
    let is = move |test: fn(i64, i64) -> bool| -> Box<dyn Fn(&Thing) -> Truth> { Box::new(move |thing| Some(test(read(thing)?, n))) };
    match rng.below(6) {
        0 => (eq(left, n).on(things), is(|x, y| x == y)),
        1 => (ne(left, n).on(things), is(|x, y| x != y)),
        2 => (gt(left, n).on(things), is(|x, y| x > y)),
        3 => (gte(left, n).on(things), is(|x, y| x >= y)),
        4 => (lt(left, n).on(things), is(|x, y| x < y)),
        _ => (lte(left, n).on(things), is(|x, y| x <= y)),
    }
}

fn leaf(rng: &mut Rng) -> Pair {
    let (n, m) = (small(rng), small(rng));
    match rng.below(12) {
        0 => (eq(things.a, things.b).on(things), Box::new(|thing| Some(thing.a == thing.b?))),
        1 => (is_null(things.b).on(things), Box::new(|thing| Some(thing.b.is_none()))),
        2 => (is_not_null(things.word).on(things), Box::new(|thing| Some(thing.word.is_some()))),
        3 => (between(things.b, n, m).on(things), Box::new(move |thing| Some((n..=m).contains(&thing.b?)))),
        4 => (
            not_between(things.a, n, things.b).on(things),
            Box::new(move |thing| negated(truth_and(Some(thing.a >= n), thing.b.map(|b| thing.a <= b)))),
        ),
        5 => (in_array(things.b, [n, m]).on(things), Box::new(move |thing| Some([n, m].contains(&thing.b?)))),
        6 => (not_in_array(things.a, vec![n; 3]).on(things), Box::new(move |thing| Some(thing.a != n))),
        7 => (like(things.word, "%a%").on(things), Box::new(|thing| Some(thing.word.as_ref()?.to_ascii_lowercase().contains('a')))),
        8 => (not_like(things.word, "_b%").on(things), Box::new(|thing| Some(!is_second_b(thing.word.as_ref()?)))),
        9 => (eq(coalesce(things.b, n), m).on(things), Box::new(move |thing| Some(thing.b.unwrap_or(n) == m))),
        10 => (gt(length(things.word), value(2_i64)).on(things), Box::new(|thing| Some(thing.word.as_ref()?.chars().count() > 2))),
        _ => compared(rng),
    }
}

fn is_second_b(word: &str) -> bool {
    word.chars().nth(1).is_some_and(|letter| letter.eq_ignore_ascii_case(&'b'))
}

fn truth_and(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn truth_or(left: Truth, right: Truth) -> Truth {
    negated(truth_and(negated(left), negated(right)))
}

fn negated(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

fn condition(rng: &mut Rng, depth: u64) -> Pair {
    if depth == 0 || rng.one_in(4) {
        return leaf(rng);
    }
    let (left, read_left) = condition(rng, depth - 1);
    if rng.one_in(4) {
        return (not(left), Box::new(move |thing| negated(read_left(thing))));
    }
    let (right, read_right) = condition(rng, depth - 1);
    match rng.below(5) {
        0 => (and(left, right).on(things), Box::new(move |thing| truth_and(read_left(thing), read_right(thing)))),
        1 => (or(left, right).on(things), Box::new(move |thing| truth_or(read_left(thing), read_right(thing)))),
        2 => (all_of([left, right]).expect("two are not none"), Box::new(move |thing| truth_and(read_left(thing), read_right(thing)))),
        3 => (any_of([left, right]).expect("two are not none"), Box::new(move |thing| truth_or(read_left(thing), read_right(thing)))),
        // A condition is a value too: NULL compared with anything is NULL.
        _ => (eq(left, right).on(things), Box::new(move |thing| Some(read_left(thing)? == read_right(thing)?))),
    }
}

#[test]
fn a_condition_finds_the_rows_for_which_it_is_true() {
    for seed in seeds(4) {
        let mut rng = Rng::new(seed);
        let store = Sqlite::with(&[Thing::DEF]);
        let rows: Vec<Thing> = (1..=60)
            .map(|id| Thing {
                id,
                a: small(&mut rng),
                b: (!rng.one_in(4)).then(|| small(&mut rng)),
                word: (!rng.one_in(4)).then(|| rng.pick(&["", "a", "Ab", "abc", "xBz", "éa", "b%_"]).to_string()),
            })
            .collect();
        store.insert(things).values(rows.clone()).execute().unwrap();
        let mut found_count = 0;
        for _ in 0..CONDITIONS {
            let (condition, read) = condition(&mut rng, 4);
            let sql = format!("{condition:?}");
            let wanted: Vec<i64> = rows.iter().filter(|row| read(row) == Some(true)).map(|row| row.id).collect();
            let found: Vec<i64> = store.select_cols(things.id).from(things).where_(condition.clone()).order_by(things.id).all().unwrap();
            assert_eq!(found, wanted, "RELSTORE_SEED={seed}: {sql}");
            let unknown = store.select_cols(things.id).from(things).where_(is_null(condition)).count().unwrap();
            assert_eq!(unknown as usize, rows.iter().filter(|row| read(row).is_none()).count(), "RELSTORE_SEED={seed}: {sql}");
            found_count += found.len();
        }
        assert!(found_count > CONDITIONS, "the conditions hold for some rows");
    }
}
