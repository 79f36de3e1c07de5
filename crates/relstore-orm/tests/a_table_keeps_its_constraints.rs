//! What a model says of its table is what SQLite then holds: keys, constraints, actions, defaults, generated columns, indexes.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::sync::atomic::{AtomicI64, Ordering};

use relstore_model::ErrorKind;
use relstore_orm::{SqlType, Table, Typed, eq, excluded};
use support::sqlite::Sqlite;

#[derive(SqlType, Clone, Copy, Debug, PartialEq)]
enum Status {
    Pending,
    Shipped,
}

static CLOCK: AtomicI64 = AtomicI64::new(100);

/// A clock that goes on by one whenever it is asked.
fn tick() -> i64 {
    CLOCK.fetch_add(1, Ordering::Relaxed)
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "customers")]
struct Customer {
    #[column(primary_key)]
    id: i64,
    #[column(unique)]
    email: String,
    #[column(references = customers::id, on_delete = set_null)]
    referred_by: Option<i64>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(
    name = "orders",
    unique(customer, number),
    check("total >= discount"),
    check(name = "orders_number_is_positive", "number > 0"),
    index(status, created_at),
    index("lower(note)", "total DESC", unique, where = "note IS NOT NULL"),
    index(number, name = "by_number")
)]
struct Order {
    #[column(primary_key, autoincrement)]
    id: i64,
    #[column(references = customers::id, on_delete = cascade, on_update = cascade)]
    customer: i64,
    number: i32,
    #[column(default = Status::Pending)]
    status: Status,
    total: i64,
    #[column(default = 0, check = "discount >= 0")]
    discount: i64,
    #[column(generated = "total - discount")]
    to_pay: i64,
    #[column(generated_stored = "upper(note)")]
    loud: Option<String>,
    note: Option<String>,
    #[column(default_with = tick)]
    created_at: i64,
    #[column(on_update_with = tick)]
    updated_at: i64,
    #[column(default_sql = "1 + 1")]
    version: i64,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(
    name = "lines",
    foreign_key(columns(customer, number), references(orders::customer, orders::number), on_delete = restrict, on_update = cascade)
)]
struct Line {
    #[column(primary_key)]
    customer: i64,
    #[column(primary_key)]
    number: i32,
    #[column(primary_key)]
    position: u32,
    what: String,
}

fn store() -> Sqlite {
    let store = Sqlite::with(&[Customer::DEF, Order::DEF, Line::DEF]);
    store.insert(customers).value(NewCustomer::new("a@x").id(1)).execute().unwrap();
    store.insert(customers).value(NewCustomer::new("b@x").id(2).referred_by(1)).execute().unwrap();
    store
}

#[test]
fn the_statements_say_all_of_it() {
    assert_eq!(
        Order::DEF.create_sql(),
        r#"CREATE TABLE "orders" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "customer" INTEGER NOT NULL,
  "number" INTEGER NOT NULL,
  "status" TEXT NOT NULL DEFAULT 'pending',
  "total" INTEGER NOT NULL,
  "discount" INTEGER NOT NULL DEFAULT 0 CHECK (discount >= 0),
  "to_pay" INTEGER NOT NULL GENERATED ALWAYS AS (total - discount) VIRTUAL,
  "loud" TEXT GENERATED ALWAYS AS (upper(note)) STORED,
  "note" TEXT,
  "created_at" INTEGER NOT NULL,
  "updated_at" INTEGER NOT NULL,
  "version" INTEGER NOT NULL DEFAULT (1 + 1),
  UNIQUE ("customer", "number"),
  CHECK (total >= discount),
  CONSTRAINT "orders_number_is_positive" CHECK (number > 0),
  CONSTRAINT "orders_customer_fk" FOREIGN KEY ("customer") REFERENCES "customers" ("id") ON DELETE CASCADE ON UPDATE CASCADE
)"#
    );
    assert_eq!(
        Order::DEF.index_sql(),
        [
            r#"CREATE INDEX "orders_status_created_at_idx" ON "orders" ("status", "created_at")"#,
            r#"CREATE UNIQUE INDEX "orders_expr1_expr2_idx" ON "orders" (lower(note), total DESC) WHERE note IS NOT NULL"#,
            r#"CREATE INDEX "by_number" ON "orders" ("number")"#,
        ]
    );
    assert_eq!(
        Line::DEF.create_sql(),
        r#"CREATE TABLE "lines" (
  "customer" INTEGER NOT NULL,
  "number" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "what" TEXT NOT NULL,
  PRIMARY KEY ("customer", "number", "position"),
  CONSTRAINT "lines_customer_number_fk" FOREIGN KEY ("customer", "number") REFERENCES "orders" ("customer", "number") ON DELETE RESTRICT ON UPDATE CASCADE
)"#
    );
}

