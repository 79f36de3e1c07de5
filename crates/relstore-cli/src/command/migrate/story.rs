//! What `relstore migrate` tells people.

use std::collections::BTreeMap;
use std::io::{Result, Write};
use std::path::Path;
use std::time::Duration;

use relstore::engine::migration::{AppliedMigration, FolderStatus, MigrationPlan, MigrationReport, PendingMigration, RowsTouched};
use relstore::model::evolution::{Code, Report, Severity};
use relstore::model::{Lsn, Namespace, Result as Outcome};
use relstore::{FleetMigrateReport, MigrateReport, StoreMigration};

use crate::output::number::{counted, grouped, took};
use crate::output::style::Style;
use crate::output::table::{Table, printable};

/// How many stores of one kind are named.
const NAMES_MAX: usize = 10;

/// A dry run.
pub(super) fn plan(out: &mut dyn Write, ns: &Namespace, report: &MigrateReport) -> Result<()> {
    if report.run.plan.migrations.is_empty() {
        return writeln!(out, "{ns} has all of the folder: nothing to do.");
    }
    migrations(out, &report.run.plan)?;
    if let Some(compatibility) = &report.compatibility {
        verdict(out, compatibility)?;
    }
    writeln!(out, "\n{} for {ns}. Nothing was done.", counted(report.run.plan.migrations.len() as u64, "migration"))
}

/// A dry run of downs.
pub(super) fn plan_down(out: &mut dyn Write, ns: &Namespace, plan: &MigrationPlan) -> Result<()> {
    migrations(out, plan)?;
    writeln!(out, "\n{} of {ns} to be taken back. Nothing was done.", counted(plan.migrations.len() as u64, "migration"))
}

fn migrations(out: &mut dyn Write, plan: &MigrationPlan) -> Result<()> {
    let style = Style::of_stdout();
    for migration in &plan.migrations {
        let reversible = if migration.is_reversible { "" } else { "  no down" };
        writeln!(out, "{}{}", style.heading(&migration.name), style.faint(reversible))?;
        for statement in &migration.statements {
            let rows = match statement.rows {
                RowsTouched::Unknown | RowsTouched::Exactly(0) => String::new(),
                RowsTouched::AtMost(n) => format!(", at most {}", counted(n, "row")),
                RowsTouched::Exactly(n) => format!(", {}", counted(n, "row")),
            };
            writeln!(out, "  {:>2}. {}{}", statement.number, style.strong(printable(&statement.words)), style.faint(rows))?;
            for line in statement.sql.lines() {
                writeln!(out, "      {}", style.statement(printable(&line.replace('\t', "    "))))?;
            }
            for lost in &statement.destroys {
                writeln!(out, "      {} {lost} ({})", style.bad("lost for good:"), lost.code())?;
            }
            if let Some(why) = &statement.depends_on_rows {
                writeln!(out, "      {} {}", style.bad("may fail by what the store holds:"), printable(why))?;
            }
        }
        for note in &migration.notes {
            writeln!(out, "      {} {}", style.faint("also:"), printable(note))?;
        }
    }
    Ok(())
}

/// The verdict of a compatibility check.
pub(crate) fn verdict(out: &mut dyn Write, report: &Report) -> Result<()> {
    let style = Style::of_stdout();
    let word = if report.ok() { style.good("compatible") } else { style.bad("refused") };
    writeln!(out, "{}: {word} (order of upgrades: {})", report.mode, report.upgrade_order())?;
    for finding in &report.findings {
        let (mark, code) = match finding.severity {
            Severity::Error => (style.bad("refused"), finding.code),
            Severity::Warning => (style.faint("warning"), finding.code),
        };
        writeln!(out, "  {mark} {} {} (against version {}): {}", name(code), finding.path, finding.against, finding.message)?;
        writeln!(out, "      {} {}", style.good("Try:"), finding.fix)?;
    }
    for met in &report.old_sql {
        writeln!(out, "  {} {} {}: {}", style.faint("old SQL"), name(met.code), met.path, met.message)?;
    }
    if let Some(hint) = report.hint {
        writeln!(out, "  {hint}")?;
    }
    Ok(())
}

