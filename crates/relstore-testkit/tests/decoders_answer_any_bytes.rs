//! Whatever bytes a decoder meets, it answers: what it was given, or an error of its kind. Never a panic, never a huge allocation.
//!
//! `RELSTORE_SEED=n` runs one seed alone; `RELSTORE_DECODER_INPUTS=n` sets how many inputs there are in all.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use relstore_model::change::codec::unpack;
use relstore_model::segment::Segment;
use relstore_model::{Change, Schema};
use relstore_testkit::decoders::{TARGETS, samples};
use relstore_testkit::{Rng, seeds};

const SEEDS: u64 = 8;
const INPUTS: u64 = 400_000;
/// Inputs are a few kilobytes: this is room for the process and zstd's largest window (128 MiB), and none for a length that is believed.
const GROWTH_MAX_KIB: u64 = 256 << 10;

/// Both tests look at what the process takes from the system: one after the other.
static ALONE: Mutex<()> = Mutex::new(());

/// The most address space that the process has had, where the system says it.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmPeak:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

#[test]
fn damaged_and_random_bytes_are_answered() {
    let _alone = ALONE.lock();
    let inputs: u64 = std::env::var("RELSTORE_DECODER_INPUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(INPUTS);
    let before = peak_kib();
    let seeds = seeds(SEEDS);
    let each = inputs / (seeds.len() * TARGETS.len()) as u64;
    for seed in seeds {
        for (name, target) in TARGETS {
            let mut rng = Rng::new(seed);
            let pool: Vec<Vec<u8>> = (0..32).map(|_| samples::valid(name, &mut rng)).collect();
            for n in 0..each {
                let mut bytes =
                    if rng.one_in(8) { (0..rng.below(64)).map(|_| rng.below(256) as u8).collect() } else { rng.pick(&pool).clone() };
                if !rng.one_in(64) {
                    let other: &Vec<u8> = rng.pick(&pool);
                    samples::damage(&mut bytes, other, &mut rng);
                }
                if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
                    panic!("{name} panicked: RELSTORE_SEED={seed}, input {n}: {bytes:02x?}\n{}", String::from_utf8_lossy(&bytes));
                }
            }
        }
    }
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < GROWTH_MAX_KIB, "the decoders took {} KiB for small inputs", after - before);
    }
}

#[test]
fn what_is_written_reads_back() {
    let _alone = ALONE.lock();
    for seed in seeds(500) {
        let rng = &mut Rng::new(seed);
        let schema = samples::schema(rng);
        assert_eq!(Schema::from_json(&schema.to_json()).unwrap(), schema, "seed {seed}");
        let changes: Vec<_> = (0..rng.below(20)).map(|_| samples::row_change(rng)).collect();
        let mut packed = Vec::new();
        changes.iter().for_each(|c| samples::put(&mut packed, c));
        assert_eq!(unpack(&packed).unwrap(), changes.into_iter().map(Change::Row).collect::<Vec<_>>(), "seed {seed}");
        let segment = samples::segment(rng);
        assert_eq!(Segment::decode("s", &segment.encode()).unwrap(), segment, "seed {seed}");
        for (name, target) in TARGETS {
            target(&samples::valid(name, rng));
        }
    }
}

#[test]
fn a_length_that_lies_is_refused_before_it_is_believed() {
    let _alone = ALONE.lock();
    let segment = samples::segment(&mut Rng::new(3));
    let before = peak_kib();
    let text = segment.encode();
    let (header, rest) = (b"\"body_bytes\":".as_slice(), text.as_slice());
    let at = rest.windows(header.len()).position(|w| w == header).unwrap() + header.len();
    let end = at + rest[at..].iter().position(|b| !b.is_ascii_digit()).unwrap();
    for lie in ["0", "1", "4294967295", "1099511627776", "18446744073709551615"] {
        let mut bytes = text[..text.len() - 4].to_vec();
        bytes.splice(at..end, lie.bytes());
        let length = u32::from_le_bytes(bytes[6..10].try_into().unwrap()) + lie.len() as u32 - (end - at) as u32;
        bytes[6..10].copy_from_slice(&length.to_le_bytes());
        let crc = samples::crc32(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let error = Segment::decode("liar", &bytes).unwrap_err();
        assert_eq!(error.kind(), relstore_model::ErrorKind::Corrupt, "{lie}: {error:?}");
    }
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < GROWTH_MAX_KIB, "a lie was believed: {} KiB", after - before);
    }
}
