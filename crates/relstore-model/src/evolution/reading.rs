//! Rows of one version as another has them: what every reader of old rows does, and what the rules promise of.
//!
//! A renamed column is found by its id, one that came later has the default it was added with, an integer that became a float is one, and a
//! dropped column is passed over. A row that cannot be read says why; no cell is ever changed for another.

use super::diff::default_value;
use super::mode::Resolution;
use super::promotion::{Promotion, StorageClass, is_equal};
use crate::schema::Cell;
use crate::types::{Affinity, ValueType};
use crate::{Column, Error, ErrorKind, Result, Row, Schema, Table, Value, ValueRef};

/// How rows written under one version of a table are read under another.
#[derive(Clone, Debug)]
pub struct Reading {
    table: String,
    written: (u32, usize),
    read: u32,
    columns: Vec<Source>,
}

/// Where a cell of the reader comes from.
#[derive(Clone, Debug)]
struct Source {
    column: String,
    from: From,
    is_required: bool,
    /// The reader's values, if it knows no others.
    allowed: Option<Vec<Cell>>,
    /// The storage class that the reader's `STRICT` asks for.
    strict: Option<StorageClass>,
}

#[derive(Clone, Debug)]
enum From {
    /// The cell at a place among the writer's stored columns.
    Cell {
        at: usize,
        /// Of rows that are older than the writer's column and were not written again since.
        initial: Value,
        promotion: Promotion,
        writer: ValueType,
        reader: ValueType,
    },
    /// Rows of the writer do not have it: the same for all of them.
    Constant(Value),
    /// Rows of the writer do not have it: whoever can evaluate SQL computes it.
    Computed,
    /// Rows of the writer do not have it, and there is nothing to take in its place.
    Nothing,
}

impl Reading {
    /// Rows of `written`'s table of `read_table`'s id, read as `read` has that table.
    ///
    /// Under [`Resolution::ById`] columns are found by their ids. Under [`Resolution::ByName`] a newer reader finds them by id too, as it
    /// knows the names they had, and an older one by name; a column that is missing is what the reader's own default says.
    ///
    /// # Errors
    /// `NotFound` if either version does not have the table.
    pub fn new(written: &Schema, read: &Schema, table: crate::TableId, resolution: Resolution) -> Result<Self> {
        let missing =
            |version: u32| Error::not_found("no such table in a version").with("table_id", table.0).with("schema_version", version);
        let writer = written.by_id(table).ok_or_else(|| missing(written.version))?;
        let reader = read.by_id(table).ok_or_else(|| missing(read.version))?;
        let by_id = resolution == Resolution::ById || written.version <= read.version;
        let find = |column: &Column| {
            writer.stored_columns().position(|c| if by_id { c.id == column.id } else { c.name.eq_ignore_ascii_case(&column.name) })
        };
        let sources = reader.columns.iter().enumerate().filter(|(_, c)| !c.is_virtual).map(|(at, column)| {
            let from = match find(column).zip(find(column).and_then(|at| writer.stored_columns().nth(at))) {
                Some((at, before)) => {
                    let (writer, reader) = (ValueType::of(before), ValueType::of(column));
                    let initial = before.initial_default.as_ref().map_or(Value::Null, Cell::to_value);
                    From::Cell { at, initial, promotion: Promotion::between(writer, reader), writer, reader }
                }
                None if column.is_computed => From::Computed,
                None => fill(reader, at, written.version, resolution),
            };
            let facts = reader.facts.as_ref();
            Source {
                column: column.name.clone(),
                from,
                is_required: super::diff::is_required(reader, at),
                allowed: reader.column_facts(at).and_then(|f| f.allowed.clone()),
                strict: if facts.is_some_and(|f| f.strict) { StorageClass::of_strict(&column.declared) } else { None },
            }
        });
        let columns = sources.collect();
        Ok(Self { table: reader.name.clone(), written: (written.version, writer.stored_columns().count()), read: read.version, columns })
    }

    /// The row as the reader has it: the cells of the reader's stored columns, in order, from those of the writer's. A column that the
    /// reader computes is NULL here: [`Reading::computed`] says which.
    ///
    /// # Errors
    /// `Incompatible` if the reader cannot have the row, with the column and why; `Corrupt` if the row has more cells than the writer's
    /// table has columns. One with fewer lacks the last ones: SQLite did not write it again when they were added, and it has their initial
    /// defaults.
    pub fn row(&self, cells: &[ValueRef<'_>]) -> Result<Row> {
        if cells.len() > self.written.1 {
            return Err(Error::corrupt("a row has more cells than its table has columns").with("table", &self.table));
        }
        self.columns.iter().map(|source| source.cell(cells).map_err(|why| self.unreadable(source, why))).collect()
    }

    /// The places in a row of what the reader computes itself, as the writer's rows do not have it.
    pub fn computed(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, source)| matches!(source.from, From::Computed)).map(|(at, _)| at)
    }

    fn unreadable(&self, source: &Source, why: &'static str) -> Error {
        Error::new(ErrorKind::Incompatible, format!("a row cannot be read under another version: {why}"))
            .with("table", &self.table)
            .with("column", &source.column)
            .with("written", self.written.0)
            .with("read", self.read)
            .with_hint("read it under the version it was written with")
    }
}

/// What rows have in a column of the reader's that their writer did not have.
fn fill(table: &Table, at: usize, written: u32, resolution: Resolution) -> From {
    let column = &table.columns[at];
    let has_default = table.column_facts(at).is_some_and(|facts| facts.default.is_some());
    let constant = default_value(table, at);
    let initial = column.initial_default.as_ref().map(|cell| Affinity::of(&column.declared).convert(cell.to_value()));
    let value = match resolution {
        Resolution::ById if written < column.added_in => initial.or(constant),
        Resolution::ById => constant.or(initial),
        // The reader's definition says nothing that could be taken for the value: what was recorded stands in where there is a default at
        // all.
        Resolution::ByName if has_default || table.facts.is_none() => constant.or(initial),
        Resolution::ByName => None,
    };
    match value {
        Some(value) => From::Constant(value),
        None if super::diff::is_required(table, at) => From::Nothing,
        None => From::Constant(Value::Null),
    }
}

impl Source {
    fn cell(&self, cells: &[ValueRef<'_>]) -> Result<Value, &'static str> {
        let value = match &self.from {
            // What was recorded for such rows is taken as it is: SQLite reads them so, whatever it has come to refuse since.
            From::Constant(value) => return Ok(value.clone()),
            From::Computed => return Ok(Value::Null),
            From::Nothing => return Err("it needs a value, and the row is from a version without the column"),
            From::Cell { at, initial, promotion, writer, reader } => match cells.get(*at).copied().unwrap_or(initial.as_ref()) {
                ValueRef::Null => Value::Null,
                cell => promotion.read(cell, *writer, *reader)?,
            },
        };
        if value == Value::Null {
            return if self.is_required { Err("it needs a value, and the row has NULL") } else { Ok(value) };
        }
        let is_strict = self.strict.is_none_or(|class| class.takes(value.as_ref()));
        if !is_strict {
            return Err("its table is STRICT, and the cell is of another storage class");
        }
        let is_allowed = self.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|cell| is_equal(&cell.to_value(), &value)));
        if is_allowed { Ok(value) } else { Err("it knows no such value") }
    }
}
