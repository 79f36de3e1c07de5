//! The manifest of a view: the one object of it that moves.

use std::collections::BTreeMap;

use bytes::Bytes;
use relstore_cdc::bucket::Bucket;
use relstore_model::{Error, ErrorKind, LogicalType, Lsn, Namespace, Result};
use serde::{Deserialize, Serialize};

use super::{ViewDefinition, view_prefix};

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// What its cells mean.
    pub logical: LogicalType,
}

/// The rows of one date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewPartition {
    /// Its file, from the bucket's root.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The checksum of its rows (CRC-32 of their packed form, in order).
    pub checksum: u32,
}

/// What a view is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewManifest {
    /// Its definition.
    pub definition: ViewDefinition,
    /// Its columns in order, `_ns` first.
    pub columns: Vec<ViewColumn>,
    /// By store: everything up to here is in the view.
    pub watermarks: BTreeMap<Namespace, Lsn>,
    /// By date.
    pub partitions: BTreeMap<String, ViewPartition>,
    /// Files of the manifest before this one: a reader may still be at them, the next refresh deletes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<String>,
}

impl ViewManifest {
    /// How many rows the view has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|p| p.rows).sum()
    }

    /// The Arrow schema of its files.
    #[must_use]
    pub fn arrow_schema(&self) -> arrow::datatypes::Schema {
        super::partition::schema(&self.columns)
    }

    /// The manifest of the view `name` and its bytes, if the view exists.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be read; `Unavailable` by the bucket.
    pub async fn load(bucket: &Bucket, name: &str) -> Result<Option<(Self, Bytes)>> {
        let path = manifest_path(name);
        let bytes = match bucket.get(&path).await {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let manifest = serde_json::from_slice(&bytes)
            .map_err(|e| Error::corrupt("the manifest of a view cannot be read").with("path", &path).with_source(e))?;
        Ok(Some((manifest, bytes)))
    }

    /// Every view in the bucket, by name.
    ///
    /// # Errors
    /// As [`ViewManifest::load`].
    pub async fn all(bucket: &Bucket) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        for object in bucket.list("views").await? {
            let name = object.path.strip_prefix("views/").and_then(|p| p.strip_suffix("/manifest.json"));
            if let Some(name) = name.filter(|n| !n.contains('/'))
                && let Some((manifest, _)) = Self::load(bucket, name).await?
            {
                out.push(manifest);
            }
        }
        Ok(out)
    }

    /// Puts this manifest in the place of the one whose bytes are `before`.
    ///
    /// # Errors
    /// `Conflict` if another refresh was faster.
    pub(super) async fn swap(&self, bucket: &Bucket, before: Option<&Bytes>) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::internal("a manifest cannot be written").with_source(e))?;
        bucket.replace(&manifest_path(&self.definition.name), before.map(|b| &b[..]), json.into()).await
    }
}

fn manifest_path(name: &str) -> String {
    format!("{}/manifest.json", view_prefix(name))
}
