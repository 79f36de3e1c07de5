//! The typed layer: tables as Rust structs, and statements that the compiler checks against them.
//!
//! What comes in: models that derive [`Table`], and statements in Drizzle's words. What goes out: SQL text with parameters, handed to an
//! [`Executor`], and rows decoded from the cells that it hands back. Invariants: values travel only as parameters, never in the text;
//! identifiers are always quoted; a column of a left-joined table is an `Option`. Deliberately not here: connections, transactions,
//! migrations and SQLite itself. This crate runs nothing.
//!
//! ```
//! use relstore_orm::{Executor, Table, Typed, asc, count, desc, eq, gt};
//!
//! #[derive(Table, Clone, Debug, PartialEq)]
//! #[table(name = "airports")]
//! pub struct Airport {
//!     #[column(primary_key)]
//!     pub faa: String,
//!     pub name: String,
//! }
//!
//! #[derive(Table, Clone, Debug, PartialEq)]
//! #[table(name = "flights", unique(carrier, number), index(dest))]
//! pub struct Flight {
//!     #[column(primary_key)]
//!     pub id: i64,
//!     pub carrier: String,
//!     pub number: i64,
//!     #[column(references = airports::faa)]
//!     pub dest: String,
//!     #[column(default = 0)]
//!     pub delay_minutes: i64,
//!     pub tail_number: Option<String>,
//! }
//!
//! fn example(store: &dyn Executor) -> relstore_model::Result<()> {
//!     store.execute(&Airport::DEF.create_sql(), &[])?;
//!     store.execute(&Flight::DEF.create_sql(), &[])?;
//!
//!     store.insert(airports).value(Airport { faa: "ORD".into(), name: "O'Hare".into() }).execute()?;
//!     let made: Vec<Flight> = store.insert(flights).values([NewFlight::new("UA", 12, "ORD").delay_minutes(5)]).returning()?;
//!
//!     let late: Vec<(Flight, Option<Airport>)> = store
//!         .select()
//!         .from(flights)
//!         .left_join(airports, eq(flights.dest, airports.faa))
//!         .where_(gt(flights.delay_minutes, 0))
//!         .order_by((desc(flights.delay_minutes), asc(flights.id)))
//!         .limit(10)
//!         .all()?;
//!     let busiest: Vec<(String, i64)> =
//!         store.select_cols((flights.dest, count())).from(flights).group_by(flights.dest).having(gt(count(), 100)).all()?;
//!
//!     store.update(flights).set(FlightSet::new().delay_minutes(0)).where_(eq(flights.id, made[0].id)).execute()?;
//!     store.delete(flights).where_(eq(flights.dest, "ORD")).execute()?;
//!     # let _ = (late, busiest);
//!     Ok(())
//! }
//! ```
//!
//! The constant of a table has the table's name, so a local variable cannot have it where the constant is in scope: write
//! `let found = …`, not `let flights = …`.
//!
//! # What does not compile
//!
//! A table that is not in the query:
//!
//! ```compile_fail,E0277
//! # use relstore_orm::{Executor, Table, Typed, eq};
//! # #[derive(Table)] #[table(name = "airports")] struct Airport { #[column(primary_key)] faa: String }
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! store.select().from(flights).where_(eq(airports.faa, "ORD")).all()?;
//! # Ok(()) }
//! ```
//!
//! ```compile_fail,E0277
//! # use relstore_orm::{Executor, Table, Typed};
//! # #[derive(Table)] #[table(name = "airports")] struct Airport { #[column(primary_key)] faa: String }
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! store.select_cols((flights.id, airports.faa)).from(flights).all()?;
//! # Ok(()) }
//! ```
//!
//! A value of the wrong type:
//!
//! ```compile_fail,E0277
//! # use relstore_orm::{Executor, Table, Typed, eq};
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! store.select().from(flights).where_(eq(flights.dest, 5_i64)).all()?;
//! # Ok(()) }
//! ```
//!
//! A left-joined column that is taken for one that is always there:
//!
//! ```compile_fail,E0308
//! # use relstore_orm::{Executor, Table, Typed, eq};
//! # #[derive(Table)] #[table(name = "airports")] struct Airport { #[column(primary_key)] faa: String, name: String }
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! let names: Vec<String> =
//!     store.select_cols(airports.name).from(flights).left_join(airports, eq(flights.dest, airports.faa)).all()?;
//! # Ok(()) }
//! ```
//!
//! One table's columns set in another:
//!
//! ```compile_fail,E0308
//! # use relstore_orm::{Executor, Table, Typed, eq};
//! # #[derive(Table)] #[table(name = "airports")] struct Airport { #[column(primary_key)] faa: String, name: String }
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! store.update(flights).set(AirportSet::new().name("O'Hare")).execute()?;
//! # Ok(()) }
//! ```
//!
//! A foreign key of another type than what it refers to:
//!
//! ```compile_fail,E0277
//! # use relstore_orm::Table;
//! # #[derive(Table)] #[table(name = "airports")] struct Airport { #[column(primary_key)] faa: String, name: String }
//! #[derive(Table)]
//! #[table(name = "flights")]
//! struct Flight {
//!     #[column(references = airports::faa)]
//!     dest: i64,
//! }
//! ```
//!
//! An aggregate in `where_`:
//!
//! ```compile_fail,E0277
//! # use relstore_orm::{Executor, Table, Typed, count, gt};
//! # #[derive(Table)] #[table(name = "flights")] struct Flight { #[column(primary_key)] id: i64, dest: String }
//! # fn wrong(store: &dyn Executor) -> relstore_model::Result<()> {
//! store.select().from(flights).where_(gt(count(), 5)).all()?;
//! # Ok(()) }
//! ```
//!
//! NULL in a column that refuses it, a `New…` without a column that has no default, and columns of another
//! table in `on_conflict`, `group_by`, `order_by` or `returning_cols` do not compile either.

