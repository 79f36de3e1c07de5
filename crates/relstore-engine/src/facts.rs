//! What a table promises beyond names and types, asked of SQLite; and of its statement's tokens, where SQLite does not say.
//!
//! SQLite says defaults, keys, indexes, references and collations. It does not say `CHECK`s, the expressions of generated columns, and
//! whether a foreign key is deferred: those are found in the statement, which SQLite has accepted, so that its form is known.

use relstore_model::schema::{
    Cell, ColumnFacts, DefaultExpression, Expression, ExpressionPart, ForeignKey, ReferentialAction, TableFacts, Unique, UniquePart,
    literal,
};
use relstore_model::types::Affinity;
use relstore_model::{Column, Error, Result, Schema, Table, Value};

use crate::sql::{Token, TokenKind, tokens};
use crate::sqlite::{Connection, from_sqlite};

/// What the table `name`, made by the statement `sql` with these columns, promises.
pub(crate) fn of_table(connection: &Connection, name: &str, sql: &str, columns: &[Column]) -> Result<TableFacts> {
    let described = connection.pragma("table_xinfo", name)?;
    let listed = connection.pragma("table_list", name)?;
    let mut facts = TableFacts {
        strict: listed.iter().any(|row| text(row, 0) == Some("main") && row.get(5) == Some(&Value::Integer(1))),
        unique: unique(connection, name, columns)?,
        foreign_keys: foreign_keys(connection, name, columns)?,
        ..TableFacts::default()
    };
    let is_hidden = |row: &&Vec<Value>| row.get(6) == Some(&Value::Integer(1));
    for (column, row) in columns.iter().zip(described.iter().filter(|row| !is_hidden(row))) {
        let metadata = connection.inner.column_metadata(Some("main"), name, column.name.as_str()).map_err(|e| from_sqlite(&e, sql))?;
        let collation = metadata.1.map(|c| c.to_string_lossy().into_owned()).filter(|c| !c.eq_ignore_ascii_case("BINARY"));
        facts.autoincrement |= metadata.4;
        let default = text(row, 4).map(|t| DefaultExpression(t.to_owned()));
        // SQLite gives the expression of a generated column for its default in no version; a column has one or the other.
        facts.columns.push(ColumnFacts { default, collation, ..ColumnFacts::default() });
    }
    Definition::new(sql, columns).complete(&mut facts);
    Ok(facts)
}

/// The schema with the facts that its tables lack, from their statements. A table whose statement this SQLite does not take stays without.
pub(crate) fn completed(mut schema: Schema) -> Result<Schema> {
    if schema.tables.iter().all(|t| t.facts.is_some()) {
        return Ok(schema);
    }
    let scratch = Connection::scratch()?;
    for table in schema.tables.iter_mut().filter(|t| t.facts.is_none()) {
        table.facts = from_statements(&scratch, table).ok();
    }
    Ok(schema)
}

fn from_statements(scratch: &Connection, table: &Table) -> Result<TableFacts> {
    scratch.execute_batch(&table.sql)?;
    let is_index = |sql: &&String| !tokens(sql).get(1).is_some_and(|t| t.is_word(sql, "TRIGGER"));
    for sql in table.dependents.iter().filter(is_index) {
        scratch.execute_batch(sql)?;
    }
    let facts = of_table(scratch, &table.name, &table.sql, &table.columns)?;
    if facts.columns.len() != table.columns.len() {
        return Err(Error::internal("a table's statement has other columns than the table").with("table", &table.name));
    }
    Ok(facts)
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
}

fn text(row: &[Value], at: usize) -> Option<&str> {
    match row.get(at) {
        Some(Value::Text(t)) => Some(t),
        _ => None,
    }
}

