//! A table that is rebuilt is the same table: its children, rows, rowids, ids, indexes, triggers and views stay, and only what really changed is
//! told.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod migration_support;

use common::{assert_log_is_true, letters, script, store, told};
use migration_support::{LAYOUTS, apply, count, folder, ids, integer, migrate};
use relstore_model::{ErrorKind, Value};

/// As drizzle-kit writes it (drizzle-orm#5782, #4938): inside a transaction the PRAGMA does nothing, and `DROP TABLE` of the parent then
/// deletes the rows of its children.
const DATA_LOSS: &str = "PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_users` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`email` text DEFAULT 'none' NOT NULL
);
--> statement-breakpoint
INSERT INTO `__new_users`(\"id\", \"name\", \"email\") SELECT \"id\", \"name\", \"email\" FROM `users`;--> statement-breakpoint
DROP TABLE `users`;--> statement-breakpoint
ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`);";

const FAMILY: &str = "CREATE TABLE `users` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`email` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`);
--> statement-breakpoint
CREATE TABLE `posts` (
	`id` integer PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);";

#[test]
fn the_children_of_a_rebuilt_parent_stay() {
    for layout in LAYOUTS {
        let store = store();
        let (_dir, first) = folder(layout, &[FAMILY]);
        apply(&store.db, &first).unwrap();
        script(&store.db, &["INSERT INTO users VALUES(1,'a','a@x'),(5,'b','b@x')", "INSERT INTO posts VALUES(1,1),(2,1),(3,5)"]);
        let (ids_before, letters_before) = (ids(&store.db, "users"), letters(&store.db).len());
        let (_dir, both) = folder(layout, &[FAMILY, DATA_LOSS]);
        let report = apply(&store.db, &both).unwrap();
        assert_eq!((count(&store.db, "users"), count(&store.db, "posts")), (2, 3), "{layout:?}");
        assert_eq!(ids(&store.db, "users"), ids_before);
        // The shape, the index that went and the index that came: no row.
        assert!(letters(&store.db)[letters_before..].chars().all(|c| c == 'S'), "{:?}", &letters(&store.db)[letters_before..]);
        assert_log_is_true(&store.db);
        assert_eq!(report.applied.len(), 1);
        assert!(report.applied[0].notes.is_empty(), "the file makes the index again by itself: {:?}", report.applied[0].notes);
        // Foreign keys act again, and the counter of rowids goes on.
        script(&store.db, &["DELETE FROM users WHERE id=1", "DELETE FROM users WHERE id=5", "INSERT INTO users(name) VALUES('c')"]);
        assert_eq!((count(&store.db, "posts"), integer(&store.db, "SELECT id FROM users")), (0, 6));
        assert_log_is_true(&store.db);
    }
}

/// Sets a store up and rebuilds; gives the letters that this adds.
fn rebuilt(setup: &[&str], rebuild: &str) -> (common::Store, String, relstore_engine::migration::ApplyReport) {
    let store = store();
    script(&store.db, setup);
    let before = letters(&store.db).len();
    let report = migrate(&store.db, &[rebuild]).unwrap_or_else(|e| panic!("{rebuild}: {e:?}"));
    assert_log_is_true(&store.db);
    let added = letters(&store.db)[before..].to_owned();
    // A store that is opened again finds what it left.
    let (schema, lsn) = (store.db.schema(), store.db.high_water());
    let common::Store { db, dir } = store;
    drop(db);
    let db = common::open(&dir);
    assert_eq!((db.schema(), db.high_water()), (schema, lsn));
    (common::Store { db, dir }, added, report)
}

const ROWS: &[&str] = &["CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT, b)", "INSERT INTO x VALUES(1,'one',10),(7,'seven',70)"];

