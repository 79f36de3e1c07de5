//! Names in the bucket: an object's name is its range, so a listing is the index.
//!
//! ```text
//! stores/<ns>/log/<epoch>/<lsn_first>-<lsn_last>.seg     LSNs of 20 digits, so that names sort as they count
//! lake/<table>/{data,metadata}/…
//! ```

use relstore_model::{Error, Lsn, Namespace, Result};

/// What a segment's name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The store.
    pub ns: Namespace,
    /// The writer's epoch.
    pub epoch: u64,
    /// The position of its first change.
    pub lsn_first: Lsn,
    /// The position of its last change; never before the first.
    pub lsn_last: Lsn,
}

/// The folder of a store.
#[must_use]
pub fn store_prefix(ns: &Namespace) -> String {
    format!("stores/{}", ns.to_path())
}

/// The folder of a store's segments, of all epochs.
#[must_use]
pub fn log_prefix(ns: &Namespace) -> String {
    format!("stores/{}/log", ns.to_path())
}

/// The path of the segment of `first..=last`, written in `epoch`.
#[must_use]
pub fn segment_path(ns: &Namespace, epoch: u64, first: Lsn, last: Lsn) -> String {
    format!("{}/{epoch}/{:020}-{:020}.seg", log_prefix(ns), first.get(), last.get())
}

/// Reads a path that [`segment_path`] gave.
///
/// # Errors
/// `Invalid` if it is none.
pub fn parse_segment_path(path: &str) -> Result<SegmentName> {
    let refuse = || Error::invalid("not the path of a segment").with("path", path);
    let [stores, ns, log, epoch, file] = path.split('/').collect::<Vec<_>>()[..] else { return Err(refuse()) };
    let (first, last) = file.strip_suffix(".seg").and_then(|range| range.split_once('-')).ok_or_else(refuse)?;
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| refuse());
    let name = SegmentName {
        ns: Namespace::from_path(ns).map_err(|_| refuse())?,
        epoch: number(epoch)?,
        lsn_first: Lsn::new(number(first)?),
        lsn_last: Lsn::new(number(last)?),
    };
    let is_whole = stores == "stores" && log == "log" && name.lsn_first <= name.lsn_last;
    // What reads back to another path is another object, and would be read twice.
    if is_whole && segment_path(&name.ns, name.epoch, name.lsn_first, name.lsn_last) == path { Ok(name) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_path_reads_back_and_nothing_else_does() {
        let ns = Namespace::new("EWR west").unwrap();
        let path = segment_path(&ns, 3, Lsn::new(1), Lsn::new(99));
        assert_eq!(path, "stores/EWR%20west~7/log/3/00000000000000000001-00000000000000000099.seg");
        let name = SegmentName { ns, epoch: 3, lsn_first: Lsn::new(1), lsn_last: Lsn::new(99) };
        assert_eq!(parse_segment_path(&path).unwrap(), name);
        for bad in [
            "",
            "stores/a/log/1/1-2.seg",
            "stores/a/log/1/00000000000000000002-00000000000000000001.seg",
            "stores/a/log/x/00000000000000000001-00000000000000000002.seg",
            "stores/a/log/01/00000000000000000001-00000000000000000002.seg",
            "stores/a/log/1/00000000000000000001-00000000000000000002.seg.tmp",
            "stores/A/log/1/00000000000000000001-00000000000000000002.seg",
        ] {
            assert!(parse_segment_path(bad).is_err(), "{bad}");
        }
    }
}
