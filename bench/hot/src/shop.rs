//! The tables of the spec page, users and their orders, and what is done to them. Also a wide table without an index but its key.

use relstore_model::Value;

/// How many users own the orders.
pub(crate) const USERS: usize = 1_000;
/// Rows of a bulk commit.
pub(crate) const ROWS_PER_COMMIT: usize = 1_000;

/// The tables, for both sides the same.
pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE users(id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, created_at INTEGER NOT NULL)",
    "CREATE TABLE orders(id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), total INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE INDEX orders_user ON orders(user_id)",
    "CREATE TABLE wide(id INTEGER PRIMARY KEY, a INT, b INT, c INT, d INT, e INT, f INT, g TEXT, h TEXT, i TEXT, j TEXT, k INT, l INT, m INT, n TEXT)",
];

/// A rebuild of the orders, as drizzle-kit writes it: a column more, and one that refuses NULL.
pub(crate) const REBUILD: &[&str] = &[
    "CREATE TABLE __new_orders(id TEXT PRIMARY KEY NOT NULL, user_id TEXT REFERENCES users(id), total INTEGER NOT NULL, status TEXT NOT NULL, note TEXT)",
    "INSERT INTO __new_orders(id, user_id, total, status) SELECT id, user_id, total, status FROM orders",
    "DROP TABLE orders",
    "ALTER TABLE __new_orders RENAME TO orders",
    "CREATE INDEX orders_user ON orders(user_id)",
];

pub(crate) const INSERT_USER: &str = "INSERT INTO users VALUES(?,?,?,?)";
pub(crate) const INSERT_ORDER: &str = "INSERT INTO orders VALUES(?,?,?,?)";
pub(crate) const UPDATE_ORDER: &str = "UPDATE orders SET status=? WHERE id=?";
pub(crate) const DELETE_ORDER: &str = "DELETE FROM orders WHERE id=?";
pub(crate) const SELECT_ORDER: &str = "SELECT id, user_id, total, status FROM orders WHERE id=?";
pub(crate) const INSERT_WIDE: &str = "INSERT INTO wide VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

/// A scattered order of `0..n`, the same each time.
fn scattered(i: usize) -> u64 {
    (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

/// The rows in another order than they came in, the same each time.
pub(crate) fn in_no_order(rows: &[Vec<Value>]) -> impl Iterator<Item = &Vec<Value>> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by_key(|i| scattered(*i ^ 0x5a5a));
    places.into_iter().map(|i| &rows[i])
}

/// The key of the `i`th order: not in key order, as ids drawn by programs are not.
pub(crate) fn order_id(i: usize) -> Value {
    Value::Text(order_key(i))
}

/// The same as text.
pub(crate) fn order_key(i: usize) -> String {
    format!("order_{:016x}", scattered(i))
}

fn user_id(i: usize) -> Value {
    Value::Text(format!("user_{i:06}"))
}

/// The `i`th user.
pub(crate) fn user(i: usize) -> Vec<Value> {
    let Value::Text(id) = user_id(i) else { return Vec::new() };
    vec![
        Value::from(id.as_str()),
        Value::Text(format!("{id}@example.com")),
        Value::Text(format!("User {i}")),
        Value::Integer(1_700_000_000 + i as i64),
    ]
}

/// The `i`th order.
pub(crate) fn order(i: usize) -> Vec<Value> {
    let pick = scattered(i) as usize;
    vec![order_id(i), user_id(pick % USERS), Value::Integer((pick % 100_000) as i64), Value::from("pending")]
}

/// The `i`th row of the wide table.
pub(crate) fn wide(i: usize) -> Vec<Value> {
    let n = |k: u64| Value::Integer((scattered(i).rotate_left(k as u32) % 2_000) as i64);
    let t = |k: u64| Value::Text(format!("{:04x}", scattered(i).rotate_left(k as u32) % 0x1_0000));
    vec![
        Value::Integer(i as i64),
        n(1),
        n(2),
        n(3),
        n(4),
        n(5),
        n(6),
        t(7),
        t(8),
        t(9),
        t(10),
        n(11),
        n(12),
        n(13),
        Value::Text(format!("2013-01-{:02} 12:00:00", i % 28 + 1)),
    ]
}

/// One of the operations of the mixed workload: the statement and its parameters. Of ten, four read, three insert, two update, one deletes.
pub(crate) fn mixed(i: usize, loaded: usize) -> (&'static str, Vec<Value>) {
    let pick = scattered(i) as usize % loaded;
    match i % 10 {
        0 | 2 | 5 | 8 => (SELECT_ORDER, vec![order_id(pick)]),
        1 | 4 | 7 => (INSERT_ORDER, order(loaded + i)),
        3 | 6 => (UPDATE_ORDER, vec![Value::from("paid"), order_id(pick)]),
        _ => (DELETE_ORDER, vec![order_id(pick)]),
    }
}
