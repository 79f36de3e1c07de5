//! One migration as it runs: a transaction of its own, in which foreign keys do not act and tables can be rebuilt.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use relstore_model::identifier::quote;
use relstore_model::{Error, ErrorKind, Lsn, Result, Schema, Timestamp, Value};

use super::apply::{Check, MissingDefault, Proposal};
use super::destruction::{Destruction, is_narrowing};
use super::folder::FolderMigration;
use super::history::{AppliedMigration, MigrationKind};
use super::plan::MigrationPlan;
use super::rebuild::{Rebuild, Rebuilds};
use super::script::{Script, ScriptStatement};
use super::statement::{Kind, Parser, kind};
use super::{drizzle, foreign_keys, history};
use crate::database::{Database, explained};
use crate::reader::{Rows, collect};
use crate::writer::{Outcome, Writer};
use crate::writer_place::WriterGuard;

/// What one statement of a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementReport {
    /// Its number, from 1.
    pub number: usize,
    /// The line of its file that it begins on, from 1; `None` inline.
    pub line: Option<usize>,
    /// Its text.
    pub sql: String,
    /// What it does, in a few words.
    pub words: String,
    /// The table that it is about.
    pub table: Option<String>,
    /// How many rows it inserted, updated or deleted by itself.
    pub rows: u64,
    /// What it loses.
    pub destroys: Vec<Destruction>,
    /// The rebuild that it ends.
    pub rebuild: Option<Rebuild>,
    /// Why it could not be tried on a store without rows, in a plan.
    pub depends_on_rows: Option<String>,
}

/// What a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// As it stands in the history.
    pub migration: AppliedMigration,
    /// Its statements, in order.
    pub statements: Vec<StatementReport>,
    /// What was done beside them, in words: indexes and triggers that were made again, and those that are gone.
    pub notes: Vec<String>,
}

/// What the history is to say of a migration.
#[derive(Clone, Debug)]
pub(super) enum Purpose<'a> {
    /// A folder's migration is applied.
    Apply(&'a FolderMigration),
    /// An inline one is.
    Inline(u64),
    /// One is taken back.
    Revert(AppliedMigration),
}

/// Rules that a migration is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) missing_default: MissingDefault,
    /// Tables with a higher id came in the same run: they are empty on every store that it runs on.
    pub(super) last_table_id: u32,
    /// A plan: there are no rows, so rows are not judged.
    pub(super) is_plan: bool,
}

impl Rules {
    /// Those of a plan for a store that has nothing yet.
    pub(super) const OF_EMPTY_STORES: Self = Self { missing_default: MissingDefault::Refuse, last_table_id: 0, is_plan: true };
}

/// The open transaction of one migration. Dropped without [`MigrationTransaction::finish`] it leaves no trace.
///
/// Foreign keys do not act in it: nothing cascades, and what it leaves violated refuses it at the end. `PRAGMA foreign_keys`,
/// `PRAGMA defer_foreign_keys`, `BEGIN` and `COMMIT` do nothing. It holds the store's writer until it ends, however long that is.
pub struct MigrationTransaction<'db> {
    database: &'db Database,
    /// `None` once it has ended.
    writer: Option<WriterGuard<'db>>,
    start: Arc<Schema>,
    lsn_before: Lsn,
    rules: Rules,
    rebuilds: RefCell<Rebuilds>,
    statements: RefCell<Vec<StatementReport>>,
    /// A step of a rebuild failed half way: the transaction cannot go on.
    is_broken: Cell<bool>,
    /// Views that could not be read before it began.
    broken_views: Vec<String>,
    inline_version: Option<u64>,
}

impl Drop for MigrationTransaction<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.rollback();
            end(&writer);
        }
    }
}

/// Foreign keys act again, or nothing is written any more.
fn end(writer: &Writer) {
    if foreign_keys::enforce(writer, true).is_err() {
        writer.poison();
    }
}

