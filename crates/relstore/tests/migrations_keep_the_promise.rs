//! Migrations through the façade: checked by what the store promises, applied to fleets, seen by history and restore.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use relstore::engine::Compatibility;
use relstore::engine::migration::{InlineMigration, InlineOutcome, MigrationFolder};
use relstore::model::evolution::{ConstraintPolicy, Mode, Profile};
use relstore::model::{ErrorKind, Lsn, Namespace, Value};
use relstore::{At, Fleet, FleetMigrateOptions, MigrateOptions, RelationalStore, StoreMigration};
use tempfile::TempDir;

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn ns(name: &str) -> Namespace {
    Namespace::new(name).expect("a plain name")
}

fn folder(dir: &Path, files: &[(&str, &str)]) -> MigrationFolder {
    let path = dir.join("migrations");
    std::fs::create_dir_all(&path).expect("a folder can be made");
    for (name, sql) in files {
        std::fs::write(path.join(name), sql).expect("a file can be written");
    }
    MigrationFolder::read(&path).expect("a folder of migrations")
}

fn rows(store: &RelationalStore, sql: &str) -> Vec<Vec<Value>> {
    store.sql(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}")).rows
}

async fn fleet(dir: &Path) -> Fleet {
    Fleet::create(&dir.join("data")).await.expect("an installation can be made")
}

const USERS: &str = "CREATE TABLE users(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, age INTEGER)";

#[tokio::test]
async fn the_mode_holds_for_folders_and_inline_migrations_and_a_refusal_changes_nothing() {
    let dir = temporary();
    let fleet = fleet(dir.path()).await;
    let store = fleet.store(&ns("acme")).expect("a store");
    store.sql(USERS, &[]).expect("a table");
    store.set_compatibility(Compatibility { mode: Some(Mode::Forward), constraints: ConstraintPolicy::Warn }).expect("chosen");
    let before = (store.database().schema(), store.high_water());
    // FORWARD: a required column may not go, since an old reader asks for it.
    let rename = folder(dir.path(), &[("0001_rename.sql", "ALTER TABLE users RENAME COLUMN name TO full_name")]);
    let error = store.apply_migrations(&rename, &MigrateOptions::default(), None).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
    let inline = InlineMigration::new(1, |tx| tx.execute("ALTER TABLE users RENAME COLUMN name TO full_name", &[]).map(|_| ()));
    assert_eq!(store.migrate(&inline).expect_err("refused").kind(), ErrorKind::Incompatible);
    assert_eq!((store.database().schema(), store.high_water()), before);
    assert!(store.migrations().expect("the history").is_empty());
    // A dry run tells the verdict instead.
    let planned = store.apply_migrations(&rename, &MigrateOptions { dry_run: true, ..MigrateOptions::default() }, None).expect("a plan");
    assert!(planned.compatibility.is_some_and(|c| !c.ok()) && planned.run.applied.is_empty());
    store.set_compatibility(Compatibility { mode: Some(Mode::None), ..Compatibility::default() }).expect("chosen");
    store.apply_migrations(&rename, &MigrateOptions::default(), None).expect("NONE refuses nothing");
    let inline = InlineMigration::new(1, |tx| tx.execute("ALTER TABLE users ADD COLUMN note TEXT", &[]).map(|_| ()))
        .with_down(|tx| tx.execute("ALTER TABLE users DROP COLUMN note", &[]).map(|_| ()));
    assert!(matches!(store.migrate(&inline).expect("applied"), InlineOutcome::Applied(_)));
    store.roll_back(&inline).expect("taken back");
    assert!(store.database().schema().table("users").expect("a table").column("note").is_err());
    // It is the store's own, and outlives the handle.
    drop((store, fleet));
    let fleet = Fleet::open(&dir.path().join("data")).await.expect("opened again");
    assert_eq!(fleet.read_store(&ns("acme")).expect("a store").compatibility().expect("kept").mode, Some(Mode::None));
}

