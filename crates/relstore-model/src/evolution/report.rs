//! The answer: what was found, how bad it is, and what to do.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::mode::{Direction, Mode};
use super::rules::Code;
use crate::{Error, ErrorKind, Result};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The change is allowed; this should be known.
    Warning,
    /// The change is refused.
    Error,
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where: `orders.total`, `orders`.
    pub path: String,
    /// Which readers it is about.
    pub direction: Direction,
    /// The newest version that it is found against.
    pub against: u32,
    /// What happened and why that matters: one sentence without a full stop.
    pub message: String,
    /// A way out, as an instruction.
    pub fix: &'static str,
    /// The row of the rules that says so, 1 to 45.
    #[serde(skip)]
    pub rule: u8,
}

/// What the SQL of an application that was not upgraded meets in a migrated store. It is no part of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SqlFinding {
    /// The stable code of what happened.
    pub code: Code,
    /// `Error` if statements fail.
    pub severity: Severity,
    /// Where: `orders.total`, `orders`.
    pub path: String,
    /// What happened and what statements meet: one sentence without a full stop.
    pub message: String,
}

/// The answer of a check.
///
/// As JSON: `{"ok", "mode", "errors"?, "warnings"?, "oldSql"?, "upgradeFirst", "hint"?}`, a list left out if it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The mode that it answers for.
    pub mode: Mode,
    /// What was found, in the order of the newest version it is against, tables and columns.
    pub findings: Vec<Finding>,
    /// What an old application's SQL meets, against the last version.
    pub old_sql: Vec<SqlFinding>,
    /// Something to know about the check itself.
    pub hint: Option<&'static str>,
}

impl Report {
    /// Whether the change is allowed.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.errors().next().is_none()
    }

    /// What refuses the change.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.severity == Severity::Error)
    }

    /// What should be known of an allowed change.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.severity == Severity::Warning)
    }

    /// Who upgrades first.
    #[must_use]
    pub fn upgrade_order(&self) -> &'static str {
        self.mode.upgrade_order()
    }

    /// The report of an allowed change; the first refusal as an error otherwise.
    ///
    /// # Errors
    /// `Incompatible`, with code, path, mode, direction, version and how many refusals there are, and the first one's way out.
    pub fn into_result(self) -> Result<Self> {
        let count = self.errors().count();
        let Some(first) = self.errors().next() else { return Ok(self) };
        let direction = match first.direction {
            Direction::Backward => "BACKWARD",
            Direction::Forward => "FORWARD",
        };
        let code = serde_json::to_value(first.code).ok().and_then(|c| c.as_str().map(str::to_owned)).unwrap_or_default();
        Err(Error::new(ErrorKind::Incompatible, first.message.clone())
            .with("code", code)
            .with("path", &first.path)
            .with("mode", self.mode)
            .with("direction", direction)
            .with("against", first.against)
            .with("refusals", count)
            .with_hint(first.fix))
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ok", &self.ok())?;
        map.serialize_entry("mode", &self.mode)?;
        let lists = [("errors", self.errors().collect::<Vec<_>>()), ("warnings", self.warnings().collect())];
        for (name, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            map.serialize_entry(name, list)?;
        }
        if !self.old_sql.is_empty() {
            map.serialize_entry("oldSql", &self.old_sql)?;
        }
        map.serialize_entry("upgradeFirst", self.upgrade_order())?;
        if let Some(hint) = self.hint {
            map.serialize_entry("hint", hint)?;
        }
        map.end()
    }
}