fn unique(connection: &Connection, table: &str, columns: &[Column]) -> Result<Vec<Unique>> {
    const STATEMENT: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema WHERE type='index' AND name=?";
    let mut found = Vec::new();
    // The newest comes first.
    for row in connection.pragma("index_list", table)?.iter().rev() {
        let (Some(name), Some(origin)) = (text(row, 1), text(row, 3)) else { continue };
        if row.get(2) != Some(&Value::Integer(1)) || origin == "pk" {
            continue;
        }
        // That of a constraint has no statement.
        let statement = if origin == "c" { connection.query(STATEMENT, &[Value::from(name)])? } else { Vec::new() };
        let sql = statement.first().and_then(|row| text(row, 0)).unwrap_or_default();
        let tokens = tokens(sql);
        let body = tokens.iter().position(|t| t.text(sql) == "(").map(|open| (open, closing(sql, &tokens, open)));
        let written = body.map(|(open, close)| split(sql, &tokens[open + 1..close])).unwrap_or_default();
        let mut parts = Vec::new();
        let described = connection.pragma("index_xinfo", name)?;
        for (at, part) in described.iter().filter(|part| part.get(5) == Some(&Value::Integer(1))).enumerate() {
            let collation = text(part, 4).unwrap_or("BINARY").to_ascii_uppercase();
            parts.push(match text(part, 2).and_then(|name| position(columns, name)) {
                Some(column) => UniquePart::Column(column, collation),
                None => UniquePart::Expression(expression(sql, written.get(at).copied().unwrap_or_default(), columns)),
            });
        }
        let after = body.map_or(&[][..], |(_, close)| &tokens[close + 1..]);
        let condition = after.iter().position(|t| t.is_word(sql, "WHERE")).map(|at| expression(sql, &after[at + 1..], columns));
        found.push(Unique { parts, condition });
    }
    Ok(found)
}

fn foreign_keys(connection: &Connection, table: &str, columns: &[Column]) -> Result<Vec<ForeignKey>> {
    let mut found: Vec<(Value, ForeignKey)> = Vec::new();
    let mut rows = connection.pragma("foreign_key_list", table)?;
    // By id and place in it; the last one that was written has the id 0.
    rows.sort_by_key(|row| std::cmp::Reverse(if let Some(Value::Integer(id)) = row.first() { *id } else { 0 }));
    for row in rows {
        let id = row.first().cloned().unwrap_or(Value::Null);
        if found.last().is_none_or(|(last, _)| *last != id) {
            // Its columns: id, seq, table, from, to, on_update, on_delete, match.
            let action = |at| text(&row, at).and_then(ReferentialAction::parse).unwrap_or_default();
            let parent = text(&row, 2).unwrap_or_default().to_owned();
            let (on_update, on_delete) = (action(5), action(6));
            let (columns, parent_columns) = (Vec::new(), Vec::new());
            found.push((id, ForeignKey { columns, parent, parent_columns, on_delete, on_update, is_deferred: false }));
        }
        if let Some((_, key)) = found.last_mut() {
            key.columns.extend(text(&row, 3).and_then(|name| position(columns, name)));
            key.parent_columns.extend(text(&row, 4).map(str::to_owned));
        }
    }
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

/// The place of the parenthesis that closes the one at `open`; the last token if none does.
fn closing(sql: &str, tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text(sql) {
            "(" => depth += 1,
            ")" if depth <= 1 => return at,
            ")" => depth -= 1,
            _ => {}
        }
    }
    tokens.len().saturating_sub(1).max(open)
}

/// The parts between commas that no parentheses hold.
fn split<'t>(sql: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, token) in tokens.iter().enumerate() {
        match token.text(sql) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// The tokens without parentheses around the whole.
fn bare<'t>(sql: &str, mut tokens: &'t [Token]) -> &'t [Token] {
    while tokens.len() >= 2 && tokens[0].text(sql) == "(" && closing(sql, tokens, 0) == tokens.len() - 1 {
        tokens = &tokens[1..tokens.len() - 1];
    }
    tokens
}

/// The expression of these tokens.
fn expression(sql: &str, tokens: &[Token], columns: &[Column]) -> Expression {
    let tokens = bare(sql, tokens);
    let mut parts: Vec<ExpressionPart> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
        let is_call = tokens.get(at + 1).is_some_and(|t| t.text(sql) == "(");
        if let Some(column) = position(columns, &token.name(sql)).filter(|_| is_name && !is_call) {
            parts.push(ExpressionPart::Column(column));
            continue;
        }
        let text = token.text(sql);
        let text = if token.kind == TokenKind::Word { text.to_ascii_lowercase() } else { text.to_owned() };
        // A token is one symbol; an operator may be two.
        const OPERATORS: [&str; 9] = ["<>", "<=", ">=", "==", "!=", "||", "<<", ">>", "->"];
        let goes_on = at > 0 && OPERATORS.contains(&&sql[tokens[at - 1].start..token.end]);
        match parts.last_mut() {
            Some(ExpressionPart::Sql(before)) => {
                before.push_str(if goes_on { "" } else { " " });
                before.push_str(&text);
            }
            _ => parts.push(ExpressionPart::Sql(text)),
        }
    }
    Expression(parts)
}

