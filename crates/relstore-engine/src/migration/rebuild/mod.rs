//! Rebuilds: a table that is created anew, filled from the one that it replaces, and takes its name.
//!
//! A table that a migration creates is *provisional*: it is in the file, and neither the schema nor the capture knows it. When a table is dropped
//! from which a provisional one was filled, it is put *away* instead, under a name of the engine's. If the provisional table then has the name that
//! the one put away had when the migration began, it is that table in a new shape: ids are carried over by the copy's columns, the two are
//! compared ([`compare`]), and the log gets one change of shape and the rows that differ. Whatever is left when the migration ends was no
//! rebuild, and is logged as tables that came and went. Names play no part: `__new_x`, `x_new` and `x_backup` are all the same here.

mod compare;
mod copy;
mod dependents;
mod successor;

use std::sync::Arc;

use relstore_model::identifier::{is_reserved, quote};
use relstore_model::{Error, Op, Result, Schema, Table, TableId, Value};

pub use compare::RebuildChanges;
use copy::{Copy, Item};
use successor::Origin;

use super::statement::{Kind, Parser, kind};
use crate::catalog;
use crate::ddl::check_rows_can_be_told_apart;
use crate::sql::TokenKind;
use crate::writer::Writer;

/// A rebuild that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    /// The table's id, which it keeps.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// Columns that it had and has no more.
    pub dropped: Vec<String>,
    /// Columns that were not there before.
    pub added: Vec<String>,
    /// Columns that have another name now: from and to.
    pub renamed: Vec<(String, String)>,
    /// Columns whose declared type is another now: name, from and to.
    pub retyped: Vec<(String, String, String)>,
    /// Whether the copy has a condition, so that rows may be left out.
    pub is_filtered: bool,
    /// What became of its rows.
    pub changes: RebuildChanges,
}

/// A table that the migration has created and that is not in the schema yet.
#[derive(Clone, Debug)]
pub(crate) struct Provisional {
    name: String,
    sql: String,
    /// The tables of the schema that it was filled from.
    sources: Vec<TableId>,
    /// Where its columns come from, by the first copy; `None` if that says nothing.
    origins: Option<Vec<(String, Origin)>>,
    /// Whether its rows have the rowids that they were copied from.
    keeps_rowids: bool,
    is_filtered: bool,
    copies: usize,
}

/// The rebuilds of one migration.
#[derive(Debug)]
pub(crate) struct Rebuilds {
    start: Arc<Schema>,
    provisional: Vec<Provisional>,
    /// Tables that were put away, in order.
    away: Vec<(Table, String)>,
    /// Statements of indexes and triggers that went with a table that was put away.
    lost: Vec<(TableId, Vec<String>)>,
    /// Indexes and triggers that the migration dropped by name.
    dropped: Vec<String>,
    pub(crate) made: Vec<Rebuild>,
    /// What the engine did beside the statements, in words.
    pub(crate) notes: Vec<String>,
}

/// The name that a table has while it is put away.
fn away_name(id: TableId) -> String {
    format!("_rs_away_{}", id.0)
}