/// The stable code's words.
fn name(code: Code) -> String {
    serde_json::to_value(code).ok().and_then(|c| c.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a run did to one store.
pub(super) fn applied(out: &mut dyn Write, ns: &Namespace, report: &MigrateReport, dir: &Path) -> Result<()> {
    let run = &report.run;
    for adopted in &run.adopted {
        writeln!(out, "{} was applied by drizzle", adopted.name)?;
    }
    if run.applied.is_empty() && run.adopted.is_empty() {
        return writeln!(out, "{ns} has all of the folder: nothing to do.");
    }
    each_applied(out, &run.applied)?;
    if let Some(mut compatibility) = report.compatibility.clone() {
        // It was rebuilt, and the children are there.
        compatibility.old_sql.retain(|met| met.code != Code::RebuildWithCascadeChild);
        if !compatibility.findings.is_empty() || !compatibility.old_sql.is_empty() {
            verdict(out, &compatibility)?;
        }
    }
    // Before the first change there was nothing to go back to.
    if let Some(first) = run.applied.first().filter(|m| m.migration.lsn_before > Lsn::ZERO) {
        writeln!(out, "Before it, {ns} was at LSN {}. To have it as it was then:", first.migration.lsn_before)?;
        writeln!(out, "  {}", super::way_back(dir, ns, first.migration.lsn_before))?;
    }
    Ok(())
}

fn each_applied(out: &mut dyn Write, reports: &[MigrationReport]) -> Result<()> {
    let style = Style::of_stdout();
    for report in reports {
        let m = &report.migration;
        let rows: u64 = report.statements.iter().map(|s| s.rows).sum();
        let rows = if rows == 0 { String::new() } else { format!(", {}", counted(rows, "row")) };
        let statements = counted(report.statements.len() as u64, "statement");
        // Of one that was taken back this is what it had made.
        let version = if m.is_in_force() { format!(", schema version {}", m.schema_after) } else { String::new() };
        writeln!(out, "{}  {statements}{rows}{version}", style.strong(&m.name))?;
        for rebuild in report.statements.iter().filter_map(|s| s.rebuild.as_ref()) {
            writeln!(out, "  {} is rebuilt, and is the same table", rebuild.name)?;
        }
        for note in &report.notes {
            writeln!(out, "  {}", printable(note))?;
        }
    }
    Ok(())
}

/// What was taken back.
pub(super) fn reverted(out: &mut dyn Write, ns: &Namespace, reports: &[MigrationReport], dir: &Path) -> Result<()> {
    if reports.is_empty() {
        return writeln!(out, "{ns} has nothing to take back.");
    }
    each_applied(out, reports)?;
    let first = &reports[0].migration;
    writeln!(out, "Taken back. What it was before is still in its history:")?;
    writeln!(out, "  {}", super::way_back(dir, ns, first.lsn_before))
}

/// A store's history, and what is left of a folder.
pub(super) fn status(out: &mut dyn Write, ns: &Namespace, history: &[AppliedMigration], standing: Option<&FolderStatus>) -> Result<()> {
    if history.is_empty() {
        writeln!(out, "{ns} has no migration.")?;
    } else {
        let mut table = Table::new(&["version", "migration", "from", "applied at", "LSN before", "schema", "taken back at"]);
        for m in history {
            table.row([
                m.version.to_string(),
                m.name.clone(),
                m.kind.name().to_owned(),
                m.applied_at.to_iso_millis(),
                m.lsn_before.to_string(),
                format!("{} → {}", m.schema_before, m.schema_after),
                m.rolled_back_at.map_or_else(String::new, |at| at.to_iso_millis()),
            ]);
        }
        writeln!(out, "{}", table.render())?;
    }
    let Some(standing) = standing else { return Ok(()) };
    if standing.pending.is_empty() {
        return writeln!(out, "{ns} has all of the folder.");
    }
    for pending in &standing.pending {
        writeln!(out, "pending: {}{}", pending.name, late(pending))?;
    }
    Ok(())
}

fn late(pending: &PendingMigration) -> &'static str {
    if pending.is_late { " (older than the newest that is applied)" } else { "" }
}

/// How all stores stand to a folder.
pub(super) fn standings(out: &mut dyn Write, standings: &[(Namespace, Outcome<FolderStatus>)]) -> Result<()> {
    let mut table = Table::new(&["store", "version", "applied", "pending", "next"]);
    for (ns, standing) in standings {
        match standing {
            Ok(s) => table.row([
                ns.to_string(),
                s.applied.iter().map(|(version, _)| version).max().map_or_else(String::new, u64::to_string),
                grouped(s.applied.len() as u64),
                grouped(s.pending.len() as u64),
                s.pending.first().map_or_else(String::new, |p| format!("{}{}", p.name, late(p))),
            ]),
            Err(e) => table.row([ns.to_string(), String::new(), String::new(), String::new(), e.message().to_owned()]),
        }
    }
    writeln!(out, "{}", table.render())
}

/// What a run did to all stores.
pub(super) fn fleet(out: &mut dyn Write, report: &FleetMigrateReport, time: Duration, dry_run: bool) -> Result<()> {
    let style = Style::of_stdout();
    let mut groups: BTreeMap<&str, Vec<&Namespace>> = BTreeMap::new();
    for (ns, outcome) in &report.stores {
        let group = match outcome {
            StoreMigration::Migrated(_) if dry_run => "to migrate",
            StoreMigration::Migrated(_) => "migrated",
            StoreMigration::Current => "current already",
            StoreMigration::Busy => "busy: another process has it open",
            StoreMigration::NotReached => "not reached",
            StoreMigration::Failed(_) => continue,
        };
        groups.entry(group).or_default().push(ns);
    }
    for (group, stores) in &groups {
        let names: Vec<&str> = stores.iter().take(NAMES_MAX).map(|ns| ns.as_str()).collect();
        let more = if stores.len() > NAMES_MAX { ", …" } else { "" };
        writeln!(out, "{} {group}: {}{more}", counted(stores.len() as u64, "store"), style.faint(names.join(", ")))?;
    }
    for (ns, outcome) in &report.stores {
        if let StoreMigration::Failed(error) = outcome {
            writeln!(out, "{} {ns}: {}", style.bad("failed"), printable(error.message()))?;
            for (key, value) in error.context().iter().filter(|(key, _)| *key != "ns") {
                writeln!(out, "    {key}: {}", printable(value))?;
            }
            if let Some(hint) = error.hint() {
                writeln!(out, "    {} {}", style.good("Try:"), printable(hint))?;
            }
        }
    }
    let done = report.count(|store| matches!(store, StoreMigration::Migrated(_))) as f64;
    writeln!(out, "{} in {}, {:.0} stores/s", counted(report.stores.len() as u64, "store"), took(time), done / time.as_secs_f64().max(1e-9))
}
