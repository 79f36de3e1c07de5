//! Which segments of a store are still to be archived, and in which order.

use std::collections::BTreeMap;

use relstore_cdc::bucket::Bucket;
use relstore_cdc::bucket::layout::{SegmentName, log_prefix, parse_segment_path};
use relstore_model::segment::Segment;
use relstore_model::{Error, Lsn, Namespace, Result};

/// A segment to be read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its object.
    pub(super) path: String,
    name: SegmentName,
    /// The last position that counts: what a writer wrote after a newer epoch had begun does not.
    pub(super) lsn_last: Lsn,
}

/// The segments of the store that hold changes after `after`, by position.
///
/// # Errors
/// `Corrupt` if they leave a gap, which it names; `Unavailable` if the bucket cannot be read.
pub(super) async fn sources(bucket: &Bucket, ns: &Namespace, after: Lsn) -> Result<Vec<Source>> {
    let entries = bucket.list(&log_prefix(ns)).await?;
    let names = entries.into_iter().filter_map(|e| parse_segment_path(&e.path).ok().map(|name| (e.path, name))).collect();
    select(ns, names, after)
}

fn select(ns: &Namespace, names: Vec<(String, SegmentName)>, after: Lsn) -> Result<Vec<Source>> {
    let mut epochs: BTreeMap<u64, Lsn> = BTreeMap::new();
    for (_, name) in &names {
        let first = epochs.entry(name.epoch).or_insert(name.lsn_first);
        *first = name.lsn_first.min(*first);
    }
    let mut sources: Vec<Source> = names
        .into_iter()
        .filter_map(|(path, name)| {
            let newer = epochs.range(name.epoch + 1..).map(|(_, first)| Lsn::new(first.get().saturating_sub(1))).min();
            let lsn_last = newer.unwrap_or(Lsn::MAX).min(name.lsn_last);
            (lsn_last >= name.lsn_first && lsn_last > after).then_some(Source { path, name, lsn_last })
        })
        .collect();
    sources.sort_by_key(|source| (source.name.lsn_first, source.name.epoch, source.lsn_last));
    let mut expected = after.next();
    for source in &sources {
        if source.name.lsn_first > expected {
            return Err(Error::corrupt("segments of the store are missing")
                .with("ns", ns)
                .with("lsn_first", expected)
                .with("lsn_last", source.name.lsn_first.get() - 1)
                .with("next", &source.path));
        }
        expected = expected.max(source.lsn_last.next());
    }
    Ok(sources)
}

impl Source {
    /// Decodes the object and holds it to its name.
    ///
    /// # Errors
    /// `Corrupt`, naming the object, if the bytes are no segment or another one than the name says.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Segment> {
        let segment = Segment::decode(&self.path, bytes)?;
        let is_named_so = segment.namespace == self.name.ns
            && segment.epoch == self.name.epoch
            && segment.lsn_first() == self.name.lsn_first
            && segment.lsn_last() == self.name.lsn_last;
        if is_named_so {
            return Ok(segment);
        }
        Err(Error::corrupt("a segment is another one than its name says")
            .with("segment", &self.path)
            .with("ns", &segment.namespace)
            .with("epoch", segment.epoch)
            .with("lsn_first", segment.lsn_first())
            .with("lsn_last", segment.lsn_last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(u64, u64, u64)], after: u64, wanted: Result<&[(u64, u64)], &str>) {
        let ns = Namespace::new("a").unwrap();
        let names = given.iter().map(|&(epoch, first, last)| {
            let name = SegmentName { ns: ns.clone(), epoch, lsn_first: Lsn::new(first), lsn_last: Lsn::new(last) };
            (format!("{epoch}/{first}-{last}"), name)
        });
        let got = select(&ns, names.collect(), Lsn::new(after));
        match (got, wanted) {
            (Ok(got), Ok(wanted)) => {
                let got: Vec<_> = got.iter().map(|s| (s.name.lsn_first.get(), s.lsn_last.get())).collect();
                assert_eq!(got, wanted, "{given:?} after {after}");
            }
            (Err(e), Err(wanted)) => assert!(e.to_string().contains(wanted), "{e}"),
            (got, wanted) => panic!("{got:?} is not {wanted:?}"),
        }
    }

    #[test]
    fn what_is_archived_is_left_out_and_a_gap_is_named() {
        check(&[], 0, Ok(&[]));
        check(&[(1, 1, 10), (1, 11, 20)], 0, Ok(&[(1, 10), (11, 20)]));
        check(&[(1, 1, 10), (1, 11, 20)], 10, Ok(&[(11, 20)]));
        check(&[(1, 1, 10), (1, 11, 20)], 15, Ok(&[(11, 20)]));
        check(&[(1, 1, 10), (1, 12, 20)], 0, Err("lsn_first: 11, lsn_last: 11"));
        check(&[(1, 5, 10)], 0, Err("lsn_first: 1, lsn_last: 4"));
        check(&[(1, 1, 10), (1, 1, 20)], 0, Ok(&[(1, 10), (1, 20)]));
    }

    #[test]
    fn a_newer_epoch_ends_the_older_one() {
        check(&[(1, 1, 10), (1, 11, 20), (2, 11, 15)], 0, Ok(&[(1, 10), (11, 15)]));
        check(&[(1, 1, 10), (2, 6, 15), (10, 16, 20)], 0, Ok(&[(1, 5), (6, 15), (16, 20)]));
    }
}
