//! Chapter 8: an accident, and the way back.

use std::collections::BTreeMap;
use std::time::Duration;

use relstore::model::{Error, Namespace, Result};
use relstore::{At, Fleet, RelationalStore};

use super::document::{Restore, Seconds, timed, timed_async};
use super::fingerprint::Fingerprint;
use super::loading::Loaded;
use super::schema::TABLES;
use super::statements::{self, text_of};
use super::story::Story;
use crate::failure::Outcome;
use crate::output::number::{counted, grouped, rate};
use crate::output::table::Table;

const STORE: &str = "EWR";
const LOST: &str = "UA";

pub(crate) async fn tell(story: &mut Story, seconds: &mut Seconds, fleet: &Fleet, loaded: &Loaded) -> Outcome<Restore> {
    story.chapter("The accident")?;
    story.say("It is late, and somebody means to tidy up a test store. This is not the test store:")?;
    let store = loaded.store(STORE)?;
    let before = fingerprints(store)?;
    let last_good = store.high_water();
    let accident = format!("DELETE FROM flights WHERE carrier = '{LOST}'");
    story.statement(&format!("relstore sql --ns {STORE} \"{accident}\""))?;
    let (outcome, time) = timed(&mut 0.0, || store.sql(&accident, &[]));
    let lost = outcome?.changes;
    story.took(&format!("{} deleted, LSN {}", counted(lost, "row"), store.high_water()), time)?;

    story.say(&format!(
        "Nothing is gone that was ever committed. The log says that all was well at LSN {last_good}, so the store is built again as it was \
         then, from history alone and in a new folder:"
    ))?;
    let to = fleet.dir().join(format!("restored-{STORE}"));
    story.statement(&format!("relstore restore --ns {STORE} --at {last_good} --to {}", to.display()))?;
    let ns = Namespace::new(STORE)?;
    let (report, time) = timed_async(&mut seconds.restore, fleet.restore(&ns, At::Lsn(last_good), &to)).await;
    let report = report?;
    story.took(&format!("{} restored: {} rows/s", counted(report.rows, "row"), rate(report.rows, time)), time)?;

    let restored = Fleet::open(&to).await?;
    let restored = restored.read_store(&ns)?;
    let after = fingerprints(&restored)?;
    compare(story, &before, &after)?;
    let equal = before == after;
    story.verdict(equal, "The restored store is the store as it was before the accident, to the last cell.")?;
    mend(story, store, &restored, &before)?;
    Ok(Restore { lsn: report.lsn.get(), rows: report.rows, equal })
}

fn fingerprints(store: &RelationalStore) -> Result<BTreeMap<&'static str, Fingerprint>> {
    TABLES.iter().map(|table| Ok((table.name, Fingerprint::of_table(store, table.name)?))).collect()
}

fn compare(story: &Story, before: &BTreeMap<&str, Fingerprint>, after: &BTreeMap<&str, Fingerprint>) -> Outcome {
    let mut table = Table::new(&["table", "rows before", "rows restored", "all cells"]);
    for ((name, before), after) in before.iter().zip(after.values()) {
        let verdict = if before == after { "equal" } else { "DIFFERENT" };
        table.row([(*name).to_owned(), grouped(before.rows), grouped(after.rows), verdict.to_owned()]);
    }
    story.table(&table)
}

/// Brings the lost rows back into the store where they were lost.
fn mend(story: &Story, store: &RelationalStore, restored: &RelationalStore, before: &BTreeMap<&str, Fingerprint>) -> Outcome {
    story.say(
        "What was lost is read from there and put back in one transaction. The deletion and the mending stay in history, as they should:",
    )?;
    story.statement(&format!(
        "let lost: Vec<Flight> = {}?;\n{}",
        text_of("flights_of").replacen("store", "restored", 1),
        text_of("bring_back")
    ))?;
    let mut spent = 0.0;
    let (lost, _) = timed(&mut spent, || statements::flights_of(restored, LOST));
    let (mended, _) = timed(&mut spent, || statements::bring_back(store, lost?));
    story.took(&format!("{} back", counted(mended?, "row")), Duration::from_secs_f64(spent))?;
    let is_mended = fingerprints(store)? == *before;
    story.verdict(is_mended, &format!("Nothing is missing from {STORE}."))?;
    if is_mended { Ok(()) } else { Err(Error::internal("the mended store differs from the one before the accident").into()) }
}
