//! Which migrations nothing orders: they were made beside one another, and merged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::LintFinding;
use super::snapshots::Snapshot;
use crate::migration::folder::{FolderMigration, Layout, MigrationFolder, number};

/// How many pairs are tried.
pub(super) const PAIRS_MAX: usize = 100;

/// The concurrent pairs, by their places in the folder.
pub(super) struct Branches {
    /// All of them, the smaller place first.
    pairs: BTreeSet<(usize, usize)>,
    begins: BTreeSet<usize>,
}

impl Branches {
    /// Finds them, and says what in the folder is not in order.
    pub(super) fn of(folder: &MigrationFolder, snapshots: &[Snapshot], found: &mut Vec<LintFinding>) -> Self {
        let mut pairs = BTreeSet::new();
        repeats(folder, &mut pairs, found);
        if folder.layout == Layout::Journal {
            let name_number = |m: &FolderMigration| number(&m.name).and_then(|(n, _)| i64::try_from(n).ok());
            orders(folder, "name-order-differs", &name_number, &mut pairs, found);
            orders(folder, "time-order-differs", &|m| m.made_at_ms, &mut pairs, found);
        }
        let known = Known::of(folder, snapshots);
        pairs.retain(|(a, b)| !known.is_ordered(*a, *b));
        known.add_forks(folder, &mut pairs);
        siblings(folder, snapshots, found);
        let begins = pairs.iter().take(PAIRS_MAX).map(|(a, _)| *a).collect();
        Self { pairs, begins }
    }

    /// Those to be tried, and how many are not.
    pub(super) fn to_try(&self) -> (impl Iterator<Item = (usize, usize)>, usize) {
        (self.pairs.iter().copied().take(PAIRS_MAX), self.pairs.len().saturating_sub(PAIRS_MAX))
    }

    /// Whether a pair that is tried begins with this one.
    pub(super) fn begins(&self, at: usize) -> bool {
        self.begins.contains(&at)
    }

    /// Whether nothing orders the two.
    pub(super) fn are_concurrent(&self, a: usize, b: usize) -> bool {
        self.pairs.contains(&(a.min(b), a.max(b)))
    }
}

/// Versions and numbers that two have.
fn repeats(folder: &MigrationFolder, pairs: &mut BTreeSet<(usize, usize)>, found: &mut Vec<LintFinding>) {
    let mut by_version: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut by_number: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, m) in folder.migrations.iter().enumerate() {
        by_version.entry(m.version).or_default().push(at);
        if let Some((number, _)) = number(&m.name) {
            by_number.entry(number).or_default().push(at);
        }
    }
    for (what, groups) in [("version", &by_version), ("number", &by_number)] {
        for (value, same) in groups {
            for (i, second) in same.iter().enumerate().skip(1) {
                let (first, second) = (same[i - 1], *second);
                let is_told = what == "number" && folder.migrations[first].version == folder.migrations[second].version;
                pairs.extend(same[..i].iter().map(|earlier| (*earlier, second)));
                if is_told {
                    continue;
                }
                let (a, b) = (&folder.migrations[first], &folder.migrations[second]);
                let message = format!("{} and {} have the same {what} {value}", a.name, b.name);
                let finding = match what {
                    "version" => LintFinding::error(
                        "version-repeats",
                        message,
                        "give the later one a number of its own, and its entry in the journal too",
                    ),
                    _ => LintFinding::warning(
                        "number-repeats",
                        message,
                        "give the later one a number of its own before it is applied anywhere",
                    ),
                };
                found.push(finding.of(b));
            }
        }
    }
}

/// Something that rises with the places of the folder, or else two were made in another order than the one they are applied in.
fn orders(
    folder: &MigrationFolder,
    code: &'static str,
    of: &dyn Fn(&FolderMigration) -> Option<i64>,
    pairs: &mut BTreeSet<(usize, usize)>,
    found: &mut Vec<LintFinding>,
) {
    let values: Vec<Option<i64>> = folder.migrations.iter().map(of).collect();
    for (at, migration) in folder.migrations.iter().enumerate() {
        let Some(own) = values[at] else { continue };
        let earlier: Vec<usize> = (0..at).filter(|i| values[*i].is_some_and(|v| v > own)).collect();
        pairs.extend(earlier.iter().map(|i| (*i, at)));
        let Some(latest) = earlier.into_iter().max_by_key(|i| values[*i]) else { continue };
        let before = &folder.migrations[latest].name;
        let (message, fix) = match code {
            "name-order-differs" => (
                format!("by the journal it comes after {before}, and by the number of its name before it"),
                "number the files in the order of the journal, before they are applied anywhere",
            ),
            _ => (
                format!(
                    "by the journal's places it comes after {before}, and by its times it was made before it: drizzle's own migrator leaves it out on a \
                     store that has {before}"
                ),
                "generate it again on top of the others, before it is applied anywhere",
            ),
        };
        found.push(LintFinding::warning(code, message, fix).of(migration));
    }
}

