//! A write that bypassed the engine is noticed before the next commit, refused to be built on, and logged by `reconcile`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod eviction_support;

use std::path::Path;
use std::sync::Arc;

use common::{Store, assert_log_is_true, letters, open, script, state, store};
use relstore_engine::sqlite::Connection;
use relstore_engine::{Database, Settings};
use relstore_model::{Change, ErrorKind, Lsn, Value};
use relstore_testkit::{ManualClock, Rng, seeds};

const DDL: &[&str] = &[
    "CREATE TABLE a(id INTEGER PRIMARY KEY, x, y TEXT)",
    "CREATE TABLE b(k TEXT, l, v, PRIMARY KEY(k, l)) WITHOUT ROWID",
    "CREATE TABLE c(x, y)",
    "INSERT INTO a VALUES(1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')",
    "INSERT INTO b VALUES('a', 1, NULL), ('b', 2, x'00')",
    "INSERT INTO c VALUES(1, 2), (1, 2), (3, 4)",
];

fn filled() -> Store {
    let s = store();
    script(&s.db, DDL);
    s
}

/// What another SQLite program does.
fn outside(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

fn lock_says(path: &Path) -> String {
    std::fs::read_to_string(path.with_file_name("store.db.lock")).unwrap()
}

fn assert_refuses(db: &Database, place: &str) {
    let lsn = db.high_water();
    let error = db.execute("INSERT INTO a(id) VALUES(1000)", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains(place) && error.hint().unwrap().contains("reconcile"), "{error:?}");
    assert_eq!(db.high_water(), lsn);
    // What is there can be read.
    db.query("SELECT * FROM a", &[]).unwrap();
}

#[test]
fn a_write_to_the_closed_store_is_noticed_and_logged() {
    let s = filled();
    let path = s.db.path().to_owned();
    drop(s.db);
    assert!(lock_says(&path).starts_with("closed "));
    outside(
        &path,
        "UPDATE a SET x=20 WHERE id=2; DELETE FROM a WHERE id=3; INSERT INTO a VALUES(4, 4, 'four'); DELETE FROM c WHERE rowid=1",
    );
    let db = open(&s.dir);
    assert_refuses(&db, "a, c");
    let report = db.reconcile().unwrap();
    let counts: Vec<_> = report.tables.iter().map(|t| (t.name.as_str(), t.created, t.updated, t.deleted, t.replaced)).collect();
    assert_eq!(counts, [("a", 1, 1, 1, false), ("c", 0, 0, 1, false)]);
    assert_eq!((report.schema_changed, report.lsn), (false, db.high_water()));
    assert!(letters(&db).ends_with("ducd"), "{}", letters(&db));
    assert_log_is_true(&db);
    db.verify().unwrap();
    script(&db, &["INSERT INTO a VALUES(5, 5, 'five')"]);
    drop(db);
    assert!(lock_says(&path).starts_with("closed "));
    let db = open(&s.dir);
    assert_eq!(db.reconcile().unwrap().tables, [], "nothing differs any more");
}

#[test]
fn a_write_beside_the_open_store_is_noticed_before_the_next_commit() {
    let s = filled();
    outside(s.db.path(), "UPDATE b SET v='foreign' WHERE k='a'");
    assert_refuses(&s.db, "b");
    assert_refuses(&s.db, "b");
    let path = s.db.path().to_owned();
    drop(s.db);
    assert_eq!(lock_says(&path), "", "what is not believed is not sealed");
    let db = open(&s.dir);
    assert_refuses(&db, "b");
    db.reconcile().unwrap();
    assert_log_is_true(&db);
    script(&db, &["DELETE FROM b"]);
    assert_log_is_true(&db);
}

#[test]
fn what_changes_no_row_is_no_divergence() {
    let s = filled();
    script(&s.db, &["DROP TABLE c"]);
    outside(s.db.path(), "ANALYZE; UPDATE a SET x=x");
    script(&s.db, &["INSERT INTO a VALUES(10, 1, '')"]);
    let path = s.db.path().to_owned();
    drop(s.db);
    outside(&path, "VACUUM");
    let db = open(&s.dir);
    script(&db, &["INSERT INTO a VALUES(11, 1, '')"]);
    drop(db);
    // A copy is looked at once, and is sealed then.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&path, copy.path().join("store.db")).unwrap();
    let db = open(&copy);
    script(&db, &["INSERT INTO a VALUES(12, 1, '')"]);
    drop(db);
    assert!(lock_says(&copy.path().join("store.db")).starts_with("closed "));
}

#[test]
fn readers_of_any_kind_raise_no_suspicion() {
    let s = filled();
    let other = Database::open_read_only(s.db.path(), Settings::default()).unwrap();
    other.query("SELECT * FROM a", &[]).unwrap();
    let plain = Connection::open(s.db.path()).unwrap();
    plain.query("SELECT * FROM a", &[]).unwrap();
    script(&s.db, &["INSERT INTO a VALUES(10, 1, '')"]);
    plain.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(plain);
    script(&s.db, &["INSERT INTO a VALUES(11, 1, '')"]);
    let path = s.db.path().to_owned();
    drop(s.db);
    assert!(lock_says(&path).starts_with("closed "));
    drop(other);
    let db = open(&s.dir);
    script(&db, &["INSERT INTO a VALUES(12, 1, '')"]);
    assert_log_is_true(&db);
}

#[test]
fn a_table_whose_life_the_log_no_longer_holds_is_logged_as_another() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || Settings { log_retained_bytes: 0, ..Settings::default() };
    let reopen = || Database::open(&dir.path().join("store.db"), settings(), Arc::new(ManualClock::new(1, 1))).unwrap();
    let db = reopen();
    script(&db, DDL);
    db.advance_cursor("consumer", db.high_water()).unwrap();
    assert!(db.trim_log().unwrap() > 0);
    let before = db.high_water();
    let id = db.schema().table("a").unwrap().id;
    let path = db.path().to_owned();
    drop(db);
    outside(&path, "DELETE FROM a WHERE id=1; UPDATE a SET x='new' WHERE id=2");
    let db = reopen();
    assert_refuses(&db, "a");
    let report = db.reconcile().unwrap();
    assert_eq!(report.tables.len(), 1);
    assert!(report.tables[0].replaced && report.tables[0].created == 2);
    let commits = db.commits_after(before, usize::MAX).unwrap();
    let logged: Vec<Change> = commits.iter().flat_map(|c| relstore_model::change::codec::unpack(&c.packed).unwrap()).collect();
    let letters: String = logged.iter().map(|c| if let Change::Row(r) = c { r.op.letter() } else { "S" }).collect();
    assert_eq!(letters, "SSrr");
    let Change::Schema(end) = &logged[0] else { panic!() };
    assert!(end.schema.by_name("a").is_none());
    assert!(db.schema().table("a").unwrap().id > id);
    assert_eq!(state(&db)["a"].len(), 2);
    script(&db, &["INSERT INTO a VALUES(9, 9, 'nine')"]);
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(db.table_statistics("a").unwrap().rows, 3);
}

