//! What has to be done so that a statement answers as if no row were cold.

use std::sync::Arc;

use relstore_model::TableId;
use relstore_model::identifier::quote;

use super::definition::ColdTable;
use super::nondeterministic::is_uncertain;
use super::objects::{alive, cold_name};
use super::parameters::Parameters;
use super::statement::{Text, Verb, Write};
use super::tier::Cold;

/// How a statement is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Tables that must be wholly hot first.
    pub(crate) reload: Vec<TableId>,
    /// The statement looks at the schema: the temp objects must be out of its way.
    pub(crate) is_bare: bool,
    /// What is run in its place.
    pub(crate) text: Option<String>,
    /// The cold rows that it may touch.
    pub(crate) touched: Option<Touched>,
}

/// Some cold rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) table: TableId,
    /// Puts their rowids into `_rs_moving`, with the parameters of the whole statement.
    pub(crate) sql: String,
}

impl Plan {
    /// The plan for `sql`, which is trimmed.
    pub(crate) fn new(sql: &str, cold: &Cold) -> Self {
        let text = Text::new(sql);
        let starts = |words: &[&str]| words.iter().any(|w| text.is_word(0, w));
        if starts(&["PRAGMA", "EXPLAIN", "ANALYZE", "REINDEX", "VACUUM"]) {
            return Self { is_bare: true, ..Self::default() };
        }
        if starts(&["CREATE", "ALTER", "DROP"]) {
            let touches = |t: &ColdTable| mentions(&text, &t.name) || t.ancestors.iter().any(|a| mentions(&text, a));
            return Self { is_bare: true, reload: tables(cold, touches), ..Self::default() };
        }
        let write = text.write();
        let looks_at_schema = (0..text.tokens.len()).any(|at| is_pragma(&text, at));
        if looks_at_schema && write.is_some() {
            return Self { is_bare: true, reload: tables(cold, |_| true), ..Self::default() };
        }
        let target = write.as_ref().map(|w| w.target.clone());
        let mut plan = Self { is_bare: looks_at_schema, ..Self::default() };
        plan.reload = tables(cold, |t| mentions(&text, &t.name) && (looks_at_schema || needs_a_table(&text, &t.name, target.clone())));
        if let Some(write) = write {
            plan.for_write(&text, &write, cold);
        }
        plan
    }

    fn for_write(&mut self, text: &Text<'_>, write: &Write, cold: &Cold) {
        if write.schema.as_deref().is_some_and(|s| s != "main") {
            return;
        }
        if write.is_replace {
            // A row that is replaced goes without a trigger, and its children with it.
            let is_parent = |t: &ColdTable| t.references.iter().any(|r| r.parent.eq_ignore_ascii_case(&write.table));
            self.also_reload(tables(cold, is_parent));
        }
        let Some(table) = cold.tables.iter().find(|t| t.name.eq_ignore_ascii_case(&write.table)) else { return };
        if self.reload.contains(&table.id) {
            // The table is whole again when the statement runs, and its name means the table.
            return;
        }
        if write.verb != Verb::Insert {
            match touched(text, write, table) {
                Some(touched) => self.touched = Some(touched),
                None => return self.also_reload(vec![table.id]),
            }
        }
        let span = text.span(write.target.clone());
        self.text = Some(format!("{}main.{}{}", &text.sql[..span.start], quote(&table.name), &text.sql[span.end..]));
    }

    fn also_reload(&mut self, ids: Vec<TableId>) {
        for id in ids {
            if !self.reload.contains(&id) {
                self.reload.push(id);
            }
        }
    }
}

fn tables(cold: &Cold, wanted: impl Fn(&ColdTable) -> bool) -> Vec<TableId> {
    cold.tables.iter().map(Arc::as_ref).filter(|t| wanted(t)).map(|t| t.id).collect()
}

/// Whether the statement has the name, other than as what a PRAGMA function is asked about.
fn mentions(text: &Text<'_>, name: &str) -> bool {
    (0..text.tokens.len()).any(|at| text.is_name(at, name) && !(at >= 2 && text.is_symbol(at - 1, "(") && is_pragma(text, at - 2)))
}

fn is_pragma(text: &Text<'_>, at: usize) -> bool {
    text.name(at).is_some_and(|n| n.len() > 7 && n.as_bytes()[..7].eq_ignore_ascii_case(b"pragma_"))
}

/// Whether the statement says something of the table that a view of the same name does not answer.
fn needs_a_table(text: &Text<'_>, name: &str, target: Option<std::ops::Range<usize>>) -> bool {
    let is_target = |at: usize| target.as_ref().is_some_and(|t| t.contains(&at));
    (0..text.tokens.len()).any(|at| {
        let says = |word: &str| text.is_name(at, word);
        let is_qualified = says("main") && text.is_symbol(at + 1, ".") && text.is_name(at + 2, name) && !is_target(at);
        says("rowid") || says("oid") || says("_rowid_") || text.is_word(at, "INDEXED") || is_qualified
    })
}

/// The cold rows that an update or a delete takes, if its condition can be asked of them.
fn touched(text: &Text<'_>, write: &Write, table: &ColdTable) -> Option<Touched> {
    let condition = text.condition(write)?;
    if is_uncertain(text, condition.clone()) || is_uncertain(text, 0..write.at) {
        return None;
    }
    let parameters = Parameters::of(text)?;
    let alias = quote(write.alias.as_deref().unwrap_or(&table.name));
    let with = parameters.numbered(text, 0..write.at);
    let sql = format!(
        "/*rs*/ {with} INSERT INTO temp._rs_moving(row) SELECT {alias}.rowid FROM {} AS {alias} WHERE ({}) AND {}",
        cold_name(table.id),
        parameters.numbered(text, condition),
        alive(table.id, &alias)
    );
    Some(Touched { table: table.id, sql })
}
