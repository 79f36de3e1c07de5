//! The shape of the workspace, held by a test: which crate imports which, and what every file keeps to.
//!
//! Each rule is a function from text to failures, so that it runs on the workspace and, below, on a good and a bad example of itself.
//! A failure names the file and the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file outside its tests.
const BODY_LINES_MAX: usize = 600;

/// A crate of this workspace and the crates of it that it may import: DESIGN's arrow
/// `model < {orm, engine} < cdc < lake < query < relstore < {cli, node}`, spelled out.
const ARROWS: &[(&str, &[&str])] = &[
    ("relstore-model", &[]),
    ("relstore-derive", &["relstore-model"]),
    ("relstore-orm", &["relstore-model", "relstore-derive"]),
    ("relstore-engine", &["relstore-model"]),
    ("relstore-cdc", &["relstore-model", "relstore-orm", "relstore-engine"]),
    ("relstore-lake", &["relstore-model", "relstore-orm", "relstore-engine", "relstore-cdc"]),
    ("relstore-query", &["relstore-model", "relstore-orm", "relstore-engine", "relstore-cdc", "relstore-lake"]),
    ("relstore", &["relstore-model", "relstore-orm", "relstore-engine", "relstore-cdc", "relstore-lake", "relstore-query"]),
    ("relstore-cli", ABOVE_THE_FACADE),
    ("relstore-node", ABOVE_THE_FACADE),
    ("relstore-worker", &["relstore-model"]),
    ("relstore-testkit", &["relstore-model"]),
];
const ABOVE_THE_FACADE: &[&str] =
    &["relstore-model", "relstore-orm", "relstore-engine", "relstore-cdc", "relstore-lake", "relstore-query", "relstore"];

/// Measures everything beside its peers, so it may depend on anything.
const BENCH: &str = "relstore-bench";
/// May stand in dev-dependencies alone.
const TESTKIT: &str = "relstore-testkit";

/// A foreign crate (and its family, `name-…`) and the crates that may name it. Dev-dependencies are free: a test may compare with a peer.
const WEIGHTS: &[(&str, &[&str])] = &[
    // The testkit puts a faulty disk under SQLite; it stands in dev-dependencies alone, so it weighs nothing.
    ("rusqlite", &["relstore-engine", TESTKIT]),
    ("libsqlite3-sys", &["relstore-engine"]),
    ("iceberg", &["relstore-lake"]),
    ("parquet", &["relstore-lake"]),
    ("arrow", &["relstore-lake", "relstore-query"]),
    ("datafusion", &["relstore-query"]),
    ("ballista", &["relstore-query"]),
    ("napi", &["relstore-node"]),
];

