//! The verdict: every difference against the rules, in the directions and against the versions that the mode asks for.

use std::borrow::Borrow;

use super::describe::{Rename, described};
use super::diff::{Change, diff, unrecorded};
use super::edit::Edit;
use super::mode::{ConstraintPolicy, Direction, Mode, Profile, Resolution};
use super::report::{Finding, Report, Severity, SqlFinding};
use super::rules::{Code, Kind, Letter, OldSql};
use crate::schema::ReferentialAction;
use crate::{Result, Schema};

/// A check of changes of shape under a compatibility mode.
///
/// ```
/// use relstore_model::Schema;
/// use relstore_model::evolution::{ConstraintPolicy, Mode, SchemaEvolution};
///
/// let (v1, v2) = (Schema { version: 1, ..Schema::default() }, Schema { version: 2, ..Schema::default() });
/// let report = SchemaEvolution::new(Mode::Backward).constraints(ConstraintPolicy::Enforce).check(&[v1], &v2);
/// assert!(report.ok());
/// ```
#[derive(Clone, Debug)]
pub struct SchemaEvolution {
    mode: Mode,
    constraints: ConstraintPolicy,
    profile: Profile,
    resolution: Resolution,
    partitions: Vec<String>,
    dropped: Vec<String>,
    renames: Vec<Rename>,
}

impl SchemaEvolution {
    /// A check under `mode`: constraints warn, rows are read as records, readers find columns by name.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            constraints: ConstraintPolicy::default(),
            profile: Profile::default(),
            resolution: Resolution::default(),
            partitions: Vec::new(),
            dropped: Vec::new(),
            renames: Vec::new(),
        }
    }

    /// A check under the mode of a store that chose none.
    #[must_use]
    pub fn of_profile(profile: Profile) -> Self {
        Self::new(profile.default_mode()).profile(profile)
    }

    /// What becomes of changes of unique keys, foreign keys and checks.
    #[must_use]
    pub fn constraints(mut self, policy: ConstraintPolicy) -> Self {
        self.constraints = policy;
        self
    }

    /// Where rows are read from.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How readers find columns.
    #[must_use]
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// History is partitioned by this column: `orders.placed_on`.
    #[must_use]
    pub fn partitioned_by(mut self, path: impl Into<String>) -> Self {
        self.partitions.push(path.into());
        self
    }

    /// Says that this table or column, `users` or `users.name`, is gone for good: what came in the same step is not it under another name.
    #[must_use]
    pub fn dropped(mut self, path: impl Into<String>) -> Self {
        self.dropped.push(path.into());
        self
    }

    /// Says that a column of a description, in its table `table`, was called `from` before. Bears on [`SchemaEvolution::check_described`].
    #[must_use]
    pub fn renamed_column(mut self, table: impl Into<String>, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.renames.push(Rename { table: table.into(), column: Some(to.into()), from: from.into() });
        self
    }

    /// Says that a table of a description was called `from` before. Bears on [`SchemaEvolution::check_described`].
    #[must_use]
    pub fn renamed_table(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.renames.push(Rename { table: to.into(), column: None, from: from.into() });
        self
    }

    /// Whether `new` may follow `versions`: those of one history, whose ids `new` has, the oldest first.
    ///
    /// A mode that is not transitive looks at the last of them; a name that a dropped column had is looked for in all. Nothing is refused
    /// if there is no version.
    #[must_use]
    pub fn check<S: Borrow<Schema>>(&self, versions: &[S], new: &Schema) -> Report {
        let mut report = Report { mode: self.mode, findings: Vec::new(), old_sql: Vec::new(), hint: self.hint() };
        let Some(last) = versions.last().map(Borrow::borrow) else { return report };
        let mut of_last = diff(last, new);
        of_last.extend(unrecorded(last, new, |table, column| self.is_dropped(table, column)));
        self.add_partitions(&mut of_last);
        for change in &of_last {
            report.old_sql.extend(old_sql(change));
        }
        report.old_sql.extend(cascades(new, &of_last));
        self.judge(&of_last, last.version, &mut report);
        for earlier in versions.iter().rev().skip(1).map(Borrow::borrow) {
            let mut changes = diff(earlier, new);
            if self.mode.is_transitive() {
                self.add_partitions(&mut changes);
            } else {
                // What was there in the last version already was settled when it came.
                let comes = |path: &str| of_last.iter().any(|c| matches!(c.rule.row, 1..=5 | 29 | 44) && c.path() == path);
                changes.retain(|change| change.rule.kind == Kind::ReuseName && comes(&change.path()));
            }
            self.judge(&changes, earlier.version, &mut report);
        }
        report
    }

    /// Whether the shape that `description` has may follow `versions`. Its tables and columns are known by their names, or by the renames
    /// that were told; its ids do not matter.
    ///
    /// # Errors
    /// `Invalid` if a rename that was told is of what is not there.
    pub fn check_described<S: Borrow<Schema>>(&self, versions: &[S], description: &Schema) -> Result<Report> {
        let empty = Schema::default();
        let last = versions.last().map_or(&empty, Borrow::borrow);
        Ok(self.check(versions, &described(last, description, &self.renames)?))
    }

    /// Whether one change may be made to the last of `versions`.
    ///
    /// # Errors
    /// `NotFound` if the change is of a table or column that is not there, with the nearest name; `Invalid` if it adds one that is.
    pub fn check_edit<S: Borrow<Schema>>(&self, versions: &[S], edit: &Edit) -> Result<Report> {
        let empty = Schema::default();
        let last = versions.last().map_or(&empty, Borrow::borrow);
        Ok(self.check(versions, &edit.apply(last)?))
    }

    fn hint(&self) -> Option<&'static str> {
        let looks_back = self.mode.directions().contains(&Direction::Backward) && self.mode != Mode::None;
        (self.profile == Profile::Iceberg && looks_back && !self.mode.is_transitive())
            .then_some("history is read with the newest schema, all of it: BACKWARD_TRANSITIVE or FULL_TRANSITIVE looks at every version")
    }

    fn is_dropped(&self, table: &str, column: Option<&str>) -> bool {
        self.dropped.iter().any(|path| match (path.split_once('.'), column) {
            (Some((of, name)), Some(column)) => of.eq_ignore_ascii_case(table) && name.eq_ignore_ascii_case(column),
            (None, None) => path.eq_ignore_ascii_case(table),
            (Some(_), None) | (None, Some(_)) => false,
        })
    }

    fn add_partitions(&self, changes: &mut Vec<Change>) {
        // The drops, the changes of type, and those of what a type means.
        let touches = |row: u8| matches!(row, 6..=8 | 12..=20 | 43);
        let is_partition = |change: &Change| self.partitions.iter().any(|path| path.eq_ignore_ascii_case(&change.path()));
        let found = changes.iter().filter(|change| touches(change.rule.row) && is_partition(change));
        let more: Vec<Change> = found.map(|change| Change { rule: Kind::PartitionColumn.rule(), ..change.clone() }).collect();
        changes.extend(more);
    }

    /// How bad what a rule says is here; `None` if it is allowed.
    fn severity(&self, letter: Letter) -> Option<Severity> {
        let found = match letter {
            Letter::Allowed => None,
            Letter::Warned => Some(Severity::Warning),
            Letter::Refused => Some(Severity::Error),
            Letter::Constraint => match self.constraints {
                ConstraintPolicy::Warn => Some(Severity::Warning),
                ConstraintPolicy::Enforce => Some(Severity::Error),
                ConstraintPolicy::Ignore => None,
            },
            Letter::ByName => match self.resolution {
                Resolution::ByName => Some(Severity::Error),
                Resolution::ById => None,
            },
            Letter::NotInIceberg => match self.profile {
                Profile::Iceberg => Some(Severity::Error),
                Profile::Records => None,
            },
        };
        found.map(|severity| if self.mode == Mode::None { Severity::Warning } else { severity })
    }

    fn judge(&self, changes: &[Change], against: u32, report: &mut Report) {
        for change in changes {
            for direction in self.mode.directions() {
                let Some(severity) = self.severity(change.rule.letter(*direction)) else { continue };
                let (code, path) = (change.rule.code, change.path());
                let is_known = |f: &Finding| f.code == code && f.path == path && f.direction == *direction && f.rule == change.rule.row;
                if report.findings.iter().any(is_known) {
                    continue;
                }
                report.findings.push(Finding {
                    code,
                    severity,
                    message: format!("{}: {}", change.detail, change.rule.because),
                    path,
                    direction: *direction,
                    against,
                    fix: change.rule.fix,
                    rule: change.rule.row,
                });
            }
        }
    }
}

