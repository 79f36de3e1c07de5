//! Reading: connections that see a snapshot and cannot write.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use relstore_model::{Error, Result, Row, TableId, Value, ValueRef};

use crate::authorizer::Authorizer;
use crate::catalog;
use crate::eviction::{self, Cold, Shadow, Tier};
use crate::settings::Settings;
use crate::sql;
use crate::sqlite::held::HeldStatement;
use crate::sqlite::{Connection, Parameters, cell, from_sqlite};

/// The answer of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names of the columns, in order.
    pub columns: Vec<String>,
    /// The rows, in order; each has a cell for each column.
    pub rows: Vec<Row>,
}

/// A connection for reading.
pub(crate) struct Reader {
    /// Queries that are held, by their numbers; `None` for a statement that writes. Dropped before the connection.
    held: HashMap<u64, Option<HeldStatement>>,
    held_max: usize,
    pub(crate) connection: Connection,
    authorizer: Arc<Authorizer>,
    shadow: Shadow,
    /// Another process may write the store, so each statement asks the file what is cold.
    is_follower: bool,
    /// How often that had changed in the file when it was last asked.
    generation: Cell<i64>,
    /// How many rows the last query met in scans of whole tables.
    rows_scanned: Cell<u64>,
}

impl Reader {
    pub(crate) fn open(path: &Path, settings: &Settings, tier: Arc<Tier>, is_follower: bool) -> Result<Self> {
        let mut connection = Connection::open_read_only(path)?;
        connection.execute_batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size=-{}", settings.cache_kib))?;
        connection.harden()?;
        connection.inner.set_prepared_statement_cache_capacity(settings.statements_cached);
        let authorizer = Authorizer::install(&mut connection.inner).map_err(|e| from_sqlite(&e, ""))?;
        let shadow = Shadow::install(&connection, tier, None)?;
        let (generation, rows_scanned) = (Cell::new(0), Cell::new(0));
        let (held, held_max) = (HashMap::new(), settings.statements_cached);
        Ok(Self { held, held_max, connection, authorizer, shadow, is_follower, generation, rows_scanned })
    }

    /// Whether the statement writes nothing.
    pub(crate) fn is_read(&self, sql: &str) -> Result<bool> {
        let sql = sql::statement(sql)?;
        self.shadow_snapshot(|| {
            let plan = (!self.shadow.is_empty()).then(|| self.shadow.plan(sql));
            if plan.as_ref().is_some_and(|p| p.is_bare || !p.reload.is_empty()) {
                self.hide()?;
            }
            let text = plan.as_ref().and_then(|p| p.text.as_deref()).unwrap_or(sql);
            Ok(self.prepare(text, sql)?.readonly())
        })
    }

    /// Prepares `text`, which stands for `sql`.
    fn prepare(&self, text: &str, sql: &str) -> Result<rusqlite::CachedStatement<'_>> {
        let prepare = || self.connection.inner.prepare_cached(text);
        let again = |_| {
            // SQLite judges it by the shape that it knows, and looks whether that is still so when the statement runs. Nothing is wrong with
            // a statement that fits the shape of now, which a look into the file makes known.
            self.connection.inner.query_row("/*rs*/ SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(()))?;
            prepare()
        };
        prepare().or_else(again).map_err(|e| self.authorizer.explain(from_sqlite(&e, sql)))
    }

    /// The tables that must be wholly hot before the statement can be read.
    pub(crate) fn needs_reload(&self, sql: &str) -> Result<Vec<TableId>> {
        self.shadow_snapshot(|| {
            let is_needed = !self.shadow.is_empty();
            Ok(if is_needed { self.shadow.plan(sql::trimmed(sql)).reload.clone() } else { Vec::new() })
        })
    }