/// What the vocabulary never names, not even in its tests.
const NOT_IN_MODEL: &[&str] = &["tokio", "futures", "object_store", "rusqlite"];
/// The crates without async.
const SYNCHRONOUS: &[&str] = &["relstore-model", "relstore-engine"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Section {
    Normal,
    Dev,
    Build,
}

#[derive(Debug, PartialEq)]
struct Dependency {
    /// The crate's own name, whatever it is renamed to.
    name: String,
    section: Section,
    from_workspace: bool,
}

#[derive(Debug, Default)]
struct Manifest {
    name: String,
    dependencies: Vec<Dependency>,
    has_workspace_lints: bool,
}

impl Manifest {
    /// Reads what the rules need: enough TOML for manifests as this workspace writes them.
    fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut header = String::new();
        let mut depth = 0i32;
        for line in text.lines().map(|l| l.split(" #").next().unwrap_or(l).trim()) {
            let was_inside = depth > 0;
            let is_header = !was_inside && line.starts_with('[');
            if is_header {
                header = line.trim_matches(['[', ']']).to_owned();
                if let Some((section, Some(name))) = dependency_header(&header) {
                    manifest.dependencies.push(Dependency { name: name.to_owned(), section, from_workspace: false });
                }
                continue;
            }
            depth += line.chars().map(|c| i32::from("[{".contains(c)) - i32::from("]}".contains(c))).sum::<i32>();
            let Some((key, value)) = line.split_once('=').filter(|_| !was_inside && !line.starts_with('#')) else { continue };
            let (key, value) = (key.trim(), value.trim());
            match (header.as_str(), key) {
                ("package", "name") => manifest.name = value.trim_matches('"').to_owned(),
                ("lints", "workspace") => manifest.has_workspace_lints = value == "true",
                _ => manifest.read_dependency(&header, key, value),
            }
        }
        manifest
    }

    fn read_dependency(&mut self, header: &str, key: &str, value: &str) {
        let compact: String = value.chars().filter(|c| !c.is_whitespace()).collect();
        match dependency_header(header) {
            Some((_, Some(_))) => {
                let last = self.dependencies.last_mut().expect("the header pushed it");
                match key {
                    "workspace" => last.from_workspace = value == "true",
                    "package" => last.name = value.trim_matches('"').to_owned(),
                    _ => {}
                }
            }
            Some((section, None)) => {
                let (name, from_workspace) = match key.split_once('.') {
                    Some((name, "workspace")) => (name, value == "true"),
                    // `name.features = […]` continues a dependency that another line names.
                    Some(_) => return,
                    None => (key, compact.contains("workspace=true")),
                };
                let renamed = compact.split_once("package=\"").and_then(|(_, rest)| rest.split('"').next());
                let name = renamed.unwrap_or(name).trim_matches('"').to_owned();
                self.dependencies.push(Dependency { name, section, from_workspace });
            }
            None => {}
        }
    }
}

/// Whether a manifest's header opens dependencies, and of which name if it is `[dependencies.name]`.
fn dependency_header(header: &str) -> Option<(Section, Option<&str>)> {
    // `[target.'cfg(unix)'.dependencies]` weighs as `[dependencies]` does.
    let header = if header.starts_with("target.") { header.rsplit_once("'.").map_or(header, |(_, rest)| rest) } else { header };
    [("dependencies", Section::Normal), ("dev-dependencies", Section::Dev), ("build-dependencies", Section::Build)].into_iter().find_map(
        |(word, section)| match header.strip_prefix(word)? {
            "" => Some((section, None)),
            rest => rest.strip_prefix('.').map(|name| (section, Some(name))),
        },
    )
}

fn check_arrows(file: &str, manifest: &Manifest) -> Vec<String> {
    if manifest.name == BENCH {
        return Vec::new();
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == manifest.name) else {
        return vec![format!("{file}: {} has no place in the order of crates: give it one in tidy.rs", manifest.name)];
    };
    let ours = manifest.dependencies.iter().filter(|d| d.name == "relstore" || d.name.starts_with("relstore-"));
    let is_allowed = |d: &&Dependency| allowed.contains(&d.name.as_str()) || (d.name == TESTKIT && d.section == Section::Dev);
    ours.filter(|d| !is_allowed(d))
        .map(|d| match d.name.as_str() {
            TESTKIT => format!("{file}: {TESTKIT} is a dev-dependency only"),
            other => format!("{file}: {} may not import {other}: the arrow runs the wrong way", manifest.name),
        })
        .collect()
}

fn check_weights(file: &str, manifest: &Manifest) -> Vec<String> {
    if manifest.name == BENCH {
        return Vec::new();
    }
    let family = |name: &str, of: &str| name == of || name.strip_prefix(of).is_some_and(|rest| rest.starts_with('-'));
    let mut failures = Vec::new();
    for dependency in &manifest.dependencies {
        let name = dependency.name.as_str();
        let weight = WEIGHTS.iter().find(|(foreign, _)| family(name, foreign));
        if let Some((_, allowed)) = weight
            && dependency.section != Section::Dev
            && !allowed.contains(&manifest.name.as_str())
        {
            failures.push(format!("{file}: only {} may name {name}", allowed.join(" and ")));
        }
        if manifest.name == "relstore-model" && NOT_IN_MODEL.contains(&name) {
            failures.push(format!("{file}: the model does no I/O and has no async, so it does not name {name}"));
        }
    }
    failures
}

