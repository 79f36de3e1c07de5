//! The typed layer: tables as Rust structs, and statements in Drizzle's words that the compiler checks against them.
//!
//! What comes in: models that derive [`Table`], and statements. What goes out: SQL text with parameters, handed to an [`Executor`], and
//! rows decoded from the cells that it hands back. Invariants: values travel only as parameters, never in the text; identifiers are always
//! quoted; what an outer join may not find is an `Option`. Deliberately not here: connections, transactions, migrations and SQLite itself.
//! This crate runs nothing.
//!
//! ```
//! use jiff::Timestamp;
//! use relstore_orm::{Executor, Table, Typed, eq};
//!
//! // Define the schema
//! #[derive(Table, Clone, Debug, PartialEq)]
//! #[table(name = "users")]
//! pub struct User {
//!     #[column(primary_key)]
//!     pub id: String,
//!     #[column(unique)]
//!     pub email: String,
//!     pub name: String,
//!     pub created_at: Timestamp,
//! }
//!
//! #[derive(Table, Clone, Debug, PartialEq)]
//! #[table(name = "orders")]
//! pub struct Order {
//!     #[column(primary_key)]
//!     pub id: String,
//!     #[column(references = users::id)]
//!     pub user_id: Option<String>,
//!     pub total: i64,
//!     pub status: String,
//! }
//!
//! // A store, or an open transaction of one
//! fn program(store: &dyn Executor) -> relstore_model::Result<()> {
//!     // Insert
//!     let user = store.insert(users).value(NewUser::new("user_123", "alice@example.com", "Alice", Timestamp::now())).returning()?;
//!
//!     // Query with joins
//!     let orders_with_user: Vec<(Order, Option<User>)> = store
//!         .select()
//!         .from(orders)
//!         .left_join(users, eq(orders.user_id, users.id))
//!         .where_(eq(orders.status, "pending"))
//!         .all()?;
//!
//!     // Update
//!     store.update(users).set(UserSet::new().name("Alice Smith")).where_(eq(users.id, "user_123")).execute()?;
//!
//!     // Delete
//!     store.delete(orders).where_(eq(orders.id, "order_456")).execute()?;
//!     # let _ = (user, orders_with_user);
//!     Ok(())
//! }
//! ```
//!
//! The constant of a table has the table's name, so a local variable cannot have it where the constant is in scope: write
//! `let found = …`, not `let users = …`.
//!
//! # Where to look
//!
//! | for | look at |
//! |---|---|
//! | what a field can be | [`SqlType`] |
//! | keys, defaults, checks, foreign keys, indexes | [`derive@Table`] |
//! | operators, functions, aggregates, `CASE` | the functions of this page |
//! | joins, groups, set operators, running a query | [`Select`] |
//! | a table twice in one query | [`alias!`] |
//! | subqueries | [`exists`], [`scalar`], [`in_array`], [`Select::as_table`](Select::as_table) |
//! | common table expressions | [`With`](select::With) |
//! | rows to insert, upserts, `INSERT … SELECT` | [`Insert`] |
//! | a statement called often | [`Prepared`] |
//! | SQL that is not here | [`sql!`] |
//!
//! # What does not compile
//!
//! A table that is not in the query, a value of the wrong type, a left-joined column taken for one that is always there, NULL in a column
//! that refuses it, a `New…` without a column that has no default, an update that sets nothing, a foreign key of another type than what it
//! refers to, an aggregate in `where_`, rows of other types in a set operation or an `INSERT … SELECT`. `tests/ui` has each with the
//! compiler's message.

#![allow(clippy::type_complexity, reason = "the types of statements and expressions are what is checked; programs do not write them")]

mod column;
mod definition;
mod executor;
mod expression;
mod fragment;
mod prepared;
mod table;
mod tuples;
mod types;

#[doc(hidden)]
pub mod derived;
pub mod scope;
pub mod select;
pub mod write;

/// Moments are jiff's.
#[doc(no_inline)]
pub use jiff;

pub use column::{Column, ColumnsOf, Excluded, excluded};
pub use definition::{Action, Check, ColumnDef, ForeignKey, Generated, Index, IndexPart, Key, Reference, TableDef};
pub use executor::{Executor, Typed};
#[doc(hidden)]
pub use expression::check_template;
pub use expression::{Aggregate, Case, Condition, Expr, Expression, ListOf, Numeric, Operand, Order, Ordered, Part, Sql};
pub use expression::{abs, case, cast, coalesce, concat, exists, length, lower, not_exists, round, scalar, trim, upper, value};
pub use expression::{all_of, any_of, glob, ilike, like, not_glob, not_ilike, not_like};
pub use expression::{and, between, eq, gt, gte, in_array, is_not_null, is_null, lt, lte, ne, not, not_between, not_in_array, or};
pub use expression::{asc, avg, count, count_distinct, count_of, desc, max, min, sum, total};
pub use fragment::Fragment;
pub use prepared::{Argument, Arguments, Changes, Detached, Held, Outcome, Param, Params, Preparable, Prepared, Rows};
pub use select::Select;
pub use table::{AliasName, Aliased, FilledBy, FromRow, MaybeRow, Source, Table, TableRef};
pub use types::{ColumnType, IntoValue, Json, Slot, SqlType, TimestampMs, Unfit};
pub use write::{Delete, Insert, Insertable, Update};

