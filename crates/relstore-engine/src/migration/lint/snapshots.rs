//! drizzle-kit's snapshots: each has an id and that of the one that it was made from, which is all that is known of what came after what.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LintFinding;
use crate::migration::folder::{Layout, MigrationFolder};

/// One snapshot.
pub(super) struct Snapshot {
    /// Its migration's place in the folder, if it is known.
    pub(super) migration: Option<usize>,
    pub(super) path: PathBuf,
    pub(super) id: String,
    /// The snapshots that it was made from: more than one where branches were merged.
    pub(super) parents: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    id: String,
    /// drizzle-kit before 1.0.
    prev_id: Option<String>,
    /// drizzle-kit from 1.0.
    #[serde(default)]
    prev_ids: Vec<String>,
}

/// Every snapshot of the folder that can be read; the others are findings. There need not be any.
pub(super) fn read(folder: &MigrationFolder, found: &mut Vec<LintFinding>) -> Vec<Snapshot> {
    let mut out = Vec::new();
    for (migration, path) in paths(folder) {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => {
                found.push(unreadable(&path, &e.to_string()));
                continue;
            }
        };
        match serde_json::from_str::<Form>(&text) {
            Ok(form) => {
                out.push(Snapshot { migration, path, id: form.id, parents: form.prev_id.into_iter().chain(form.prev_ids).collect() })
            }
            Err(e) => found.push(LintFinding { line: Some(e.line()), column: Some(e.column()), ..unreadable(&path, &e.to_string()) }),
        }
    }
    out
}

fn unreadable(path: &Path, why: &str) -> LintFinding {
    let message = format!("the snapshot cannot be read, so that it says nothing of branches: {why}");
    let finding = LintFinding::warning("snapshot-unreadable", message, "restore the file: drizzle-kit writes {\"id\", \"prevId\", …}");
    LintFinding { file: Some(path.to_owned()), ..finding }
}

/// Where snapshots may be, each with the migration that it is of.
fn paths(folder: &MigrationFolder) -> Vec<(Option<usize>, PathBuf)> {
    let each = folder.migrations.iter().enumerate();
    match folder.layout {
        Layout::Files => Vec::new(),
        Layout::Folders => each.filter_map(|(at, m)| Some((Some(at), m.up.path.parent()?.join("snapshot.json")))).collect(),
        Layout::Journal => {
            let prefix = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
            let mut names: BTreeSet<String> = folder.migrations.iter().map(|m| prefix(&m.name)).collect();
            let listed = fs::read_dir(folder.path.join("meta")).into_iter().flatten().flatten();
            names.extend(listed.filter_map(|e| e.file_name().to_string_lossy().strip_suffix("_snapshot.json").map(str::to_owned)));
            let of = |name: String| {
                let mut same = folder.migrations.iter().enumerate().filter(|(_, m)| prefix(&m.name) == name).map(|(at, _)| at);
                // Of two with one number nobody can tell whose it is.
                let migration = same.next().filter(|_| same.next().is_none());
                (migration, folder.path.join("meta").join(format!("{name}_snapshot.json")))
            };
            names.into_iter().map(of).collect()
        }
    }
}