#[test]
fn a_rebuild_is_known_by_what_it_does_not_by_names() {
    let create = "(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b)";
    for rebuild in [
        format!("CREATE TABLE __new_x{create}; INSERT INTO __new_x SELECT * FROM x; DROP TABLE x; ALTER TABLE __new_x RENAME TO x"),
        format!(
            "CREATE TABLE other{create}; INSERT INTO other(a, b, id) SELECT a, b, id FROM x; DROP TABLE x; ALTER TABLE other RENAME TO x"
        ),
        format!("ALTER TABLE x RENAME TO x_backup; CREATE TABLE x{create}; INSERT INTO x SELECT * FROM x_backup; DROP TABLE x_backup"),
        format!(
            "CREATE TABLE x_backup(id, a, b); INSERT INTO x_backup SELECT * FROM x; DROP TABLE x; CREATE TABLE x{create}; \
             INSERT INTO x SELECT * FROM x_backup; DROP TABLE x_backup"
        ),
        format!(
            "BEGIN; CREATE TABLE n{create}; INSERT INTO n SELECT id, a, b FROM main.x AS y WHERE 1; DROP TABLE x; ALTER TABLE n RENAME TO x; COMMIT"
        ),
    ] {
        let (store, letters, report) = rebuilt(ROWS, &rebuild);
        assert!(letters.chars().all(|c| c == 'S') && !letters.is_empty(), "{rebuild}: {letters}");
        assert_eq!(ids(&store.db, "x"), (1, vec![("id".into(), 101), ("a".into(), 102), ("b".into(), 103)]), "{rebuild}");
        let made: Vec<_> = report.applied[0].statements.iter().filter_map(|s| s.rebuild.clone()).collect();
        assert_eq!((made.len(), made[0].changes.kept), (1, 2), "{rebuild}");
    }
}

#[test]
fn what_is_no_rebuild_is_told_row_by_row() {
    // Dropped and made anew: the rows are gone.
    let (store, letters, _) = rebuilt(ROWS, "DROP TABLE x; CREATE TABLE x(id INTEGER PRIMARY KEY); INSERT INTO x VALUES(1)");
    assert_eq!((letters.as_str(), ids(&store.db, "x").0), ("ddSSc", 2));
    // Filled from it, but another table in the end.
    let (store, letters, _) = rebuilt(ROWS, "CREATE TABLE y(id INTEGER PRIMARY KEY); INSERT INTO y SELECT id FROM x; DROP TABLE x");
    assert_eq!((letters.as_str(), ids(&store.db, "y").0), ("ddSScc", 2));
    // A copy beside the table.
    let (_, letters, _) =
        rebuilt(ROWS, "CREATE TABLE y AS SELECT * FROM x; UPDATE x SET b=1 WHERE id=1; ALTER TABLE y ADD COLUMN z DEFAULT 5");
    assert_eq!(letters, "uScc");
    // A table with rows of its own, then changed.
    let (_, letters, _) = rebuilt(
        ROWS,
        "CREATE TABLE y(a); INSERT INTO y VALUES(1),(2); UPDATE y SET a=3; DELETE FROM y WHERE rowid=1; CREATE INDEX i ON y(a)",
    );
    assert_eq!(letters, "Sc");
    let (_, letters, _) = rebuilt(ROWS, "CREATE TABLE IF NOT EXISTS x(id); CREATE TABLE y(a); DROP TABLE y");
    assert_eq!(letters, "");
}

