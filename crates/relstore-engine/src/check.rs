//! Looking at everything: pages, foreign keys, the log, the schema, and whether the log says what the tables hold.

use relstore_model::change::codec::unpack;
use relstore_model::{ErrorKind, Lsn, Result, Row, Value};

use crate::database::Database;
use crate::sqlite::Connection;
use crate::statistics::{folded, scan_hot};
use crate::{catalog, log};

/// How much of the log is looked at at once.
const LOG_BYTES: usize = 4 << 20;

/// How many findings of one kind are listed.
const FINDINGS_MAX: usize = 100;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is; stays the same from version to version.
    ///
    /// - `page`: SQLite's integrity check found damage. Restore.
    /// - `foreign_key`: a row's parent is missing. Mend the row.
    /// - `log_gap`, `log_order`, `log_bytes`: the change log lacks commits, goes back in time, or cannot be decoded. Restore.
    /// - `log_end`: a consumer or the statistics are ahead of the log: its end is lost. Restore.
    /// - `schema`: the tables are not those of the newest schema, or a version that the log needs is missing. Reconcile.
    /// - `content`: the rows of a table are not those that the log says: another program wrote to it. Reconcile.
    pub code: &'static str,
    /// The table that it is about, where it is about one.
    pub table: Option<String>,
    /// What was found.
    pub message: String,
}

impl Finding {
    fn new(code: &'static str, table: Option<&str>, message: impl Into<String>) -> Self {
        Self { code, table: table.map(str::to_owned), message: message.into() }
    }
}

impl Database {
    /// Looks at everything there is and says what is wrong with it; nothing, if all is well. It reads the whole file and the whole log, from one
    /// snapshot, and holds nobody up; tables with evicted rows are compared with the log while writers wait, and not at all by a handle that
    /// reads only.
    ///
    /// # Errors
    /// `Unavailable` if the file or evicted rows cannot be read; `Corrupt` if the damage keeps it from being looked at.
    pub fn check(&self) -> Result<Vec<Finding>> {
        let mut findings = self.with_reader(|reader| reader.in_snapshot(check))?;
        if self.is_writable() && !self.tier().is_empty() && findings.is_empty() {
            let differing = self.lock_writer()?.divergence()?;
            findings.extend(differing.iter().map(|table| content(table)));
        }
        Ok(findings)
    }
}

fn content(table: &str) -> Finding {
    Finding::new("content", Some(table), "its rows are not those that the log says: another program wrote to the store")
}

fn check(connection: &Connection) -> Result<Vec<Finding>> {
    let mut findings = pages(connection)?;
    if !findings.is_empty() {
        // What comes after would read the same damaged pages.
        return Ok(findings);
    }
    findings.extend(foreign_keys(connection)?);
    findings.extend(commits(connection)?);
    let known = catalog::newest(connection)?;
    if catalog::differs(connection, &known)? {
        findings.push(Finding::new("schema", None, "the tables are not those of the newest schema: another program changed them"));
    } else if !findings.iter().any(|f| f.code != "foreign_key") {
        let tallies = folded(connection)?;
        let cold = connection.query("/*rs*/ SELECT DISTINCT table_id FROM main._rs_cold_file", &[])?;
        let is_cold = |id: u32| cold.iter().any(|row| row.first() == Some(&Value::from(i64::from(id))));
        for table in known.tables.iter().filter(|t| !is_cold(t.id.0)) {
            let scanned = scan_hot(connection, table, tallies.lsn)?;
            if !tallies.tables.get(&table.id).is_some_and(|tally| tally.agrees(&scanned)) {
                findings.push(content(&table.name));
            }
        }
    }
    Ok(findings)
}

fn pages(connection: &Connection) -> Result<Vec<Finding>> {
    let rows = match connection.query(&format!("/*rs*/ PRAGMA main.integrity_check({FINDINGS_MAX})"), &[]) {
        // Damaged beyond listing.
        Err(e) if e.kind() == ErrorKind::Corrupt => return Ok(vec![Finding::new("page", None, e.message())]),
        rows => rows?,
    };
    Ok(rows.iter().map(|row| text(row, 0)).filter(|t| t != "ok").map(|t| Finding::new("page", None, t)).collect())
}

fn foreign_keys(connection: &Connection) -> Result<Vec<Finding>> {
    let rows = connection.query("/*rs*/ PRAGMA main.foreign_key_check", &[])?;
    let finding = |row: &Row| {
        let message = match row.get(1) {
            Some(Value::Integer(rowid)) => format!("the row with rowid {rowid} has no parent in {}", text(row, 2)),
            _ => format!("a row has no parent in {}", text(row, 2)),
        };
        Finding::new("foreign_key", Some(&text(row, 0)), message)
    };
    Ok(rows.iter().take(FINDINGS_MAX).map(finding).collect())
}

fn text(row: &Row, at: usize) -> String {
    match row.get(at) {
        Some(Value::Text(t)) => t.clone(),
        other => format!("{other:?}"),
    }
}

fn commits(connection: &Connection) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let range = log::range(connection)?;
    let newest = catalog::newest(connection)?.version;
    let mut at = Lsn::new(range.first.get().saturating_sub(1));
    let mut time = relstore_model::Timestamp::default();
    while at < range.last && findings.len() < FINDINGS_MAX {
        let found = match log::commits_after(connection, at, LOG_BYTES) {
            Ok(commits) if commits.is_empty() => Err("its end is missing".to_owned()),
            Ok(commits) => Ok(commits),
            Err(e) => Err(e.to_string()),
        };
        let commits = match found {
            Ok(commits) => commits,
            Err(what) => {
                findings.push(Finding::new("log_gap", None, format!("after LSN {at}: {what}")));
                break;
            }
        };
        for commit in commits {
            let lsn = commit.lsn_last();
            if commit.lsn_first != at.next() {
                findings.push(Finding::new("log_gap", None, format!("after LSN {at} comes {}", commit.lsn_first)));
            }
            if commit.timestamp < time {
                findings.push(Finding::new(
                    "log_order",
                    None,
                    format!("the commit that ends at LSN {lsn} is older than the one before it"),
                ));
            }
            match unpack(&commit.packed) {
                Ok(changes) if changes.len() as u64 == commit.count => {}
                Ok(changes) => {
                    let message = format!("the commit that ends at LSN {lsn} has {} changes and says {}", changes.len(), commit.count);
                    findings.push(Finding::new("log_bytes", None, message));
                }
                Err(e) => findings.push(Finding::new("log_bytes", None, format!("the commit that ends at LSN {lsn}: {e}"))),
            }
            if commit.schema_version > newest || catalog::at_version(connection, commit.schema_version).is_err() {
                let message =
                    format!("version {}, in which the commit that ends at LSN {lsn} is written, is missing", commit.schema_version);
                findings.push(Finding::new("schema", None, message));
            }
            (at, time) = (lsn, commit.timestamp);
        }
    }
    for row in log::ahead(connection, range.last)? {
        findings.push(Finding::new(
            "log_end",
            None,
            format!("{} has come to LSN {}, and the log ends at {}", text(&row, 0), text(&row, 1), range.last),
        ));
    }
    Ok(findings)
}
