//! What a disk could hold after a power cut.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Event, FileId};
use crate::Rng;

/// A sector is written whole or not at all.
const SECTOR: u64 = 512;

/// The power cuts of one disk's life, taken in order.
#[derive(Debug)]
pub struct PowerCuts {
    events: Vec<Event>,
    next: usize,
    files: BTreeMap<FileId, File>,
    /// The names that are kept for sure.
    names: BTreeMap<String, FileId>,
    /// Names made and deleted since, with their positions.
    unsynced_names: Vec<(usize, String, Option<FileId>)>,
}

#[derive(Debug, Default)]
struct File {
    kept: Vec<u8>,
    /// What may be lost, with its position.
    unsynced: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, bytes: Arc<[u8]> },
    Truncate(u64),
}

/// What becomes of the writes that were not synced.
#[derive(Clone, Copy, Debug)]
enum Luck {
    AllLost,
    AllKept,
    /// Each by itself: kept, lost or torn.
    Each,
    /// Those up to some point kept, that one torn, the rest lost: a disk that keeps the order.
    InOrder,
}

impl PowerCuts {
    pub(super) fn new(first: &[(String, Vec<u8>)], events: Vec<Event>) -> Self {
        let files = first.iter().enumerate().map(|(id, (_, bytes))| (id, File { kept: bytes.clone(), unsynced: Vec::new() })).collect();
        let names = first.iter().enumerate().map(|(id, (name, _))| (name.clone(), id)).collect();
        Self { events, next: 0, files, names, unsynced_names: Vec::new() }
    }

    /// How many events there are: a cut may come at any position from 0 to this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Writes into the folder `into`, which is empty, what the disk holds after a cut at `position`: the events before it happened, that
    /// one did not. `rng` decides what is lost. Gives what was decided, for a failure's message.
    ///
    /// # Panics
    /// If `position` lies before that of an earlier call, or the folder cannot be written.
    pub fn cut(&mut self, position: usize, rng: &mut Rng, into: &Path) -> String {
        assert!(self.next <= position && position <= self.events.len(), "cuts are taken in order");
        while self.next < position {
            self.advance();
        }
        let luck = *rng.pick(&[Luck::AllLost, Luck::AllKept, Luck::Each, Luck::Each, Luck::InOrder, Luck::InOrder]);
        let mut unsynced = 0;
        for (name, file) in self.names_after(luck, rng) {
            let file = &self.files[&file];
            unsynced += file.unsynced.len();
            std::fs::write(into.join(name), file.after(luck, rng)).expect("the folder can be written");
        }
        format!("a power cut at {position} of {}: {luck:?} of {unsynced} unsynced", self.events.len())
    }

    fn names_after(&self, luck: Luck, rng: &mut Rng) -> BTreeMap<String, FileId> {
        let mut names = self.names.clone();
        let in_order = rng.below(self.unsynced_names.len() as u64 + 1) as usize;
        for (i, (_, name, file)) in self.unsynced_names.iter().enumerate() {
            let is_kept = match luck {
                Luck::AllLost => false,
                Luck::AllKept => true,
                Luck::Each => rng.one_in(2),
                Luck::InOrder => i < in_order,
            };
            match file {
                _ if !is_kept => {}
                Some(file) => drop(names.insert(name.clone(), *file)),
                None => drop(names.remove(name)),
            }
        }
        names
    }

    fn advance(&mut self) {
        let position = self.next;
        self.next += 1;
        match &self.events[position] {
            Event::Create { name, file } => {
                self.files.insert(*file, File::default());
                self.unsynced_names.push((position, name.clone(), Some(*file)));
            }
            Event::Delete { name } => self.unsynced_names.push((position, name.clone(), None)),
            Event::Write { file, at, bytes } => {
                let change = Change::Write { at: *at, bytes: Arc::clone(bytes) };
                self.files.entry(*file).or_default().unsynced.push((position, change));
            }
            Event::Truncate { file, size } => {
                self.files.entry(*file).or_default().unsynced.push((position, Change::Truncate(*size)));
            }
            Event::Sync { file, upto } => self.files.entry(*file).or_default().settle(*upto, |_| true),
            Event::SyncFailed { file, upto } => {
                // Decided by the position alone: every later cut must find the same pages gone.
                let mut rng = Rng::new(position as u64);
                let keeps_some = !rng.one_in(2);
                self.files.entry(*file).or_default().settle(*upto, |_| keeps_some && rng.one_in(2));
            }
            Event::SyncFolder { upto } => {
                let upto = *upto;
                let names = &mut self.names;
                self.unsynced_names.retain(|(at, name, file)| {
                    if *at < upto {
                        match file {
                            Some(file) => drop(names.insert(name.clone(), *file)),
                            None => drop(names.remove(name)),
                        }
                    }
                    *at >= upto
                });
            }
        }
    }
}

impl File {
    /// The changes before `upto` are no longer in doubt: those that `keeps` says are on the disk, the others are lost.
    fn settle(&mut self, upto: usize, mut keeps: impl FnMut(&Change) -> bool) {
        let split = self.unsynced.partition_point(|(at, _)| *at < upto);
        for (_, change) in self.unsynced.drain(..split) {
            if keeps(&change) {
                apply(&mut self.kept, &change);
            }
        }
    }

    fn after(&self, luck: Luck, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = self.kept.clone();
        let in_order = rng.below(self.unsynced.len() as u64 + 1) as usize;
        for (i, (_, change)) in self.unsynced.iter().enumerate() {
            match luck {
                Luck::AllLost => {}
                Luck::AllKept => apply(&mut bytes, change),
                Luck::InOrder if i < in_order => apply(&mut bytes, change),
                Luck::InOrder if i == in_order => apply_torn(&mut bytes, change, rng),
                Luck::InOrder => {}
                Luck::Each => match rng.below(3) {
                    0 => {}
                    1 => apply(&mut bytes, change),
                    _ => apply_torn(&mut bytes, change, rng),
                },
            }
        }
        bytes
    }
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes } => put(file, *at, bytes),
        Change::Truncate(size) => file.resize(*size as usize, 0),
    }
}

/// Applies some sectors of a write: the first, the last, or any.
fn apply_torn(file: &mut Vec<u8>, change: &Change, rng: &mut Rng) {
    let Change::Write { at, bytes } = change else { return };
    let end = at + bytes.len() as u64;
    let cut = at + rng.below(bytes.len() as u64 + 1);
    let form = rng.below(3);
    let mut from = *at;
    while from < end {
        let to = ((from / SECTOR + 1) * SECTOR).min(end);
        let is_kept = match form {
            0 => to <= cut,
            1 => from >= cut,
            _ => rng.one_in(2),
        };
        if is_kept {
            put(file, from, &bytes[(from - at) as usize..(to - at) as usize]);
        }
        from = to;
    }
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}
