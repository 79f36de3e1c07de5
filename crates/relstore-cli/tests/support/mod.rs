//! What the tests of the command share: an installation in a temporary folder, and the built binary run on it.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// What a run of the command gave.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// It succeeded; gives standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It succeeded; gives standard output as JSON.
    #[track_caller]
    pub fn json(self) -> Json {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }

    /// It was refused with this code, said nothing on standard output, and said each of `parts` on standard error.
    #[track_caller]
    pub fn refused(self, code: &str, parts: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "", "{}", self.err);
        assert!(self.err.starts_with(&format!("error[{code}]: ")), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in:\n{}", self.err);
        }
        self.err
    }
}

/// A temporary folder with an installation in `dir` (which does not exist at first).
pub struct Installation {
    folder: TempDir,
}

impl Installation {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// With a store `acme`: two tables, three users, an order, in four commits and six changes.
    pub fn with_acme() -> Self {
        let it = Self::new();
        it.sql("acme", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER)").ok();
        it.sql("acme", "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), total REAL)").ok();
        it.sql("acme", "INSERT INTO users VALUES (1, 'Alice', 30), (2, 'Bob', NULL), (3, 'Carol', 41)").ok();
        it.sql("acme", "INSERT INTO orders VALUES (10, 1, 9.5)").ok();
        it
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("dir")
    }

    /// `relstore VERB --dir DIR ARGUMENTS…`
    pub fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relstore"));
        command.arg(verb).arg("--dir").arg(self.dir()).args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
        command
    }

    pub fn run(&self, verb: &str, arguments: &[&str]) -> Ran {
        run(&mut self.command(verb, arguments))
    }

    pub fn sql(&self, ns: &str, sql: &str) -> Ran {
        self.run("sql", &["--ns", ns, sql])
    }

    pub fn rows(&self, ns: &str, sql: &str) -> Json {
        self.run("sql", &["--ns", ns, sql, "--json"]).json()
    }

    /// How many flights a store of the demo holds by now; 0 as long as there is none.
    pub fn rows_or_none(&self, ns: &str) -> u64 {
        let ran = self.run("sql", &["--ns", ns, "SELECT count(*) AS n FROM flights", "--json"]);
        serde_json::from_str::<Json>(&ran.out).ok().and_then(|rows| rows[0]["n"].as_u64()).unwrap_or(0)
    }

    pub fn query(&self, sql: &str) -> Ran {
        self.run("query", &[sql, "--json"])
    }

    /// Every file of this ending under the bucket.
    pub fn bucket_files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir().join("bucket")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the bucket can be listed") {
                let path = entry.expect("the bucket can be listed").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

pub fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the command can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command writes UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
