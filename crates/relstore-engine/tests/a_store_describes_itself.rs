//! A store says what its tables are like: defaults, indexes, foreign keys, triggers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{script, store};

#[test]
fn what_was_made_is_described() {
    let s = store();
    script(
        &s.db,
        &[
            "CREATE TABLE p(a TEXT, b INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, x TEXT DEFAULT 'it''s' UNIQUE, a, b, up AS (upper(x)), \
             q INTEGER REFERENCES c(id) ON DELETE SET NULL, FOREIGN KEY(a, b) REFERENCES p ON UPDATE CASCADE)",
            "CREATE INDEX by_b ON c(b, upper(x)) WHERE b>0",
            "CREATE TRIGGER watch AFTER DELETE ON C BEGIN SELECT 1; END",
        ],
    );
    let described = s.db.describe().unwrap();
    assert_eq!(described.schema, *s.db.schema());
    let c = &described.tables[1];
    assert_eq!(c.defaults, [None, Some("'it''s'".to_owned()), None, None, None, None]);
    let indexes: Vec<_> = c.indexes.iter().map(|i| (i.name.as_str(), i.is_unique, i.is_partial, i.is_of_constraint)).collect();
    assert_eq!(indexes, [("by_b", false, true, false), ("sqlite_autoindex_c_1", true, false, true)]);
    assert_eq!(c.indexes[0].columns, [Some("b".to_owned()), None]);
    let keys: Vec<_> = c.foreign_keys.iter().map(|k| (k.columns.join(","), k.parent.as_str(), k.parent_columns.join(","))).collect();
    assert_eq!(keys, [("q".to_owned(), "c", "id".to_owned()), ("a,b".to_owned(), "p", String::new())]);
    assert_eq!((c.foreign_keys[0].on_delete.as_str(), c.foreign_keys[1].on_update.as_str()), ("SET NULL", "CASCADE"));
    assert_eq!((c.triggers.len(), c.triggers[0].name.as_str()), (1, "watch"));
    assert!(described.tables[0].foreign_keys.is_empty() && described.tables[0].indexes[0].is_of_constraint);
}
