//! `relstore schema diff|check|mode`: what another shape of a store would be, and whether it may have it.

use std::io::Write;
use std::path::Path;

use relstore::engine::migration::MigrationFolder;
use relstore::engine::{Compatibility, schema_of};
use relstore::model::evolution::{Edit, described, diff as differences};
use relstore::model::{Error, Schema};
use relstore::{Fleet, RelationalStore};
use serde_json::json;

use super::migrate::verdict;
use crate::cli::{SchemaAgainstArguments, SchemaCheckArguments, SchemaModeArguments, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::output::number::counted;
use crate::output::table::Table;

/// The shape that `name` says: a file of CREATE statements, a folder of migrations, or a store of the installation.
fn shape(fleet: &Fleet, name: &str) -> Result<Schema, Error> {
    let path = Path::new(name);
    if path.is_dir() {
        return MigrationFolder::read(path)?.schema();
    }
    if path.is_file() {
        let sql = std::fs::read_to_string(path)
            .map_err(|e| Error::unavailable("the file cannot be read as text").with("file", path.display()).with_source(e))?;
        return schema_of(&sql).map_err(|e| e.with("file", path.display()));
    }
    let unknown = |e: Error| {
        let hint = "give a file of CREATE statements, a folder of migrations, or a store of the installation";
        Error::not_found("no such file, folder or store").with("against", name).with_hint(hint).with_source(e)
    };
    let store = super::namespace(name).and_then(|ns| fleet.read_store(&ns)).map_err(unknown)?;
    Ok(Schema::clone(&store.database().schema()))
}

async fn opened(arguments: &StoreArguments) -> Result<(Fleet, RelationalStore), Error> {
    let ns = super::namespace(&arguments.ns)?;
    let fleet = Fleet::open(&arguments.dir).await?;
    let store = fleet.read_store(&ns)?;
    Ok((fleet, store))
}

pub(super) async fn diff(arguments: SchemaAgainstArguments) -> Outcome {
    let (fleet, store) = opened(&arguments.store).await?;
    let against = shape(&fleet, &arguments.against)?;
    let current = store.database().schema();
    let changes = differences(&current, &described(&current, &against, &[])?);
    let mut out = super::stdout();
    if arguments.store.json {
        let change = |c: &relstore::model::evolution::Change| json!({"code": c.rule.code, "path": c.path(), "message": c.detail});
        let changes: Vec<_> = changes.iter().map(change).collect();
        serde_json::to_writer_pretty(&mut out, &json!({"ns": arguments.store.ns, "against": arguments.against, "changes": changes}))
            .map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else if changes.is_empty() {
        writeln!(out, "{} is as {} says.", arguments.store.ns, arguments.against)?;
    } else {
        let mut table = Table::new(&["where", "what would change"]);
        for change in &changes {
            table.row([change.path(), change.detail.clone()]);
        }
        writeln!(out, "{}", table.render())?;
        let count = counted(changes.len() as u64, "difference");
        writeln!(out, "{count} from {} to {}.", arguments.store.ns, arguments.against)?;
    }
    out.flush()?;
    Ok(())
}

pub(super) async fn check(arguments: SchemaCheckArguments) -> Outcome {
    let (fleet, store) = opened(&arguments.store).await?;
    let report = if arguments.new.trim_start().starts_with('{') {
        let json = serde_json::from_str(&arguments.new)
            .map_err(|e| Error::invalid("the change is not JSON").with("given", &arguments.new).with_source(e))?;
        store.check_edit(&Edit::from_json(&json)?)?
    } else {
        store.check_compatibility(&shape(&fleet, &arguments.new)?)?
    };
    let mut out = super::stdout();
    if arguments.store.json {
        serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        verdict(&mut out, &report)?;
    }
    out.flush()?;
    report.into_result().map(|_| ()).map_err(Failure::from)
}

pub(super) async fn mode(arguments: SchemaModeArguments) -> Outcome {
    let (fleet, store) = opened(&arguments.store).await?;
    let before = store.compatibility()?;
    let mode = match arguments.mode.as_deref() {
        None => before.mode,
        Some(word) if word.eq_ignore_ascii_case("default") => None,
        Some(word) => Some(word.parse()?),
    };
    let constraints = arguments.constraints.as_deref().map_or(Ok(before.constraints), str::parse)?;
    let chosen = Compatibility { mode, constraints };
    if chosen != before {
        fleet.store(store.namespace())?.set_compatibility(chosen)?;
    }
    let in_force = mode.unwrap_or(store.profile()?.default_mode());
    let mut out = super::stdout();
    if arguments.store.json {
        let document = json!({"ns": arguments.store.ns, "mode": in_force, "chosen": mode.is_some(), "constraints": constraints});
        serde_json::to_writer_pretty(&mut out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        let how = if mode.is_some() { "" } else { " (nothing was chosen)" };
        writeln!(
            out,
            "{}: {in_force}{how}, constraints {constraints} (order of upgrades: {})",
            arguments.store.ns,
            in_force.upgrade_order()
        )?;
    }
    out.flush()?;
    Ok(())
}