impl<'db> MigrationTransaction<'db> {
    pub(super) fn begin(database: &'db Database, rules: Rules) -> Result<Self> {
        let writer = database.lock_writer()?;
        foreign_keys::enforce(&writer, false).inspect_err(|_| end(&writer))?;
        if let Err(e) = writer.begin() {
            end(&writer);
            return Err(e);
        }
        writer.lift_deadline();
        let (start, lsn_before) = (writer.schema(), writer.last_lsn());
        let mut this = Self {
            database,
            writer: Some(writer),
            rebuilds: RefCell::new(Rebuilds::new(Arc::clone(&start))),
            start,
            lsn_before,
            rules,
            statements: RefCell::default(),
            is_broken: Cell::new(false),
            broken_views: Vec::new(),
            inline_version: None,
        };
        this.broken_views = broken_views(this.writer()?)?;
        Ok(this)
    }

    pub(super) fn for_inline(mut self, version: u64) -> Self {
        self.inline_version = Some(version);
        self
    }

    pub(super) fn writer(&self) -> Result<&Writer> {
        self.writer.as_deref().ok_or_else(|| Error::internal("the migration has ended"))
    }

    /// The schema as the migration has made it. A table that it has created itself is in it from its end on.
    ///
    /// # Panics
    /// Never: the transaction is open for as long as there is a reference to it.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.writer.as_deref().map_or_else(|| Arc::clone(&self.start), Writer::schema)
    }

    /// The position of the last change before the migration: where to go back to.
    #[must_use]
    pub fn bookmark(&self) -> Lsn {
        self.lsn_before
    }

    /// Runs one statement and collects its rows.
    ///
    /// # Errors
    /// As [`crate::Transaction::execute`]; `Invalid` for a column without a value for the rows that are there. The statement then did nothing; where
    /// it was a step of a rebuild, the migration can only be given up.
    pub fn execute(&self, sql: &str, params: &[Value]) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let Rows { columns, rows } = collect(|each| {
            outcome = self.run(sql, params, each, &[], None)?;
            Ok(std::mem::take(&mut outcome.columns))
        })?;
        Ok(Outcome { columns, rows, ..outcome })
    }

    /// Runs a query and collects its rows.
    ///
    /// # Errors
    /// As [`MigrationTransaction::execute`].
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows> {
        let Outcome { columns, rows, .. } = self.execute(sql, params)?;
        Ok(Rows { columns, rows })
    }

    /// Runs several statements, separated by semicolons or drizzle-kit's breakpoints.
    ///
    /// # Errors
    /// As [`MigrationTransaction::execute`], with the number of the statement and its line.
    pub fn execute_batch(&self, text: &str) -> Result<()> {
        self.run_script(&Script::new(std::path::Path::new(""), text), &mut |_, _| Ok(()))
    }

    /// Runs a script; `each` hears of a statement and its rows after it has run.
    pub(super) fn run_script(&self, script: &Script, each: &mut dyn FnMut(&ScriptStatement, u64) -> Result<()>) -> Result<()> {
        let texts: Vec<&str> = script.statements.iter().map(|s| s.sql.as_str()).collect();
        for (at, statement) in script.statements.iter().enumerate() {
            let run = self.run(&statement.sql, &[], &mut |_| Ok(()), &texts[at + 1..], Some(statement.line));
            let rows = match run {
                Ok(outcome) => outcome.changes,
                Err(e) if self.rules.is_plan && e.kind() == ErrorKind::Constraint && !self.is_broken.get() => {
                    self.note_dependence(statement, &e);
                    0
                }
                Err(e) => return Err(self.placed(e, script, statement)),
            };
            each(statement, rows)?;
        }
        Ok(())
    }

    fn note_dependence(&self, statement: &ScriptStatement, error: &Error) {
        let mut report = self.report_of(&statement.sql, Some(statement.line), 0);
        report.depends_on_rows = Some(error.message().to_owned());
        self.statements.borrow_mut().push(report);
    }

    /// Adds where in the script the error is.
    fn placed(&self, error: Error, script: &Script, statement: &ScriptStatement) -> Error {
        let offset = self.writer.as_deref().filter(|w| w.is_open()).and_then(|w| w.offset_of_error(&statement.sql));
        let line = statement.line + offset.map_or(0, |at| statement.sql[..at].matches('\n').count());
        let column = offset.map(|at| at - statement.sql[..at].rfind('\n').map_or(0, |i| i + 1) + 1);
        let error = if script.path.as_os_str().is_empty() { error } else { error.with("file", script.path.display()) };
        let error = error.with("statement", statement.number).with("line", line);
        match column {
            Some(column) => error.with("column", column),
            None => error,
        }
    }

    fn run(&self, sql: &str, params: &[Value], each: crate::reader::Each<'_>, rest: &[&str], line: Option<usize>) -> Result<Outcome> {
        let writer = self.writer()?;
        if self.is_broken.get() {
            return Err(Error::new(ErrorKind::Conflict, "a step of a rebuild failed, so the migration can only be given up"));
        }
        if !writer.is_open() {
            return Err(Error::new(ErrorKind::Conflict, "the migration was rolled back by one of its statements"));
        }
        let text = crate::sql::statement(sql)?;
        let kind = kind(text);
        if kind == Kind::Control {
            let report = self.report_of(text, line, 0);
            self.statements.borrow_mut().push(report);
            return Ok(Outcome::default());
        }
        self.check_new_column(&kind, text)?;
        let mut report = self.report_of(text, line, 0);
        let made_before = self.rebuilds.borrow().made.len();
        let known = self.rebuilds.borrow().provisional();
        let step = self.rebuilds.borrow_mut().step(writer, text, rest);
        let step = step.inspect_err(|_| self.is_broken.set(true)).map_err(|e| explained(e, &writer.schema()))?;
        let outcome = match step {
            Some(text) => writer
                .run(&text, params, each)
                // A copy that failed has copied nothing.
                .inspect_err(|_| self.rebuilds.borrow_mut().set_provisional(known))
                .map_err(|e| explained(e, &writer.schema()))?,
            None => Outcome::default(),
        };
        report.rows = outcome.changes;
        self.add_rebuild(&mut report, made_before);
        self.statements.borrow_mut().push(report);
        Ok(outcome)
    }

    /// Says of a statement which rebuild it has ended, if it has.
    fn add_rebuild(&self, report: &mut StatementReport, made_before: usize) {
        let rebuilds = self.rebuilds.borrow();
        let Some(rebuild) = rebuilds.made.get(made_before) else { return };
        let table = || rebuild.name.clone();
        report.destroys.extend(rebuild.dropped.iter().map(|c| Destruction::Column { table: table(), column: c.clone() }));
        if rebuild.is_filtered {
            report.destroys.push(Destruction::Filtered { table: table() });
        }
        let narrowed = rebuild.retyped.iter().filter(|(_, from, to)| is_narrowing(from, to));
        report.destroys.extend(narrowed.map(|(column, from, to)| Destruction::Narrowed {
            table: table(),
            column: column.clone(),
            from: from.clone(),
            to: to.clone(),
        }));
        report.words = words_of(rebuild);
        report.table = Some(table());
        report.rebuild = Some(rebuild.clone());
    }

    /// A column that refuses NULL needs a value for the rows that are there. Whether there are any is not asked: it is the same on every store.
    fn check_new_column(&self, kind: &Kind, sql: &str) -> Result<()> {
        let Kind::AddColumn { table, column } = kind else { return Ok(()) };
        if self.rules.missing_default == MissingDefault::AllowOnEmptyTables || self.rebuilds.borrow().is_provisional(table) {
            return Ok(());
        }
        let is_new = self.schema().by_name(table).is_none_or(|t| t.id.0 > self.rules.last_table_id);
        let p = Parser::new(sql);
        let refuses_null = p.tokens().windows(2).any(|t| t[0].is_word(sql, "NOT") && t[1].is_word(sql, "NULL"));
        if is_new || !refuses_null || ["DEFAULT", "AS"].iter().any(|w| p.has_later(w)) {
            return Ok(());
        }
        Err(Error::invalid("a new column that refuses NULL has no default for the rows that are there")
            .with("table", table)
            .with("column", column)
            .with("sql", sql)
            .with_hint(format!(
                "give it a DEFAULT; or add it without NOT NULL, fill it with UPDATE, and rebuild {table} with NOT NULL; or allow it on empty tables \
                 (MissingDefault::AllowOnEmptyTables)"
            )))
    }

    /// What a statement is, before it runs.
    fn report_of(&self, sql: &str, line: Option<usize>, rows: u64) -> StatementReport {
        let schema = self.schema();
        let is_known = |table: &str| self.start.tables.iter().any(|t| schema.by_name(table).is_some_and(|now| now.id == t.id));
        let (words, table, destroys) = match kind(sql) {
            Kind::Control => {
                ("nothing: a migration is one transaction, and its foreign keys are checked at the end".to_owned(), None, vec![])
            }
            Kind::CreateTable { name } => (format!("creates table {name}"), Some(name), vec![]),
            Kind::DropTable { name } => {
                let destroys = if is_known(&name) { vec![Destruction::Table { table: name.clone() }] } else { vec![] };
                (format!("drops table {name}"), Some(name), destroys)
            }
            Kind::RenameTable { from, to } => (format!("renames table {from} to {to}"), Some(from), vec![]),
            Kind::AddColumn { table, column } => (format!("adds column {column} to {table}"), Some(table), vec![]),
            Kind::DropColumn { table, column } => {
                let destroys =
                    if is_known(&table) { vec![Destruction::Column { table: table.clone(), column: column.clone() }] } else { vec![] };
                (format!("drops column {column} of {table}"), Some(table), destroys)
            }
            Kind::RenameColumn { table, from, to } => (format!("renames column {from} of {table} to {to}"), Some(table), vec![]),
            Kind::CreateIndex { name, table } => (format!("creates index {name} on {table}"), Some(table), vec![]),
            Kind::CreateTrigger { name, table } => (format!("creates trigger {name} on {table}"), Some(table), vec![]),
            Kind::CreateView { name } => (format!("creates view {name}"), None, vec![]),
            Kind::Drop { what, name } => (format!("drops {} {name}", what.to_ascii_lowercase()), None, vec![]),
            Kind::Insert { table } => (format!("inserts into {table}"), Some(table), vec![]),
            Kind::Update { table, is_whole } => {
                let which = if is_whole { "every row" } else { "rows" };
                (format!("updates {which} of {table}"), Some(table), vec![])
            }
            Kind::Delete { table, is_whole } => {
                let destroys = if is_whole && is_known(&table) { vec![Destruction::Rows { table: table.clone() }] } else { vec![] };
                let which = if is_whole { "every row" } else { "rows" };
                (format!("deletes {which} of {table}"), Some(table), destroys)
            }
            Kind::Other => ("runs a statement".to_owned(), None, vec![]),
        };
        let number = self.statements.borrow().len() + 1;
        StatementReport { number, line, sql: sql.to_owned(), words, table, rows, destroys, rebuild: None, depends_on_rows: None }
    }

    /// Ends the statements: rebuilds are settled, what was lost is made again, and what must hold is checked.
    pub(super) fn settle(&self) -> Result<()> {
        let writer = self.writer()?;
        if self.is_broken.get() {
            return Err(Error::new(ErrorKind::Conflict, "a step of a rebuild failed, so the migration was given up"));
        }
        if !writer.is_open() {
            return Err(Error::new(ErrorKind::Conflict, "the migration was rolled back by one of its statements"));
        }
        let made_before = self.rebuilds.borrow().made.len();
        self.rebuilds.borrow_mut().settle(writer)?;
        let mut statements = self.statements.borrow_mut();
        if let Some(last) = statements.pop() {
            let mut last = last;
            for made in made_before..self.rebuilds.borrow().made.len() {
                self.add_rebuild(&mut last, made);
            }
            statements.push(last);
        }
        // A table that was dropped for its own rebuild is not lost.
        let now = writer.schema();
        let lives = |name: &str| self.start.by_name(name).is_some_and(|t| now.by_id(t.id).is_some());
        for statement in statements.iter_mut() {
            statement.destroys.retain(|d| !matches!(d, Destruction::Table { table } if lives(table)));
        }
        drop(statements);
        let broken: Vec<String> = broken_views(writer)?.into_iter().filter(|v| !self.broken_views.contains(v)).collect();
        if !broken.is_empty() {
            return Err(Error::invalid("the migration leaves views that cannot be read")
                .with("views", broken.join(", "))
                .with_hint("drop them, or create them anew in the same migration"));
        }
        if self.rules.is_plan || !self.may_violate() { Ok(()) } else { foreign_keys::check(self.database, writer, &self.start) }
    }

    /// Whether a foreign key can be violated by now that was not: the check reads every child table. What changes no row and no key cannot.
    fn may_violate(&self) -> bool {
        let is_harmless = |sql: &str| {
            let is_of_shape = matches!(
                kind(sql),
                Kind::Control
                    | Kind::CreateTable { .. }
                    | Kind::AddColumn { .. }
                    | Kind::RenameColumn { .. }
                    | Kind::CreateIndex { .. }
                    | Kind::CreateTrigger { .. }
                    | Kind::CreateView { .. }
                    | Kind::Drop { what: "TRIGGER" | "VIEW", .. }
            );
            is_of_shape && !Parser::new(sql).tokens().iter().any(|t| t.is_word(sql, "REFERENCES"))
        };
        !self.statements.borrow().iter().all(|s| is_harmless(&s.sql))
    }

    /// Ends the migration and commits it; `approve` is asked before.
    pub(super) fn commit(mut self, purpose: &Purpose<'_>, approve: &mut dyn FnMut(&Self) -> Result<()>) -> Result<MigrationReport> {
        self.settle()?;
        approve(&self)?;
        let writer = self.writer()?;
        let now = writer.now();
        let mut migration = self.record(writer, purpose, now)?;
        migration.lsn_after = writer.last_lsn().plus(writer.capture().count());
        migration.id = match purpose {
            Purpose::Revert(was) => writer.internally(|c| history::roll_back(c, was.id, now)).map(|()| was.id)?,
            _ => writer.internally(|c| history::put(c, &migration))?,
        };
        let committed = writer.commit(None)?;
        // Until here a failure, or a panic, has left it to `Drop` to end the transaction.
        let writer = self.writer.take().ok_or_else(|| Error::internal("the migration has ended"))?;
        end(&writer);
        self.database.announce(&committed);
        drop(writer);
        self.database.acknowledge(&committed)?;
        let statements = self.statements.take();
        let notes = std::mem::take(&mut self.rebuilds.borrow_mut().notes);
        Ok(MigrationReport { migration, statements, notes })
    }

    /// The same, where a check of the caller's may refuse it.
    pub(super) fn commit_checked(self, purpose: &Purpose<'_>, mut check: Option<Check<'_>>) -> Result<MigrationReport> {
        let (database, before) = (self.database, Arc::clone(&self.start));
        self.commit(purpose, &mut |done| {
            let Some(check) = check.as_mut() else { return Ok(()) };
            let plan = MigrationPlan::of_inline(purpose, done);
            check(&Proposal::new(database, Arc::clone(&before), done.schema(), &plan))
        })
    }

    fn record(&self, writer: &Writer, purpose: &Purpose<'_>, now: Timestamp) -> Result<AppliedMigration> {
        let mut migration = AppliedMigration {
            id: 0,
            version: 0,
            name: String::new(),
            kind: MigrationKind::Folder,
            hash: None,
            sql: None,
            applied_at: now,
            lsn_before: self.lsn_before,
            lsn_after: self.lsn_before,
            schema_before: self.start.version,
            schema_after: writer.schema().version,
            rolled_back_at: None,
        };
        match purpose {
            Purpose::Apply(folder) => {
                drizzle::list(writer, folder, now)?;
                (migration.version, migration.name) = (folder.version, folder.name.clone());
                (migration.hash, migration.sql) = (Some(folder.hash.clone()), Some(folder.up.text.clone()));
            }
            Purpose::Inline(version) => {
                (migration.version, migration.name, migration.kind) = (*version, format!("version {version}"), MigrationKind::Inline);
            }
            Purpose::Revert(was) => {
                if let Some(hash) = was.hash.as_deref().filter(|_| was.is_of_folder()) {
                    drizzle::unlist(writer, hash)?;
                }
                migration = AppliedMigration { lsn_before: self.lsn_before, rolled_back_at: Some(now), ..was.clone() };
            }
        }
        Ok(migration)
    }

    /// Commits a migration that was begun by [`Database::begin_migration`].
    ///
    /// # Errors
    /// `Constraint` if it leaves foreign keys violated that were not before, with the rows; `Invalid` if it leaves a view that cannot be read;
    /// `Conflict` if a statement has ended it; `Unavailable` if the disk is full. Nothing of it is done then.
    pub fn finish(self) -> Result<MigrationReport> {
        self.finish_checked(None)
    }

    /// As [`MigrationTransaction::finish`]; `check` is asked before it commits, as in [`Database::migrate_checked`].
    ///
    /// # Errors
    /// As [`MigrationTransaction::finish`], and whatever `check` gives.
    pub fn finish_checked(self, check: Option<Check<'_>>) -> Result<MigrationReport> {
        let version = self.inline_version.ok_or_else(|| Error::internal("a migration without version"))?;
        self.commit_checked(&Purpose::Inline(version), check)
    }

    /// The statements so far, and what was done beside them.
    pub(super) fn reports(&self) -> (Vec<StatementReport>, Vec<String>) {
        (self.statements.borrow().clone(), self.rebuilds.borrow().notes.clone())
    }
}

