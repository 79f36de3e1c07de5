//! Which commit a position or a time means.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt;
use iceberg::expr::Reference;
use iceberg::spec::Datum;
use relstore_cdc::bucket::layout;
use relstore_model::segment::Segment;
use relstore_model::{Error, Lsn, Namespace, Result, Timestamp};

use crate::Lake;
use crate::archive::system;
use crate::error::from_iceberg;

/// A moment of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the change at this position.
    Lsn(Lsn),
    /// After everything that was committed up to this time.
    Time(Timestamp),
}

impl FromStr for At {
    type Err = Error;

    /// A whole number is an LSN, anything else a time.
    fn from_str(s: &str) -> Result<Self> {
        if !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()) { s.parse().map(Self::Lsn) } else { s.parse().map(Self::Time) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lsn(lsn) => write!(f, "LSN {lsn}"),
            Self::Time(time) => time.fmt(f),
        }
    }
}

/// A commit, as far as choosing one needs it.
#[derive(Clone, Copy, Debug)]
struct Extent {
    first: Lsn,
    last: Lsn,
    timestamp: Timestamp,
}

/// The last commit that is wholly within `at`: its last position and its time.
pub(super) async fn resolve(lake: &Lake, ns: &Namespace, at: At) -> Result<(Lsn, Timestamp)> {
    let mut commits = archived(lake, ns).await?;
    commits.extend(shipped(lake, ns, commits.iter().map(|c| c.last).max().unwrap_or(Lsn::ZERO)).await?);
    let (Some(first), Some(last)) = (commits.iter().min_by_key(|c| c.first), commits.iter().max_by_key(|c| c.last)) else {
        return Err(Error::not_found("no history of such a store").with("ns", ns).with_hint("relstore stores lists them"));
    };
    let outside = || {
        let range = format!("LSN {} to {}, {} to {}", first.first, last.last, first.timestamp, last.timestamp);
        Error::invalid("outside the history of the store").with("at", at).with("ns", ns).with_hint(format!("the history is {range}"))
    };
    let is_within = |c: &&Extent| match at {
        At::Lsn(lsn) => c.last <= lsn,
        At::Time(time) => c.timestamp <= time,
    };
    if matches!(at, At::Lsn(lsn) if lsn > last.last) {
        return Err(outside());
    }
    let chosen = commits.iter().filter(is_within).max_by_key(|c| c.last).ok_or_else(outside)?;
    Ok((chosen.last, chosen.timestamp))
}

/// The commits that history tables know. One whose changes lie in several tables is put together by its id.
async fn archived(lake: &Lake, ns: &Namespace) -> Result<Vec<Extent>> {
    let mut by_txid: HashMap<(String, Timestamp), Extent> = HashMap::new();
    for table in lake.tables().await?.iter().filter(|t| t.offsets.contains_key(ns)) {
        let fail = |e| from_iceberg(e, &table.name);
        let of_store = Reference::new(system::NS).equal_to(Datum::string(ns.as_str()));
        let loaded = lake.load(&table.name).await?;
        let scan = loaded.scan().select([system::LSN, system::TS, system::TXID]).with_filter(of_store).build().map_err(fail)?;
        let mut batches = scan.to_arrow().await.map_err(fail)?;
        while let Some(batch) = batches.try_next().await.map_err(fail)? {
            let column =
                |name| batch.column_by_name(name).ok_or_else(|| Error::corrupt("a history table lacks a column").with("column", name));
            let lsns = column(system::LSN)?.as_primitive::<Int64Type>();
            let times = column(system::TS)?.as_primitive::<TimestampMicrosecondType>();
            let txids = column(system::TXID)?.as_string::<i32>();
            for row in 0..batch.num_rows() {
                let lsn = Lsn::from_i64(lsns.value(row))?;
                let timestamp = Timestamp::from_micros(times.value(row));
                // A caller's id may come again when its outcome is no longer kept: with its time it is one commit's alone.
                let extent = by_txid.entry((txids.value(row).to_owned(), timestamp)).or_insert(Extent { first: lsn, last: lsn, timestamp });
                (extent.first, extent.last) = (extent.first.min(lsn), extent.last.max(lsn));
            }
        }
    }
    Ok(by_txid.into_values().collect())
}

/// The commits in segments after `after`.
async fn shipped(lake: &Lake, ns: &Namespace, after: Lsn) -> Result<Vec<Extent>> {
    let mut out = Vec::new();
    for object in lake.bucket().list(&layout::log_prefix(ns)).await? {
        let Ok(name) = layout::parse_segment_path(&object.path) else { continue };
        if name.lsn_last <= after {
            continue;
        }
        let segment = Segment::decode(&object.path, &lake.bucket().get(&object.path).await?)?;
        let commits = segment.commits.iter().filter(|c| c.lsn_last() > after);
        out.extend(commits.map(|c| Extent { first: c.lsn_first, last: c.lsn_last(), timestamp: c.timestamp }));
    }
    Ok(out)
}
