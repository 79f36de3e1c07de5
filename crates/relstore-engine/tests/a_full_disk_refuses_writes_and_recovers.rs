//! A disk without space refuses writes and nothing else: the transaction leaves no trace, reads go on, and when there is space again the same
//! handle goes on, with no event lost or doubled.
//!
//! Swept over the room that is left, on a simulated disk; and once on a real file system of 2 MiB, where the test may mount one.
//! `RELSTORE_SEED=n` runs the room of `n` bytes alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;

use std::path::Path;
use std::process::Command;

use common::state;
use faults::{Note, Truth, open, prepare, transact, try_open};
use relstore_engine::{Database, Durability};
use relstore_model::{Error, ErrorKind};
use relstore_testkit::Rng;
use relstore_testkit::disk::Disk;

/// As much as a few transactions write, and beyond the WAL's size at which it is copied into the file.
const ROOM_MAX: u64 = 6 << 20;
const BODY_MAX: u64 = 40_000;

/// Every byte where a header or a frame's header lies, then ever larger steps.
fn rooms() -> Vec<u64> {
    if let Some(room) = std::env::var("RELSTORE_SEED").ok().and_then(|s| s.parse().ok()) {
        return vec![room];
    }
    let mut rooms: Vec<u64> = vec![0, 1, 16, 31, 32, 33, 55, 56, 57, 511, 512, 513, 4095, 4096, 4152, 4153, 8272];
    let mut room = 9_001;
    while room < ROOM_MAX {
        rooms.push(room);
        room += room / 7;
    }
    rooms
}

fn assert_is_about_space(e: &Error) {
    assert_eq!(e.kind(), ErrorKind::Unavailable, "{e:?}");
    assert!(e.hint().is_some_and(|h| h.contains("space")), "the hint does not say what to do: {e:?}");
}

/// Runs transactions until one finds no space, and a few more; gives the names of those that committed.
fn fill(db: &Database, truth: &mut Truth, name: &str) -> Vec<String> {
    let mut committed = Vec::new();
    let mut refused = 0;
    for n in 0..2_000 {
        let tx = format!("tx{name}-{n}");
        match transact(db, &tx, &mut Rng::new(n), BODY_MAX) {
            Ok(()) => committed.push(tx),
            Err(e) => {
                assert_is_about_space(&e);
                refused += 1;
                truth.follow(db);
                assert_eq!(state(db), truth.state(), "reads go on, and the refused transaction left no trace");
                if refused == 3 {
                    return committed;
                }
            }
        }
    }
    panic!("the disk is never full");
}

fn assert_whole(db: &Database, truth: &mut Truth, committed: &[String]) {
    truth.follow(db);
    truth.assert_held_by(db);
    for tx in committed {
        assert!(truth.end_of(tx).is_some(), "{tx} was acknowledged and is lost");
    }
}

#[test]
fn a_disk_that_is_full_anywhere_recovers_when_space_returns() {
    let mut refused_opens = 0;
    for (i, room) in rooms().into_iter().enumerate() {
        let durability = [Durability::Full, Durability::Normal][i % 2];
        let _note = Note(format!("RELSTORE_SEED={room}, {durability:?}"));
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::attach(dir.path());
        let mut truth = Truth::default();
        if i % 3 == 0 {
            // The store itself finds no space.
            disk.set_capacity(room);
            match try_open(dir.path(), durability).and_then(|db| prepare(&db)) {
                Ok(()) => {}
                Err(e) => {
                    assert_is_about_space(&e);
                    refused_opens += 1;
                }
            }
            disk.heal();
        }
        let db = open(dir.path(), durability);
        prepare(&db).unwrap();
        disk.set_capacity(disk.used_bytes() + room);
        let mut committed = fill(&db, &mut truth, "full");
        disk.heal();
        for n in 0..5 {
            let tx = format!("tx-again-{n}");
            transact(&db, &tx, &mut Rng::new(n), BODY_MAX).unwrap();
            committed.push(tx);
        }
        assert_whole(&db, &mut truth, &committed);
        // Full once more, while the store closes and is opened again.
        disk.set_capacity(disk.used_bytes());
        drop(db);
        match try_open(dir.path(), durability) {
            Ok(db) => assert_whole(&db, &mut truth, &committed),
            Err(e) => assert_is_about_space(&e),
        }
        disk.heal();
        assert_whole(&open(dir.path(), durability), &mut truth, &committed);
        let mut cuts = disk.power_cuts();
        let left = tempfile::tempdir().unwrap();
        let what = cuts.cut(cuts.len(), &mut Rng::new(room), left.path());
        let db = open(left.path(), durability);
        let last = db.log_range().unwrap().last;
        assert!(durability == Durability::Normal || last == truth.last(), "{what}");
        truth.until(last).assert_held_by(&db);
    }
    assert!(refused_opens > 0 || std::env::var_os("RELSTORE_SEED").is_some());
}

#[test]
fn a_real_file_system_that_is_full_recovers_when_space_returns() {
    let Some(mount) = Mount::small() else {
        eprintln!("skipped: no small file system can be mounted here (it takes root on Linux)");
        return;
    };
    for durability in [Durability::Full, Durability::Normal] {
        let folder = mount.dir.path().join(format!("{durability:?}"));
        std::fs::create_dir(&folder).unwrap();
        let mut truth = Truth::default();
        let db = open(&folder, durability);
        prepare(&db).unwrap();
        let ballast = folder.join("ballast");
        std::fs::write(&ballast, vec![7; 512 << 10]).unwrap();
        let mut committed = fill(&db, &mut truth, "real");
        std::fs::remove_file(&ballast).unwrap();
        // Small: what the disk took in the meantime is still there.
        for n in 0..3 {
            let tx = format!("tx-again-{n}");
            transact(&db, &tx, &mut Rng::new(n), 500).unwrap();
            committed.push(tx);
        }
        assert_whole(&db, &mut truth, &committed);
        drop(db);
        assert_whole(&open(&folder, durability), &mut truth, &committed);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// A file system of 2 MiB in memory, unmounted when dropped.
struct Mount {
    dir: tempfile::TempDir,
}

impl Mount {
    fn small() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "relstore-test"]).arg(dir.path()).output();
        mounted.is_ok_and(|o| o.status.success()).then_some(Self { dir })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(self.dir.path());
    }
}

fn unmount(folder: &Path) {
    let _ = Command::new("umount").arg(folder).output();
}
