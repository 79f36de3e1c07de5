//! What may fail or not by the rows that a table of before holds, by the shapes before and after a migration.

use relstore_model::evolution::{self, Change};
use relstore_model::schema::UniquePart;
use relstore_model::{Column, Table};

use super::LintFinding;
use super::walk::Step;
use crate::migration::statement::{Kind, Parser, kind};
use crate::migration::transaction::StatementReport;

pub(super) fn look(step: &Step<'_>, found: &mut Vec<LintFinding>) {
    let changes = evolution::diff(&step.before, &step.after);
    for after in &step.after.tables {
        // A table that the migration made itself has no rows from before it.
        let Some(before) = step.before.by_id(after.id) else { continue };
        let pair = Pair { step, before, after };
        for change in changes.iter().filter(|c| c.table == after.name) {
            found.extend(pair.judge(change));
        }
        found.extend(pair.computed_defaults());
    }
}

/// A table before and after a migration.
struct Pair<'a> {
    step: &'a Step<'a>,
    before: &'a Table,
    after: &'a Table,
}

impl<'a> Pair<'a> {
    fn judge(&self, change: &Change) -> Option<LintFinding> {
        use relstore_model::evolution::Kind as Happened;
        if self.speaks_of_nulls(change) {
            return None;
        }
        let added = self.adding(change.column.as_deref());
        let (code, because, fix) = match change.rule.kind {
            Happened::AddRequired if added.is_some() => {
                let message =
                    format!("{}: it refuses NULL and has no default, so a store that has the table already refuses it", change.path());
                let fix = format!("give it a DEFAULT; or add it without NOT NULL, fill it with UPDATE, and rebuild {}", self.after.name);
                let (number, line) = added.map_or((0, None), |s| (s.number, s.line));
                return Some(LintFinding::error("adds-required-column", message, fix).of(self.step.migration).at(number, line));
            }
            // By ALTER TABLE it is told by what its default is.
            Happened::AddRequiredComputed if added.is_some() => return None,
            Happened::AddRequired | Happened::AddRequiredComputed => {
                ("adds-required-column", "it fails where the copy gives it no value", "give it a value in the copy's SELECT")
            }
            Happened::Tighten => (
                "tightens-not-null",
                "it fails where a row holds NULL",
                "fill the NULLs with UPDATE before it, or with coalesce() in the copy",
            ),
            Happened::AddUnique => {
                ("adds-unique", "it fails where two rows have the same", "look for duplicates first, and settle them in the migration")
            }
            Happened::AddForeignKey => {
                ("adds-foreign-key", "it is refused where a row has no parent", "look for orphans first, and settle them in the migration")
            }
            Happened::AddCheck | Happened::RemoveEnumValue | Happened::RenameEnumValue => {
                ("adds-check", "it fails where a row breaks it", "look for such rows first, and settle them in the migration")
            }
            Happened::AddStrict => (
                "adds-strict",
                "it fails where a cell does not fit its column's type",
                "look for such cells by typeof(), and CAST them in the copy",
            ),
            Happened::CollationOfKey => {
                ("changes-key-collation", "it fails where two rows become the same", "look for duplicates under the new collation first")
            }
            Happened::ChangeKey => (
                "changes-primary-key",
                "it fails where two rows have the same new key, or none",
                "look for duplicates of the new key first",
            ),
            _ if matches!(change.rule.row, 12..=20) && self.after.facts.as_ref().is_some_and(|f| f.strict) => {
                ("narrows-strict-column", "the copy fails where a cell does not fit the new type", "CAST it in the copy's SELECT")
            }
            _ => return None,
        };
        let finding = LintFinding::warning(code, format!("{}: {}; {because}", change.path(), change.detail), fix).of(self.step.migration);
        Some(match self.cause(code) {
            Some(statement) => finding.at(statement.number, statement.line),
            None => finding,
        })
    }