fn old_sql(change: &Change) -> Option<SqlFinding> {
    let (severity, meets) = match change.rule.old_sql {
        OldSql::Fine => return None,
        OldSql::Risk(meets) => (Severity::Warning, meets),
        OldSql::Fails(meets) => (Severity::Error, meets),
    };
    Some(SqlFinding { code: change.rule.code, severity, path: change.path(), message: format!("{}: {meets}", change.detail) })
}

/// Tables that must be built anew while children hang on them that a delete takes along: the accident that a migration must not have.
fn cascades(new: &Schema, changes: &[Change]) -> Vec<SqlFinding> {
    let rebuilt = new.tables.iter().filter(|t| changes.iter().any(|c| c.rule.is_rebuild && c.table == t.name));
    let children = |parent: &str| -> Vec<&str> {
        let hangs = |t: &&crate::Table| {
            let keys = t.facts.iter().flat_map(|facts| &facts.foreign_keys);
            keys.into_iter().any(|k| k.on_delete == ReferentialAction::Cascade && k.parent.eq_ignore_ascii_case(parent))
        };
        new.tables.iter().filter(hangs).map(|t| t.name.as_str()).collect()
    };
    let finding = |table: &crate::Table| {
        let children = children(&table.name);
        (!children.is_empty()).then(|| SqlFinding {
            code: Code::RebuildWithCascadeChild,
            severity: Severity::Warning,
            path: table.name.clone(),
            message: format!(
                "the table is built anew, and a delete takes the rows of {} along: foreign keys must be off before the transaction begins",
                children.join(", ")
            ),
        })
    };
    rebuilt.filter_map(finding).collect()
}
