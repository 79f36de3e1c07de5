//! What migrations would do, tried on a store of the same shape without rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use relstore_model::identifier::quote;
use relstore_model::{Error, Result, Schema, TableId, Value};

use super::apply::MissingDefault;
use super::destruction::Destruction;
use super::folder::{FolderMigration, MigrationFolder, sha256};
use super::rebuild::Rebuild;
use super::scratch::{self, Scratch, Shape};
use super::statement::{Kind, kind};
use super::transaction::{MigrationReport, MigrationTransaction, Purpose, Rules, StatementReport};
use crate::database::Database;

/// How many rows a statement touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsTouched {
    /// Not known before it runs.
    Unknown,
    /// At most so many: the rows of its table.
    AtMost(u64),
    /// So many.
    Exactly(u64),
}

/// One statement of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStatement {
    /// Its number in its file, from 1.
    pub number: usize,
    /// The line that it begins on, from 1; `None` inline.
    pub line: Option<usize>,
    /// Its text.
    pub sql: String,
    /// What it does, in a few words.
    pub words: String,
    /// How many rows it touches.
    pub rows: RowsTouched,
    /// What it loses for good.
    pub destroys: Vec<Destruction>,
    /// The rebuild that it ends.
    pub rebuild: Option<Rebuild>,
    /// Why it could not be tried without rows: it may fail or not, by what the store holds.
    pub depends_on_rows: Option<String>,
}

/// One migration of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedMigration {
    /// Its version.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Whether it has a down.
    pub is_reversible: bool,
    /// Its statements, in order.
    pub statements: Vec<PlannedStatement>,
    /// What is done beside them, in words.
    pub notes: Vec<String>,
    /// The schema's version after it.
    pub schema_after: u32,
}

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MigrationPlan {
    /// The migrations, in order.
    pub migrations: Vec<PlannedMigration>,
}

impl MigrationPlan {
    /// All that would be lost for good, with the migration that does it.
    pub fn destructions(&self) -> impl Iterator<Item = (&PlannedMigration, &PlannedStatement, &Destruction)> {
        let statements = self.migrations.iter().flat_map(|m| m.statements.iter().map(move |s| (m, s)));
        statements.flat_map(|(m, s)| s.destroys.iter().map(move |d| (m, s, d)))
    }

    /// # Errors
    /// `Invalid` if something would be lost.
    pub(super) fn check_destruction(&self) -> Result<()> {
        let mut found = self.destructions();
        let Some((migration, statement, first)) = found.next() else { return Ok(()) };
        let error = Error::invalid(format!("the migrations would lose something for good: {} {first}", migration.name))
            .with("migration", &migration.name)
            .with("statement", statement.number)
            .with("code", first.code())
            .with("more", found.count());
        Err(error.with_hint("look at the plan, and allow it if it is meant: ApplyOptions::allow_destructive, --allow-destructive"))
    }

    /// What an inline migration has done, as a plan.
    pub(super) fn of_inline(purpose: &Purpose<'_>, done: &MigrationTransaction<'_>) -> Self {
        let (statements, notes) = done.reports();
        let version = match purpose {
            Purpose::Inline(version) => *version,
            Purpose::Apply(m) => m.version,
            Purpose::Revert(m) => m.version,
        };
        let statements = statements.into_iter().map(|s| {
            let rows = RowsTouched::Exactly(s.rows);
            planned_statement(s, rows)
        });
        Self {
            migrations: vec![PlannedMigration {
                version,
                name: format!("version {version}"),
                is_reversible: false,
                statements: statements.collect(),
                notes,
                schema_after: done.schema().version,
            }],
        }
    }
}

fn planned_statement(s: StatementReport, rows: RowsTouched) -> PlannedStatement {
    PlannedStatement {
        number: s.number,
        line: s.line,
        sql: s.sql,
        words: s.words,
        rows,
        destroys: s.destroys,
        rebuild: s.rebuild,
        depends_on_rows: s.depends_on_rows,
    }
}

/// What became of migrations on a store without rows.
pub(super) struct Trial {
    reports: Vec<Tried>,
}

/// Plans that were made, for many stores of one shape: a plan depends on the shape and on the migrations alone. Share one for the stores of a
/// fleet that are migrated by the same folder.
#[derive(Default)]
pub struct PlanCache(Mutex<HashMap<String, Arc<Trial>>>);

/// How many plans a cache keeps.
const PLANS_KEPT: usize = 256;

impl PlanCache {
    fn get(&self, key: &str) -> Option<Arc<Trial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: String, trial: &Arc<Trial>) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_KEPT {
            plans.clear();
        }
        plans.insert(key, Arc::clone(trial));
    }
}

