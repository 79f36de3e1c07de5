//! `kill -9` at any moment, again and again on the same store: what was acknowledged is there, whole, once, and so is its log.
//!
//! A child process, this test itself run again, opens the store, runs writers and a consumer on it, closes it and opens it again; it prints
//! each transaction after its commit has returned. The parent kills it at a random moment: at its start, while it opens, under load, while
//! it closes. `RELSTORE_SEED=n` replays the choices of one seed (not the scheduling), `RELSTORE_KILLS=n` sets how many kills there are.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod common;
mod faults;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use faults::{Note, Truth, open, prepare, transact};
use relstore_engine::{Database, Durability};
use relstore_model::{ErrorKind, Lsn};
use relstore_testkit::{Rng, seeds};

const KILLS: u64 = 120;
const WRITERS: u64 = 3;
const BODY_MAX: u64 = 8_000;
/// A child that nobody kills ends by itself.
const CHILD_LIVES: Duration = Duration::from_secs(20);

const FOLDER: &str = "RELSTORE_TEST_CHILD_FOLDER";
const ORDER: &str = "RELSTORE_TEST_CHILD_ORDER";

#[test]
fn a_store_outlives_many_kills() {
    let kills = std::env::var("RELSTORE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let seeds = seeds(1);
    for seed in &seeds {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = Rng::new(*seed);
        let mut store = Killed { truth: Truth::default(), acknowledged: Vec::new(), total: 0, unseen: 0 };
        store.look(dir.path(), Durability::Full);
        for kill in 0..kills / seeds.len() as u64 {
            let durability = *rng.pick(&[Durability::Full, Durability::Normal]);
            let moment = *rng.pick(&MOMENTS);
            let _note = Note(format!("RELSTORE_SEED={seed}: kill {kill}, {moment:?}, {durability:?}"));
            store.kill_one(dir.path(), kill, durability, moment, &mut rng);
            // Not after each: the next child often meets the file, the WAL and the lock as the kill left them.
            if rng.one_in(2) {
                store.look(dir.path(), *rng.pick(&[Durability::Full, Durability::Normal]));
            }
        }
        store.look(dir.path(), Durability::Full);
        eprintln!("{kills} kills, {} transactions acknowledged, {} more committed", store.total, store.unseen);
        assert!(store.total > kills, "the children have done some work");
    }
}

/// When a child is killed, and how long after that at the most.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Started,
    Opening,
    Loaded,
    Closing,
}

const MOMENTS: [Moment; 6] = [Moment::Started, Moment::Opening, Moment::Loaded, Moment::Loaded, Moment::Loaded, Moment::Closing];

struct Killed {
    truth: Truth,
    /// Transactions acknowledged since the last look.
    acknowledged: Vec<String>,
    total: u64,
    unseen: u64,
}

impl Killed {
    fn kill_one(&mut self, folder: &Path, kill: u64, durability: Durability, moment: Moment, rng: &mut Rng) {
        let mut child = spawn(folder, &format!("load {kill} {durability:?}"));
        let lines = lines_of(&mut child);
        let (word, micros) = match moment {
            Moment::Started => (None, rng.below(8_000)),
            Moment::Opening => (Some("opening"), rng.below(4_000)),
            Moment::Loaded => (Some("tx"), rng.below(120_000)),
            Moment::Closing => (Some("closing"), rng.below(4_000)),
        };
        let mut seen = Vec::new();
        if let Some(word) = word {
            loop {
                let line = lines.recv_timeout(CHILD_LIVES).unwrap_or_else(|e| panic!("the child did not come to it: {e}: {seen:?}"));
                let is_it = line.starts_with(word);
                seen.push(line);
                if is_it {
                    break;
                }
            }
        }
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.extend(lines.iter());
        if let Some(failed) = seen.iter().find(|l| l.starts_with("failed")) {
            panic!("the child could not do its work: {failed}");
        }
        self.acknowledged.extend(seen.into_iter().filter(|l| l.starts_with("tx")));
    }

    /// Opens the store as the last kill left it and compares it with all that was acknowledged since the last look.
    fn look(&mut self, folder: &Path, durability: Durability) {
        // At once: a process that was killed holds no lock.
        let db = open(folder, durability);
        let known = self.truth.commits.len();
        self.truth.follow(&db);
        self.truth.assert_held_by(&db);
        let acknowledged = std::mem::take(&mut self.acknowledged);
        for line in &acknowledged {
            let (tx, seen) = line.split_once(' ').expect("a transaction and a position");
            let end = self.truth.end_of(tx).unwrap_or_else(|| panic!("{tx} was acknowledged and is lost"));
            // The child's high-water mark just after its commit.
            assert!(end <= Lsn::new(seen.parse().unwrap()), "{tx} was acknowledged at {seen} and stands at {end}");
        }
        self.total += acknowledged.len() as u64;
        self.unseen += (self.truth.commits.len() - known).saturating_sub(acknowledged.len()) as u64;
        prepare(&db).unwrap();
        self.truth.follow(&db);
        // The log is trimmed no further than the parent has read it.
        db.advance_cursor("parent", self.truth.last()).unwrap();
        db.trim_log().unwrap();
    }
}

