//! What SQLite says now, against the schema known before: which table and column is which.

use super::{Cell, Column, ColumnId, Schema, Table, TableFacts, TableId};

/// A table as SQLite describes it, before it has ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TableShape {
    /// Its name.
    pub name: String,
    /// Its `CREATE TABLE` statement.
    pub sql: String,
    /// Its columns in order. Their `id` and `added_in` are not looked at.
    pub columns: Vec<Column>,
    /// Positions of the primary key, in key order.
    pub primary_key: Vec<usize>,
    /// `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// Statements of its indexes and triggers.
    pub dependents: Vec<String>,
    /// What it promises beyond; `None` if nobody looked.
    pub facts: Option<TableFacts>,
}

impl Schema {
    /// The schema after one DDL statement: the next version, with every table and column of `shapes` recognised or given a new id.
    /// `None` if nothing differs.
    ///
    /// One statement changes one thing, which is what makes recognition certain: a name that is gone and a name that is new, in the
    /// same place of a table that is otherwise the same, are a rename, and so are two tables of the same columns. The same statement
    /// cannot drop one and add another.
    #[must_use]
    pub fn evolved(&self, shapes: Vec<TableShape>, views: Vec<String>) -> Option<Self> {
        let version = self.version + 1;
        let mut last_table_id = self.last_table_id;
        let mut gone: Vec<&Table> = self.tables.iter().filter(|t| !shapes.iter().any(|s| s.name.eq_ignore_ascii_case(&t.name))).collect();
        let mut tables: Vec<Table> = shapes
            .into_iter()
            .map(|shape| {
                let renamed_from = || {
                    let same = |t: &&Table| {
                        t.columns.len() == shape.columns.len() && t.columns.iter().zip(&shape.columns).all(|(a, b)| a.name == b.name)
                    };
                    gone.iter().position(same)
                };
                let known = match self.by_name(&shape.name) {
                    Some(t) => Some(t),
                    None => renamed_from().map(|i| gone.remove(i)),
                };
                let id = known.map_or_else(
                    || {
                        last_table_id += 1;
                        TableId(last_table_id)
                    },
                    |t| t.id,
                );
                adopt(shape, known, id, version)
            })
            .collect();
        tables.sort_by_key(|t| t.id);
        if tables == self.tables && views == self.views {
            return None;
        }
        Some(Self { version, tables, views, last_table_id })
    }
}

/// Gives the shape's columns their ids: those of the columns they are, new ones otherwise.
fn adopt(shape: TableShape, known: Option<&Table>, id: TableId, version: u32) -> Table {
    let mut next_column_id = known.map_or(ColumnId::FIRST, |t| t.next_column_id);
    let is_rename = known.is_some_and(|t| t.columns.len() == shape.columns.len());
    let columns = shape
        .columns
        .into_iter()
        .enumerate()
        .map(|(i, column)| {
            let same = known.and_then(|t| {
                let by_name = t.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name));
                by_name.or_else(|| if is_rename { t.columns.get(i) } else { None })
            });
            match same {
                Some(old) => Column { id: old.id, added_in: old.added_in, initial_default: old.initial_default.clone(), ..column },
                None => {
                    let id = next_column_id;
                    next_column_id = ColumnId(id.0 + 1);
                    // A column that came with its table has no rows from before it.
                    let initial_default: Option<Cell> = if known.is_some() { column.initial_default } else { None };
                    Column { id, added_in: version, initial_default, ..column }
                }
            }
        })
        .collect();
    Table {
        id,
        name: shape.name,
        columns,
        primary_key: shape.primary_key,
        without_rowid: shape.without_rowid,
        sql: shape.sql,
        dependents: shape.dependents,
        next_column_id,
        facts: shape.facts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogicalType;

    fn shape(name: &str, columns: &[&str]) -> TableShape {
        let column = |n: &&str| Column {
            id: ColumnId(0),
            name: (*n).to_owned(),
            declared: "TEXT".into(),
            logical: LogicalType::Text,
            not_null: false,
            added_in: 0,
            is_virtual: false,
            is_computed: false,
            initial_default: Some(Cell::Text("d".into())),
        };
        TableShape {
            name: name.into(),
            sql: format!("CREATE TABLE {name}({})", columns.join(",")),
            columns: columns.iter().map(column).collect(),
            primary_key: vec![0],
            without_rowid: false,
            dependents: vec![],
            facts: None,
        }
    }

    fn ids(t: &Table) -> Vec<(&str, i32)> {
        t.columns.iter().map(|c| (c.name.as_str(), c.id.0)).collect()
    }

    #[test]
    fn ids_outlive_renames_and_are_never_reused() {
        let v1 = Schema::default().evolved(vec![shape("a", &["id", "x", "y"])], vec![]).unwrap();
        assert_eq!((v1.version, ids(&v1.tables[0])), (1, vec![("id", 101), ("x", 102), ("y", 103)]));
        assert_eq!(v1.tables[0].columns[1].initial_default, None);
        let v2 = v1.evolved(vec![shape("a", &["id", "z", "y"])], vec![]).unwrap();
        assert_eq!(ids(&v2.tables[0]), [("id", 101), ("z", 102), ("y", 103)]);
        let v3 = v2.evolved(vec![shape("a", &["id", "z"])], vec![]).unwrap();
        let v4 = v3.evolved(vec![shape("a", &["id", "z", "y"])], vec![]).unwrap();
        assert_eq!(ids(&v4.tables[0]), [("id", 101), ("z", 102), ("y", 104)], "the name came back, the column did not");
        assert_eq!(v4.tables[0].columns[2].initial_default, Some(Cell::Text("d".into())));
        let v5 = v4.evolved(vec![shape("b", &["id", "z", "y"])], vec![]).unwrap();
        assert_eq!((v5.tables[0].id, v5.tables[0].name.as_str()), (TableId(1), "b"));
        let v6 = v5.evolved(vec![], vec![]).unwrap().evolved(vec![shape("b", &["id"])], vec![]).unwrap();
        assert_eq!(v6.tables[0].id, TableId(2));
        assert!(v6.evolved(vec![shape("b", &["id"])], vec![]).is_none());
    }
}
