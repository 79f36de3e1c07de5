//! A transaction that was given an id is applied once, however often and wherever it is asked for again.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{assert_log_is_true, open, script, store};
use relstore_engine::{Database, Settings, Transaction};
use relstore_model::{Error, ErrorKind, Lsn, TxId, Value};
use relstore_testkit::ManualClock;

fn pay(tx: &Transaction<'_>, amount: i64) -> Result<i64, Error> {
    tx.execute("UPDATE account SET balance=balance-?", &[Value::Integer(amount)])?;
    match tx.execute("SELECT balance FROM account", &[])?.rows[0][0] {
        Value::Integer(balance) if balance >= 0 => Ok(balance),
        _ => Err(Error::invalid("not enough")),
    }
}

#[test]
fn the_same_id_again_gives_the_first_outcome() {
    let s = store();
    script(&s.db, &["CREATE TABLE account(balance INTEGER)", "INSERT INTO account VALUES(100)"]);
    let id = TxId::new("order-1").unwrap();
    let first = s.db.transaction_once(&id, |tx| pay(tx, 30)).unwrap();
    assert_eq!((first.value, first.is_repeat, first.lsn), (70, false, s.db.high_water()));
    let again = s.db.transaction_once(&id, |_| -> Result<i64, Error> { panic!("applied twice") }).unwrap();
    assert_eq!((again.value, again.is_repeat, again.lsn), (70, true, first.lsn));
    // One that failed left nothing, its id neither.
    let other = TxId::new("order-2").unwrap();
    assert_eq!(s.db.transaction_once(&other, |tx| pay(tx, 1000)).unwrap_err().message(), "not enough");
    assert!(!s.db.transaction_once(&other, |tx| pay(tx, 20)).unwrap().is_repeat);
    // The commit carries the id; one without has one that is derived.
    let commits = s.db.commits_after(Lsn::ZERO, usize::MAX).unwrap();
    let ids: Vec<_> = commits.iter().map(|c| c.txid.as_ref().map(TxId::as_str)).collect();
    assert_eq!(ids, [None, None, Some("order-1"), Some("order-2")]);
    assert_log_is_true(&s.db);
    // It is lasting, and what it gives must be what is asked for.
    let dir = s.dir;
    drop(s.db);
    let db = open(&dir);
    assert!(db.transaction_once(&id, |tx| pay(tx, 30)).unwrap().is_repeat);
    let error = db.transaction_once(&id, |_| Ok::<Vec<String>, Error>(Vec::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_outcome_is_kept_as_long_as_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(0, 0));
    let settings = Settings { txid_retention: Duration::from_secs(60), ..Settings::default() };
    let db = Database::open(&dir.path().join("store.db"), settings, clock.clone()).unwrap();
    script(&db, &["CREATE TABLE t(x)"]);
    let run = |id: &str| {
        db.transaction_once(&TxId::new(id).unwrap(), |tx| tx.execute("INSERT INTO t VALUES(1)", &[]).map(|_| ())).unwrap().is_repeat
    };
    assert!(!run("a"));
    clock.set(60_000_000);
    assert!(run("a"));
    clock.set(60_000_001);
    assert!(!run("a"), "a new one");
    for i in 0..50 {
        assert!(!run(&format!("b{i}")));
    }
    clock.set(200_000_000);
    for i in 0..20 {
        assert!(!run(&format!("c{i}")));
    }
    let kept = db.query("SELECT count(*) FROM _rs_outcome", &[]).unwrap().rows[0][0].clone();
    assert_eq!(kept, Value::Integer(20), "old ones go, a few with each new one");
}

#[test]
fn an_id_is_a_short_text() {
    for wrong in ["", "a\nb", &"x".repeat(129)] {
        assert_eq!(TxId::new(wrong).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(TxId::new("01J9Z3").unwrap().to_string(), "01J9Z3");
}
