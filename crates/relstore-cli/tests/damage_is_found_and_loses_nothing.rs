//! A damaged segment is named and refused; a bucket that cannot be written and a full disk are said to be so, and what was committed stays.

mod support;

use std::process::Command;

use serde_json::json;
use support::{Installation, Ran, run};

#[test]
fn a_damaged_segment_is_named_and_refused() {
    let it = Installation::with_acme();
    // Shipped, but not archived: history has no place to go to.
    let lake = it.dir().join("bucket/lake");
    std::fs::create_dir_all(it.dir().join("bucket")).expect("a folder can be made");
    std::fs::write(&lake, "in the way").expect("a file can be written");
    it.query("SELECT 1").refused("Unavailable", &["lake"]);
    std::fs::remove_file(&lake).expect("a file can be removed");
    let segments = it.bucket_files(".seg");
    assert_eq!(segments.len(), 1);

    let sound = std::fs::read(&segments[0]).expect("a segment can be read");
    let name = segments[0].file_name().expect("it has a name").to_string_lossy().into_owned();
    for place in [0, sound.len() / 2, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x10;
        std::fs::write(&segments[0], &bytes).expect("a segment can be written");
        it.query("SELECT count(*) FROM users").refused("Corrupt", &[&name, "Try: "]);
    }
    std::fs::write(&segments[0], &sound[..sound.len() - 7]).expect("a segment can be written");
    it.query("SELECT count(*) FROM users").refused("Corrupt", &[&name]);
    // The store itself is untouched, and nothing of the damage got into history.
    assert_eq!(it.rows("acme", "SELECT count(*) AS n FROM users"), json!([{"n": 3}]));
    std::fs::write(&segments[0], &sound).expect("a segment can be written");
    assert_eq!(it.query("SELECT count(*) AS n FROM users").json(), json!([{"n": 3}]));
}

/// Runs the command in a mount namespace of its own, after `mounts`; `None` where that is not allowed.
fn with_mounts(it: &Installation, mounts: &str, verb: &str, arguments: &[&str]) -> Option<Ran> {
    let allowed = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mount namespace can be made here");
        return None;
    }
    let command = it.command(verb, arguments);
    let mut shell = Command::new("unshare");
    shell.args(["-rm", "sh", "-c", &format!("{mounts} && exec \"$@\""), "sh"]).arg(command.get_program()).args(command.get_args());
    Some(run(&mut shell))
}

#[test]
fn a_bucket_that_is_read_only() {
    let it = Installation::with_acme();
    let bucket = it.dir().join("bucket");
    std::fs::create_dir_all(&bucket).expect("a folder can be made");
    let bucket = bucket.to_str().expect("UTF-8");
    let mounts = format!("mount --bind {bucket} {bucket} && mount -o remount,ro,bind {bucket}");
    let Some(ran) = with_mounts(&it, &mounts, "query", &["SELECT count(*) FROM users"]) else { return };
    ran.refused("Unavailable", &["Try: "]);
    // The store can be written all the same; history follows when the bucket can be written again.
    if let Some(ran) = with_mounts(&it, &mounts, "sql", &["--ns", "acme", "INSERT INTO users VALUES (4, 'Dave', 22)"]) {
        ran.ok();
    }
    assert_eq!(it.query("SELECT count(*) AS n FROM users").json(), json!([{"n": 4}]));
}

#[test]
fn a_full_disk() {
    let it = Installation::with_acme();
    let dir = it.dir();
    let dir = dir.to_str().expect("UTF-8");
    // A copy of the installation on a disk of two megabytes.
    let mounts = format!("cp -a {dir} {dir}.copy && mount -t tmpfs -o size=2m none {dir} && cp -a {dir}.copy/. {dir} && rm -r {dir}.copy");
    let fill = "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT 100000) \
        INSERT INTO users SELECT i, 'a name that takes some room on the disk', i FROM n";
    let Some(ran) = with_mounts(&it, &mounts, "sql", &["--ns", "acme", fill]) else { return };
    ran.refused("Unavailable", &["full", "Try: free some space"]);
    // Refused as a whole, on that disk.
    let counted = format!("{mounts} && {{ {} sql --dir {dir} --ns acme \"{fill}\" 2>/dev/null || true; }}", env!("CARGO_BIN_EXE_relstore"));
    if let Some(ran) = with_mounts(&it, &counted, "sql", &["--ns", "acme", "SELECT count(*) AS n FROM users", "--json"]) {
        assert_eq!(ran.json(), json!([{"n": 3}]));
    }
}
