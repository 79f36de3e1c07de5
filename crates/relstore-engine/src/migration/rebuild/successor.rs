//! The table after a rebuild: which of its columns is which of those before.

use relstore_model::schema::{Cell, DefaultExpression, literal};
use relstore_model::{Column, ColumnId, Result, Schema, Table, TableId, Value};

use super::Rebuild;
use super::compare::RebuildChanges;
use super::copy::Item;
use crate::sqlite::Connection;

/// Where a column of a rebuilt table comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of the table before, as it was.
    Column(ColumnId),
    /// The same value in every row: a literal, as it is written.
    Literal(String),
    /// An expression, with the names that it reads.
    Computed(Vec<String>),
}

/// A table that is not in the schema, as SQLite describes it.
pub(super) fn described(name: &str, columns: Vec<Column>, primary_key: Vec<usize>) -> Table {
    Table {
        id: TableId(0),
        name: name.to_owned(),
        columns,
        primary_key,
        without_rowid: false,
        sql: String::new(),
        dependents: Vec::new(),
        next_column_id: ColumnId::FIRST,
        facts: None,
    }
}

/// The origin of an item that is read from `table`. `through` are that table's own origins, where it is provisional itself.
pub(super) fn origin(item: Item, table: &Table, through: Option<&[(String, Origin)]>) -> Origin {
    let named = |name: &str| match through {
        None => table.position(name).map(|at| Origin::Column(table.columns[at].id)),
        Some(origins) => origins.iter().find(|(c, _)| c.eq_ignore_ascii_case(name)).map(|(_, o)| o.clone()),
    };
    match item {
        Item::Column(name) => named(&name).unwrap_or_else(|| Origin::Computed(vec![name])),
        Item::Literal(sql) => Origin::Literal(sql),
        Item::Computed(names) => Origin::Computed(names),
        Item::Star => Origin::Computed(Vec::new()),
    }
}

/// Which column of `old` each of `columns` is, by position; `None` for a new one.
///
/// A column that the copy takes as it is keeps its id, whatever its name is now. One that the copy computes keeps the id of the column of its
/// name if it is computed from that one (a cast, a default for NULL), and is new otherwise. One that the copy does not fill is known by name.
pub(super) fn kept(old: &Table, columns: &[Column], origins: Option<&[(String, Origin)]>) -> Vec<Option<usize>> {
    let wanted = |column: &Column| {
        let by_name = old.position(&column.name);
        match origins.into_iter().flatten().find(|(c, _)| c.eq_ignore_ascii_case(&column.name)).map(|(_, o)| o) {
            Some(Origin::Column(id)) => old.columns.iter().position(|c| c.id == *id),
            Some(Origin::Literal(_)) => None,
            Some(Origin::Computed(names)) => by_name.filter(|_| names.iter().any(|n| n.eq_ignore_ascii_case(&column.name))),
            None => by_name,
        }
    };
    let mut taken = vec![false; old.columns.len()];
    let mut out = vec![None; columns.len()];
    // A column that keeps its name comes before another that was filled from it too.
    for keeps_name in [true, false] {
        for (at, column) in columns.iter().enumerate() {
            let Some(from) = wanted(column) else { continue };
            if old.columns[from].name.eq_ignore_ascii_case(&column.name) == keeps_name && !std::mem::replace(&mut taken[from], true) {
                out[at] = Some(from);
            }
        }
    }
    out
}

/// `known` as if the table had always had the names that it has now, and none of the columns that it lost: what SQLite says now is then
/// recognised by name.
pub(super) fn patched(known: &Schema, old: &Table, name: &str, columns: &[Column], kept: &[Option<usize>]) -> Schema {
    let mut schema = known.clone();
    for table in schema.tables.iter_mut().filter(|t| t.id == old.id) {
        let same =
            |(column, from): (&Column, &Option<usize>)| from.map(|at| Column { name: column.name.clone(), ..old.columns[at].clone() });
        table.columns = columns.iter().zip(kept).filter_map(same).collect();
        name.clone_into(&mut table.name);
        // Its columns are not what its old statement says any more.
        table.sql.clear();
    }
    schema
}

/// New columns that the copy filled with a literal have it as their initial default: that is no change of any row. It is taken from the
/// statement, so that it is the same whether or not there is a row.
pub(super) fn freeze_literals(table: &mut Table, version: u32, origins: &[(String, Origin)]) {
    let is_strict = table.facts.as_ref().is_some_and(|f| f.strict);
    for column in table.columns.iter_mut().filter(|c| c.added_in == version && !c.is_virtual) {
        let Some((_, Origin::Literal(sql))) = origins.iter().find(|(c, _)| c.eq_ignore_ascii_case(&column.name)) else { continue };
        // A STRICT table's ANY keeps a cell as it comes.
        let is_any = is_strict && column.declared.eq_ignore_ascii_case("ANY");
        let value = if is_any { literal(sql) } else { DefaultExpression(sql.clone()).value(&column.declared) };
        column.initial_default = value.and_then(Cell::from_value);
    }
}

/// Rowids that were given once are not given again: the counter of `AUTOINCREMENT` goes over.
pub(super) fn keep_sequence(connection: &Connection, physical: &str, name: &str) -> Result<()> {
    const THERE: &str = "/*rs*/ SELECT 1 FROM main.sqlite_schema WHERE name='sqlite_sequence'";
    const IS_COUNTED: &str = "/*rs*/ SELECT sql FROM main.sqlite_schema WHERE type='table' AND name=? COLLATE NOCASE";
    if connection.query(THERE, &[])?.is_empty() {
        return Ok(());
    }
    let sql = connection.query(IS_COUNTED, &[Value::from(name)])?;
    let is_counted = |sql: &str| crate::sql::tokens(sql).iter().any(|t| t.is_word(sql, "AUTOINCREMENT"));
    if !matches!(sql.first().and_then(|r| r.first()), Some(Value::Text(sql)) if is_counted(sql)) {
        return Ok(());
    }
    let params = [Value::from(physical), Value::from(name)];
    connection.execute(
        "/*rs*/ INSERT INTO main.sqlite_sequence(name, seq) SELECT ?2, 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name=?2) \
         AND EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name=?1)",
        &params,
    )?;
    let update = "/*rs*/ UPDATE main.sqlite_sequence SET seq=max(seq, ifnull((SELECT seq FROM main.sqlite_sequence WHERE name=?1), 0)) WHERE name=?2";
    connection.execute(update, &params).map(|_| ())
}

/// What the rebuild did, in words of columns.
pub(super) fn report(old: &Table, new: &Table, is_filtered: bool, changes: RebuildChanges) -> Rebuild {
    let before = |c: &Column| old.columns.iter().find(|o| o.id == c.id);
    let renamed = |c: &Column| before(c).filter(|o| o.name != c.name).map(|o| (o.name.clone(), c.name.clone()));
    let retyped = |c: &Column| {
        before(c)
            .filter(|o| !o.declared.eq_ignore_ascii_case(&c.declared))
            .map(|o| (c.name.clone(), o.declared.clone(), c.declared.clone()))
    };
    Rebuild {
        table: new.id,
        name: new.name.clone(),
        dropped: old.columns.iter().filter(|o| !new.columns.iter().any(|c| c.id == o.id)).map(|c| c.name.clone()).collect(),
        added: new.columns.iter().filter(|c| before(c).is_none()).map(|c| c.name.clone()).collect(),
        renamed: new.columns.iter().filter_map(renamed).collect(),
        retyped: new.columns.iter().filter_map(retyped).collect(),
        is_filtered,
        changes,
    }
}