impl Rebuilds {
    pub(crate) fn new(start: Arc<Schema>) -> Self {
        Self {
            start,
            provisional: Vec::new(),
            away: Vec::new(),
            lost: Vec::new(),
            dropped: Vec::new(),
            made: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.provisional.iter().position(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// What is known of the provisional tables.
    pub(crate) fn provisional(&self) -> Vec<Provisional> {
        self.provisional.clone()
    }

    /// Takes back what was learnt from a statement that then failed.
    pub(crate) fn set_provisional(&mut self, known: Vec<Provisional>) {
        self.provisional = known;
    }

    /// Whether the migration has made the table `name` itself and the schema does not have it yet.
    pub(crate) fn is_provisional(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Runs the statement if it is a step of a rebuild, or may be; `rest` are the statements after it, as far as they are known. Gives the
    /// statement to run where it is an ordinary one, with the rowid added where it copies rows; `None` if it is done.
    pub(crate) fn step(&mut self, writer: &Writer, sql: &str, rest: &[&str]) -> Result<Option<String>> {
        match kind(sql) {
            Kind::CreateTable { name } if !is_reserved(&name) && !exists(writer, &name)? => {
                writer.run_unrecorded(sql, false)?;
                self.provisional.push(Provisional {
                    name: name.clone(),
                    sql: sql.to_owned(),
                    sources: Vec::new(),
                    origins: None,
                    keeps_rowids: false,
                    is_filtered: false,
                    copies: 0,
                });
                writer.change_overlay(|o| o.hidden.push(name.clone()));
                if let Some(at) = Parser::new(sql).has_later("SELECT").then(|| self.position(&name)).flatten() {
                    self.provisional[at].sources = mentioned(&writer.schema(), sql);
                    self.provisional[at].copies = 1;
                }
                Ok(None)
            }
            Kind::DropTable { name } => self.drop_table(writer, sql, &name),
            Kind::RenameTable { from, to } => self.rename_table(writer, sql, (&from, &to), rest),
            Kind::Insert { table } => self.insert(writer, sql, &table),
            Kind::RenameColumn { table, from, to } => {
                if let Some(at) = self.position(&table) {
                    let origins = self.provisional[at].origins.iter_mut().flatten();
                    origins.filter(|(c, _)| c.eq_ignore_ascii_case(&from)).for_each(|(c, _)| c.clone_from(&to));
                }
                Ok(Some(sql.to_owned()))
            }
            Kind::Drop { what: "INDEX" | "TRIGGER", name } => {
                self.dropped.push(name);
                Ok(Some(sql.to_owned()))
            }
            // `WITH … INSERT INTO`.
            Kind::Other => match self.provisional.iter().find(|p| mentions(sql, &p.name) && mentions(sql, "INSERT")) {
                Some(p) => {
                    let name = p.name.clone();
                    self.insert(writer, sql, &name)
                }
                None => Ok(Some(sql.to_owned())),
            },
            _ => Ok(Some(sql.to_owned())),
        }
    }

    fn drop_table(&mut self, writer: &Writer, sql: &str, name: &str) -> Result<Option<String>> {
        if let Some(at) = self.position(name) {
            // What was filled from it was filled from where it was filled from.
            writer.run_unrecorded(sql, false)?;
            let gone = self.provisional.remove(at);
            writer.change_overlay(|o| o.hidden.retain(|h| !h.eq_ignore_ascii_case(&gone.name)));
            return Ok(None);
        }
        let schema = writer.schema();
        let Some(table) = schema.by_name(name).filter(|t| self.provisional.iter().any(|p| p.sources.contains(&t.id))) else {
            return Ok(Some(sql.to_owned()));
        };
        self.put_away(writer, table)?;
        Ok(None)
    }

    /// Renames the table to where nobody sees it, and lets its indexes and triggers go.
    fn put_away(&mut self, writer: &Writer, table: &Table) -> Result<()> {
        const DEPENDENTS: &str = "/*rs*/ SELECT type, name FROM main.sqlite_schema \
            WHERE type IN ('index','trigger') AND tbl_name=? COLLATE NOCASE AND sql IS NOT NULL ORDER BY type DESC, rowid";
        writer.reload_tables(&[table.id])?;
        let physical = away_name(table.id);
        for row in writer.internally(|c| c.query(DEPENDENTS, &[Value::from(table.name.as_str())]))? {
            if let [Value::Text(what), Value::Text(name)] = row.as_slice() {
                writer.internally(|c| c.execute_batch(&format!("DROP {what} main.{}", quote(name))))?;
            }
        }
        writer.internally(|_| writer.run_unrecorded(&format!("ALTER TABLE main.{} RENAME TO {physical}", quote(&table.name)), true))?;
        writer.capture().forget(&table.name);
        writer.change_overlay(|o| o.away.push(table.clone()));
        // Under the name that it had before it was renamed for the rebuild, if it was.
        let statements = match self.start.by_id(table.id) {
            Some(first) if !first.name.eq_ignore_ascii_case(&table.name) => {
                let names: Vec<_> = table.dependents.iter().filter_map(|sql| dependents::name_of(sql)).collect();
                first.dependents.iter().filter(|sql| dependents::name_of(sql).is_some_and(|n| names.contains(&n))).cloned().collect()
            }
            _ => table.dependents.clone(),
        };
        self.lost.push((table.id, statements));
        self.away.push((table.clone(), physical));
        Ok(())
    }

    fn rename_table(&mut self, writer: &Writer, sql: &str, (from, to): (&str, &str), rest: &[&str]) -> Result<Option<String>> {
        if let Some(at) = self.position(from) {
            // Legacy: views and triggers may name the table that is away, and mean the one that takes its place. Only where a foreign key names
            // the provisional table must SQLite rename it there too.
            writer.run_unrecorded(sql, !is_referenced(writer, from)?).map_err(|e| {
                e.with_hint("let the new table's foreign keys refer to the table by the name that it will have, or drop the view before and create it after")
            })?;
            self.provisional[at].name = to.to_owned();
            writer.change_overlay(|o| {
                o.hidden.retain(|h| !h.eq_ignore_ascii_case(from));
                o.hidden.push(to.to_owned());
            });
            if let Some(away) = self.away_of(at) {
                self.finish(writer, away, at)?;
            }
            return Ok(None);
        }
        let is_created_again = rest.iter().any(|s| matches!(kind(s), Kind::CreateTable { name } if name.eq_ignore_ascii_case(from)))
            && rest.iter().any(|s| matches!(kind(s), Kind::DropTable { name } if name.eq_ignore_ascii_case(to)));
        if is_created_again && let Some(table) = writer.schema().by_name(from) {
            // Whoever refers to it goes on to mean the one that comes in its place.
            writer.reload_tables(&[table.id])?;
            writer.run_unrecorded(sql, true)?;
            writer.record_ddl(sql)?;
            return Ok(None);
        }
        Ok(Some(sql.to_owned()))
    }

    /// The table that this provisional one takes the place of, if that is sure.
    fn away_of(&self, provisional: usize) -> Option<usize> {
        let p = &self.provisional[provisional];
        self.away.iter().position(|(table, _)| {
            let first = self.start.by_id(table.id).map_or(&table.name, |t| &t.name);
            p.sources.contains(&table.id) && (p.name.eq_ignore_ascii_case(first) || p.name.eq_ignore_ascii_case(&table.name))
        })
    }

    /// A statement that fills a table: if that one is provisional, it is remembered where its rows and columns come from.
    fn insert(&mut self, writer: &Writer, sql: &str, name: &str) -> Result<Option<String>> {
        let Some(at) = self.position(name) else { return Ok(Some(sql.to_owned())) };
        let schema = writer.schema();
        let mut sources = mentioned(&schema, sql);
        let through: Vec<usize> = (0..self.provisional.len()).filter(|i| *i != at && mentions(sql, &self.provisional[*i].name)).collect();
        sources.extend(through.iter().flat_map(|i| self.provisional[*i].sources.iter().copied()));
        if sources.is_empty() {
            return Ok(Some(sql.to_owned()));
        }
        writer.reload_tables(&sources)?;
        let copy = Copy::parse(sql);
        let mut text = sql.to_owned();
        let (columns, key) = writer.internally(|c| catalog::columns(c, &self.provisional[at].name))?;
        let target = successor::described(&self.provisional[at].name, columns, key);
        let fillable: Vec<String> = target.columns.iter().filter(|c| !c.is_virtual && !c.is_computed).map(|c| c.name.clone()).collect();
        let mut keeps_rowids = false;
        let mut origins = None;
        if let Some(copy) = &copy {
            let known = schema.by_name(&copy.source).cloned();
            let between = self.position(&copy.source).filter(|_| known.is_none());
            let source = match (known, between) {
                (Some(table), _) => Some((table, None)),
                (None, Some(i)) => {
                    let (columns, key) = writer.internally(|c| catalog::columns(c, &copy.source))?;
                    Some((successor::described(&copy.source, columns, key), Some(i)))
                }
                (None, None) => None,
            };
            if let Some((table, through)) = source {
                let given: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
                let through = through.map(|i| &self.provisional[i]);
                let before = through.and_then(|p| p.origins.as_deref());
                let origin = |item: Item| successor::origin(item, &table, through.is_some().then_some(before.unwrap_or_default()));
                origins = Some(copy.origins(&fillable, &given).into_iter().map(|(c, item)| (c, origin(item))).collect());
                let source_keeps = through.is_none_or(|p| p.keeps_rowids);
                let is_first = self.provisional[at].copies == 0;
                if let (Some(from), Some(to)) = (table.rowid_name(), target.rowid_name())
                    && target.rowid_alias().is_none()
                    && !is_without_rowid(writer, name)?
                    && !(through.is_some() && is_without_rowid(writer, &copy.source)?)
                    && is_first
                {
                    text = copy.with_rowid(sql, from, to, &fillable);
                    keeps_rowids = source_keeps;
                }
            }
        }
        let p = &mut self.provisional[at];
        p.keeps_rowids = keeps_rowids && p.copies == 0;
        if p.copies == 0 {
            p.origins = origins;
        }
        p.copies += 1;
        p.is_filtered |= copy.as_ref().is_none_or(|c| c.has_where);
        sources.sort_unstable();
        sources.dedup();
        p.sources.extend(sources);
        Ok(Some(text))
    }

    /// The provisional table takes the place of the one that is away.
    fn finish(&mut self, writer: &Writer, away: usize, provisional: usize) -> Result<()> {
        let (old, physical) = self.away.remove(away);
        let new = self.provisional.remove(provisional);
        let known = writer.schema();
        let (columns, _) = writer.internally(|c| catalog::columns(c, &new.name))?;
        let kept = successor::kept(&old, &columns, new.origins.as_deref());
        let patched = successor::patched(&known, &old, &new.name, &columns, &kept);
        writer.change_overlay(|o| {
            o.hidden.retain(|h| !h.eq_ignore_ascii_case(&new.name));
            o.away.retain(|t| t.id != old.id);
        });
        let evolved = writer.internally(|c| catalog::evolved_beside(c, &patched, &writer.overlay()))?;
        let mut schema = evolved.unwrap_or_else(|| Schema { version: known.version + 1, ..patched });
        let at = schema.tables.iter().position(|t| t.id == old.id).ok_or_else(|| lost_table(&old))?;
        if let Some(origins) = &new.origins {
            successor::freeze_literals(&mut schema.tables[at], known.version + 1, origins);
        }
        check_rows_can_be_told_apart(&schema)?;
        let table = &schema.tables[at];
        let (changes, later) =
            writer.internally(|c| compare::compare(c, writer.capture(), (&old, &physical), (table, &new.name), new.keeps_rowids))?;
        writer.internally(|c| {
            successor::keep_sequence(c, &physical, &new.name)?;
            c.execute_batch(&format!("DROP TABLE main.{}", quote(&physical)))
        })?;
        self.made.push(successor::report(&old, table, new.is_filtered, changes));
        if schema.tables != known.tables || schema.views != known.views {
            let sql = table.sql.clone();
            writer.record_schema(schema, &sql)?;
        } else {
            // Put away, it was no longer captured.
            writer.set_captured(&known);
        }
        writer.capture().put(|packed| {
            packed.extend_from_slice(&later.packed);
            later.count
        });
        Ok(())
    }

    /// Ends what the migration's statements began: rebuilds are finished, other new tables and other tables that are gone are logged as such,
    /// and what a rebuilt table has lost is made again.
    pub(crate) fn settle(&mut self, writer: &Writer) -> Result<()> {
        let mut at = 0;
        while at < self.provisional.len() {
            match self.away_of(at) {
                Some(away) => self.finish(writer, away, at)?,
                None => at += 1,
            }
        }
        for (table, physical) in std::mem::take(&mut self.away) {
            let as_it_lies = Table { name: physical.clone(), ..table.clone() };
            writer.record_rows_of(&as_it_lies, Op::Delete)?;
            writer.internally(|c| c.execute_batch(&format!("DROP TABLE main.{}", quote(&physical))))?;
            writer.change_overlay(|o| o.away.retain(|t| t.id != table.id));
            writer.record_ddl(&format!("DROP TABLE {}", quote(&table.name)))?;
        }
        for new in std::mem::take(&mut self.provisional) {
            writer.change_overlay(|o| o.hidden.retain(|h| !h.eq_ignore_ascii_case(&new.name)));
            writer.record_ddl(&new.sql)?;
        }
        let made = self.made.iter().map(|r| r.table).collect::<Vec<_>>();
        for (id, statements) in std::mem::take(&mut self.lost) {
            if made.contains(&id) {
                dependents::restore(writer, &statements, &self.dropped, &mut self.notes)?;
            }
        }
        Ok(())
    }
}

fn lost_table(table: &Table) -> Error {
    Error::internal("a table was lost in its rebuild").with("table", &table.name)
}

/// Whether the file has a table or view of this name.
fn exists(writer: &Writer, name: &str) -> Result<bool> {
    const EXISTS: &str = "/*rs*/ SELECT 1 FROM main.sqlite_schema WHERE type IN ('table','view') AND name=? COLLATE NOCASE";
    writer.internally(|c| c.query(EXISTS, &[Value::from(name)])).map(|rows| !rows.is_empty())
}

fn is_without_rowid(writer: &Writer, name: &str) -> Result<bool> {
    const WR: &str = "/*rs*/ SELECT wr FROM pragma_table_list WHERE schema='main' AND name=? COLLATE NOCASE";
    writer.internally(|c| c.query(WR, &[Value::from(name)])).map(|rows| rows == [[Value::Integer(1)]])
}

/// Whether a foreign key points to the table.
fn is_referenced(writer: &Writer, name: &str) -> Result<bool> {
    const REFERENCES: &str = "/*rs*/ SELECT 1 FROM main.sqlite_schema AS s JOIN pragma_foreign_key_list(s.name) AS f \
        WHERE s.type='table' AND f.\"table\"=? COLLATE NOCASE LIMIT 1";
    writer.internally(|c| c.query(REFERENCES, &[Value::from(name)])).map(|rows| !rows.is_empty())
}

/// Whether the statement has this name in it.
fn mentions(sql: &str, name: &str) -> bool {
    let p = Parser::new(sql);
    p.tokens().iter().any(|t| matches!(t.kind, TokenKind::Word | TokenKind::Quoted) && t.name(sql).eq_ignore_ascii_case(name))
}

/// The tables of the schema that are named after the statement's first `SELECT`.
fn mentioned(schema: &Schema, sql: &str) -> Vec<TableId> {
    let p = Parser::new(sql);
    let Some(select) = p.tokens().iter().find(|t| t.is_word(sql, "SELECT")) else { return Vec::new() };
    let rest = &sql[select.start..];
    schema.tables.iter().filter(|t| mentions(rest, &t.name)).map(|t| t.id).collect()
}
