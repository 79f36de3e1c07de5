//! What the cold tier has to know of a table, and which tables it does not take.
//!
//! The first form refuses what it does not cover; it never answers wrongly.

use std::sync::Arc;

use relstore_model::{Error, Result, Schema, Table, TableId, Value};

use super::source::ColdFile;
use super::tier::{integer, text};
use crate::sql::{self, TokenKind};
use crate::sqlite::Connection;

/// A table that has cold files, or may have.
#[derive(Clone, Debug)]
pub(crate) struct ColdTable {
    pub(crate) id: TableId,
    pub(crate) name: String,
    /// Its `CREATE TABLE` statement.
    pub(crate) sql: String,
    pub(crate) columns: Vec<String>,
    /// The position of the column that is the rowid.
    pub(crate) alias: usize,
    /// The columns of each unique key but the rowid.
    pub(crate) keys: Vec<Vec<String>>,
    pub(crate) references: Vec<Reference>,
    /// The tables that it references, those that these reference, and so on.
    pub(crate) ancestors: Vec<String>,
    /// By id.
    pub(crate) files: Vec<ColdFile>,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) parent: String,
    /// Child column, parent column.
    pub(crate) pairs: Vec<(String, String)>,
}

impl ColdTable {
    /// Rows in the files, dead ones too.
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// The same table with these files.
    pub(crate) fn with_files(&self, files: Vec<ColdFile>) -> Arc<Self> {
        Arc::new(Self { files, ..self.clone() })
    }
}

/// What `table` is to the cold tier, without files.
///
/// # Errors
/// `Unsupported`, with the reason, if its rows cannot be evicted.
pub(crate) fn describe(connection: &Connection, schema: &Schema, table: &Table) -> Result<ColdTable> {
    let refused = |why: String| Error::unsupported(format!("the rows of this table cannot be evicted: {why}")).with("table", &table.name);
    let Some(alias) = table.rowid_alias() else { return Err(refused("it has no INTEGER PRIMARY KEY".into())) };
    if let Some(why) = own_obstacle(connection, table)? {
        return Err(refused(why));
    }
    let keys = unique_keys(connection, table)?.map_err(&refused)?;
    let references = references(connection, schema, table)?.map_err(&refused)?;
    if let Some(why) = foreign_obstacle(connection, schema, table, &references)? {
        return Err(refused(why));
    }
    Ok(ColdTable {
        id: table.id,
        name: table.name.clone(),
        sql: table.sql.clone(),
        columns: table.columns.iter().map(|c| c.name.clone()).collect(),
        alias,
        keys,
        ancestors: ancestors(connection, schema, &references)?,
        references,
        files: Vec::new(),
    })
}

/// What in the table's own definition is not covered.
fn own_obstacle(connection: &Connection, table: &Table) -> Result<Option<String>> {
    const GENERATED: &str = "/*rs*/ SELECT count(*) FROM pragma_table_xinfo(?, 'main') WHERE hidden<>0";
    let is_rowid_name = |name: &str| ["rowid", "oid", "_rowid_"].iter().any(|r| name.eq_ignore_ascii_case(r));
    if let Some(column) = table.columns.iter().find(|c| is_rowid_name(&c.name)) {
        return Ok(Some(format!("its column {} hides the rowid", column.name)));
    }
    if table.columns.iter().any(|c| c.declared.to_ascii_uppercase().contains("HIDDEN")) {
        return Ok(Some("a column's type says HIDDEN".into()));
    }
    let generated = connection.query(GENERATED, &[Value::from(table.name.as_str())])?;
    if generated.first().map_or(Ok(1), |row| integer(row, 0))? != 0 {
        return Ok(Some("it has generated columns".into()));
    }
    if says(&table.sql, &["ON", "CONFLICT"]) {
        return Ok(Some("its definition has an ON CONFLICT clause".into()));
    }
    if says(&table.sql, &["AUTOINCREMENT"]) {
        return Ok(Some("it is AUTOINCREMENT".into()));
    }
    Ok(None)
}

/// The columns of its unique keys, or why they cannot be watched.
fn unique_keys(connection: &Connection, table: &Table) -> Result<std::result::Result<Vec<Vec<String>>, String>> {
    const INDEXES: &str = "/*rs*/ SELECT name, origin, partial FROM pragma_index_list(?, 'main') WHERE \"unique\"=1 ORDER BY seq";
    const COLUMNS: &str = "/*rs*/ SELECT name FROM pragma_index_xinfo(?, 'main') WHERE key=1 ORDER BY seqno";
    let mut keys = Vec::new();
    for index in connection.query(INDEXES, &[Value::from(table.name.as_str())])? {
        let name = text(&index, 0)?;
        if text(&index, 1)? == "pk" {
            return Ok(Err("it has no INTEGER PRIMARY KEY".into()));
        }
        let columns = connection.query(COLUMNS, &[Value::Text(name.clone())])?;
        let names: Vec<String> = columns.iter().filter_map(|row| text(row, 0).ok()).collect();
        if integer(&index, 2)? != 0 || names.len() != columns.len() {
            return Ok(Err(format!("its unique index {name} is partial or on an expression")));
        }
        keys.push(names);
    }
    Ok(Ok(keys))
}