    /// Runs the statement and gives each row to `each`, if it only reads; gives the names of the columns if they are asked for. `None` if it
    /// writes: it was not run. `settle` is called once, when the statement has its snapshot and `each` has seen nothing.
    pub(crate) fn try_each<P: Parameters + ?Sized>(
        &self,
        sql: &str,
        params: &P,
        with_columns: bool,
        each: Each<'_>,
        settle: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Vec<String>>> {
        let sql = sql::statement(sql)?;
        loop {
            let number = self.shadow.tier().settled();
            let is_settled = || Ok(self.shadow.tier().is_at(number) && settle().map(|()| true)?);
            match self.shadow_snapshot(|| self.try_once(sql, params, with_columns, each, is_settled))? {
                Attempt::Done(columns) => return Ok(Some(columns)),
                Attempt::Writes => return Ok(None),
                Attempt::Overtaken => {}
            }
        }
    }

    /// As [`Reader::try_each`], by the query's number, which always comes with this text; gives how many rows it scanned. `None` if it was not
    /// run, because it writes or for anything else out of the ordinary: `try_each` then says what is so.
    pub(crate) fn try_held(
        &mut self,
        (id, sql): (u64, &str),
        params: &[ValueRef<'_>],
        each: Each<'_>,
        settle: &dyn Fn() -> Result<()>,
    ) -> Result<Option<u64>> {
        let tier = self.shadow.tier();
        // Before it is asked whether anything is cold: so that the answer is the snapshot's.
        let number = tier.settled();
        if self.is_follower || !tier.is_empty() || !self.shadow.shows_nothing() || !self.shadow.is_empty() {
            return Ok(None);
        }
        if !self.held.contains_key(&id) {
            let Ok(statement) = self.prepare(sql::statement(sql)?, sql) else { return Ok(None) };
            let is_read = statement.readonly();
            drop(statement);
            if self.held.len() >= self.held_max {
                self.held.clear();
            }
            self.held.insert(
                id,
                if is_read { HeldStatement::prepare(&self.connection.inner, sql).filter(HeldStatement::is_read) } else { None },
            );
        }
        let Some(Some(query)) = self.held.get_mut(&id) else { return Ok(None) };
        if !query.takes(params) {
            return Ok(None);
        }
        let is_settled = || Ok(tier.is_at(number) && settle().map(|()| true)?);
        let is_done = query.run(sql, params, each, is_settled).map_err(|e| self.shadow.explain(e))?;
        Ok(is_done.then(|| query.rows_scanned()))
    }

    fn try_once<P: Parameters + ?Sized>(
        &self,
        sql: &str,
        params: &P,
        with_columns: bool,
        each: Each<'_>,
        is_settled: impl FnOnce() -> Result<bool>,
    ) -> Result<Attempt> {
        if !self.shadow.is_empty() {
            let plan = self.shadow.plan(sql);
            if plan.is_bare || !plan.reload.is_empty() {
                self.hide()?;
            }
            let text = plan.text.as_deref().unwrap_or(sql);
            if plan.text.is_some() || !plan.reload.is_empty() {
                let statement = self.prepare(text, sql)?;
                if !statement.readonly() {
                    return Ok(Attempt::Writes);
                }
                return Err(Error::unsupported("the statement asks for what a table with evicted rows cannot answer")
                    .with("sql", sql)
                    .with_hint("name the key column where it says rowid, or open the store for writing"));
            }
        }
        let mut statement = self.prepare(sql, sql)?;
        if !statement.readonly() {
            return Ok(Attempt::Writes);
        }
        let result = step(&mut statement, sql, params, each, is_settled).map_err(|e| self.shadow.explain(e));
        self.rows_scanned.set(rows_scanned(&statement, sql));
        if !result? {
            return Ok(Attempt::Overtaken);
        }
        // Asked last: where the schema changed, SQLite prepared the statement again in its first step, and `*` is other columns than before.
        Ok(Attempt::Done(if with_columns { column_names(&statement) } else { Vec::new() }))
    }

    /// How many rows the last query met in scans of whole tables.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.rows_scanned.get()
    }

    /// Runs `run` in one read transaction, without a view over cold rows.
    pub(crate) fn in_snapshot<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.authorizer.internally(|| self.connection.execute("/*rs*/ BEGIN", &[]))?;
        let result = self.authorizer.internally(|| run(&self.connection));
        // A transaction that has only read ends without an error, or has ended.
        let _ = self.authorizer.internally(|| self.connection.execute("/*rs*/ COMMIT", &[]));
        result
    }

    /// Begins a read transaction that lasts until [`Reader::release`], with the temp objects showing what is cold in its snapshot. `look`
    /// is the first look at the file, which opens it.
    pub(crate) fn hold<T>(&self, look: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        loop {
            let number = self.shadow.tier().settled();
            if !self.is_follower {
                self.shadow_snapshot(|| Ok(()))?;
            }
            self.authorizer.internally(|| self.connection.execute("/*rs*/ BEGIN", &[]))?;
            let seen = if self.is_follower { self.show_what_is_in_file() } else { Ok(()) }.and_then(|()| self.held(&look));
            match seen {
                Ok(seen) if self.shadow.tier().is_at(number) => return Ok(seen),
                Ok(_) => self.release(),
                Err(error) => {
                    self.release();
                    return Err(error);
                }
            }
        }
    }