#[test]
fn columns_keep_their_ids_through_the_copy() {
    let rebuild = |create: &str, insert: &str| {
        format!("CREATE TABLE n({create}); INSERT INTO n{insert} FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x")
    };
    let check = |create: &str, insert: &str, letters: &str, wanted: &[(&str, i32)]| {
        let (store, told, _) = rebuilt(ROWS, &rebuild(create, insert));
        let found = ids(&store.db, "x");
        let found: Vec<(&str, i32)> = found.1.iter().map(|(n, i)| (n.as_str(), *i)).collect();
        assert_eq!((found.as_slice(), told.as_str()), (wanted, letters), "{create} {insert}");
        store
    };
    let key = "id INTEGER PRIMARY KEY";
    // Renamed, in another order; swapped.
    check(&format!("c, {key}, b"), "(c, id, b) SELECT a, id, b", "S", &[("c", 102), ("id", 101), ("b", 103)]);
    check(&format!("{key}, a, b"), " SELECT id, b, a", "S", &[("id", 101), ("a", 103), ("b", 102)]);
    // Taken twice: the one that keeps the name is the one.
    check(&format!("{key}, z, a"), " SELECT id, a, a", "Suu", &[("id", 101), ("z", 104), ("a", 102)]);
    // Dropped; new with a default, with a literal, and with an expression.
    check(&format!("{key}, d TEXT DEFAULT 'x'"), "(id) SELECT id", "S", &[("id", 101), ("d", 104)]);
    check(&format!("{key}, b, d TEXT"), " SELECT id, b, 5", "S", &[("id", 101), ("b", 103), ("d", 104)]);
    check(&format!("{key}, b, d"), " SELECT id, b, b * 2", "Suu", &[("id", 101), ("b", 103), ("d", 104)]);
    check(&format!("{key}, a, b DEFAULT 3"), " SELECT id, a, 4", "S", &[("id", 101), ("a", 102), ("b", 104)]);
    // Computed from itself it is itself.
    let store = check(&format!("{key}, a, b TEXT"), " SELECT id, upper(a), CAST(b AS TEXT)", "Suu", &[("id", 101), ("a", 102), ("b", 103)]);
    assert_eq!(told(&store.db).last().unwrap(), "u 7,seven,70 > 7,SEVEN,70");
    // A cell's type is a difference; where there is none, nothing is told.
    check(&format!("{key}, a TEXT, b TEXT"), " SELECT id, a, b", "Suu", &[("id", 101), ("a", 102), ("b", 103)]);
    check(&format!("{key}, a TEXT, b INTEGER"), " SELECT id, a, b", "S", &[("id", 101), ("a", 102), ("b", 103)]);
    // Whole numbers that become floats are another row, as readers would otherwise take the old for the new.
    check(&format!("{key}, a TEXT, b REAL"), " SELECT id, a, b", "ddScc", &[("id", 101), ("a", 102), ("b", 103)]);
    // Generated columns come, stay and go.
    check(&format!("{key}, a, g AS (b*2), b"), "(id, a, b) SELECT id, a, b", "S", &[("id", 101), ("a", 102), ("g", 104), ("b", 103)]);
    check(&format!("{key}, b, g AS (b*2) STORED"), "(id, b) SELECT id, b", "Suu", &[("id", 101), ("b", 103), ("g", 104)]);
}

#[test]
fn a_virtual_column_that_becomes_stored_is_told() {
    let setup = &["CREATE TABLE x(id INTEGER PRIMARY KEY, v, g AS (v+1))", "INSERT INTO x(id, v) VALUES(1,1),(2,2)"];
    let (store, letters, _) = rebuilt(
        setup,
        "CREATE TABLE n(id INTEGER PRIMARY KEY, v, g AS (v+1) STORED); INSERT INTO n(id, v) SELECT id, v FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x",
    );
    assert_eq!((letters.as_str(), ids(&store.db, "x").1[2].1), ("Suu", 103));
    store.db.statistics().unwrap();
}