#[test]
fn changes_of_shape_and_rows_together_are_logged() {
    let s = filled();
    let path = s.db.path().to_owned();
    drop(s.db);
    outside(
        &path,
        "ALTER TABLE a ADD COLUMN z REAL DEFAULT 1; UPDATE a SET z=2 WHERE id=1; CREATE TABLE d(x); INSERT INTO d VALUES(1), (2);
         ALTER TABLE b RENAME COLUMN v TO w; DROP TABLE c; CREATE INDEX a_x ON a(x)",
    );
    let db = open(&s.dir);
    assert_refuses(&db, "a");
    db.reconcile().unwrap();
    assert_log_is_true(&db);
    outside(&path, "ALTER TABLE d ADD COLUMN y; INSERT INTO d VALUES(3, 4)");
    assert_refuses(&db, "schema");
    let report = db.reconcile().unwrap();
    assert!(report.schema_changed && report.tables[0].created == 1);
    assert_eq!(db.schema().table("d").unwrap().columns.len(), 2, "the handle knows of it");
    assert_log_is_true(&db);
    script(&db, &["INSERT INTO d VALUES(5, 6)"]);
}

#[test]
fn evicted_rows_are_no_divergence_and_come_back_where_their_table_has_diverged() {
    let t = eviction_support::tiered(&["CREATE TABLE a(id INTEGER PRIMARY KEY, x, y)", "CREATE TABLE e(id INTEGER PRIMARY KEY, x)"]);
    for i in 0..20 {
        t.run(&format!("INSERT INTO a VALUES({i}, {i}, 'x')"));
        t.run(&format!("INSERT INTO e VALUES({i}, {i})"));
    }
    assert_eq!(t.evict("a", "id<10").unwrap() + t.evict("e", "id<5").unwrap(), 15);
    outside(t.db.path(), "CREATE TABLE tmp(x); DROP TABLE tmp");
    t.run("INSERT INTO a VALUES(100, 1, '')");
    assert_eq!(t.db.check().unwrap(), []);
    assert_eq!(t.db.analyze("a").unwrap().rows, 21);
    outside(t.db.path(), "UPDATE a SET x='foreign' WHERE id=15");
    assert_refuses(&t.db, "a");
    assert_eq!(t.db.check().unwrap()[0].code, "content");
    let report = t.db.reconcile().unwrap();
    assert_eq!((report.tables.len(), report.tables[0].updated), (1, 1));
    assert_eq!((t.hot("a"), t.hot("e")), (21, 15));
    assert_log_is_true(&t.db);
}