/// Makes a struct the model of a table.
///
/// For `struct Flight` with `#[table(name = "flights")]` it makes, as visible as the struct:
/// - the constant `flights`, which stands for the table in statements and has the columns as fields;
/// - `NewFlight`, a row to insert: `NewFlight::new(…)` takes the columns without a default in field order, further methods the others;
/// - `FlightSet`, columns to set in an update: `FlightSet::new().dest("ORD")`, or `FlightSet::maybe_empty()` where only the run decides;
/// - [`Table`](trait@Table), [`FromRow`] and [`Insertable`] for `Flight` itself, which gives every column when it is inserted.
///
/// The type of a field says the type of its column: see [`SqlType`](trait@SqlType). An `Option` takes NULL and has it as default. A sole
/// integer key is numbered by SQLite if it is not given.
///
/// At a field, `#[column(…)]` takes
///
/// | | |
/// |---|---|
/// | `name = "…"` | the column's name, if not the field's |
/// | `primary_key` | on several fields: a composite key in field order |
/// | `autoincrement` | with `primary_key`: SQLite never gives a number twice |
/// | `unique` | |
/// | `default = 0`, `= "text"`, `= Status::Pending` | a default in the table; checked against the type |
/// | `default_sql = "unixepoch()"` | a default in the table, as an SQL expression |
/// | `default_with = path::to::function` | called for each insert by `New…` that does not give the column |
/// | `on_update_with = path::to::function` | called for each update that does not set the column; and for an insert, if there is no default |
/// | `check = "total >= 0"` | a condition |
/// | `generated = "a + b"`, `generated_stored = "a + b"` | computed by SQLite, and in no `New…` and no `…Set` |
/// | `references = users::id` | a foreign key; its type is checked |
/// | `on_delete = cascade`, `on_update = set_null` | with `references`; or `restrict`, `set_default`, `no_action` |
///
/// At the struct, `#[table(…)]` takes `name = "…"`, and any number of times
///
/// | | |
/// |---|---|
/// | `unique(a, b)` | fields |
/// | `check("a < b")`, `check(name = "…", "a < b")` | a condition |
/// | `foreign_key(columns(a, b), references(orders::id, orders::line), on_delete = cascade)` | a composite foreign key |
/// | `index(a, b)`, `index("lower(email)", unique, where = "deleted = 0", name = "…")` | fields and SQL expressions |
///
/// and `constant = other_name` (the constant's name, if the table's is no Rust name), `crate = "relstore::orm"` (where this crate is, if not
/// at `::relstore_orm`). SQL in texts names columns as SQL does.
///
/// ```
/// use jiff::Timestamp;
/// use relstore_orm::{Json, SqlType, Table};
///
/// #[derive(SqlType, Clone, Copy, Debug, PartialEq)]
/// pub enum Status {
///     Pending,
///     Shipped,
/// }
///
/// #[derive(Table, Clone, Debug, PartialEq)]
/// #[table(name = "orders", index(status, where = "status <> 'shipped'"), check("total >= discount"))]
/// pub struct Order {
///     #[column(primary_key, autoincrement)]
///     pub id: i64,
///     #[column(default = Status::Pending)]
///     pub status: Status,
///     pub total: i64,
///     #[column(default = 0, check = "discount >= 0")]
///     pub discount: i64,
///     #[column(generated = "total - discount")]
///     pub to_pay: i64,
///     pub tags: Json<Vec<String>>,
///     #[column(references = orders::id, on_delete = set_null)]
///     pub replaces: Option<i64>,
///     #[column(default_with = Timestamp::now)]
///     pub created_at: Timestamp,
///     #[column(on_update_with = Timestamp::now)]
///     pub updated_at: Timestamp,
/// }
/// ```
pub use relstore_derive::Table;

/// Makes an enum without fields, or a struct of one field, the type of a column.
///
/// An enum is kept as text, its variants in `snake_case` unless `#[sql(name = "…")]` says otherwise; a text that is none of them is an error
/// that names table, column and text. A struct is kept as its field is, so that an order's id cannot be taken for a user's. `#[sql(crate =
/// "relstore::orm")]` says where this crate is, if not at `::relstore_orm`.
///
/// ```
/// use relstore_orm::SqlType;
///
/// #[derive(SqlType, Clone, Copy, Debug, PartialEq)]
/// enum Status {
///     Pending,
///     InTransit,
///     #[sql(name = "lost!")]
///     Lost,
/// }
///
/// #[derive(SqlType, Clone, Debug, PartialEq)]
/// struct UserId(String);
/// ```
pub use relstore_derive::SqlType;
