//! Transactions that are applied once, however often they are asked for.
//!
//! A caller that does not know whether a transaction came through (it timed out, the connection broke, the process died) asks again with the
//! id that it gave. The id and what the transaction gave are kept in the hot file, written in the transaction itself, so they are there if
//! and only if it was committed.

use std::time::Duration;

use relstore_model::{Error, Lsn, Result, Timestamp, TxId, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Database;
use crate::transaction::Transaction;
use crate::writer::Writer;

/// What a transaction with an id gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once<T> {
    /// What its body gave, when it was applied.
    pub value: T,
    /// The position of its last change; of the last change before it, if it changed nothing.
    pub lsn: Lsn,
    /// Whether it had been applied before, and nothing was done now.
    pub is_repeat: bool,
}

impl Database {
    /// Runs `body` in a write transaction that has the id `txid`, unless one of that id was committed before: then nothing is done, and what
    /// that one gave is given again. The events of the transaction carry the id. A transaction that fails leaves nothing, and may be tried
    /// again under its id.
    ///
    /// The outcome is kept for [`crate::Settings::txid_retention`] after the commit; an id that comes later is a new one.
    ///
    /// # Errors
    /// As [`Database::transaction`]; `Invalid` if the outcome is not of the type `T` that is asked for now, or cannot be kept as JSON.
    pub fn transaction_once<T, E>(&self, txid: &TxId, body: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<Once<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Error>,
    {
        let retention = self.settings().txid_retention;
        self.write_as(Some(txid), |writer| {
            if let Some((lsn, outcome)) = find(writer, txid, retention)? {
                let value = serde_json::from_str(&outcome).map_err(|e| {
                    Error::invalid("the transaction of this id gave something of another type")
                        .with("txid", txid)
                        .with("lsn", lsn)
                        .with_hint("give each kind of transaction ids of its own")
                        .with_source(e)
                })?;
                return Ok(Once { value, lsn, is_repeat: true });
            }
            let value = body(&Transaction::new(writer))?;
            let lsn = writer.last_lsn().plus(writer.capture().count());
            let outcome = serde_json::to_string(&value)
                .map_err(|e| Error::invalid("what the transaction gave cannot be kept as JSON").with("txid", txid).with_source(e))?;
            keep(writer, txid, lsn, outcome, retention)?;
            Ok(Once { value, lsn, is_repeat: false })
        })
    }
}

/// Before this, an outcome is no longer kept.
fn oldest(writer: &Writer, retention: Duration) -> i64 {
    let micros = i64::try_from(retention.as_micros()).unwrap_or(i64::MAX);
    writer.now().micros().saturating_sub(micros)
}

fn find(writer: &Writer, txid: &TxId, retention: Duration) -> Result<Option<(Lsn, String)>> {
    const FIND: &str = "/*rs*/ SELECT lsn, outcome FROM main._rs_outcome WHERE txid=? AND ts>=?";
    let params = [Value::from(txid.as_str()), Value::Integer(oldest(writer, retention))];
    let rows = writer.internally(|c| c.query(FIND, &params))?;
    match rows.into_iter().next().as_deref() {
        Some([Value::Integer(lsn), Value::Text(outcome)]) => Ok(Some((Lsn::from_i64(*lsn)?, outcome.clone()))),
        _ => Ok(None),
    }
}

fn keep(writer: &Writer, txid: &TxId, lsn: Lsn, outcome: String, retention: Duration) -> Result<()> {
    const KEEP: &str = "/*rs*/ INSERT OR REPLACE INTO main._rs_outcome(txid, lsn, ts, outcome) VALUES(?, ?, ?, ?)";
    // A few at a time: more than come, so they do not gather, and no transaction pays for all.
    const FORGET: &str =
        "/*rs*/ DELETE FROM main._rs_outcome WHERE rowid IN (SELECT rowid FROM main._rs_outcome WHERE ts<? ORDER BY ts LIMIT 4)";
    let now: Timestamp = writer.now();
    let params = [Value::from(txid.as_str()), Value::Integer(lsn.as_i64()), Value::Integer(now.micros()), Value::Text(outcome)];
    writer.internally(|c| {
        c.execute(KEEP, &params)?;
        c.execute(FORGET, &[Value::Integer(oldest(writer, retention))]).map(|_| ())
    })
}