    /// New columns whose default is computed: SQLite adds one to a table without rows alone.
    fn computed_defaults(&self) -> Vec<LintFinding> {
        let is_computed = |at: usize| {
            let default = self.after.column_facts(at).and_then(|f| f.default.as_ref());
            default.filter(|d| self.is_new(&self.after.columns[at]) && !d.is_constant())
        };
        let of = |at: usize| {
            let (column, default) = (&self.after.columns[at].name, is_computed(at)?);
            let statement = self.adding(Some(column))?;
            let message = format!("{}.{column}: SQLite refuses the default {} where the table has rows", self.after.name, default.0);
            let fix = "give it a constant DEFAULT and fill it with UPDATE, or rebuild the table";
            Some(LintFinding::warning("adds-computed-default", message, fix).of(self.step.migration).at(statement.number, statement.line))
        };
        (0..self.after.columns.len()).filter_map(of).collect()
    }

    fn is_new(&self, column: &Column) -> bool {
        self.before.columns.iter().all(|c| c.id != column.id)
    }

    /// Whether the statement is about the table, by its name before or after.
    fn is_about(&self, table: &str) -> bool {
        [&self.before.name, &self.after.name].iter().any(|name| name.eq_ignore_ascii_case(table))
    }

    fn statement(&self, is_it: impl Fn(&StatementReport, Kind) -> bool) -> Option<&'a StatementReport> {
        self.step.statements.iter().find(|s| is_it(s, kind(&s.sql)))
    }

    /// The ALTER TABLE that adds the column.
    fn adding(&self, column: Option<&str>) -> Option<&'a StatementReport> {
        let column = column?;
        self.statement(|_, k| matches!(k, Kind::AddColumn { table, column: c } if self.is_about(&table) && c.eq_ignore_ascii_case(column)))
    }

    fn rebuilding(&self) -> Option<&'a StatementReport> {
        self.statement(|s, _| s.rebuild.as_ref().is_some_and(|r| r.table == self.after.id))
    }

    /// The statement that brings what a code speaks of.
    fn cause(&self, code: &str) -> Option<&'a StatementReport> {
        let is_unique = |s: &StatementReport, k: Kind| {
            let p = Parser::new(&s.sql);
            matches!(k, Kind::CreateIndex { table, .. } if self.is_about(&table))
                && p.tokens().get(1).is_some_and(|t| t.is_word(&s.sql, "UNIQUE"))
        };
        let index = if code == "adds-unique" { self.statement(is_unique) } else { None };
        let added = || self.statement(|_, k| matches!(k, Kind::AddColumn { table, .. } if self.is_about(&table)));
        index.or_else(|| self.rebuilding()).or_else(added)
    }

    /// Whether a key that was added has a column that holds nothing but NULL in the rows of before, so that they cannot break it.
    fn speaks_of_nulls(&self, change: &Change) -> bool {
        use relstore_model::evolution::Kind as Happened;
        let is_filled = self.statement(|_, k| matches!(k, Kind::Update { table, .. } if self.is_about(&table))).is_some();
        let Some(facts) = self.after.facts.as_ref().filter(|_| !is_filled && self.rebuilding().is_none()) else { return false };
        let is_null = |at: usize| {
            let column = &self.after.columns[at];
            let has_default = self.after.column_facts(at).is_some_and(|f| f.default.is_some() || f.generated.is_some());
            self.is_new(column) && !column.not_null && !has_default
        };
        let names = |columns: &[usize]| columns.iter().map(|at| self.after.columns[*at].name.as_str()).collect::<Vec<_>>().join(", ");
        match change.rule.kind {
            Happened::AddUnique => facts.unique.iter().any(|unique| {
                let column = |part: &UniquePart| if let UniquePart::Column(at, _) = part { Some(*at) } else { None };
                let columns: Option<Vec<usize>> = unique.parts.iter().map(column).collect();
                let is_it = |columns: &Vec<usize>| change.detail == format!("UNIQUE ({}) is added", names(columns));
                columns.filter(is_it).is_some_and(|columns| columns.iter().any(|at| is_null(*at)))
            }),
            Happened::AddForeignKey => facts.foreign_keys.iter().any(|key| {
                let detail = format!("FOREIGN KEY ({}) to {} is added", names(&key.columns), key.parent);
                change.detail == detail && key.columns.iter().any(|at| is_null(*at))
            }),
            _ => false,
        }
    }
}
