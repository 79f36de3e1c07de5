//! Walking over the rows of several cold files in the order of their rowids, each rowid once: the newest copy.

use std::cmp::Reverse;
use std::sync::Arc;

use relstore_model::{Result, ValueRef};

use super::source::{ColdFile, ColdRows};
use super::tier::Tier;

/// The rowids that are wanted, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Bounds {
    pub(super) const ALL: Self = Self { low: i64::MIN, high: i64::MAX };
    pub(super) const NONE: Self = Self { low: i64::MAX, high: i64::MIN };
}

/// A walk. It stands before its first row until [`Walk::advance`] is called.
pub(super) struct Walk {
    bounds: Bounds,
    is_descending: bool,
    /// Groups of files whose rowids overlap, in the order of the walk, last first.
    groups: Vec<Vec<ColdFile>>,
    /// The files of the group that is walked now, newest first.
    open: Vec<Arc<dyn ColdRows>>,
    /// Which rows of it are wanted: file and position, in rowid order.
    order: Order,
    at: usize,
    end: usize,
}

enum Order {
    /// One file: positions are in order by themselves.
    Natural,
    Merged(Vec<(usize, usize)>),
}

impl Walk {
    pub(super) fn new(files: &[ColdFile], bounds: Bounds, is_descending: bool) -> Self {
        let mut files: Vec<&ColdFile> =
            files.iter().filter(|f| bounds.low <= bounds.high && f.rowid_min <= bounds.high && f.rowid_max >= bounds.low).collect();
        files.sort_by_key(|f| (f.rowid_min, f.id));
        let mut groups: Vec<(i64, Vec<ColdFile>)> = Vec::new();
        for file in files {
            match groups.last_mut() {
                Some((max, group)) if file.rowid_min <= *max => {
                    *max = (*max).max(file.rowid_max);
                    group.push(file.clone());
                }
                _ => groups.push((file.rowid_max, vec![file.clone()])),
            }
        }
        let mut groups: Vec<Vec<ColdFile>> = groups.into_iter().map(|(_, group)| group).collect();
        if !is_descending {
            groups.reverse();
        }
        Self { bounds, is_descending, groups, open: Vec::new(), order: Order::Natural, at: 0, end: 0 }
    }

    /// Goes to the next row; false if there is none.
    pub(super) fn advance(&mut self, tier: &Tier) -> Result<bool> {
        if self.at < self.end {
            if self.is_descending { self.end -= 1 } else { self.at += 1 }
        }
        while self.at >= self.end {
            let Some(group) = self.groups.pop() else { return Ok(false) };
            self.enter(group, tier)?;
        }
        Ok(true)
    }

    fn enter(&mut self, mut group: Vec<ColdFile>, tier: &Tier) -> Result<()> {
        group.sort_by_key(|f| Reverse(f.id));
        self.open = group.iter().map(|f| tier.read(f)).collect::<Result<_>>()?;
        let spans: Vec<(usize, usize)> = self.open.iter().map(|rows| self.span(rows.as_ref())).collect();
        if let [span] = spans.as_slice() {
            (self.at, self.end) = *span;
            self.order = Order::Natural;
            return Ok(());
        }
        let mut merged: Vec<(i64, usize, usize)> = Vec::new();
        for (file, (start, end)) in spans.into_iter().enumerate() {
            merged.extend((start..end).map(|row| (self.open[file].rowid(row), file, row)));
        }
        // The newest file comes first among the copies of a row, and is the one that stays.
        merged.sort_unstable();
        merged.dedup_by_key(|(rowid, ..)| *rowid);
        (self.at, self.end) = (0, merged.len());
        self.order = Order::Merged(merged.into_iter().map(|(_, file, row)| (file, row)).collect());
        Ok(())
    }

    /// The positions within the bounds.
    fn span(&self, rows: &dyn ColdRows) -> (usize, usize) {
        let first_where = |is_past: &dyn Fn(i64) -> bool| {
            let (mut low, mut high) = (0, rows.len());
            while low < high {
                let middle = low + (high - low) / 2;
                if is_past(rows.rowid(middle)) { high = middle } else { low = middle + 1 }
            }
            low
        };
        (first_where(&|id| id >= self.bounds.low), first_where(&|id| id > self.bounds.high))
    }

    fn here(&self) -> Option<(&dyn ColdRows, usize)> {
        if self.at >= self.end {
            return None;
        }
        let position = if self.is_descending { self.end - 1 } else { self.at };
        let (file, row) = match &self.order {
            Order::Natural => (0, position),
            Order::Merged(order) => order[position],
        };
        Some((self.open[file].as_ref(), row))
    }

    /// The rowid of the row here.
    pub(super) fn rowid(&self) -> Option<i64> {
        self.here().map(|(rows, row)| rows.rowid(row))
    }

    /// A cell of the row here.
    pub(super) fn cell(&self, column: usize) -> ValueRef<'_> {
        self.here().map_or(ValueRef::Null, |(rows, row)| rows.cell(row, column))
    }
}