fn check_manifest_form(file: &str, manifest: &Manifest) -> Vec<String> {
    let mut failures: Vec<String> = manifest
        .dependencies
        .iter()
        .filter(|d| !d.from_workspace)
        .map(|d| format!("{file}: {} names a version or path of its own: it belongs in [workspace.dependencies]", d.name))
        .collect();
    if !manifest.has_workspace_lints {
        failures.push(format!("{file}: `[lints] workspace = true` is missing"));
    }
    failures
}

fn check_no_async(file: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let words = ["async fn", "async move", "async {", "async |", ".await"];
    words.iter().filter(|word| code.contains(*word)).map(|word| format!("{file}: `{word}` in a synchronous crate")).collect()
}

fn check_opens_with_docs(file: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") { Vec::new() } else { vec![format!("{file}: the file does not open with `//!`, what it is")] }
}

fn check_length(file: &str, text: &str) -> Vec<String> {
    let lines = body_lines(text);
    if lines <= BODY_LINES_MAX { Vec::new() } else { vec![format!("{file}: {lines} lines outside tests, {BODY_LINES_MAX} are the limit")] }
}

/// Counts the lines outside `#[cfg(test)] mod … { … }` at the margin, which rustfmt closes by a brace at the margin.
fn body_lines(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{')) {
            lines.by_ref().find(|line| *line == "}");
        } else {
            count += 1;
        }
    }
    count
}

fn check_no_machine_path(file: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not hold what it looks for.
    let roots = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    let mut failures = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for root in &roots {
            // After a letter or a closing brace it continues a relative path.
            let is_absolute = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.})%".contains(c));
            if line.match_indices(root.as_str()).any(|(at, _)| is_absolute(at)) {
                failures.push(format!("{file}:{}: a path of one machine ({root}…)", number + 1));
            }
        }
    }
    failures
}

/// The text with comments, strings and character literals blanked, so that a search finds code alone.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if rest.starts_with('"') {
            string_length(rest)
        } else if let Some(length) = raw_string_length(rest).filter(|_| !after_word) {
            length
        } else if rest.starts_with('\'') {
            char_length(rest)
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            at += skipped;
        } else {
            let c = rest.chars().next().expect("the rest is not empty");
            code.push(c);
            at += c.len_utf8();
        }
    }
    code
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_length(text: &str) -> Option<usize> {
    let start = usize::from(text.starts_with('b'));
    let rest = text[start..].strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let opening = start + 1 + hashes + 1;
    Some(body.find(&close).map_or(text.len(), |end| opening + end + close.len()))
}

/// The length of a character literal, or 0 for a lifetime.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(i, _)| i + 1)
        }
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(i, _)| i + 1),
        None => 0,
    }
}

// The workspace.

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a crate stands two folders below the root").to_owned()
}

/// The entries of a folder of this workspace, in order. A folder that is not there has none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("the folder is readable").path()).collect();
    paths.sort();
    paths
}

