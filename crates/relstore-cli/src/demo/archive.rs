//! Chapters 4 and 5: the log leaves for the bucket and becomes history; a view becomes Parquet.

use std::time::Duration;

use relstore::model::Result;
use relstore::{Fleet, ViewDefinition};

use super::document::{Seconds, timed_async};
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{bytes, counted, grouped, rate};
use crate::output::table::Table;

pub(crate) async fn tell(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet) -> Outcome {
    story.chapter("History")?;
    story.say(
        "So far everything is in three SQLite files. Now the log goes to the bucket, here a folder: first as segments, checksummed files \
         named by the range of LSNs that they hold, then into Iceberg tables that every engine reads, every version of every row of all \
         stores in one table.",
    )?;
    story.statement("fleet.archive().await?;")?;
    let (report, time) = timed_async(&mut seconds.archive, fleet.archive()).await;
    let report = report?;
    let per_change = report.segment_bytes as f64 / (report.changes as f64).max(1.0);
    story.answer(&format!(
        "shipped    {} in {}, {}: {per_change:.1} bytes a change",
        counted(report.changes, "change"),
        counted(report.segments, "segment"),
        bytes(report.segment_bytes)
    ))?;
    let ingest = Duration::from_secs_f64(report.ingest_seconds);
    story.answer(&format!("archived   {}: {} rows/s", counted(report.rows, "row"), rate(report.rows, ingest)))?;
    story.gap()?;
    let mut table = Table::new(&["history table", "rows", "snapshots"]);
    for history in fleet.history().await? {
        table.row([history.name, grouped(history.rows), grouped(history.snapshots as u64)]);
    }
    story.table(&table)?;
    story.took("shipped and archived", time)?;
    story.say(
        "How far each store is archived rides on the snapshots themselves, so a crash at any point neither loses nor doubles a row. \
         DuckDB, pyiceberg, Spark read these tables from the catalog in the folder.",
    )
}

/// The view of the demo.
pub(crate) fn view() -> Result<ViewDefinition> {
    ViewDefinition::new("flights_per_day", FLIGHTS_PER_DAY)
}

const FLIGHTS_PER_DAY: &str = "\
SELECT printf('%04d-%02d-%02d', f.year, f.month, f.day) AS dt, f.carrier AS carrier, a.name AS airline,
       count(*) AS flights, sum(f.dep_time IS NULL) AS cancelled, avg(f.dep_delay) AS dep_delay_avg
FROM flights f JOIN airlines a ON a.carrier = f.carrier
GROUP BY 1, 2, 3 ORDER BY 1, 2";

pub(crate) async fn tell_view(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet) -> Outcome {
    story.chapter("A view")?;
    story.say(
        "A view is a query in each store's own SQL, kept in the bucket as one Parquet file a day. A refresh writes the days that changed \
         and leaves the others alone.",
    )?;
    story.statement(FLIGHTS_PER_DAY)?;
    let view = view()?;
    let (report, time) = timed_async(&mut seconds.view, fleet.refresh_view(&view)).await;
    let report = report?;
    let files = counted(report.files_written, "file");
    story.took(&format!("{} for {}, {files} written", counted(report.rows, "row"), counted(report.partitions, "day")), time)?;
    let (again, time) = timed_async(&mut seconds.view, fleet.refresh_view(&view)).await;
    let again = again?;
    let written = counted(again.files_written, "file");
    story.took(&format!("once more: {written} written, {} left alone", grouped(again.files_unchanged)), time)?;
    if let Some(file) = report.files.first() {
        story.say(&format!("The first day is bucket/{file}"))?;
    }
    Ok(())
}