    /// Runs a statement of the engine's own in the read transaction.
    pub(crate) fn held<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.authorizer.internally(|| run(&self.connection))
    }

    /// As [`Reader::try_each`], in the read transaction that [`Reader::hold`] began.
    pub(crate) fn query_held(&self, sql: &str, params: &[Value], each: Each<'_>) -> Result<Vec<String>> {
        // A statement before may have hidden them.
        if !self.shadow.shows(&self.shadow.cold()) {
            self.show(&self.shadow.cold())?;
        }
        match self.try_once(sql::statement(sql)?, params, true, each, || Ok(true))? {
            Attempt::Done(columns) => Ok(columns),
            Attempt::Writes | Attempt::Overtaken => Err(crate::database::writes(sql)),
        }
    }

    /// Begins a read transaction, whose snapshot is the first query's, and that lasts until [`Reader::release`]; not on a follower, whose queries
    /// each look at the file first.
    pub(crate) fn keep(&self) -> Result<()> {
        self.held(|c| c.execute("/*rs*/ BEGIN", &[])).map(|_| ())
    }

    /// The names of the statement's columns in the read transaction that [`Reader::hold`] began.
    pub(crate) fn names_held(&self, sql: &str) -> Result<Vec<String>> {
        // Not one that is kept: it may have been prepared before the shape changed, which SQLite finds out when it runs.
        let statement = self.connection.inner.prepare(sql::statement(sql)?);
        statement.map(|statement| column_names(&statement)).map_err(|e| self.authorizer.explain(from_sqlite(&e, sql)))
    }

    /// Ends the read transaction.
    pub(crate) fn release(&self) {
        // A transaction that has only read ends without an error, or has ended.
        let _ = self.held(|c| c.execute("/*rs*/ COMMIT", &[]));
    }

    /// Makes the temp objects show what is cold and runs `run`; a follower does both in one read transaction.
    fn shadow_snapshot<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_follower {
            return self.follow(run);
        }
        if !(self.shadow.tier().is_empty() && self.shadow.shows_nothing()) {
            let cold = self.shadow.tier().cold();
            if !self.shadow.shows(&cold) {
                self.show(&cold)?;
            }
        }
        run()
    }

    fn follow<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.authorizer.internally(|| self.connection.execute("/*rs*/ BEGIN", &[]))?;
        let result = self.show_what_is_in_file().and_then(|()| run());
        // As above. It ends before the next statement, so a row handler may run other statements meanwhile on other connections.
        let _ = self.authorizer.internally(|| self.connection.execute("/*rs*/ COMMIT", &[]));
        result
    }

    /// Makes a follower's temp objects show what is cold in the snapshot that the connection reads.
    fn show_what_is_in_file(&self) -> Result<()> {
        let generation = self.authorizer.internally(|| eviction::generation_in_file(&self.connection))?;
        if generation != self.generation.get() {
            let load = || eviction::load(&self.connection, &catalog::newest(&self.connection)?);
            self.show(&self.authorizer.internally(load)?)?;
            self.generation.set(generation);
        } else if !self.shadow.shows(&self.shadow.cold()) {
            self.show(&self.shadow.cold())?;
        }
        Ok(())
    }

    fn show(&self, cold: &Arc<Cold>) -> Result<()> {
        self.writing_temp(|c| self.shadow.show(c, cold))
    }

    fn hide(&self) -> Result<()> {
        self.writing_temp(|c| self.shadow.hide(c))
    }

    /// `query_only` holds for the temp schema too.
    fn writing_temp(&self, write: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        self.authorizer.internally(|| {
            self.connection.execute_batch("PRAGMA query_only=OFF")?;
            let result = write(&self.connection);
            self.connection.execute_batch("PRAGMA query_only=ON")?;
            result
        })
    }
}

/// How many rows the statement met in scans of whole tables since this was last asked: SQLite counts them anyway.
pub(crate) fn rows_scanned(statement: &rusqlite::Statement<'_>, sql: &str) -> u64 {
    if sql.is_empty() {
        // Nothing was prepared, and nothing has counted.
        return 0;
    }
    u64::try_from(statement.reset_status(rusqlite::StatementStatus::FullscanStep)).unwrap_or(0)
}

/// What is done with each row.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>;

/// What became of an attempt to read.
enum Attempt {
    Done(Vec<String>),
    /// The statement writes.
    Writes,
    /// Rows moved between the tiers just as the snapshot was opened; nothing was given to the caller.
    Overtaken,
}

/// The names of the statement's columns.
pub(crate) fn column_names(statement: &rusqlite::Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

/// Binds, steps, and gives each row to `each`. `is_settled` is asked once, when the statement has opened its snapshot and `each` has seen
/// nothing yet; if it says no, the statement stops there and so is the answer.
pub(crate) fn step<P: Parameters + ?Sized>(
    statement: &mut rusqlite::Statement<'_>,
    sql: &str,
    params: &P,
    each: Each<'_>,
    is_settled: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    let mut rows = params.query(statement).map_err(|e| from_sqlite(&e, sql))?;
    let mut cells: Vec<ValueRef<'_>> = Vec::new();
    let mut next = rows.next();
    if !is_settled()? {
        return Ok(false);
    }
    while let Some(row) = next.map_err(|e| from_sqlite(&e, sql))? {
        let mut cells_of_row = reuse(cells);
        for i in 0..row.as_ref().column_count() {
            cells_of_row.push(cell(row.get_ref(i).map_err(|e| from_sqlite(&e, sql))?));
        }
        each(&cells_of_row)?;
        cells = reuse(cells_of_row);
        next = rows.next();
    }
    Ok(true)
}

/// The vector's allocation, empty, for cells of another lifetime. The compiler turns it into nothing.
fn reuse<'b>(mut cells: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    cells.clear();
    cells.into_iter().map(|_| ValueRef::Null).collect()
}

/// Collects rows.
pub(crate) fn collect(run: impl FnOnce(Each<'_>) -> Result<Vec<String>>) -> Result<Rows> {
    let mut rows = Vec::new();
    let columns = run(&mut |cells| {
        rows.push(cells.iter().map(|c| c.to_value()).collect());
        Ok(())
    })?;
    Ok(Rows { columns, rows })
}
