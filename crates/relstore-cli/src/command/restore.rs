//! `relstore restore`: a store as it was, in a new installation.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use relstore::model::{Clock as _, Error, ErrorKind, Namespace, Result, Timestamp};
use relstore::{At, Fleet, Restore, RestoreReport, SystemClock};
use serde_json::json;

use crate::cli::RestoreArguments;
use crate::failure::Outcome;
use crate::output::number::{counted, grouped, rate, took};
use crate::output::table::Table;

pub(crate) async fn run(arguments: RestoreArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let at: At = arguments.at.parse()?;
    let fleet = Fleet::open(&arguments.dir).await?;
    check_past(at)?;
    let mut out = super::stdout();
    if arguments.dry_run {
        check_free(&arguments.to)?;
        let plan = fleet.plan_restore(&ns, at).await?;
        tell_plan(&mut out, &ns, &plan, &arguments)?;
    } else {
        let started = Instant::now();
        let report = fleet.restore(&ns, at, &arguments.to).await?;
        tell(&mut out, &report, started.elapsed(), &arguments)?;
    }
    out.flush()?;
    Ok(())
}

/// Refuses a moment that is yet to come: nobody knows what the store will be then.
fn check_past(at: At) -> Result<()> {
    let now = SystemClock.now();
    match at {
        At::Time(time) if time > now => Err(Error::invalid("outside the history of the store: that time is yet to come")
            .with("at", time)
            .with("now", now)
            .with_hint("give a time up to now, or a position: relstore stores shows the last one")),
        At::Time(_) | At::Lsn(_) => Ok(()),
    }
}

/// A rehearsal refuses what the restore would refuse.
fn check_free(to: &Path) -> Result<()> {
    let is_taken = std::fs::read_dir(to).map_or(to.exists(), |mut entries| entries.next().is_some());
    if !is_taken {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Conflict, "the folder to restore into is not empty");
    Err(error.with("to", to.display()).with_hint("give a new folder"))
}

fn tell_plan(out: &mut impl Write, ns: &Namespace, plan: &Restore, arguments: &RestoreArguments) -> std::io::Result<()> {
    let tables: Vec<&str> = plan.schema().tables.iter().map(|table| table.name.as_str()).collect();
    if arguments.json {
        let (lsn, timestamp, to) = (plan.lsn(), plan.timestamp(), &arguments.to);
        return document(out, &json!({"ns": ns, "lsn": lsn, "timestamp": timestamp, "to": to, "dry_run": true, "tables": tables}));
    }
    writeln!(out, "{} would be restored into {}", moment(ns, plan.lsn().get(), plan.timestamp()), arguments.to.display())?;
    writeln!(out, "Tables: {}. Nothing was written.", if tables.is_empty() { "none".to_owned() } else { tables.join(", ") })
}

fn tell(out: &mut impl Write, report: &RestoreReport, time: Duration, arguments: &RestoreArguments) -> std::io::Result<()> {
    if arguments.json {
        let (ns, lsn, timestamp, to) = (&report.ns, report.lsn, report.timestamp, &arguments.to);
        let (tables, rows, seconds) = (&report.tables, report.rows, time.as_secs_f64());
        let report = json!({"ns": ns, "lsn": lsn, "timestamp": timestamp, "to": to, "dry_run": false, "tables": tables, "rows": rows, "seconds": seconds});
        return document(out, &report);
    }
    writeln!(out, "{} is restored into {}", moment(&report.ns, report.lsn.get(), report.timestamp), arguments.to.display())?;
    let mut table = Table::new(&["table", "rows"]);
    for (name, rows) in &report.tables {
        table.row([name.clone(), grouped(*rows)]);
    }
    writeln!(out, "{}", table.render())?;
    writeln!(out, "{} in {}, {} rows/s", counted(report.rows, "row"), took(time), rate(report.rows, time))
}

fn moment(ns: &Namespace, lsn: u64, timestamp: Timestamp) -> String {
    format!("{ns} as of LSN {lsn}, {},", timestamp.to_iso_millis())
}

fn document(out: &mut impl Write, document: &serde_json::Value) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}