/// What the snapshots say: of each migration that has one, the ids of all that it comes from.
struct Known {
    ids: HashMap<usize, String>,
    ancestors: HashMap<usize, BTreeSet<String>>,
    is_forked: bool,
}

impl Known {
    fn of(folder: &MigrationFolder, snapshots: &[Snapshot]) -> Self {
        let parents = parents(snapshots);
        let mut of_migration: HashMap<usize, &Snapshot> = HashMap::new();
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for snapshot in snapshots {
            *ids.entry(&snapshot.id).or_default() += 1;
            if let Some(at) = snapshot.migration {
                of_migration.insert(at, snapshot);
            }
        }
        let mut out = Self { ids: HashMap::new(), ancestors: HashMap::new(), is_forked: !groups(snapshots).is_empty() };
        for at in 0..folder.migrations.len() {
            // An id that two have says nothing of either.
            let Some(snapshot) = of_migration.get(&at).filter(|s| ids.get(s.id.as_str()) == Some(&1)) else { continue };
            let all = ancestry(snapshot.parents.iter().map(String::as_str).collect(), &parents);
            out.ids.insert(at, snapshot.id.clone());
            out.ancestors.insert(at, all.into_iter().map(str::to_owned).collect());
        }
        out
    }

    /// Whether one is known to come from the other.
    fn is_ordered(&self, a: usize, b: usize) -> bool {
        let comes = |from: usize, of: usize| {
            self.ids.get(&from).is_some_and(|id| self.ancestors.get(&of).is_some_and(|ancestors| ancestors.contains(id)))
        };
        comes(a, b) || comes(b, a)
    }

    /// Adds those that come from one ancestor, and neither from the other.
    fn add_forks(&self, folder: &MigrationFolder, pairs: &mut BTreeSet<(usize, usize)>) {
        if !self.is_forked {
            return;
        }
        for b in 0..folder.migrations.len() {
            let Some(of_b) = self.ancestors.get(&b) else { continue };
            let is_beside =
                |a: &usize| !self.is_ordered(*a, b) && self.ancestors.get(a).is_some_and(|of_a| of_a.intersection(of_b).next().is_some());
            pairs.extend((0..b).filter(is_beside).map(|a| (a, b)));
        }
    }
}

/// What each was made from, by its id.
fn parents(snapshots: &[Snapshot]) -> HashMap<&str, Vec<&str>> {
    let mut out: HashMap<&str, Vec<&str>> = HashMap::new();
    for snapshot in snapshots {
        out.entry(&snapshot.id).or_default().extend(snapshot.parents.iter().map(String::as_str));
    }
    out
}

/// These ids, and all that they come from.
fn ancestry<'a>(mut left: Vec<&'a str>, parents: &HashMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    while let Some(id) = left.pop() {
        if all.insert(id) {
            left.extend(parents.get(id).into_iter().flatten());
        }
    }
    all
}

/// Snapshots by the one that they were made from, where there are several.
fn groups(snapshots: &[Snapshot]) -> BTreeMap<&str, Vec<&Snapshot>> {
    let mut by_parent: BTreeMap<&str, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        for parent in &snapshot.parents {
            by_parent.entry(parent).or_default().push(snapshot);
        }
    }
    by_parent.retain(|_, same| same.len() > 1);
    by_parent
}

/// Snapshots that were made from the same one, and that no later one has merged.
fn siblings(folder: &MigrationFolder, snapshots: &[Snapshot], found: &mut Vec<LintFinding>) {
    let by_id: HashMap<&str, &Snapshot> = snapshots.iter().map(|s| (s.id.as_str(), s)).collect();
    let parents = parents(snapshots);
    let merges = snapshots.iter().filter(|s| s.parents.len() > 1);
    let merges: Vec<BTreeSet<&str>> = merges.map(|s| ancestry(vec![&s.id], &parents)).collect();
    for (parent, same) in groups(snapshots) {
        for pair in same.windows(2) {
            if merges.iter().any(|merged| pair.iter().all(|s| merged.contains(s.id.as_str()))) {
                continue;
            }
            let name = |s: &Snapshot| s.migration.map_or_else(|| s.path.display().to_string(), |at| folder.migrations[at].name.clone());
            let from = by_id.get(parent).map_or_else(|| format!("snapshot {parent}"), |s| name(s));
            let message = format!("{} and {} were both made from {from}: two branches were merged", name(pair[0]), name(pair[1]));
            let fix = "take the later one away with its snapshot and its entry in the journal, and generate it again on top of the other";
            let finding = LintFinding::error("same-parent", message, fix);
            let finding = pair[1].migration.map_or_else(|| finding.clone(), |at| finding.clone().of(&folder.migrations[at]));
            found.push(LintFinding { file: Some(pair[1].path.clone()), ..finding });
        }
    }
}