/// All files under `folder`, but for what builds and installs leave there.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(folder) {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() && !["target", ".git", ".venv", "node_modules", "__pycache__"].contains(&name) {
            files.extend(files_under(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn manifests() -> Vec<(String, Manifest)> {
    let mut paths: Vec<PathBuf> = entries(&root().join("crates")).iter().map(|folder| folder.join("Cargo.toml")).collect();
    paths.push(root().join("bench/Cargo.toml"));
    paths.retain(|p| p.is_file());
    paths.iter().map(|p| (relative(p), Manifest::parse(&read(p)))).collect()
}

fn sources() -> Vec<(String, String)> {
    let all = files_under(&root().join("crates"));
    let is_source = |p: &&PathBuf| p.extension().is_some_and(|e| e == "rs") && relative(p).split('/').nth(2) == Some("src");
    all.iter().filter(is_source).map(|p| (relative(p), read(p))).collect()
}

/// `tests.rs` and what lies in a folder `tests` are tests that moved out of their file.
fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

fn expect_none(failures: impl IntoIterator<Item = String>) {
    let failures: BTreeSet<String> = failures.into_iter().collect();
    assert!(failures.is_empty(), "\n{}\n", failures.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_arrow_runs_from_left_to_right() {
    let manifests = manifests();
    assert!(manifests.len() >= 10, "the crates were found");
    assert!(manifests.iter().any(|(_, m)| m.dependencies.iter().any(|d| d.name == "relstore-model")), "their dependencies were read");
    expect_none(manifests.iter().flat_map(|(file, m)| check_arrows(file, m)));
}

#[test]
fn heavy_crates_are_named_where_they_belong() {
    expect_none(manifests().iter().flat_map(|(file, m)| check_weights(file, m)));
}

#[test]
fn manifests_take_versions_and_lints_from_the_workspace() {
    expect_none(manifests().iter().flat_map(|(file, m)| check_manifest_form(file, m)));
}

#[test]
fn model_and_engine_have_no_async() {
    let sources = sources();
    let in_crate = |file: &str| SYNCHRONOUS.iter().any(|name| file.starts_with(&format!("crates/{name}/")));
    expect_none(sources.iter().filter(|(file, _)| in_crate(file)).flat_map(|(file, text)| check_no_async(file, text)));
}

#[test]
fn every_source_file_says_what_it_is_and_stays_short() {
    let sources = sources();
    assert!(sources.len() >= 10, "the sources were found");
    let documented = sources.iter().filter(|(file, _)| !is_test_file(file)).flat_map(|(file, text)| check_opens_with_docs(file, text));
    let short = sources.iter().filter(|(file, _)| !is_test_file(file)).flat_map(|(file, text)| check_length(file, text));
    expect_none(documented.chain(short));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let folders = ["crates", "bench", "docs", "data", "tests", "packages", "examples", ".ci", ".cargo"];
    let mut paths: Vec<PathBuf> = folders.iter().flat_map(|folder| files_under(&root().join(folder))).collect();
    paths.extend(entries(&root()).into_iter().filter(|p| p.is_file()));
    // What is not UTF-8 is no text.
    let texts = paths.iter().filter_map(|p| Some((relative(p), fs::read_to_string(p).ok()?)));
    expect_none(texts.flat_map(|(file, text)| check_no_machine_path(&file, &text)));
}

// Each rule on a good and a bad example.

fn manifest(name: &str, rest: &str) -> Manifest {
    Manifest::parse(&format!("[package]\nname = \"{name}\"\n\n[lints]\nworkspace = true\n\n{rest}"))
}

/// `check` finds nothing in `good`, and in each of `bad` a failure that names the file and holds the words beside it.
fn check(rule: impl Fn(&str, &str) -> Vec<String>, good: &[&str], bad: &[(&str, &str)]) {
    for text in good {
        assert_eq!(rule("f", text), Vec::<String>::new(), "{text}");
    }
    for (text, words) in bad {
        let failures = rule("f", text);
        assert!(failures.iter().any(|f| f.starts_with('f') && f.contains(words)), "{text}\n{failures:?}");
    }
}

#[test]
fn a_manifest_is_read_in_every_form_a_dependency_has() {
    let text = "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\n  \"x\",\n] }\nc = \"1\" # why\n\
        d = { package = \"real\", version = \"2\" }\n[dev-dependencies]\ne = { path = \"../e\" }\n[target.'cfg(unix)'.dependencies]\nf = \"1\"\n\
        [build-dependencies.g]\nworkspace = true\nfeatures = [\"x\"]\n[features]\nz = [\"dep:b\"]\n";
    let read: Vec<(String, Section, bool)> =
        Manifest::parse(text).dependencies.into_iter().map(|d| (d.name, d.section, d.from_workspace)).collect();
    let expected = [
        ("a", Section::Normal, true),
        ("b", Section::Normal, true),
        ("c", Section::Normal, false),
        ("real", Section::Normal, false),
        ("e", Section::Dev, false),
        ("f", Section::Normal, false),
        ("g", Section::Build, true),
    ];
    assert_eq!(read, expected.map(|(name, section, from)| (name.to_owned(), section, from)));
}

#[test]
fn a_wrong_arrow_is_found() {
    let rule = |name: &'static str| move |file: &str, text: &str| check_arrows(file, &manifest(name, text));
    check(
        rule("relstore-engine"),
        &["[dependencies]\nrelstore-model.workspace = true", "[dev-dependencies]\nrelstore-testkit.workspace = true"],
        &[
            ("[dependencies]\nrelstore-orm.workspace = true", "may not import relstore-orm"),
            ("[dev-dependencies]\nrelstore.workspace = true", "may not import relstore:"),
            ("[dependencies]\nrelstore-testkit.workspace = true", "dev-dependency only"),
        ],
    );
    check(
        rule("relstore-orm"),
        &["[dependencies]\nrelstore-derive.workspace = true"],
        &[("[dependencies]\nrelstore-engine.workspace = true", "relstore-engine")],
    );
    check(
        rule("relstore-cli"),
        &["[dependencies]\nrelstore.workspace = true"],
        &[("[dependencies]\nrelstore-derive.workspace = true", "derive")],
    );
    check(rule(BENCH), &["[dependencies]\nrelstore-testkit.workspace = true"], &[]);
    check(rule("relstore-new"), &[], &[("", "no place")]);
}

#[test]
fn a_heavy_crate_in_a_wrong_place_is_found() {
    let rule = |name: &'static str| move |file: &str, text: &str| check_weights(file, &manifest(name, text));
    check(
        rule("relstore-query"),
        &["[dependencies]\ndatafusion.workspace = true\narrow.workspace = true", "[dev-dependencies]\nrusqlite.workspace = true"],
        &[
            ("[dependencies]\nparquet.workspace = true", "only relstore-lake may name parquet"),
            ("[dependencies]\niceberg-catalog-rest.workspace = true", "iceberg-catalog-rest"),
            ("[build-dependencies]\nnapi-build.workspace = true", "only relstore-node"),
        ],
    );
    check(
        rule("relstore-model"),
        &["[dependencies]\nserde.workspace = true"],
        &[("[dev-dependencies]\ntokio.workspace = true", "does not name tokio")],
    );
}

#[test]
fn an_own_version_or_missing_lints_are_found() {
    let rule = |file: &str, text: &str| check_manifest_form(file, &Manifest::parse(text));
    check(
        rule,
        &["[lints]\nworkspace = true\n[dependencies]\na.workspace = true"],
        &[
            ("[dependencies]\na.workspace = true", "is missing"),
            ("[lints]\nworkspace = true\n[dependencies]\na = \"1\"", "a names a version"),
            ("[lints]\nworkspace = true\n[dependencies.a]\nversion = \"1\"", "a names a version"),
        ],
    );
}

#[test]
fn async_is_found_in_code_alone() {
    check(
        check_no_async,
        &[
            "//! no async fn here\nfn f<'a>(x: &'a str) -> char { /* .await /* nested */ async fn */ '\"' }",
            "const S: &str = \"async fn \\\" .await\"; const R: &str = r#\"async move \"x\" .await\"#;",
        ],
        &[("fn a() {}\nasync fn f() {}", "`async fn`"), ("let c = '\"'; x.await", "`.await`"), ("fn f<'a>() { async { 1 } }", "`async {`")],
    );
}

#[test]
fn a_file_without_docs_or_too_long_is_found() {
    check(check_opens_with_docs, &["//! What it is.\n"], &[("use std::fs;\n//! Late.\n", "does not open")]);
    let long = |n: usize| "x\n".repeat(n);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", long(BODY_LINES_MAX));
    check(
        check_length,
        &[&long(BODY_LINES_MAX), &format!("{}{tests}", long(BODY_LINES_MAX))],
        &[(&long(BODY_LINES_MAX + 1), "601 lines"), (&format!("{tests}{}", long(BODY_LINES_MAX + 1)), "601 lines")],
    );
}

#[test]
fn a_machine_path_is_found() {
    let path = |folder: &str| format!("see /{folder}/someone/x");
    check(
        check_no_machine_path,
        &["$HOME/x, crates/work/x and {dir}/home/x are everywhere", "/tmp/x"],
        &[(&path("home"), "f:1"), (&path("root"), "f:1"), (&format!("a\nfile://{}", &path("work")[4..]), "f:2")],
    );
}