/// Runs this test's binary again, as a child that follows `order`.
fn spawn(folder: &Path, order: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ORDER, order)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The child's lines as they come, until its end of the pipe is closed. A line that the kill cut is left out.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(n) if n > 0 && line.ends_with('\n') => {
                    if sender.send(line.trim_end().to_owned()).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    });
    receiver
}

/// One line in one write to the pipe.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the child of the tests here"]
fn child() {
    let (Ok(folder), Ok(order)) = (std::env::var(FOLDER), std::env::var(ORDER)) else { return };
    // The harness has begun a line.
    say("");
    let folder = Path::new(&folder);
    let words: Vec<&str> = order.split(' ').collect();
    match words.as_slice() {
        ["load", kill, durability] => {
            let durability = if *durability == "Full" { Durability::Full } else { Durability::Normal };
            load(folder, kill.parse().unwrap(), durability);
        }
        ["race"] => race(folder),
        _ => panic!("an unknown order: {order}"),
    }
}

/// Opens, runs writers for a while, closes; again and again.
fn load(folder: &Path, kill: u64, durability: Durability) {
    let began = Instant::now();
    let rng = &mut Rng::new(kill + 1);
    let mut session = 0;
    while began.elapsed() < CHILD_LIVES {
        say("opening");
        let db = match faults::try_open(folder, durability) {
            Ok(db) => db,
            Err(e) => return say(&format!("failed {e:?}").replace('\n', " ")),
        };
        let until = Instant::now() + Duration::from_millis(5 + rng.below(80));
        let stops = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (db, stops, mut rng) = (&db, &stops, Rng::new(kill * 1000 + session * 10 + writer));
                scope.spawn(move || {
                    for n in 0.. {
                        if stops.load(Ordering::Relaxed) {
                            return;
                        }
                        write_one(db, &format!("tx{kill}-{session}-{writer}-{n}"), &mut rng);
                    }
                });
            }
            while Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
                db.advance_cursor("child", db.high_water()).unwrap();
                db.trim_log().unwrap();
            }
            stops.store(true, Ordering::Relaxed);
        });
        say("closing");
        drop(db);
        session += 1;
    }
}

fn write_one(db: &Database, tx: &str, rng: &mut Rng) {
    match transact(db, tx, rng, BODY_MAX) {
        Ok(()) => say(&format!("{tx} {}", db.high_water())),
        Err(e) => say(&format!("failed {tx}: {e:?}").replace('\n', " ")),
    }
}

/// Opens the store, says whether it could, and holds it until the parent closes the pipe.
fn race(folder: &Path) {
    say("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    match faults::try_open(folder, Durability::Normal) {
        Ok(db) => {
            say("won");
            let _ = std::io::stdin().read_line(&mut line);
            drop(db);
        }
        Err(e) => say(&format!("{} {}", e.kind().code(), e.to_string().contains("process"))),
    }
}

#[test]
fn of_processes_that_race_to_open_a_store_one_wins() {
    const RACES: u64 = 15;
    const RUNNERS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    for race in 0..RACES {
        let mut children: Vec<Child> = (0..RUNNERS).map(|_| spawn(dir.path(), "race")).collect();
        let lines: Vec<Receiver<String>> = children.iter_mut().map(lines_of).collect();
        for lines in &lines {
            while lines.recv_timeout(CHILD_LIVES).expect("the child is there") != "ready" {}
        }
        for child in &mut children {
            child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        }
        let answers: Vec<String> = lines.iter().map(|l| l.recv_timeout(CHILD_LIVES).expect("the child answers")).collect();
        assert_eq!(answers.iter().filter(|a| *a == "won").count(), 1, "race {race}: {answers:?}");
        let lost = format!("{} true", ErrorKind::Unavailable.code());
        assert!(answers.iter().all(|a| *a == "won" || *a == lost), "race {race}: {answers:?}");
        // The winner is killed while it holds the lock, or lets it go: either way the next race can be won.
        for child in &mut children {
            if race % 2 == 0 {
                let _ = child.kill();
            }
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }
}