/// Its foreign keys, or why one cannot be watched.
fn references(connection: &Connection, schema: &Schema, table: &Table) -> Result<std::result::Result<Vec<Reference>, String>> {
    const KEYS: &str = "/*rs*/ SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq";
    let mut out: Vec<(i64, Reference)> = Vec::new();
    for row in connection.query(KEYS, &[Value::from(table.name.as_str())])? {
        let (id, name, child) = (integer(&row, 0)?, text(&row, 1)?, text(&row, 2)?);
        let Some(parent) = schema.by_name(&name) else { return Ok(Err(format!("it references {name}, which does not exist"))) };
        if out.last().is_none_or(|(last, _)| *last != id) {
            out.push((id, Reference { parent: parent.name.clone(), pairs: Vec::new() }));
        }
        let Some((_, reference)) = out.last_mut() else { continue };
        // Without a named column the parent's primary key is meant, in its order.
        let implied = || parent.primary_key.get(reference.pairs.len()).and_then(|i| parent.columns.get(*i)).map(|c| c.name.clone());
        let Some(key) = text(&row, 3).ok().or_else(implied) else { return Ok(Err(format!("its reference to {name} does not fit"))) };
        reference.pairs.push((child, key));
    }
    Ok(Ok(out.into_iter().map(|(_, reference)| reference).collect()))
}

/// What elsewhere in the store is not covered: who references the table, who names it, and how its parents resolve conflicts.
fn foreign_obstacle(connection: &Connection, schema: &Schema, table: &Table, references: &[Reference]) -> Result<Option<String>> {
    const PARENTS: &str = "/*rs*/ SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?, 'main')";
    const CODE: &str = "/*rs*/ SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL \
        UNION ALL SELECT type, name, sql FROM temp.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_rs\\_%' ESCAPE '\\' \
        AND sql NOT LIKE '%\"\\_rs\\_cold\\_%' ESCAPE '\\'";
    for other in &schema.tables {
        for parent in connection.query(PARENTS, &[Value::from(other.name.as_str())])? {
            if text(&parent, 0)?.eq_ignore_ascii_case(&table.name) {
                return Ok(Some(format!("table {} references it", other.name)));
            }
        }
    }
    for row in connection.query(CODE, &[])? {
        let (kind, name, code) = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?);
        let is_virtual = says(&code, &["CREATE", "VIRTUAL"]);
        if (matches!(kind.as_str(), "trigger" | "view") || is_virtual) && names(&code, &table.name) {
            return Ok(Some(format!("{} {name} names it", if is_virtual { "virtual table" } else { &kind })));
        }
        if kind == "trigger"
            && let Some(reference) = references.iter().find(|r| names(&code, &r.parent))
        {
            return Ok(Some(format!("trigger {name} names its parent {}", reference.parent)));
        }
        if kind == "table" && name.eq_ignore_ascii_case(&table.name) && code != table.sql {
            return Ok(Some("a temporary table has its name".into()));
        }
    }
    for reference in references {
        if schema.by_name(&reference.parent).is_some_and(|p| says(&p.sql, &["ON", "CONFLICT", "REPLACE"])) {
            return Ok(Some(format!("its parent {} has an ON CONFLICT REPLACE clause", reference.parent)));
        }
    }
    Ok(None)
}

fn ancestors(connection: &Connection, schema: &Schema, direct: &[Reference]) -> Result<Vec<String>> {
    const PARENTS: &str = "/*rs*/ SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?, 'main')";
    let mut found: Vec<String> = direct.iter().map(|r| r.parent.clone()).collect();
    let mut next = 0;
    while let Some(name) = found.get(next).cloned() {
        next += 1;
        for row in connection.query(PARENTS, &[Value::Text(name)])? {
            let parent = text(&row, 0)?;
            let parent = schema.by_name(&parent).map_or(parent, |t| t.name.clone());
            if !found.iter().any(|f| f.eq_ignore_ascii_case(&parent)) {
                found.push(parent);
            }
        }
    }
    Ok(found)
}

/// Whether these words stand in `sql` one after the other.
fn says(sql: &str, words: &[&str]) -> bool {
    sql::tokens(sql).windows(words.len()).any(|w| w.iter().zip(words).all(|(token, word)| token.is_word(sql, word)))
}

/// Whether `sql` has the name as a token, quoted or not.
fn names(sql: &str, name: &str) -> bool {
    sql::tokens(sql).iter().any(|t| match t.kind {
        TokenKind::Word | TokenKind::Quoted => t.name(sql).eq_ignore_ascii_case(name),
        TokenKind::Literal => t.text(sql).trim_matches('\'').eq_ignore_ascii_case(name),
        TokenKind::Number | TokenKind::Parameter | TokenKind::Symbol => false,
    })
}
