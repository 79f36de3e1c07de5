//! Whether a shape may follow a store's history of shapes.

use std::sync::Arc;

use napi_derive::napi;
use relstore_engine::{Database, schema_of};
use relstore_model::evolution::{Edit, Mode, Report, SchemaEvolution};
use relstore_model::{Error, Result, Schema};

use crate::failure::shielded;
use crate::store::Store;

#[napi]
impl Store {
    /// Judges the shape that `CREATE` statements make: the report, as JSON.
    #[napi(catch_unwind)]
    pub fn check_shape(&self, mode: String, sql: String) -> napi::Result<String> {
        shielded(|| {
            let evolution = evolution(&mode)?;
            written(&evolution.check_described(&versions(self.shared.database()?.as_ref())?, &schema_of(&sql)?)?)
        })
    }

    /// Judges one change, given as JSON: the report, as JSON.
    #[napi(catch_unwind)]
    pub fn check_change(&self, mode: String, change: String) -> napi::Result<String> {
        shielded(|| {
            let change = serde_json::from_str(&change).map_err(|e| Error::invalid("the change is no JSON").with_source(e))?;
            let edit = Edit::from_json(&change)?;
            written(&evolution(&mode)?.check_edit(&versions(self.shared.database()?.as_ref())?, &edit)?)
        })
    }
}

fn evolution(mode: &str) -> Result<SchemaEvolution> {
    mode.parse::<Mode>().map(SchemaEvolution::new)
}

/// Every shape that the store has had, the oldest first.
fn versions(database: &Database) -> Result<Vec<Arc<Schema>>> {
    (1..=database.schema().version).map(|version| database.schema_at(version)).collect()
}

fn written(report: &Report) -> Result<String> {
    serde_json::to_string(report).map_err(|e| Error::internal("a report is no JSON").with_source(e))
}