#[test]
fn defaults_come_from_the_table_or_from_rust_and_generated_columns_from_sqlite() {
    let store = store();
    let before = tick();
    let made = store.insert(orders).value(NewOrder::new(1, 7, 100).note("hi")).returning().unwrap().remove(0);
    assert_eq!((made.status, made.discount, made.to_pay, made.version), (Status::Pending, 0, 100, 2));
    assert_eq!(made.loud.as_deref(), Some("HI"));
    assert!(made.created_at > before && made.updated_at > before, "{made:?}");
    let given = store.insert(orders).value(NewOrder::new(1, 8, 100).created_at(5).updated_at(6)).returning().unwrap().remove(0);
    assert_eq!((given.created_at, given.updated_at), (5, 6));
    // A model gives every column that can be given.
    let copy = Order { id: 40, number: 9, note: None, ..made };
    assert_eq!(store.insert(orders).value(copy.clone()).returning().unwrap(), [Order { loud: None, ..copy }]);
}

#[test]
fn an_update_computes_what_it_does_not_set() {
    let store = store();
    let made = store.insert(orders).value(NewOrder::new(1, 7, 100)).returning().unwrap().remove(0);
    let updated = store.update(orders).set(OrderSet::new().total(50)).returning().unwrap().remove(0);
    assert_eq!((updated.total, updated.to_pay, updated.created_at), (50, 50, made.created_at));
    assert!(updated.updated_at > made.updated_at);
    let set = store.update(orders).set(OrderSet::new().updated_at(1)).returning().unwrap().remove(0);
    assert_eq!(set.updated_at, 1);
    let again = NewOrder::new(1, 7, 60);
    let set = OrderSet::new().total(excluded(orders.total));
    let upserted = store.insert(orders).value(again).on_conflict((orders.customer, orders.number)).do_update(set).returning().unwrap();
    assert!(upserted[0].updated_at > 1 && upserted[0].total == 60, "{upserted:?}");
}

#[test]
fn what_breaks_a_constraint_is_refused() {
    let store = store();
    store.insert(orders).value(NewOrder::new(1, 7, 100).note("Same")).execute().unwrap();
    store.insert(lines).value(NewLine::new(1, 7, 1u32, "x")).execute().unwrap();
    for (row, wanted) in [
        (NewOrder::new(1, 7, 5), "UNIQUE"),
        (NewOrder::new(1, 8, 5).discount(6), "CHECK"),
        (NewOrder::new(1, 8, 5).discount(-1), "discount >= 0"),
        (NewOrder::new(1, 0, 5), "orders_number_is_positive"),
        (NewOrder::new(3, 8, 5), "FOREIGN KEY"),
        (NewOrder::new(2, 8, 100).note("sAME"), "orders_expr1_expr2_idx"),
    ] {
        let error = store.insert(orders).value(row).execute().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Constraint);
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let error = store.insert(lines).value(NewLine::new(1, 9, 1u32, "x")).execute().unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    let error = store.insert(lines).value(NewLine::new(1, 7, 1u32, "x")).execute().unwrap_err();
    assert!(error.to_string().contains("lines.customer, lines.number, lines.position"), "{error}");
    // RESTRICT.
    assert_eq!(store.delete(orders).where_(eq(orders.number, 7)).execute().unwrap_err().kind(), ErrorKind::Constraint);
}

#[test]
fn actions_follow_the_row_that_is_referred_to() {
    let store = store();
    store.insert(orders).values([NewOrder::new(1, 7, 100), NewOrder::new(2, 8, 100)]).execute().unwrap();
    store.insert(lines).value(NewLine::new(2, 8, 1u32, "x")).execute().unwrap();
    store.update(customers).set(CustomerSet::new().id(5)).where_(eq(customers.id, 2)).execute().unwrap();
    assert_eq!(store.text("SELECT customer FROM orders ORDER BY 1"), ["1", "5"]);
    assert_eq!(store.text("SELECT customer, number FROM lines"), ["5|8"]);
    store.delete(customers).where_(eq(customers.id, 1)).execute().unwrap();
    assert_eq!(store.text("SELECT customer FROM orders"), ["5"]);
    assert_eq!(store.select().from(customers).all().unwrap(), [Customer { id: 5, email: "b@x".into(), referred_by: None }]);
}

#[test]
fn an_autoincremented_key_is_never_given_twice() {
    let store = store();
    let id = |number| store.insert(orders).value(NewOrder::new(1, number, 1)).returning_cols(orders.id).unwrap().remove(0);
    assert_eq!((id(1), id(2)), (1, 2));
    store.delete(orders).execute().unwrap();
    assert_eq!(id(3), 3);
}
