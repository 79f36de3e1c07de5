//! A power cut at any moment: `full` loses nothing that was acknowledged, `normal` keeps a prefix of whole commits; both leave a sound store.
//!
//! The store runs on a simulated disk that drops and tears what was not synced. `RELSTORE_SEED=n` runs one seed alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use faults::{Note, Truth, open, prepare, transact};
use relstore_engine::{Database, Durability};
use relstore_model::Lsn;
use relstore_testkit::disk::Disk;
use relstore_testkit::{Rng, seeds};

const SEEDS: u64 = 6;
const LIVES: u64 = 3;
const CUTS_PER_LIFE: u64 = 12;
const WRITERS: u64 = 3;

/// The transactions that were acknowledged, each with the disk's position when it was.
type Acknowledged = Mutex<Vec<(String, usize)>>;

#[test]
fn full_loses_nothing_and_normal_keeps_a_prefix() {
    let mut cuts = 0;
    for seed in seeds(SEEDS) {
        for durability in [Durability::Full, Durability::Normal] {
            cuts += lives(seed, durability);
        }
    }
    eprintln!("{cuts} power cuts");
}

/// A store that lives through several power cuts; at each life's end it is looked at after many other cuts that could have been.
fn lives(seed: u64, durability: Durability) -> u64 {
    let mut rng = Rng::new(seed);
    let mut folder = tempfile::tempdir().unwrap();
    let mut before = Truth::default();
    let mut cuts = 0;
    for life in 0..LIVES {
        let disk = Disk::attach(folder.path());
        disk.set_sync_takes(Duration::from_micros(20));
        let acknowledged = Acknowledged::default();
        let truth = live(folder.path(), &disk, durability, (seed, life), &before, &acknowledged);
        let acknowledged = acknowledged.into_inner().unwrap();
        let mut power_cuts = disk.power_cuts();
        let mut positions: Vec<usize> = (0..CUTS_PER_LIFE).map(|_| position(&mut rng, power_cuts.len())).collect();
        positions.sort_unstable();
        let next = rng.below(CUTS_PER_LIFE) as usize;
        let mut left = None;
        for (i, at) in positions.into_iter().enumerate() {
            let cut = tempfile::tempdir().unwrap();
            let what = power_cuts.cut(at, &mut rng, cut.path());
            let _note = Note(format!("RELSTORE_SEED={seed}, {durability:?}, life {life}: {what}"));
            // The store that lives on is what the cut left: the check opens it, and goes on with it.
            let as_left = (i == next).then(|| copy(cut.path()));
            let until = check(cut.path(), durability, &truth, &before, &acknowledged, at);
            cuts += 1;
            left = as_left.map(|folder| (folder, until)).or(left);
        }
        (folder, before) = left.unwrap();
    }
    cuts
}

/// Anywhere, but more often where a store opens and closes: most of the disk's life is plain commits.
fn position(rng: &mut Rng, len: usize) -> usize {
    let near = rng.below(60.min(len as u64 + 1)) as usize;
    match rng.below(4) {
        0 => near,
        1 => len - near,
        _ => rng.below(len as u64 + 1) as usize,
    }
}

/// Opens the store, runs a load from several threads, and closes it; gives all that it ever committed.
fn live(folder: &Path, disk: &Disk, durability: Durability, id: (u64, u64), before: &Truth, acknowledged: &Acknowledged) -> Truth {
    let db = open(folder, durability);
    prepare(&db).unwrap();
    let rng = &mut Rng::new(id.0 * 1000 + id.1);
    // Some lives are long enough for checkpoints and a WAL that begins anew, others for many commits.
    let (transactions, body_max) = *rng.pick(&[(10, 400), (40, 2_000), (50, 20_000)]);
    let truth = Mutex::new(before.clone());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (db, truth, mut rng) = (&db, &truth, Rng::new(id.0 * 1000 + id.1 * 10 + writer));
            scope.spawn(move || {
                for n in 0..transactions {
                    let tx = format!("tx{}-{writer}-{n}", id.1);
                    transact(db, &tx, &mut rng, body_max).unwrap();
                    acknowledged.lock().unwrap().push((tx, disk.position()));
                    if rng.one_in(8) {
                        consume(db, &mut truth.lock().unwrap());
                    }
                }
            });
        }
    });
    let mut truth = truth.into_inner().unwrap();
    consume(&db, &mut truth);
    truth.assert_held_by(&db);
    truth
}

/// A consumer of the log: reads it, says so, and lets it be trimmed.
fn consume(db: &Database, truth: &mut Truth) {
    truth.follow(db);
    db.advance_cursor("truth", truth.last()).unwrap();
    db.trim_log().unwrap();
}

/// The store that a power cut left is a prefix of the truth with all that had to be in it, and goes on. Gives that prefix.
fn check(folder: &Path, durability: Durability, truth: &Truth, before: &Truth, acknowledged: &[(String, usize)], at: usize) -> Truth {
    // On a simulated disk too, for its syncs cost nothing.
    let _disk = Disk::attach(folder);
    let db = open(folder, durability);
    let last = db.log_range().unwrap().last;
    let must = acknowledged.iter().filter(|(_, position)| *position <= at).map(|(tx, _)| truth.end_of(tx).unwrap()).max();
    if durability == Durability::Full {
        assert!(last >= must.unwrap_or(Lsn::ZERO), "acknowledged up to {must:?}, and kept up to {last}");
    }
    // What earlier lives kept was recovered, and made durable before the store gave anything.
    assert!(last >= before.last(), "the life before had come to {}, and {last} is left", before.last());
    let until = truth.until(last);
    until.assert_held_by(&db);
    prepare(&db).unwrap();
    transact(&db, "tx-after", &mut Rng::new(at as u64), 1_000).unwrap();
    let mut after = until.clone();
    after.follow(&db);
    after.assert_held_by(&db);
    until
}

fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}