#[test]
fn rows_that_the_copy_changes_are_told_and_others_are_not() {
    let x = |insert: &str| format!("CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b); {insert}; DROP TABLE x; ALTER TABLE n RENAME TO x");
    let (_, letters, report) = rebuilt(ROWS, &x("INSERT INTO n SELECT * FROM x WHERE id < 5"));
    assert_eq!((letters.as_str(), report.applied[0].statements[2].rows), ("dS", 0));
    let (_, letters, _) = rebuilt(ROWS, &x("INSERT INTO n SELECT * FROM x; UPDATE n SET b=0 WHERE id=1; INSERT INTO n VALUES(9,'n',1)"));
    assert_eq!(letters, "Suc");
    // The table is changed while the new one is there already.
    let (_, letters, _) = rebuilt(ROWS, &x("UPDATE x SET b=5 WHERE id=1; INSERT INTO n SELECT * FROM x; DELETE FROM x WHERE id=7"));
    assert_eq!(letters, "udSc");
    let (_, letters, _) = rebuilt(ROWS, &x("INSERT INTO n SELECT max(id), a, sum(b) FROM x GROUP BY 1=1"));
    assert_eq!(letters, "dSu");
}

#[test]
fn rowids_and_keys_stay() {
    for create in ["x(a, b)", "x(a TEXT PRIMARY KEY, b)", "x(a TEXT PRIMARY KEY, b) WITHOUT ROWID", "x(b, a TEXT, PRIMARY KEY(a, b))"] {
        let setup = [
            format!("CREATE TABLE {create}"),
            "INSERT INTO x(a, b) VALUES('a',1),('b',2),('c',3)".into(),
            "DELETE FROM x WHERE a='b'".into(),
        ];
        let setup: Vec<&str> = setup.iter().map(String::as_str).collect();
        let create = create.replacen('x', "n", 1).replace("a TEXT", "a VARCHAR(9)");
        let rebuild = format!(
            "CREATE TABLE {create}; INSERT INTO n(a, b) SELECT a, b FROM x ORDER BY a DESC; DROP TABLE x; ALTER TABLE n RENAME TO x"
        );
        let (store, letters, report) = rebuilt(&setup, &rebuild);
        assert!(letters.chars().all(|c| c == 'S'), "{create}: {letters}");
        assert_eq!(report.applied[0].statements.iter().find_map(|s| s.rebuild.as_ref()).unwrap().changes.kept, 2);
        if !create.contains("WITHOUT") {
            assert_eq!(integer(&store.db, "SELECT rowid FROM x WHERE a='c'"), 3, "{create}");
        }
    }
    // Another key: every row is another to the log.
    let to = |create: &str| {
        format!("CREATE TABLE n{create}; INSERT INTO n(id, a, b) SELECT id, a, b FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x")
    };
    for create in ["(id INTEGER, a, b)", "(id INTEGER, a TEXT PRIMARY KEY, b)", "(id, a, b, PRIMARY KEY(id, a)) WITHOUT ROWID"] {
        let (store, letters, _) = rebuilt(ROWS, &to(create));
        assert_eq!((letters.as_str(), ids(&store.db, "x").0), ("ddScc", 1), "{create}");
    }
    let (_, letters, _) = rebuilt(ROWS, &to("(id INT PRIMARY KEY, a, b)"));
    assert_eq!(letters, "S");
    let (_, letters, _) = rebuilt(ROWS, &to("(id INTEGER PRIMARY KEY, a, b) WITHOUT ROWID"));
    assert_eq!(letters, "S");
    // Cells of the key that become others: the old key ends.
    let (_, letters, _) = rebuilt(
        &["CREATE TABLE x(id TEXT PRIMARY KEY, a)", "INSERT INTO x VALUES('1','a'),('z','b')"],
        "CREATE TABLE n(id INT PRIMARY KEY, a); INSERT INTO n SELECT * FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x",
    );
    assert_eq!(letters, "dSc");
}