#[test]
fn any_foreign_write_is_noticed_and_reconciled() {
    for seed in seeds(12) {
        println!("RELSTORE_SEED={seed}");
        let mut rng = Rng::new(seed);
        let Store { db, dir } = filled();
        let path = db.path().to_owned();
        let mut db = Some(db);
        for round in 0..6 {
            let own = db.take().unwrap_or_else(|| open(&dir));
            for _ in 0..rng.below(4) {
                let id = rng.below(30);
                let _ = own.execute(&format!("INSERT OR REPLACE INTO a(id, x) VALUES({id}, {})", rng.below(9)), &[]);
                let _ = own.execute(&format!("UPDATE b SET v={id} WHERE l=1"), &[]);
                let _ = own.execute(&format!("INSERT INTO c(x) VALUES({id})"), &[]);
            }
            let (before, version) = (state(&own), own.schema().version);
            let beside = Some(own).filter(|_| rng.one_in(2));
            for _ in 0..1 + rng.below(3) {
                let n = rng.below(30);
                let sql = match rng.below(11) {
                    0 => format!("INSERT OR REPLACE INTO a(id, x) VALUES({n}, 'f')"),
                    1 => format!("UPDATE a SET id=id+{n} WHERE id=(SELECT max(id) FROM a)"),
                    2 => format!("DELETE FROM a WHERE id%5={}", n % 5),
                    3 => format!("INSERT OR REPLACE INTO b VALUES('f', {n}, {n})"),
                    4 => "UPDATE b SET v=v||'f'".to_owned(),
                    5 => format!("DELETE FROM c WHERE rowid%3={}", n % 3),
                    6 => format!("INSERT INTO c(x, y) VALUES({n}, 1.5), (NULL, 'f')"),
                    7 => format!("ALTER TABLE a ADD COLUMN n{round}_{n} INT DEFAULT '7'"),
                    8 => format!("CREATE TABLE d{round}_{n} AS SELECT * FROM a"),
                    9 => "VACUUM".to_owned(),
                    _ => "DELETE FROM b; INSERT INTO b VALUES('a', 1, NULL)".to_owned(),
                };
                let _ = Connection::open(&path).unwrap().execute_batch(&sql);
            }
            let own = beside.unwrap_or_else(|| open(&dir));
            if own.verify().is_ok() {
                // A change of shape alone is recorded when the store is opened.
                if own.schema().version == version {
                    assert_eq!(state(&own), before, "seed {seed} round {round}: not noticed");
                }
            } else {
                own.reconcile().unwrap();
            }
            assert_log_is_true(&own);
            own.verify().unwrap();
            assert_eq!(own.check().unwrap(), [], "seed {seed} round {round}");
            db = Some(own);
        }
    }
}

