//! The compatibility that a store promises to readers of its rows, kept in its file: what its migrations are checked by.

use relstore_model::evolution::{ConstraintPolicy, Mode, Profile, Report, SchemaEvolution};
use relstore_model::{Error, Result, Schema, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::catalog;
use crate::database::Database;

/// What a store promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Compatibility {
    /// The mode; `None`: that of the store's profile, `BACKWARD`, or `BACKWARD_TRANSITIVE` once its history is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What becomes of changes of unique keys, foreign keys and checks.
    #[serde(default)]
    pub constraints: ConstraintPolicy,
}

impl Compatibility {
    /// The check by it, for rows that are read as `profile` says.
    #[must_use]
    pub fn evolution(self, profile: Profile) -> SchemaEvolution {
        SchemaEvolution::new(self.mode.unwrap_or_else(|| profile.default_mode())).constraints(self.constraints).profile(profile)
    }
}

/// The key of `_rs_meta`.
const KEY: &str = "compatibility";

impl Database {
    /// What the store promises; the default if nothing was chosen.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be read; `Unavailable` by the disk.
    pub fn compatibility(&self) -> Result<Compatibility> {
        let rows = self.look(|c| c.query("/*rs*/ SELECT value FROM main._rs_meta WHERE key=?", &[Value::from(KEY)]))?;
        match rows.first().and_then(|row| row.first()) {
            None => Ok(Compatibility::default()),
            Some(Value::Text(json)) => {
                serde_json::from_str(json).map_err(|e| Error::corrupt("the compatibility in the store cannot be read").with_source(e))
            }
            Some(_) => Err(Error::corrupt("the compatibility in the store is not text")),
        }
    }

    /// Chooses what the store promises from here on. It is no change of the store's rows or shape, and no event.
    ///
    /// # Errors
    /// `Unavailable` if the handle reads only, or by the disk.
    pub fn set_compatibility(&self, compatibility: Compatibility) -> Result<()> {
        const PUT: &str = "/*rs*/ INSERT OR REPLACE INTO main._rs_meta(key, value) VALUES(?, ?)";
        let json = serde_json::to_string(&compatibility).map_err(|e| Error::internal("a plain value has no JSON").with_source(e))?;
        let writer = self.lock_writer()?;
        writer.write_apart(|c| c.execute(PUT, &[Value::from(KEY), Value::Text(json)])).map(|_| ())
    }

    /// Every schema that the store has had, oldest first, the one in force last.
    ///
    /// # Errors
    /// `Corrupt` if one cannot be read; `Unavailable` by the disk.
    pub fn schemas(&self) -> Result<Vec<Arc<Schema>>> {
        let current = self.schema();
        if current.version == 0 {
            return Ok(Vec::new());
        }
        let mut schemas: Vec<Arc<Schema>> = self.look(|c| catalog::before_version(c, current.version))?.into_iter().map(Arc::new).collect();
        schemas.push(current);
        Ok(schemas)
    }

    /// Whether the store, by what it promises, may have the shape `after`, which has the ids of its history.
    ///
    /// # Errors
    /// As [`Database::compatibility`] and [`Database::schemas`].
    pub fn check_compatibility(&self, profile: Profile, after: &Schema) -> Result<Report> {
        Ok(self.compatibility()?.evolution(profile).check(&self.schemas()?, after))
    }
}
