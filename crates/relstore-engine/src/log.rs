//! The change log as it lies in the hot file: reading commits back, cursors, and how much of it stays.

use relstore_model::{Commit, Error, Lsn, Result, Row, Timestamp, TxId, Value};

use crate::sqlite::{Connection, cell, from_sqlite};

/// What is in the log now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRange {
    /// The oldest change that can still be read; [`Lsn::ZERO`] if the log is empty.
    pub first: Lsn,
    /// The newest change, which stays known when its log row is gone: the high-water mark.
    pub last: Lsn,
    /// The time of the newest commit.
    pub timestamp: Timestamp,
}

/// The range that the log holds.
pub(crate) fn range(connection: &Connection) -> Result<LogRange> {
    const OLDEST: &str = "/*rs*/ SELECT lsn-count+1 FROM main._rs_log ORDER BY lsn LIMIT 1";
    const NEWEST: &str = "/*rs*/ SELECT lsn, ts FROM main._rs_log ORDER BY lsn DESC LIMIT 1";
    let oldest = connection.query(OLDEST, &[])?;
    let newest = connection.query(NEWEST, &[])?;
    Ok(LogRange {
        first: lsn_at(oldest.first(), 0)?,
        last: lsn_at(newest.first(), 0)?,
        timestamp: match newest.first().and_then(|r| r.get(1)) {
            Some(Value::Integer(micros)) => Timestamp::from_micros(*micros),
            _ => Timestamp::default(),
        },
    })
}

fn lsn_at(row: Option<&Row>, column: usize) -> Result<Lsn> {
    match row.and_then(|r| r.get(column)) {
        Some(Value::Integer(n)) => Lsn::from_i64(*n),
        _ => Ok(Lsn::ZERO),
    }
}

/// The commits that lie wholly after `after`, in order, until they hold `bytes_max` bytes of changes: one commit at least, if there is
/// one. A position inside a commit gives the commits after it.
pub(crate) fn commits_after(connection: &Connection, after: Lsn, bytes_max: usize) -> Result<Vec<Commit>> {
    const COMMITS: &str =
        "/*rs*/ SELECT lsn, count, ts, schema_version, txid, body FROM main._rs_log WHERE lsn > ?1 AND lsn-count >= ?1 ORDER BY lsn";
    let read = || {
        let mut statement = connection.inner.prepare_cached(COMMITS)?;
        let mut rows = statement.query([after.as_i64()])?;
        let mut out: Vec<Commit> = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let (lsn, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            let packed = match cell(row.get_ref(5)?) {
                relstore_model::ValueRef::Blob(b) => b.to_vec(),
                _ => Vec::new(),
            };
            bytes += packed.len();
            out.push(Commit {
                lsn_first: Lsn::new((lsn - count + 1) as u64),
                count: count as u64,
                timestamp: Timestamp::from_micros(row.get(2)?),
                schema_version: row.get(3)?,
                txid: row.get::<_, Option<String>>(4)?.and_then(|text| TxId::new(text).ok()),
                packed,
            });
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(out)
    };
    let commits: Vec<Commit> = read().map_err(|e| from_sqlite(&e, COMMITS))?;
    check_gapless(&commits)?;
    Ok(commits)
}

/// LSNs have no gap: a missing log row is damage, and must not become missing history.
fn check_gapless(commits: &[Commit]) -> Result<()> {
    let is_commit = |c: &&Commit| (1..=Lsn::MAX.get()).contains(&c.count) && (1..=Lsn::MAX.get()).contains(&c.lsn_first.get());
    if let Some(row) = commits.iter().find(|c| !is_commit(c)) {
        return Err(Error::corrupt("the change log has a row that is no commit").with("lsn_first", row.lsn_first).with("count", row.count));
    }
    for pair in commits.windows(2) {
        if pair[0].lsn_last().next() != pair[1].lsn_first {
            return Err(Error::corrupt("the change log has a gap").with("after", pair[0].lsn_last()).with("before", pair[1].lsn_first));
        }
    }
    Ok(())
}

/// Where the consumer `name` stands: everything up to here is done. [`Lsn::ZERO`] for a new one.
pub(crate) fn cursor(connection: &Connection, name: &str) -> Result<Lsn> {
    lsn_at(connection.query("/*rs*/ SELECT lsn FROM main._rs_cursor WHERE name=?", &[Value::from(name)])?.first(), 0)
}

/// All cursors, by name.
pub(crate) fn cursors(connection: &Connection) -> Result<Vec<(String, Lsn)>> {
    let rows = connection.query("/*rs*/ SELECT name, lsn FROM main._rs_cursor ORDER BY name", &[])?;
    rows.iter()
        .map(|row| match row.first() {
            Some(Value::Text(name)) => Ok((name.clone(), lsn_at(Some(row), 1)?)),
            _ => Err(Error::corrupt("a cursor without a name")),
        })
        .collect()
}

/// Moves a cursor forward; a position behind it is left alone.
pub(crate) fn advance_cursor(connection: &Connection, name: &str, to: Lsn) -> Result<()> {
    const ADVANCE: &str = "/*rs*/ INSERT INTO main._rs_cursor(name, lsn) VALUES(?, ?) \
        ON CONFLICT(name) DO UPDATE SET lsn=max(lsn, excluded.lsn)";
    connection.execute(ADVANCE, &[Value::from(name), Value::Integer(to.as_i64())]).map(|_| ())
}

/// Who has come further than `last`, and where to, as text: nobody, unless the end of the log is lost.
pub(crate) fn ahead(connection: &Connection, last: Lsn) -> Result<Vec<Row>> {
    const AHEAD: &str = "/*rs*/ SELECT name, CAST(lsn AS TEXT) FROM main._rs_cursor WHERE lsn > ?1 \
        UNION ALL SELECT key, CAST(value AS TEXT) FROM main._rs_meta WHERE key='statistics_lsn' AND value > ?1";
    connection.query(AHEAD, &[Value::Integer(last.as_i64())])
}

/// Deletes what every cursor has passed and the statistics have taken in, except the newest `retained_bytes` of it; the last commit always stays, because it is the
/// high-water mark. Gives how many commits went.
pub(crate) fn trim(connection: &Connection, retained_bytes: u64) -> Result<u64> {
    const TRIM: &str = "/*rs*/ DELETE FROM main._rs_log WHERE lsn < ifnull((SELECT min(lsn) FROM main._rs_cursor), 0) + 1 \
        AND lsn <= ifnull((SELECT value FROM main._rs_meta WHERE key='statistics_lsn'), 0) \
        AND lsn < (SELECT max(lsn) FROM main._rs_log) \
        AND lsn <= ifnull((SELECT max(lsn) FROM (SELECT lsn, sum(length(body)) OVER (ORDER BY lsn DESC) AS newer FROM main._rs_log) \
            WHERE newer > ?), -1)";
    connection.execute(TRIM, &[Value::Integer(i64::try_from(retained_bytes).unwrap_or(i64::MAX))])
}
