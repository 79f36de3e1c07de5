//! The session over everything that a lake holds now.

use std::sync::Arc;

use relstore_lake::Lake;
use relstore_lake::view::ViewManifest;
use relstore_model::Result;

use crate::session::{HistoryInput, Session, ViewFiles, ViewInput};

/// A session over every history table and every view of `lake`, as they are now.
///
/// # Errors
/// `Unavailable` or `Corrupt` by the bucket and the catalog; else those of [`Session::new`].
pub async fn session_of(lake: &Lake) -> Result<Session> {
    let mut tables = Vec::new();
    for known in lake.tables().await? {
        let table = lake.load(&known.name).await?;
        tables.push(HistoryInput { name: known.name, table, primary_key: known.primary_key });
    }
    let views = ViewManifest::all(lake.bucket()).await?.into_iter().map(|manifest| ViewInput {
        schema: Some(Arc::new(manifest.arrow_schema())),
        files: ViewFiles::Bucket {
            store: lake.bucket().object_store(),
            keys: manifest.partitions.values().map(|p| p.path.clone()).collect(),
        },
        name: manifest.definition.name,
    });
    Session::new(tables, views.collect()).await
}