#[test]
fn what_the_file_forgot_is_made_again() {
    let setup = &[
        "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT, b)",
        "CREATE TABLE log(n)",
        "CREATE INDEX x_a ON x(a)",
        "CREATE INDEX x_b ON x(b)",
        "CREATE INDEX x_gone ON x(a, b)",
        "CREATE TRIGGER x_told AFTER INSERT ON x BEGIN INSERT INTO log VALUES(new.a); END",
        "CREATE TRIGGER x_b_told AFTER UPDATE ON x BEGIN INSERT INTO log VALUES(new.b); END",
        "CREATE TRIGGER of_log AFTER INSERT ON log BEGIN UPDATE x SET a=a WHERE id=-1; END",
        "CREATE VIEW v AS SELECT id, a FROM x",
        "CREATE TRIGGER v_told INSTEAD OF INSERT ON v BEGIN INSERT INTO x(id, a) VALUES(new.id, new.a); END",
        "INSERT INTO x VALUES(1,'one',1)",
    ];
    for rebuild in [
        "DROP INDEX x_gone; CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO n SELECT id, a FROM x; DROP TABLE x; \
         ALTER TABLE n RENAME TO x; CREATE UNIQUE INDEX x_a ON x(a)",
        "DROP INDEX x_gone; ALTER TABLE x RENAME TO old_x; CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO x SELECT id, a \
         FROM old_x; DROP TABLE old_x; CREATE UNIQUE INDEX x_a ON x(a)",
    ] {
        let (store, _, report) = rebuilt(setup, rebuild);
        let names = store.db.query(
            "SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_rs%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name",
            &[],
        );
        let names: Vec<String> = names.unwrap().rows.iter().map(|r| format!("{:?}", r[0])).collect();
        assert_eq!(names, ["log", "of_log", "v", "v_told", "x", "x_a", "x_told"].map(|n| format!("Text({n:?})")), "{rebuild}");
        let notes = report.applied[0].notes.join("; ");
        assert!(notes.contains("x_told of x is made again"), "{notes}");
        assert!(notes.contains("x_b of x is gone") && notes.contains("x_b_told of x is gone"), "{notes}");
        assert!(!notes.contains("x_gone") && !notes.contains("x_a "), "{notes}");
        script(&store.db, &["INSERT INTO v VALUES(2,'two')"]);
        assert_eq!((count(&store.db, "v"), count(&store.db, "log")), (2, 2), "{rebuild}");
        assert_log_is_true(&store.db);
    }
}

#[test]
fn a_view_that_would_be_left_broken_refuses_the_migration() {
    let store = store();
    script(&store.db, &["CREATE TABLE x(id INTEGER PRIMARY KEY, a)", "CREATE VIEW v AS SELECT a FROM x"]);
    let rebuild = "CREATE TABLE n(id INTEGER PRIMARY KEY); INSERT INTO n SELECT id FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x";
    let error = migrate(&store.db, &[rebuild]).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("views: v"), "{error}");
    migrate(&store.db, &[&format!("DROP VIEW v; {rebuild}; CREATE VIEW v AS SELECT id FROM x")]).unwrap();
    assert_eq!(count(&store.db, "v"), 0);
    assert_log_is_true(&store.db);
}

#[test]
fn several_tables_are_rebuilt_at_once_and_refer_to_each_other() {
    let setup = &[
        "CREATE TABLE p(id INTEGER PRIMARY KEY, up REFERENCES p ON DELETE CASCADE)",
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)",
        "INSERT INTO p VALUES(1,NULL),(2,1)",
        "INSERT INTO c VALUES(1,1),(2,2)",
    ];
    for rebuild in [
        "CREATE TABLE np(id INTEGER PRIMARY KEY, up REFERENCES p ON DELETE CASCADE, n); CREATE TABLE nc(id INTEGER PRIMARY KEY, p REFERENCES p); \
         INSERT INTO np(id, up) SELECT id, up FROM p; INSERT INTO nc SELECT * FROM c; DROP TABLE p; DROP TABLE c; \
         ALTER TABLE np RENAME TO p; ALTER TABLE nc RENAME TO c",
        "CREATE TABLE np(id INTEGER PRIMARY KEY, up REFERENCES np ON DELETE CASCADE, n); INSERT INTO np(id, up) SELECT id, up FROM p; DROP TABLE p; \
         ALTER TABLE np RENAME TO p",
        "ALTER TABLE p RENAME TO pp; CREATE TABLE p(id INTEGER PRIMARY KEY, up REFERENCES p, n); INSERT INTO p(id, up) SELECT id, up FROM pp; \
         DROP TABLE pp",
    ] {
        let (store, letters, _) = rebuilt(setup, rebuild);
        assert!(letters.chars().all(|c| c == 'S'), "{rebuild}: {letters}");
        assert_eq!((ids(&store.db, "p").0, ids(&store.db, "c").0), (1, 2));
        assert!(store.db.query("PRAGMA foreign_key_check", &[]).unwrap().rows.is_empty());
        assert_eq!(store.db.execute("INSERT INTO c VALUES(9,9)", &[]).unwrap_err().kind(), ErrorKind::Constraint);
        assert_eq!(store.db.execute("INSERT INTO p VALUES(9,8,1)", &[]).unwrap_err().kind(), ErrorKind::Constraint, "{rebuild}");
    }
}

