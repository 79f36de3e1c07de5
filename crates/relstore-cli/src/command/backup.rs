//! `relstore backup`: a copy of a store, while others read and write it.

use std::io::Write;
use std::time::Instant;

use relstore::Fleet;
use serde_json::json;

use crate::cli::BackupArguments;
use crate::failure::Outcome;
use crate::output::number::{bytes, took};
use crate::output::pages_bar;

pub(crate) async fn run(arguments: BackupArguments) -> Outcome {
    let ns = super::namespace(&arguments.ns)?;
    let store = Fleet::open(&arguments.dir).await?.read_store(&ns)?;
    let started = Instant::now();
    let bar = pages_bar(arguments.json);
    let lsn = store.backup(&arguments.to, &mut |progress| {
        bar.set_length(progress.pages_total);
        bar.set_position(progress.pages_done);
    });
    bar.finish_and_clear();
    let lsn = lsn?;
    let size = std::fs::metadata(&arguments.to).map_or(0, |m| m.len());
    let mut out = super::stdout();
    if arguments.json {
        serde_json::to_writer(&mut out, &json!({"path": arguments.to, "lsn": lsn.get(), "bytes": size})).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{} has {ns} up to LSN {lsn}: {}, {}", arguments.to.display(), bytes(size), took(started.elapsed()))?;
    }
    out.flush()?;
    Ok(())
}
