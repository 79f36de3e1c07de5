//! The names of a session: for the nearest one to a misspelt one, and for writing identifiers in any case.
//!
//! SQLite does not care for the case of a name, Drizzle's columns are often `createdAt`, and DataFusion takes an unquoted
//! `createdAt` for `createdat`. So the planner takes names as they are written, and before it does, [`Names::settle`] gives an
//! unquoted name that nobody has the one spelling in which somebody has it. Aliases keep the case that they were given in.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};

/// The schemas, tables and columns of one session.
#[derive(Debug, Default)]
pub(crate) struct Names {
    tables: Vec<(&'static str, String)>,
    words: HashSet<String>,
}

impl Names {
    /// The newest version of each row, and the default schema.
    pub(crate) const CURRENT: &str = "current";
    /// Every version of each row.
    pub(crate) const HISTORY: &str = "history";
    /// The materialised views.
    pub(crate) const VIEWS: &str = "views";
    /// All schemas.
    pub(crate) const SCHEMAS: [&str; 3] = [Self::CURRENT, Self::HISTORY, Self::VIEWS];

    /// Notes a table of `schema` and its columns.
    pub(crate) fn add<'a>(&mut self, schema: &'static str, table: &str, columns: impl IntoIterator<Item = &'a str>) {
        self.tables.push((schema, table.to_owned()));
        self.words.insert(table.to_owned());
        self.words.insert(schema.to_owned());
        self.words.extend(columns.into_iter().map(str::to_owned));
    }

    /// Whether `schema` has a table of this name in any case.
    pub(crate) fn has(&self, schema: &str, table: &str) -> bool {
        self.tables.iter().any(|(s, t)| *s == schema && t.eq_ignore_ascii_case(table))
    }

    /// The tables of `schema`, as they were added.
    pub(crate) fn tables_of(&self, schema: &str) -> Vec<&str> {
        self.tables.iter().filter(|(s, _)| *s == schema).map(|(_, t)| t.as_str()).collect()
    }

    /// Gives unquoted names of `statement` that are unknown as written the spelling that is known, where there is just one.
    pub(crate) fn settle(&self, statement: &mut Statement) {
        let mut aliases = Aliases(HashSet::new());
        let _: ControlFlow<()> = statement.visit(&mut aliases);
        let exact: HashSet<&str> = self.words.iter().chain(&aliases.0).map(String::as_str).collect();
        let mut folded: HashMap<String, Option<&str>> = HashMap::new();
        for word in &exact {
            // Two spellings of one name: the writer has to choose.
            folded.entry(word.to_lowercase()).and_modify(|w| *w = None).or_insert(Some(word));
        }
        let _: ControlFlow<()> = statement.visit(&mut Settle { exact: &exact, folded: &folded });
    }
}

/// Collects the names that the statement itself gives.
struct Aliases(HashSet<String>);

impl Aliases {
    fn table(&mut self, alias: &TableAlias) {
        self.0.insert(alias.name.value.clone());
        self.0.extend(alias.columns.iter().map(|c| c.name.value.clone()));
    }

    fn items(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => {
                for item in &select.projection {
                    if let SelectItem::ExprWithAlias { alias, .. } = item {
                        self.0.insert(alias.value.clone());
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.items(left);
                self.items(right);
            }
            // A query in parentheses is visited by itself.
            _ => {}
        }
    }
}

impl VisitorMut for Aliases {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.table(&cte.alias);
        }
        self.items(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } = factor
        {
            self.table(alias);
        }
        ControlFlow::Continue(())
    }
}

struct Settle<'a> {
    exact: &'a HashSet<&'a str>,
    folded: &'a HashMap<String, Option<&'a str>>,
}

impl Settle<'_> {
    fn ident(&self, ident: &mut Ident) {
        if ident.quote_style.is_some() || self.exact.contains(ident.value.as_str()) {
            return;
        }
        if let Some(Some(known)) = self.folded.get(&ident.value.to_lowercase()) {
            ident.value = (*known).to_owned();
        }
    }
}

impl VisitorMut for Settle<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        for part in &mut relation.0 {
            if let ObjectNamePart::Identifier(ident) = part {
                self.ident(ident);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.ident(ident),
            Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(|p| self.ident(p)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