#[test]
fn a_table_may_be_changed_after_its_rebuild_in_the_same_migration() {
    let (store, letters, _) = rebuilt(
        ROWS,
        "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b); INSERT INTO n SELECT * FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x; \
         ALTER TABLE x ADD COLUMN c DEFAULT 1; UPDATE x SET c=2 WHERE id=1; ALTER TABLE x RENAME COLUMN a TO aa; \
         CREATE TABLE n(id INTEGER PRIMARY KEY, aa TEXT, c); INSERT INTO n SELECT id, aa, c FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x",
    );
    assert_eq!(letters, "SSuSS");
    assert_eq!(ids(&store.db, "x"), (1, vec![("id".into(), 101), ("aa".into(), 102), ("c".into(), 104)]));
    assert_eq!(store.db.query("SELECT aa, c FROM x WHERE id=1", &[]).unwrap().rows, [[Value::from("one"), Value::Integer(2)]]);
}

#[test]
fn a_copy_may_begin_with_with() {
    let (store, letters, _) = rebuilt(
        ROWS,
        "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b); WITH o AS (SELECT * FROM x) INSERT INTO n SELECT * FROM o; DROP TABLE x; \
         ALTER TABLE n RENAME TO x",
    );
    assert_eq!((letters.as_str(), ids(&store.db, "x").0), ("S", 1));
}

#[test]
fn a_copy_that_failed_is_no_copy() {
    let store = store();
    script(&store.db, &["CREATE TABLE x(a TEXT, b)", "INSERT INTO x VALUES('1',1),('2',NULL)", "DELETE FROM x WHERE a='1'"]);
    let tx = store.db.begin_migration(1).unwrap().unwrap();
    tx.execute("CREATE TABLE n(b NOT NULL, a)", &[]).unwrap();
    assert_eq!(tx.execute("INSERT INTO n(b, a) SELECT b, 5 FROM x", &[]).unwrap_err().kind(), ErrorKind::Constraint);
    for sql in ["INSERT INTO n(b, a) SELECT a, b FROM x", "DROP TABLE x", "ALTER TABLE n RENAME TO x"] {
        tx.execute(sql, &[]).unwrap();
    }
    tx.finish().unwrap();
    assert_eq!(ids(&store.db, "x"), (1, vec![("b".into(), 101), ("a".into(), 102)]));
    assert_eq!(integer(&store.db, "SELECT rowid FROM x"), 2);
    assert_eq!(letters(&store.db), "SccdS");
    assert_log_is_true(&store.db);
}

