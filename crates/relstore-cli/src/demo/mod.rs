//! `relstore demo`: one installation, from the data that the binary carries to a restore, told in chapters.
//!
//! Each chapter is one file: it does something real, says what and why, shows the statement and the answer, and notes what the document
//! of `--json` needs. Invariant: every boolean of the document compares whole results. Not here: how anything works.

mod accident;
mod archive;
mod data;
mod document;
mod eviction;
mod fingerprint;
mod loading;
mod queries;
mod schema;
mod source;
mod statements;
mod story;
mod typed;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use relstore::Fleet;
use relstore::model::{Error, Result};

use crate::failure::Outcome;
use crate::output::number::{counted, took};
pub(crate) use document::Document;
use document::{Iceberg, Seconds};
use story::Story;

/// Makes an installation in `dir`, or in a temporary folder that is kept, and tells the story if `is_told`.
pub(crate) async fn run(dir: Option<&Path>, is_told: bool) -> Outcome<Document> {
    let started = Instant::now();
    let mut story = Story::new(is_told);
    let dir = folder(dir)?;
    let fleet = Fleet::create(&dir).await?;
    story.title("RelationalStore, on every flight that left New York City in 2013", &format!("The installation is {}.", dir.display()))?;
    let mut seconds = Seconds::default();

    let source = data::tell(&mut story, &mut seconds)?;
    let loaded = loading::tell(&mut story, &mut seconds, &fleet, source)?;
    typed::tell(&mut story, &mut seconds, loaded.store("EWR")?)?;
    archive::tell(&mut story, &mut seconds, &fleet).await?;
    archive::tell_view(&mut story, &mut seconds, &fleet).await?;
    let eviction = eviction::tell(&mut story, &mut seconds, &fleet, &loaded).await?;
    let cross_store = queries::tell(&mut story, &mut seconds, &fleet).await?;
    let restore = accident::tell(&mut story, &mut seconds, &fleet, &loaded).await?;

    // The accident and its mending are changes like all others: history and view end where the stores end.
    fleet.archive().await?;
    let view = fleet.refresh_view(&archive::view()?).await?;
    let iceberg = Iceberg::of(&fleet).await?;
    let (segments, segment_bytes) = fleet.segments().await?;
    let (rows_loaded, stores) = (loaded.rows, loaded.stores.len() as u64);
    let (last_lsn, events) = loaded.finish()?;
    drop(fleet);
    seconds.total = started.elapsed().as_secs_f64();
    let document = Document {
        rows_loaded,
        stores,
        events,
        last_lsn,
        segments,
        segment_bytes,
        iceberg,
        view: view.into(),
        evicted_rows: eviction.rows,
        answers_equal_after_eviction: eviction.are_answers_equal,
        restore,
        cross_store,
        seconds,
    };
    close(&story, &document, &dir, started.elapsed())?;
    Ok(document)
}

fn folder(dir: Option<&Path>) -> Result<PathBuf> {
    let unavailable = |e: std::io::Error| Error::unavailable("the folder of the demo cannot be made").with_source(e);
    match dir {
        Some(dir) => std::path::absolute(dir).map_err(unavailable),
        None => Ok(tempfile::Builder::new().prefix("relstore-demo-").tempdir().map_err(unavailable)?.keep()),
    }
}

fn close(story: &Story, document: &Document, dir: &Path, time: Duration) -> Outcome {
    let dir = dir.display();
    story.end(&format!("{} in {}, and the installation is yours: {dir}", counted(document.events, "change"), took(time)))?;
    story.say("Look around:")?;
    story.statement(&format!(
        "relstore stores --dir {dir}\n\
         relstore sql    --dir {dir} --ns JFK \"SELECT dest, count(*) FROM flights GROUP BY 1 ORDER BY 2 DESC LIMIT 5\"\n\
         relstore tail   --dir {dir} --ns EWR --table planes --json\n\
         relstore query  --dir {dir} \"SELECT _ns, _op, count(*) FROM history.flights GROUP BY 1, 2 ORDER BY 1, 2\""
    ))
}