#[test]
fn an_analysis_does_not_take_a_foreign_write_for_the_logs() {
    let s = filled();
    outside(s.db.path(), "DELETE FROM a WHERE id=1");
    assert_eq!(s.db.analyze("a").unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(s.db.table_statistics("a").unwrap().rows, 3, "as the log has it");
    assert_refuses(&s.db, "a");
    s.db.reconcile().unwrap();
    assert_eq!(s.db.analyze("a").unwrap().rows, 2);
}

/// The files as a crash leaves them: copied while the store is open.
fn crashed(s: &Store) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal", "store.db.lock"] {
        std::fs::copy(s.dir.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn after_a_crash_the_store_is_looked_at_and_goes_on() {
    let s = filled();
    let copy = crashed(&s);
    assert_eq!(lock_says(&copy.path().join("store.db")), std::process::id().to_string());
    let db = open(&copy);
    assert_eq!(db.high_water(), s.db.high_water());
    script(&db, &["INSERT INTO a VALUES(12, 1, '')"]);
    assert_log_is_true(&db);
    // A write of another program between the crash and the next open.
    let copy = crashed(&s);
    outside(&copy.path().join("store.db"), "DELETE FROM a");
    assert_refuses(&open(&copy), "a");
}

#[test]
fn damage_after_a_crash_is_named_with_the_way_out() {
    let cases: &[(&str, &str, &str)] = &[
        ("DELETE FROM _rs_log WHERE lsn=2", "gap", "log_gap"),
        ("INSERT INTO _rs_cursor(name, lsn) VALUES('pump', 10000)", "end of the change log is lost", "log_end"),
        ("UPDATE _rs_log SET body=x'ff' WHERE lsn=(SELECT max(lsn) FROM _rs_log)", "packed changes", "log_bytes"),
    ];
    for (damage, message, code) in cases {
        let s = filled();
        let copy = crashed(&s);
        outside(&copy.path().join("store.db"), damage);
        let again = || Database::open(&copy.path().join("store.db"), Settings::default(), Arc::new(ManualClock::new(1, 1)));
        drop(again());
        // It is found each time, until it is mended.
        let error = again().err().unwrap_or_else(|| panic!("{damage}"));
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(message) && error.to_string().contains("not_closed_by"), "{error:?}");
        assert!(error.hint().unwrap().contains("restore"), "{error:?}");
        let reader = Database::open_read_only(&copy.path().join("store.db"), Settings::default()).unwrap();
        let findings = reader.check().unwrap();
        assert!(findings.iter().any(|f| f.code == *code), "{damage}: {findings:?}");
    }
}

#[test]
fn a_damaged_page_is_found_after_a_crash_and_by_check() {
    let s = filled();
    for i in 0..2000 {
        s.db.execute("INSERT INTO c VALUES(?, 'some text that fills pages')", &[Value::Integer(i)]).unwrap();
    }
    script(&s.db, &["CREATE INDEX c_x ON c(x)"]);
    let path = s.db.path().to_owned();
    assert_eq!(s.db.check().unwrap(), []);
    drop(s.db);
    let plain = Connection::open(&path).unwrap();
    let Value::Integer(root) = plain.query("SELECT rootpage FROM sqlite_schema WHERE name='c_x'", &[]).unwrap()[0][0] else { panic!() };
    drop(plain);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (root as usize - 1) * 4096;
    bytes[at + 200..at + 3000].fill(0x5a);
    bytes[at] = 0xff;
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(path.with_file_name("store.db.lock"), "4711").unwrap();
    let error = Database::open(&path, Settings::default(), Arc::new(ManualClock::new(1, 1))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.to_string().contains("process 4711"), "{error:?}");
    let reader = Database::open_read_only(&path, Settings::default()).unwrap();
    let findings = reader.check();
    assert!(findings.as_ref().is_ok_and(|f| f[0].code == "page"), "{findings:?}");
}

#[test]
fn check_finds_orphans() {
    let s = filled();
    script(&s.db, &["CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE q(id INTEGER PRIMARY KEY, p REFERENCES p(id))"]);
    script(&s.db, &["INSERT INTO p VALUES(1)", "INSERT INTO q VALUES(1, 1)"]);
    outside(s.db.path(), "PRAGMA foreign_keys=OFF; DELETE FROM p");
    let codes: Vec<_> = s.db.check().unwrap().into_iter().map(|f| (f.code, f.table.unwrap())).collect();
    assert_eq!(codes, [("foreign_key", "q".to_owned()), ("content", "p".to_owned())]);
    assert_eq!(s.db.log_range().unwrap().first, Lsn::new(1));
}