#[test]
fn what_a_rebuilt_table_promises_is_what_its_new_statement_says() {
    let old =
        "CREATE TABLE x(id INTEGER PRIMARY KEY, a TEXT, b TEXT CHECK(b IN ('p','q')), c TEXT DEFAULT 'old' COLLATE NOCASE, UNIQUE(a))";
    let new = "CREATE TABLE x(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, b TEXT NOT NULL CHECK(b IN ('p','q','r')) DEFAULT 'p', \
               renamed TEXT COLLATE RTRIM REFERENCES parent(k) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, \
               size INTEGER AS (length(renamed)) STORED, made TEXT DEFAULT (lower('Q')), CHECK(length(b) < 9), UNIQUE(b, renamed)) STRICT";
    let (parent, child) =
        ("CREATE TABLE parent(k TEXT PRIMARY KEY)", "CREATE TABLE child(x REFERENCES x ON DELETE CASCADE, u TEXT UNIQUE)");
    let indexes = ["CREATE UNIQUE INDEX x_some ON x(renamed DESC, lower(b)) WHERE b <> 'q'", "CREATE INDEX x_b ON x(b)"];
    let rebuild = format!(
        "{}; INSERT INTO n(id, b, renamed) SELECT id, coalesce(b, 'p'), c FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x; {}; {}",
        new.replace("TABLE x(", "TABLE n("),
        indexes[0],
        indexes[1]
    );
    for rows in ["INSERT INTO x(id, a, b, c) VALUES(3,'1','q',NULL),(7,'2',NULL,NULL)", "SELECT 1"] {
        let setup = [parent, old, child, rows];
        let (changed, _, _) = rebuilt(&setup, &rebuild);
        let fresh = store();
        script(&fresh.db, &[parent, new, child, indexes[0], indexes[1]]);
        let (changed, fresh) = (changed.db.schema(), fresh.db.schema());
        for table in ["parent", "x", "child"] {
            let (is, wanted) = (changed.table(table).unwrap(), fresh.table(table).unwrap());
            assert_eq!(is.facts, wanted.facts, "{table}");
            assert!(is.facts.is_some());
            assert_eq!((is.without_rowid, &is.primary_key), (wanted.without_rowid, &wanted.primary_key), "{table}");
        }
        let ids: Vec<(&str, i32)> = changed.table("x").unwrap().columns.iter().map(|c| (c.name.as_str(), c.id.0)).collect();
        assert_eq!(ids, [("id", 101), ("b", 103), ("renamed", 104), ("size", 105), ("made", 106)]);
        assert_eq!(changed.table("x").unwrap().next_column_id.0, 107);
    }
}

#[test]
fn a_literal_that_a_copy_gives_a_new_column_is_its_default_for_rows_of_before_with_or_without_rows() {
    let mut schemas = Vec::new();
    for rows in ["INSERT INTO x VALUES(1),(2)", "SELECT 1"] {
        let (store, letters, report) = rebuilt(
            &["CREATE TABLE x(id INTEGER PRIMARY KEY)", rows],
            "CREATE TABLE n(id INTEGER PRIMARY KEY, t TEXT NOT NULL, i INTEGER NOT NULL, r REAL, b BLOB, q NOT NULL, z INTEGER); \
             INSERT INTO n SELECT id, 12, '7', -3, x'00ff', 'it''s', NULL FROM x; DROP TABLE x; ALTER TABLE n RENAME TO x",
        );
        assert_eq!(letters, "S", "that is no change of a row");
        let schema = store.db.schema();
        let of = |name: &str| {
            schema.table("x").unwrap().columns.iter().find(|c| c.name == name).unwrap().initial_default.as_ref().map(|c| c.to_value())
        };
        assert_eq!(of("t"), Some(Value::from("12")));
        assert_eq!((of("i"), of("r"), of("b")), (Some(Value::Integer(7)), Some(Value::Real(-3.0)), Some(Value::Blob(vec![0, 255]))));
        assert_eq!((of("q"), of("z")), (Some(Value::from("it's")), None));
        schemas.push((schema, report.plan.migrations[0].schema_after));
    }
    assert_eq!(schemas[0], schemas[1]);
}
