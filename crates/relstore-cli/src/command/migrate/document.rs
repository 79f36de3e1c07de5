//! What `relstore migrate … --json` prints.

use relstore::engine::migration::{
    AppliedMigration, FolderStatus, MigrationPlan, MigrationReport, PendingMigration, PlannedStatement, RowsTouched, StatementReport,
};
use relstore::model::{Error, Namespace, Result};
use relstore::{FleetMigrateReport, MigrateReport, StoreMigration};
use serde_json::{Value as Json, json};

pub(super) fn of_report(ns: &Namespace, report: &MigrateReport, dry_run: bool) -> Json {
    json!({
        "ns": ns,
        "dry_run": dry_run,
        "plan": of_migrations(&report.run.plan),
        "compatibility": report.compatibility,
        "applied": report.run.applied.iter().map(of_migration).collect::<Vec<_>>(),
        "adopted": report.run.adopted.iter().map(of_applied).collect::<Vec<_>>(),
        "pending": report.run.pending.iter().map(of_pending).collect::<Vec<_>>(),
    })
}

pub(super) fn of_plan(ns: &Namespace, plan: &MigrationPlan) -> Json {
    json!({"ns": ns, "dry_run": true, "plan": of_migrations(plan)})
}

fn of_migrations(plan: &MigrationPlan) -> Json {
    let of = |m: &relstore::engine::migration::PlannedMigration| {
        json!({
            "version": m.version, "name": m.name, "reversible": m.is_reversible, "schema_after": m.schema_after, "notes": m.notes,
            "statements": m.statements.iter().map(of_planned).collect::<Vec<_>>(),
        })
    };
    Json::Array(plan.migrations.iter().map(of).collect())
}

fn of_planned(s: &PlannedStatement) -> Json {
    let (rows, is_exact) = match s.rows {
        RowsTouched::Unknown => (None, false),
        RowsTouched::AtMost(n) => (Some(n), false),
        RowsTouched::Exactly(n) => (Some(n), true),
    };
    let destroys: Vec<Json> = s.destroys.iter().map(|d| json!({"code": d.code(), "message": d.to_string()})).collect();
    json!({
        "number": s.number, "line": s.line, "sql": s.sql, "does": s.words, "rows": rows, "rows_exact": is_exact, "destroys": destroys,
        "rebuilds": s.rebuild.as_ref().map(|r| &r.name), "depends_on_rows": s.depends_on_rows,
    })
}

pub(super) fn of_migration(report: &MigrationReport) -> Json {
    let mut document = of_applied(&report.migration);
    let statement = |s: &StatementReport| json!({"number": s.number, "line": s.line, "sql": s.sql, "does": s.words, "rows": s.rows, "rebuilds": s.rebuild.as_ref().map(|r| &r.name)});
    document["statements"] = report.statements.iter().map(statement).collect();
    document["notes"] = json!(report.notes);
    document
}

pub(super) fn of_applied(m: &AppliedMigration) -> Json {
    json!({
        "version": m.version, "name": m.name, "kind": m.kind.name(), "hash": m.hash, "applied_at": m.applied_at, "lsn_before": m.lsn_before,
        "lsn_after": m.lsn_after, "schema_before": m.schema_before, "schema_after": m.schema_after, "rolled_back_at": m.rolled_back_at,
    })
}

fn of_pending(m: &PendingMigration) -> Json {
    json!({"version": m.version, "name": m.name, "late": m.is_late})
}

pub(super) fn of_status(ns: &Namespace, history: &[AppliedMigration], standing: Option<&FolderStatus>) -> Json {
    let pending = standing.map(|s| s.pending.iter().map(of_pending).collect::<Vec<_>>());
    json!({"ns": ns, "history": history.iter().map(of_applied).collect::<Vec<_>>(), "pending": pending})
}

pub(super) fn of_standing(ns: &Namespace, standing: &Result<FolderStatus>) -> Json {
    match standing {
        Ok(standing) => json!({
            "ns": ns, "applied": standing.applied.len(), "version": standing.applied.iter().map(|(version, _)| version).max(),
            "pending": standing.pending.iter().map(of_pending).collect::<Vec<_>>(),
        }),
        Err(error) => json!({"ns": ns, "error": of_error(error)}),
    }
}

pub(super) fn of_fleet(report: &FleetMigrateReport, dry_run: bool) -> Json {
    let store = |(ns, outcome): (&Namespace, &StoreMigration)| match outcome {
        StoreMigration::Migrated(report) => {
            let names: Vec<&str> = if dry_run {
                report.run.plan.migrations.iter().map(|m| m.name.as_str()).collect()
            } else {
                report.run.applied.iter().map(|m| m.migration.name.as_str()).collect()
            };
            json!({"ns": ns, "outcome": if dry_run { "planned" } else { "migrated" }, "migrations": names, "compatibility": report.compatibility})
        }
        StoreMigration::Current => json!({"ns": ns, "outcome": "current"}),
        StoreMigration::Busy => json!({"ns": ns, "outcome": "busy"}),
        StoreMigration::NotReached => json!({"ns": ns, "outcome": "not_reached"}),
        StoreMigration::Failed(error) => json!({"ns": ns, "outcome": "failed", "error": of_error(error)}),
    };
    json!({"complete": report.is_complete(), "dry_run": dry_run, "stores": report.stores.iter().map(store).collect::<Vec<_>>()})
}

fn of_error(error: &Error) -> Json {
    let context: serde_json::Map<String, Json> = error.context().iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({"code": error.kind().code(), "message": error.message(), "context": context, "hint": error.hint()})
}