mod column;
mod definition;
mod executor;
mod expression;
mod fragment;
mod table;
mod types;

#[doc(hidden)]
pub mod derived;
pub mod scope;
pub mod select;
pub mod write;

pub use column::{Column, ColumnsOf, Excluded, excluded};
pub use definition::{ColumnDef, Reference, TableDef};
pub use executor::{Executor, Typed};
pub use expression::{Aggregate, Condition, Expression, Numeric, Operand, Order, Ordered};
pub use expression::{and, between, eq, gt, gte, in_array, is_not_null, is_null, like, lt, lte, ne, not, not_in_array, or};
pub use expression::{asc, avg, count, count_distinct, count_of, desc, max, min, sum};
pub use fragment::Fragment;
pub use select::Select;
pub use table::{FromRow, Table, TableRef};
pub use types::{IntoValue, SqlType};
pub use write::{Delete, Insert, Insertable, Update};

/// Makes a struct the model of a table.
///
/// For `struct Flight` with `#[table(name = "flights")]` it makes, as visible as the struct:
/// - the constant `flights`, which stands for the table in statements and has the columns as fields;
/// - `NewFlight`, a row to insert: `NewFlight::new(…)` takes the columns without a default in field order, further methods the others;
/// - `FlightSet`, columns to set in an update: `FlightSet::new().dest("ORD")`;
/// - [`Table`], [`FromRow`] and [`Insertable`] for `Flight` itself, which gives every column when it is inserted.
///
/// At the struct, `#[table(…)]` takes `name = "…"` (the table's name), `unique(a, b)` and `index(a, b)` (each any number of times, with
/// field names), `constant = other_name` (the constant's name, if the table's is no Rust name), and `crate = "relstore::orm"` (where
/// this crate is, if not at `::relstore_orm`).
///
/// At a field, `#[column(…)]` takes `primary_key` (on several fields: a composite key in field order), `unique`, `default = literal`,
/// `default_sql = "expression"`, `references = table::field`, and `name = "…"` (the column's name, if not the field's). An `Option`
/// field takes NULL and has it as default. A sole integer key is numbered by SQLite if it is not given.
pub use relstore_derive::Table;
