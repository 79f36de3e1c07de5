//! The change log as it lies in the hot file: its range, and reading commits back.

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
    /// How many bytes of packed changes it holds, and of which.
    pub extent: Extent,
}

/// Bytes of packed changes, counted over the store's life: those before `start` are gone, those before `end` were committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many bytes were trimmed.
    pub start: u64,
    /// How many bytes were ever committed.
    pub end: u64,
}

impl Extent {
    /// How many bytes the log holds.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The range that the log holds. Two looks at the ends of the table, whatever lies between.
pub(crate) fn range(connection: &Connection) -> Result<LogRange> {
    const OLDEST: &str = "/*rs*/ SELECT lsn-count+1, offset FROM main._rs_log ORDER BY lsn LIMIT 1";
    const NEWEST: &str = "/*rs*/ SELECT lsn, ts, offset+length(body) FROM main._rs_log ORDER BY lsn DESC LIMIT 1";
    let oldest = connection.query(OLDEST, &[])?;
    let newest = connection.query(NEWEST, &[])?;
    Ok(LogRange {
        first: lsn_at(oldest.first(), 0)?,
        last: lsn_at(newest.first(), 0)?,
        timestamp: match newest.first().and_then(|r| r.get(1)) {
            Some(Value::Integer(micros)) => Timestamp::from_micros(*micros),
            _ => Timestamp::default(),
        },
        extent: Extent { start: number_at(oldest.first(), 1), end: number_at(newest.first(), 2) },
    })
}

fn number_at(row: Option<&Row>, column: usize) -> u64 {
    match row.and_then(|r| r.get(column)) {
        Some(Value::Integer(n)) => n.unsigned_abs(),
        _ => 0,
    }
}

pub(crate) fn lsn_at(row: Option<&Row>, column: usize) -> Result<Lsn> {
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

/// Who has come further than `last`, and where to, as text: nobody, unless the end of the log is lost.
pub(crate) fn ahead(connection: &Connection, last: Lsn) -> Result<Vec<Row>> {
    const AHEAD: &str = "/*rs*/ SELECT name, CAST(lsn AS TEXT) FROM main._rs_cursor WHERE lsn > ?1 \
        UNION ALL SELECT key, CAST(value AS TEXT) FROM main._rs_meta WHERE key='statistics_lsn' AND value > ?1";
    connection.query(AHEAD, &[Value::Integer(last.as_i64())])
}

/// How far the statistics have taken in the log.
pub(crate) fn statistics_lsn(connection: &Connection) -> Result<Lsn> {
    lsn_at(connection.query("/*rs*/ SELECT value FROM main._rs_meta WHERE key='statistics_lsn'", &[])?.first(), 0)
}