#[tokio::test]
async fn once_history_is_archived_types_are_promoted_as_iceberg_does_against_every_version() {
    let dir = temporary();
    let fleet = fleet(dir.path()).await;
    let store = fleet.store(&ns("acme")).expect("a store");
    store.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT4)", &[]).expect("a table");
    store.sql("INSERT INTO t VALUES(1, 5)", &[]).expect("a row");
    let to_real =
        "CREATE TABLE n(id INTEGER PRIMARY KEY, n REAL); INSERT INTO n SELECT id, n FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t";
    let real = folder(dir.path(), &[("0001_real.sql", to_real)]);
    assert_eq!(store.profile().expect("a profile"), Profile::Records);
    let plan = MigrateOptions { dry_run: true, ..MigrateOptions::default() };
    let verdict = store.apply_migrations(&real, &plan, None).expect("a plan").compatibility.expect("a verdict");
    assert!(verdict.ok() && verdict.mode == Mode::Backward, "{verdict:?}");
    fleet.archive().await.expect("archived");
    assert_eq!(store.profile().expect("a profile"), Profile::Iceberg);
    let verdict = store.apply_migrations(&real, &plan, None).expect("a plan").compatibility.expect("a verdict");
    assert!(!verdict.ok() && verdict.mode == Mode::BackwardTransitive, "{verdict:?}");
}

#[tokio::test]
async fn a_rebuild_is_one_change_to_history_and_both_sides_of_it_can_be_restored() {
    let dir = temporary();
    let fleet = fleet(dir.path()).await;
    let store = fleet.store(&ns("acme")).expect("a store");
    store.sql(USERS, &[]).expect("a table");
    store.sql("CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id TEXT REFERENCES users(id) ON DELETE CASCADE)", &[]).expect("a table");
    store.sql("INSERT INTO users VALUES('u1', 'Alice', 30), ('u2', 'Bob', NULL)", &[]).expect("rows");
    store.sql("INSERT INTO orders VALUES(1, 'u1'), (2, 'u2')", &[]).expect("rows");
    fleet.archive().await.expect("archived");
    let bookmark = store.high_water();
    let rebuild = folder(
        dir.path(),
        &[(
            "0001_rebuild.sql",
            "CREATE TABLE __new_users(id TEXT PRIMARY KEY NOT NULL, full_name TEXT, age INTEGER, city TEXT DEFAULT 'Bern');
             INSERT INTO __new_users(id, full_name, age) SELECT id, name, age FROM users;
             DROP TABLE users;
             ALTER TABLE __new_users RENAME TO users;",
        )],
    );
    let report = store.apply_migrations(&rebuild, &MigrateOptions::default(), None).expect("applied");
    assert_eq!(report.run.applied[0].migration.lsn_before, bookmark);
    store.sql("INSERT INTO users VALUES('u3', 'Carol', 41, 'Basel')", &[]).expect("a row");
    assert_eq!(rows(&store, "SELECT count(*) FROM orders"), [[Value::Integer(2)]], "children stay");
    fleet.archive().await.expect("archived");
    let now = fleet.query("SELECT id, full_name, city FROM users ORDER BY id").await.expect("SQL over all stores");
    assert_eq!(now.rows.len(), 3, "{now:?}");
    assert_eq!(now.rows[2], [Value::from("u3"), Value::from("Carol"), Value::from("Basel")]);
    let versions = fleet.query("SELECT count(*) FROM history.users").await.expect("history");
    assert_eq!(versions.rows, [[Value::Integer(3)]], "the copy changed no row: two creates, and the third");
    for (at, wanted) in [(bookmark, "SELECT id, name, age FROM users ORDER BY id"), (store.high_water(), "SELECT * FROM users ORDER BY id")]
    {
        let to = dir.path().join(format!("at-{at}"));
        fleet.restore(&ns("acme"), At::Lsn(at), &to).await.expect("restored");
        let copy = Fleet::open(&to).await.expect("an installation").store(&ns("acme")).expect("a store");
        let got = rows(&copy, wanted);
        if at == bookmark {
            assert_eq!(got, [vec!["u1".into(), "Alice".into(), 30_i64.into()], vec!["u2".into(), "Bob".into(), Value::Null]]);
        } else {
            assert_eq!(got, rows(&store, wanted));
            assert_eq!(got[0], ["u1".into(), "Alice".into(), 30_i64.into(), Value::from("Bern")]);
        }
        assert_eq!(rows(&copy, "SELECT count(*) FROM orders"), [[Value::Integer(2)]]);
    }
}

