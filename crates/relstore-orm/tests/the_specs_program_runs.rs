//! The program of the specification's page "RelationalStore", nearly word for word.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use jiff::Timestamp;
use relstore_orm::{Table, Typed, eq};
use support::sqlite::Sqlite;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "users")]
struct User {
    #[column(primary_key)]
    id: String,
    #[column(unique)]
    email: String,
    name: String,
    created_at: Timestamp,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "orders")]
struct Order {
    #[column(primary_key)]
    id: String,
    #[column(references = users::id)]
    user_id: Option<String>,
    total: i64,
    status: String,
}

#[test]
fn the_program_of_the_specification_does_what_it_says() {
    let store = Sqlite::with(&[User::DEF, Order::DEF]);
    let now = Timestamp::from_second(1_700_000_000).unwrap();

    // Insert
    let user = store
        .insert(users)
        .value(User { id: "user_123".into(), email: "alice@example.com".into(), name: "Alice".into(), created_at: now })
        .returning()
        .unwrap();
    assert_eq!(user, [User { id: "user_123".into(), email: "alice@example.com".into(), name: "Alice".into(), created_at: now }]);

    store
        .insert(orders)
        .values([
            NewOrder::new("order_456", 100, "pending").user_id("user_123"),
            NewOrder::new("order_457", 50, "pending"),
            NewOrder::new("order_458", 70, "paid").user_id("user_123"),
        ])
        .execute()
        .unwrap();

    // Query with joins
    let orders_with_user =
        store.select().from(orders).left_join(users, eq(orders.user_id, users.id)).where_(eq(orders.status, "pending")).all().unwrap();
    let order = |id: &str, user: Option<&str>, total, status: &str| Order {
        id: id.into(),
        user_id: user.map(Into::into),
        total,
        status: status.into(),
    };
    assert_eq!(
        orders_with_user,
        [(order("order_456", Some("user_123"), 100, "pending"), Some(user[0].clone())), (order("order_457", None, 50, "pending"), None)]
    );

    // Update
    store.update(users).set(UserSet::new().name("Alice Smith")).where_(eq(users.id, "user_123")).execute().unwrap();

    // Delete
    store.delete(orders).where_(eq(orders.id, "order_456")).execute().unwrap();

    // Transaction
    store
        .transaction(|tx| {
            tx.insert(orders).value(order("order_459", Some("user_123"), 1, "pending")).execute()?;
            tx.update(users).set(UserSet::new().email("smith@example.com")).execute()
        })
        .unwrap();

    assert_eq!(store.text("SELECT * FROM users"), ["user_123|smith@example.com|Alice Smith|1700000000"]);
    assert_eq!(
        store.text("SELECT * FROM orders ORDER BY id"),
        ["order_457|NULL|50|pending", "order_458|user_123|70|paid", "order_459|user_123|1|pending"]
    );
}
