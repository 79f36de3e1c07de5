//! A derived model gives the DDL of its table.

mod support;

use relstore_orm::{Table, TableRef};
use support::{Airport, Flight, airports, flights};

#[test]
fn a_table_is_created_with_its_keys_defaults_and_constraints() {
    assert_eq!(
        Flight::DEF.create_sql(),
        r#"CREATE TABLE "flights" (
  "id" INTEGER PRIMARY KEY,
  "carrier" TEXT NOT NULL,
  "flight_number" INTEGER NOT NULL,
  "dest" TEXT NOT NULL,
  "departed" TIMESTAMP NOT NULL,
  "cancelled" BOOLEAN NOT NULL DEFAULT 0,
  "distance" REAL NOT NULL,
  "tail" TEXT,
  UNIQUE ("carrier", "flight_number", "departed"),
  CONSTRAINT "flights_dest_fk" FOREIGN KEY ("dest") REFERENCES "airports" ("faa")
)"#
    );
    assert_eq!(
        Airport::DEF.create_sql(),
        "CREATE TABLE \"airports\" (\n  \"faa\" TEXT PRIMARY KEY NOT NULL,\n  \"name\" TEXT NOT NULL,\n  \"altitude\" INTEGER\n)"
    );
}

#[test]
fn indexes_are_named_after_table_and_columns() {
    assert_eq!(
        Flight::DEF.index_sql(),
        [
            r#"CREATE INDEX "flights_dest_idx" ON "flights" ("dest")"#,
            r#"CREATE INDEX "flights_carrier_departed_idx" ON "flights" ("carrier", "departed")"#,
        ]
    );
    assert!(Airport::DEF.index_sql().is_empty());
}

mod elsewhere {
    use relstore_orm::Table;

    /// A table whose names need quotes, with a composite key, every kind of default, and a key to itself.
    #[derive(Table)]
    #[table(name = "order \"lines\"", constant = order_lines, unique(r#type), crate = "::relstore_orm")]
    pub(crate) struct OrderLine {
        #[column(primary_key, name = "order")]
        pub(crate) order_id: i64,
        #[column(primary_key)]
        pub(crate) line: i64,
        #[column(default = "it's new", unique)]
        pub(crate) r#type: String,
        #[column(default = -1.5)]
        pub(crate) discount: Option<f64>,
        #[column(default_sql = "unixepoch()")]
        pub(crate) made: relstore_model::Timestamp,
        #[column(references = order_lines::line)]
        pub(crate) parent_line: Option<i64>,
        #[column(references = super::flights::number)]
        pub(crate) flight: Option<i32>,
        pub(crate) bytes: Vec<u8>,
    }
}

#[test]
fn unusual_names_keys_and_defaults_are_written_as_sql_reads_them() {
    assert_eq!(
        elsewhere::order_lines.definition().create_sql(),
        r#"CREATE TABLE "order ""lines""" (
  "order" INTEGER NOT NULL,
  "line" INTEGER NOT NULL,
  "type" TEXT NOT NULL UNIQUE DEFAULT 'it''s new',
  "discount" REAL DEFAULT -1.5,
  "made" TIMESTAMP NOT NULL DEFAULT (unixepoch()),
  "parent_line" INTEGER,
  "flight" INTEGER,
  "bytes" BLOB NOT NULL,
  PRIMARY KEY ("order", "line"),
  UNIQUE ("type"),
  CONSTRAINT "order ""lines""_parent_line_fk" FOREIGN KEY ("parent_line") REFERENCES "order ""lines""" ("line"),
  CONSTRAINT "order ""lines""_flight_fk" FOREIGN KEY ("flight") REFERENCES "flights" ("flight_number")
)"#
    );
    assert_eq!(elsewhere::OrderLine::DEF.primary_key(), ["order", "line"]);
}

#[test]
fn the_constant_knows_its_columns() {
    assert_eq!(flights.number.name(), "flight_number");
    assert_eq!(flights.definition(), Flight::DEF);
    assert_eq!(airports.faa.sql(), r#""airports"."faa""#);
}