const FILES: [(&str, &str); 3] = [
    ("0001_users.sql", USERS),
    ("0002_email.sql", "ALTER TABLE users ADD COLUMN email TEXT; CREATE UNIQUE INDEX users_email ON users(email);"),
    ("0003_city.sql", "ALTER TABLE users ADD COLUMN city TEXT NOT NULL DEFAULT 'Bern';"),
];

#[tokio::test]
async fn a_fleet_at_mixed_versions_comes_to_one_and_a_stopped_run_goes_on() {
    const STORES: usize = 40;
    let dir = temporary();
    let fleet = fleet(dir.path()).await;
    for count in 1..=2 {
        let part = folder(dir.path(), &FILES[..count]);
        for i in (0..STORES).filter(|i| i % 3 >= count) {
            let store = fleet.store(&ns(&format!("s{i:02}"))).expect("a store");
            store.apply_migrations(&part, &MigrateOptions::default(), None).expect("applied");
        }
    }
    // What no store had is made too.
    fleet.store(&ns("s00")).expect("a store");
    assert!(fleet.close_idle() > 0);
    let all = folder(dir.path(), &FILES);
    let total = fleet.namespaces().expect("the stores").len();
    let options = FleetMigrateOptions { threads: NonZeroUsize::new(2), ..FleetMigrateOptions::default() };
    let seen = Mutex::new(Vec::new());
    let report = fleet
        .migrate_all(&all, &options, &|progress| {
            assert_eq!(progress.total, total);
            let mut seen = seen.lock().expect("no test thread panicked");
            seen.push(progress.done);
            progress.done < 5
        })
        .expect("the stores can be listed");
    let reached = report.count(|s| !matches!(s, StoreMigration::NotReached));
    assert!((5..8).contains(&reached) && !report.is_complete(), "{reached} of {total}");
    let report = fleet.migrate_all(&all, &options, &|_| true).expect("the stores can be listed");
    assert!(report.is_complete());
    assert_eq!(report.count(|s| matches!(s, StoreMigration::Current)), reached, "those of the first run");
    for ns in fleet.namespaces().expect("the stores") {
        let store = fleet.read_store(&ns).expect("a store");
        let table = store.database().schema();
        let columns: Vec<&str> = table.table("users").expect("a table").columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(columns, ["id", "name", "age", "email", "city"], "{ns}");
        assert_eq!(store.migrations().expect("the history").len(), 3);
    }
}

#[tokio::test]
async fn a_store_that_is_behind_is_migrated_when_it_is_opened() {
    let dir = temporary();
    let path: PathBuf = {
        let fleet = fleet(dir.path()).await;
        fleet.store(&ns("acme")).expect("a store").sql(USERS, &[]).expect("a table");
        fleet.dir().to_owned()
    };
    let more = folder(dir.path(), &[("0001_email.sql", "ALTER TABLE users ADD COLUMN email TEXT")]);
    let fleet = Fleet::open(&path).await.expect("an installation").migrate_on_open(more, MigrateOptions::default());
    let store = fleet.store(&ns("acme")).expect("a store");
    assert!(store.database().schema().table("users").expect("a table").column("email").is_ok());
    drop((store, fleet));
    // One that cannot be migrated is not opened, and stays as it was.
    let bad = folder(dir.path(), &[("0001_email.sql", "ALTER TABLE users ADD COLUMN email TEXT"), ("0002_bad.sql", "DROP TABLE users")]);
    let fleet = Fleet::open(&path).await.expect("an installation").migrate_on_open(bad, MigrateOptions::default());
    assert_eq!(fleet.store(&ns("acme")).err().map(|e| e.kind()), Some(ErrorKind::Invalid));
    assert!(fleet.read_store(&ns("acme")).expect("a store").high_water() > Lsn::ZERO);
}