/// Tries `migrations`, in order, on a store of the shape of `database`.
pub(super) fn tried(
    database: &Database,
    migrations: &[&FolderMigration],
    missing_default: MissingDefault,
    cache: Option<&PlanCache>,
) -> Result<Arc<Trial>> {
    if migrations.is_empty() {
        return Ok(Arc::new(Trial { reports: Vec::new() }));
    }
    let (known, key, shape) = database.look(|c| {
        let Some(cache) = cache else { return Ok((None, None, Some(Shape::of(c)?))) };
        let parts = migrations.iter().map(|m| format!("{} {} {}", m.version, m.name, sha256(m.up.text.as_bytes())));
        let what: Vec<String> = parts.chain([format!("{missing_default:?}")]).chain(scratch::fingerprint(c)?).collect();
        let key = sha256(what.join("\n").as_bytes());
        let known = cache.get(&key);
        // Of the same snapshot as the key.
        let shape = if known.is_none() { Some(Shape::of(c)?) } else { None };
        Ok((known, Some(key), shape))
    })?;
    let shape = match (known, shape) {
        (Some(known), _) => return Ok(known),
        (None, shape) => shape.ok_or_else(|| Error::internal("a plan without a shape"))?,
    };
    let scratch = Scratch::of(&shape)?;
    let rules = Rules { missing_default, last_table_id: shape.schema.last_table_id, is_plan: true };
    let reports = migrations.iter().map(|m| try_one(scratch.database()?, m, rules)).collect::<Result<_>>()?;
    let trial = Arc::new(Trial { reports });
    if let (Some(cache), Some(key)) = (cache, key) {
        cache.put(key, &trial);
    }
    Ok(trial)
}

/// What a migration did to a store without rows, with the schemas before and after it.
pub(super) type Tried = (MigrationReport, Arc<Schema>, Arc<Schema>);

/// Tries one migration on a store without rows.
pub(super) fn try_one(store: &Database, migration: &FolderMigration, rules: Rules) -> Result<Tried> {
    let before = store.schema();
    let transaction = MigrationTransaction::begin(store, rules)?;
    transaction.run_script(&migration.up, &mut |_, _| Ok(()))?;
    let placed = |e: Error| e.with("migration", &migration.name).with("file", migration.up.path.display());
    let report = transaction.commit(&Purpose::Apply(migration), &mut |_| Ok(())).map_err(placed)?;
    Ok((report, before, store.schema()))
}

impl MigrationFolder {
    /// The schema that all of the folder makes of an empty store, with the ids that it gets there. It is tried out on such a store, which goes again.
    ///
    /// # Errors
    /// As [`Database::plan_migrations`].
    pub fn schema(&self) -> Result<Schema> {
        let scratch = Scratch::empty()?;
        let store = scratch.database()?;
        for migration in &self.migrations {
            try_one(store, migration, Rules::OF_EMPTY_STORES)?;
        }
        Ok(Schema::clone(&store.schema()))
    }
}

impl Trial {
    /// The schema after all; `None` if there was nothing to try.
    pub(super) fn after(&self) -> Option<Arc<Schema>> {
        self.reports.last().map(|(_, _, after)| Arc::clone(after))
    }

    /// The plan for `database`, whose rows are counted if they are asked for.
    pub(super) fn plan(&self, database: &Database, migrations: &[&FolderMigration], counts_rows: bool) -> Result<MigrationPlan> {
        let mut counts = Counts { database, rows: HashMap::new(), counts: counts_rows };
        let mut plan = MigrationPlan::default();
        for ((report, before, after), migration) in self.reports.iter().zip(migrations) {
            let mut statements = Vec::new();
            for statement in &report.statements {
                let rows = counts.touched(statement, before, after)?;
                statements.push(planned_statement(statement.clone(), rows));
            }
            plan.migrations.push(PlannedMigration {
                version: migration.version,
                name: migration.name.clone(),
                is_reversible: migration.down.is_some(),
                statements,
                notes: report.notes.clone(),
                schema_after: after.version,
            });
        }
        Ok(plan)
    }
}

/// The numbers of rows of the real store's tables, counted when they are first asked for.
struct Counts<'a> {
    database: &'a Database,
    rows: HashMap<TableId, u64>,
    /// Whether to count at all: it reads a whole table.
    counts: bool,
}

impl Counts<'_> {
    fn of(&mut self, id: TableId) -> Result<u64> {
        if let Some(count) = self.rows.get(&id) {
            return Ok(*count);
        }
        let schema = self.database.schema();
        let Some(table) = schema.by_id(id) else { return Ok(0) };
        let rows = self.database.query(&format!("SELECT count(*) FROM {}", quote(&table.name)), &[])?.rows;
        let count = match rows.first().and_then(|r| r.first()) {
            Some(Value::Integer(n)) => n.unsigned_abs(),
            _ => 0,
        };
        self.rows.insert(id, count);
        Ok(count)
    }

    fn touched(&mut self, statement: &StatementReport, before: &Schema, after: &Schema) -> Result<RowsTouched> {
        let id = statement.table.as_deref().and_then(|t| before.by_name(t).or_else(|| after.by_name(t))).map(|t| t.id);
        if let Some(rebuild) = &statement.rebuild {
            return if self.counts { self.of(rebuild.table).map(RowsTouched::Exactly) } else { Ok(RowsTouched::Unknown) };
        }
        let mut exactly = |whole: bool| match id {
            Some(id) if self.counts => self.of(id).map(|n| if whole { RowsTouched::Exactly(n) } else { RowsTouched::AtMost(n) }),
            _ => Ok(RowsTouched::Unknown),
        };
        match kind(&statement.sql) {
            Kind::DropTable { .. } | Kind::DropColumn { .. } => exactly(true),
            Kind::Update { is_whole, .. } | Kind::Delete { is_whole, .. } => exactly(is_whole),
            Kind::CreateIndex { .. } => exactly(true),
            // Values that are written in the statement are so many on every store.
            Kind::Insert { .. } if statement.rows > 0 => Ok(RowsTouched::Exactly(statement.rows)),
            Kind::Insert { .. } | Kind::Other => Ok(RowsTouched::Unknown),
            _ => Ok(RowsTouched::Exactly(0)),
        }
    }
}