/// The views that cannot be read.
fn broken_views(writer: &Writer) -> Result<Vec<String>> {
    const VIEWS: &str = "/*rs*/ SELECT name FROM main.sqlite_schema WHERE type='view' ORDER BY rowid";
    if writer.schema().views.is_empty() {
        return Ok(Vec::new());
    }
    writer.internally(|c| {
        let mut out = Vec::new();
        for row in c.query(VIEWS, &[])? {
            let Some(Value::Text(name)) = row.into_iter().next() else { continue };
            if c.inner.prepare(&format!("/*rs*/ SELECT * FROM main.{}", quote(&name))).is_err() {
                out.push(name);
            }
        }
        Ok(out)
    })
}

fn words_of(rebuild: &Rebuild) -> String {
    let mut parts = Vec::new();
    let listed = |names: &[String]| names.join(", ");
    if !rebuild.added.is_empty() {
        parts.push(format!("adds {}", listed(&rebuild.added)));
    }
    if !rebuild.dropped.is_empty() {
        parts.push(format!("drops {}", listed(&rebuild.dropped)));
    }
    parts.extend(rebuild.renamed.iter().map(|(from, to)| format!("renames {from} to {to}")));
    parts.extend(rebuild.retyped.iter().map(|(column, from, to)| format!("turns {column} from {from} into {to}")));
    if rebuild.is_filtered {
        parts.push("copies some rows".to_owned());
    }
    if parts.is_empty() {
        parts.push("keeps its columns".to_owned());
    }
    format!("rebuilds table {}: {}", rebuild.name, parts.join("; "))
}