/// A `CREATE TABLE` statement that SQLite has accepted.
struct Definition<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    columns: &'a [Column],
}

impl<'a> Definition<'a> {
    fn new(sql: &'a str, columns: &'a [Column]) -> Self {
        Self { sql, tokens: tokens(sql), columns }
    }

    /// Adds what the statement alone says.
    fn complete(&self, facts: &mut TableFacts) {
        let Some(open) = self.tokens.iter().position(|t| t.text(self.sql) == "(") else { return };
        let body = &self.tokens[open + 1..closing(self.sql, &self.tokens, open).max(open + 1)];
        let mut references = 0;
        for item in split(self.sql, body) {
            let is_constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
            let is_constraint = item.first().is_some_and(|t| is_constraint.iter().any(|word| t.is_word(self.sql, word)));
            let column = item.first().filter(|_| !is_constraint).and_then(|t| position(self.columns, &t.name(self.sql)));
            // The first token of a column is its name, whatever word that is.
            self.complete_item(facts, column, &item[usize::from(column.is_some()).min(item.len())..], &mut references);
        }
    }

    fn complete_item(&self, facts: &mut TableFacts, column: Option<usize>, item: &[Token], references: &mut usize) {
        let is = |at: usize, word: &str| item.get(at).is_some_and(|t| t.is_word(self.sql, word));
        let opens = |at: usize| item.get(at).is_some_and(|t| t.text(self.sql) == "(");
        let mut at = 0;
        while at < item.len() {
            let is_check = is(at, "CHECK") && opens(at + 1);
            let is_generated = is(at, "AS") && opens(at + 1);
            if is_check || is_generated {
                let close = closing(self.sql, item, at + 1);
                let inside = &item[at + 2..close.max(at + 2)];
                match column {
                    Some(column) if is_generated => {
                        facts.columns[column].generated = Some(expression(self.sql, inside, self.columns));
                    }
                    _ => self.add_check(facts, inside),
                }
                at = close;
            } else if is(at, "REFERENCES") {
                *references += 1;
            } else if is(at, "DEFERRABLE") && is(at + 1, "INITIALLY") && is(at + 2, "DEFERRED") {
                let is_not = at > 0 && is(at - 1, "NOT");
                if let Some(key) = references.checked_sub(1).and_then(|key| facts.foreign_keys.get_mut(key)) {
                    key.is_deferred = !is_not;
                }
            } else if opens(at) {
                at = closing(self.sql, item, at);
            }
            at += 1;
        }
    }

    fn add_check(&self, facts: &mut TableFacts, inside: &[Token]) {
        match self.allowed(inside) {
            Some((column, allowed)) if facts.columns[column].allowed.is_none() => facts.columns[column].allowed = Some(allowed),
            _ => facts.checks.push(expression(self.sql, inside, self.columns)),
        }
    }

    /// The column and its values, if the check is `column IN (literal, …)`.
    fn allowed(&self, check: &[Token]) -> Option<(usize, Vec<Cell>)> {
        let [name, within, rest @ ..] = bare(self.sql, check) else { return None };
        let is_name = matches!(name.kind, TokenKind::Word | TokenKind::Quoted);
        let is_list = within.is_word(self.sql, "IN") && rest.first()?.text(self.sql) == "(" && closing(self.sql, rest, 0) == rest.len() - 1;
        let column = position(self.columns, &name.name(self.sql)).filter(|_| is_name && is_list)?;
        let affinity = Affinity::of(&self.columns[column].declared);
        let mut cells = Vec::new();
        for value in split(self.sql, &rest[1..rest.len() - 1]) {
            let (first, last) = (value.first()?, value.last()?);
            let cell = Cell::from_value(affinity.convert(literal(&self.sql[first.start..last.end])?));
            // NULL in the list makes no value more or less allowed than a CHECK allows anyway: it lets every one pass.
            cells.push(cell?);
        }
        Some((column, cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schema_of;

    fn facts(sql: &str) -> (Schema, TableFacts) {
        let schema = schema_of(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let facts = schema.tables[0].facts.clone().expect("a table that SQLite described");
        (schema, facts)
    }

    fn sql(expression: &Expression) -> String {
        expression.sql(|at| ["a", "b", "c", "d", "e"][at])
    }

    #[test]
    fn a_table_tells_what_it_promises() {
        let (_, f) = facts(
            "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, \"b\" TEXT COLLATE nocase NOT NULL DEFAULT 'x,(y' CHECK ((b) <> ''), \
             c TEXT CHECK (\"C\" IN ('on', 'it''s')), d INT AS (a + length(b)) STORED, e REAL DEFAULT (random()) UNIQUE, \
             CONSTRAINT positive CHECK (e > -1 AND d>0), UNIQUE(b, c)); \
             CREATE UNIQUE INDEX i ON t(lower(b), e DESC) WHERE e IS NOT NULL; CREATE INDEX j ON t(c);",
        );
        let defaults: Vec<_> = f.columns.iter().map(|c| c.default.as_ref().map(|d| (d.0.as_str(), d.is_constant()))).collect();
        assert_eq!(defaults, [None, Some(("'x,(y'", true)), None, None, Some(("random()", false))]);
        assert_eq!(f.columns.iter().filter_map(|c| c.collation.as_deref()).collect::<Vec<_>>(), ["nocase"]);
        assert_eq!(f.columns[2].allowed, Some(vec![Cell::Text("on".into()), Cell::Text("it's".into())]));
        assert_eq!(f.columns[3].generated.as_ref().map(sql).as_deref(), Some("a + length ( b )"));
        assert_eq!(f.checks.iter().map(sql).collect::<Vec<_>>(), ["( b ) <> ''", "e > - 1 and d > 0"]);
        assert!(f.autoincrement && !f.strict);
        let unique: Vec<(usize, bool)> = f.unique.iter().map(|u| (u.parts.len(), u.condition.is_some())).collect();
        assert_eq!(unique, [(1, false), (2, false), (2, true)]);
        assert_eq!(f.unique[1].parts[0], UniquePart::Column(1, "NOCASE".into()));
        assert!(matches!(&f.unique[2].parts[0], UniquePart::Expression(e) if sql(e) == "lower ( b )"), "{:?}", f.unique[2]);
    }

    #[test]
    fn references_tell_their_actions_and_when_they_are_looked_at() {
        let (schema, f) = facts(
            "CREATE TABLE c(a INTEGER PRIMARY KEY REFERENCES p ON DELETE CASCADE, b INT, c INT, d TEXT DEFAULT 'REFERENCES', \
             FOREIGN KEY(b, c) REFERENCES p(x, y) ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED, \
             FOREIGN KEY(c) REFERENCES q NOT DEFERRABLE INITIALLY DEFERRED) STRICT; CREATE TABLE p(x INTEGER PRIMARY KEY, y);",
        );
        let told: Vec<_> = f
            .foreign_keys
            .iter()
            .map(|k| (k.columns.as_slice(), k.parent.as_str(), k.parent_columns.len(), k.on_delete, k.on_update, k.is_deferred))
            .collect();
        use ReferentialAction::{Cascade, NoAction, SetNull};
        assert_eq!(
            told,
            [
                (&[0][..], "p", 0, Cascade, NoAction, false),
                (&[1, 2], "p", 2, NoAction, SetNull, true),
                (&[2], "q", 0, NoAction, NoAction, false)
            ]
        );
        assert!(f.strict);
        assert_eq!(Schema::from_json(&schema.to_json()).unwrap(), schema, "facts survive JSON");
    }

    #[test]
    fn a_list_that_is_no_list_of_constants_is_a_check() {
        for check in ["a IN (SELECT 1)", "a IN ('x', NULL)", "a NOT IN ('x')", "a IN ('x') OR b", "lower(a) IN ('x')", "a IN ('x', b)"] {
            // SQLite takes no subquery in a CHECK.
            let Ok(schema) = schema_of(&format!("CREATE TABLE t(a TEXT CHECK({check}), b)")) else { continue };
            let facts = schema.tables[0].facts.as_ref().unwrap();
            assert_eq!((facts.columns[0].allowed.as_ref(), facts.checks.len()), (None, 1), "{check}");
        }
    }

    #[test]
    fn a_schema_kept_before_there_were_facts_gets_them_from_its_statements() {
        let (schema, _) = facts("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT DEFAULT 'x' UNIQUE); CREATE UNIQUE INDEX i ON t(a, b);");
        let mut old = schema.clone();
        old.tables[0].facts = None;
        assert_eq!(completed(old.clone()).unwrap(), schema);
        old.tables[0].sql = "CREATE TABLE t(a, b DEFAULT (no_such_function()) CHECK (no_such_function()))".into();
        assert_eq!(completed(old).unwrap().tables[0].facts, None);
    }
}
