//! What a rebuild changed: the rows before and after it side by side, in the order of their key.
//!
//! The rule: the log must give the table again. A reader of the log takes a row from before the rebuild into the new shape by the ids of its
//! columns; a column that is new has its initial default. A row for which that gives the row that is there needs no change. One that the copy
//! left out is deleted, in the shape before; one whose cells differ is updated, and one that the copy made is created, in the shape after. Where
//! the key itself is another, by its columns or in a row's cells, a row is deleted and created.

use std::cmp::Ordering;

use relstore_model::change::codec;
use relstore_model::identifier::quote;
use relstore_model::{Op, Result, Table, Value, ValueRef};
use rusqlite::Row;

use crate::affinity::is_real;
use crate::capture::Capture;
use crate::sqlite::{Connection, cell, from_sqlite};
use crate::statistics::order as value_order;

/// How many rows a rebuild changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildChanges {
    /// Rows that were copied and are what they were.
    pub kept: u64,
    /// Rows whose cells differ.
    pub updated: u64,
    /// Rows that came.
    pub created: u64,
    /// Rows that went.
    pub deleted: u64,
}

/// Changes to be logged after the change of shape.
#[derive(Debug, Default)]
pub(super) struct Later {
    pub(super) packed: Vec<u8>,
    pub(super) count: u64,
}

/// What a row before and a row after are matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Rowid,
    Key,
    /// The log knows the rows by another key than before.
    Nothing,
}

/// One side.
struct Side<'a> {
    table: &'a Table,
    /// The name under which it lies in the file now.
    name: &'a str,
    /// What stands before the stored cells: the rowid, where there is one.
    with_rowid: bool,
    /// Positions of the key among the stored cells.
    key: Vec<usize>,
}

impl<'a> Side<'a> {
    fn new(table: &'a Table, name: &'a str) -> Self {
        Self { table, name, with_rowid: !table.without_rowid, key: crate::statistics::key_positions(table) }
    }

    fn rowid(&self) -> String {
        let alias = self.table.rowid_alias().map(|at| quote(&self.table.columns[at].name));
        alias.or_else(|| self.table.rowid_name().map(str::to_owned)).unwrap_or_else(|| "NULL".to_owned())
    }

    fn select(&self, by: Match) -> String {
        let rowid = self.with_rowid.then(|| self.rowid());
        let columns: Vec<String> = rowid.iter().cloned().chain(self.table.stored_columns().map(|c| quote(&c.name))).collect();
        let stored: Vec<String> = self.table.stored_columns().map(|c| quote(&c.name)).collect();
        let key: Vec<String> = self.key.iter().map(|at| format!("{} COLLATE BINARY", stored[*at])).collect();
        let order = match (by, rowid) {
            (Match::Key, _) => key.join(", "),
            (_, Some(rowid)) => rowid,
            (_, None) => key.join(", "),
        };
        format!("/*rs*/ SELECT {} FROM main.{} NOT INDEXED ORDER BY {order}", columns.join(", "), quote(self.name))
    }

    fn first(&self) -> usize {
        usize::from(self.with_rowid)
    }

    /// The rowid as the log has it.
    fn logged_rowid(&self, row: &Row<'_>) -> rusqlite::Result<Option<i64>> {
        if self.table.is_keyed_by_rowid() { row.get(0).map(Some) } else { Ok(None) }
    }

    fn cells<'r>(&self, row: &'r Row<'_>) -> rusqlite::Result<Vec<ValueRef<'r>>> {
        (self.first()..self.first() + self.table.stored_columns().count()).map(|i| row.get_ref(i).map(cell)).collect()
    }
}

/// Compares `old`, which lies in the file as `old_name`, with `new`, which lies there as `new_name`. Deletes go to the capture at once, as changes
/// of the shape before; what comes after the change of shape is given.
pub(super) fn compare(
    connection: &Connection,
    capture: &Capture,
    (old, old_name): (&Table, &str),
    (new, new_name): (&Table, &str),
    keeps_rowids: bool,
) -> Result<(RebuildChanges, Later)> {
    let by = matched_by(old, new, keeps_rowids);
    let (old, new) = (Side::new(old, old_name), Side::new(new, new_name));
    let mut merge = Merge::new(capture, &old, &new, by);
    let (before, after) = (old.select(by), new.select(by));
    let mut run = || -> rusqlite::Result<()> {
        let mut before = connection.inner.prepare(&before)?;
        let mut after = connection.inner.prepare(&after)?;
        let (mut before, mut after) = (before.query([])?, after.query([])?);
        let (mut old_row, mut new_row) = (before.next()?, after.next()?);
        loop {
            let order = match (old_row, new_row) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(o), Some(n)) => merge.order(o, n)?,
            };
            match (order, old_row, new_row) {
                (Ordering::Equal, Some(o), Some(n)) => merge.both(o, n)?,
                (Ordering::Less, Some(o), _) => merge.gone(o)?,
                (Ordering::Greater, _, Some(n)) => merge.come(n)?,
                _ => {}
            }
            if order != Ordering::Greater {
                old_row = before.next()?;
            }
            if order != Ordering::Less {
                new_row = after.next()?;
            }
        }
    };
    run().map_err(|e| from_sqlite(&e, &after))?;
    Ok((merge.changes, merge.later))
}

fn matched_by(old: &Table, new: &Table, keeps_rowids: bool) -> Match {
    let key = |t: &Table| t.primary_key.iter().map(|at| t.columns[*at].id).collect::<Vec<_>>();
    if key(old) != key(new) || old.is_keyed_by_rowid() != new.is_keyed_by_rowid() {
        return Match::Nothing;
    }
    let have_rowids = !old.without_rowid && !new.without_rowid;
    let same_alias = old.rowid_alias().is_some() && new.rowid_alias().is_some();
    if have_rowids && (same_alias || keeps_rowids || old.is_keyed_by_rowid()) { Match::Rowid } else { Match::Key }
}

struct Merge<'a> {
    capture: &'a Capture,
    old: &'a Side<'a>,
    new: &'a Side<'a>,
    by: Match,
    /// Of each stored column of the new table: where its cell was, or its initial default.
    from: Vec<Result<usize, Value>>,
    /// Stored columns that hold floats now and did not: an integer in one cannot be told as an update, since a reader would take it for
    /// the float that it is not.
    newly_real: Vec<bool>,
    changes: RebuildChanges,
    later: Later,
}

impl<'a> Merge<'a> {
    fn new(capture: &'a Capture, old: &'a Side<'a>, new: &'a Side<'a>, by: Match) -> Self {
        let before: Vec<_> = old.table.stored_columns().collect();
        let at = |c: &relstore_model::Column| before.iter().position(|b| b.id == c.id);
        let default = |c: &relstore_model::Column| c.initial_default.as_ref().map_or(Value::Null, |d| d.to_value());
        let from = new.table.stored_columns().map(|c| at(c).ok_or_else(|| default(c))).collect();
        let was_real = |c: &relstore_model::Column| at(c).is_none_or(|at| is_real(&before[at].declared));
        let newly_real = new.table.stored_columns().map(|c| is_real(&c.declared) && !was_real(c)).collect();
        Self { capture, old, new, by, from, newly_real, changes: RebuildChanges::default(), later: Later::default() }
    }

    /// Which of the two rows comes first; the same if they are one row.
    fn order(&self, old: &Row<'_>, new: &Row<'_>) -> rusqlite::Result<Ordering> {
        match self.by {
            // All that went comes before all that came.
            Match::Nothing => Ok(Ordering::Less),
            Match::Rowid => Ok(old.get::<_, i64>(0)?.cmp(&new.get::<_, i64>(0)?)),
            Match::Key => {
                for (o, n) in self.old.key.iter().zip(&self.new.key) {
                    let order = value_order(cell(old.get_ref(self.old.first() + o)?), cell(new.get_ref(self.new.first() + n)?));
                    if order != Ordering::Equal {
                        return Ok(order);
                    }
                }
                Ok(Ordering::Equal)
            }
        }
    }

    fn both(&mut self, old: &Row<'_>, new: &Row<'_>) -> rusqlite::Result<()> {
        let (mut differs, mut is_split) = (false, false);
        let (old_first, new_first) = (self.old.first(), self.new.first());
        for (at, from) in self.from.iter().enumerate() {
            let now = cell(new.get_ref(new_first + at)?);
            let was = match from {
                Ok(from) => cell(old.get_ref(old_first + from)?),
                Err(default) => default.as_ref(),
            };
            if !was.same(now) {
                differs = true;
                is_split |= self.new.key.contains(&at) || (self.newly_real[at] && matches!(was, ValueRef::Integer(_)));
            }
        }
        if !differs {
            self.changes.kept += 1;
            return Ok(());
        }
        if is_split {
            self.gone(old)?;
            return self.come(new);
        }
        let cells = self.old.cells(old)?;
        let before: Vec<ValueRef<'_>> = self.from.iter().map(|from| from.as_ref().map_or_else(Value::as_ref, |at| cells[*at])).collect();
        codec::put_update(&mut self.later.packed, self.new.table.id, self.new.logged_rowid(new)?, &before, &self.new.cells(new)?);
        self.later.count += 1;
        self.changes.updated += 1;
        Ok(())
    }

    fn gone(&mut self, old: &Row<'_>) -> rusqlite::Result<()> {
        self.capture.put_row(Op::Delete, self.old.table.id, self.old.logged_rowid(old)?, &self.old.cells(old)?);
        self.changes.deleted += 1;
        Ok(())
    }

    fn come(&mut self, new: &Row<'_>) -> rusqlite::Result<()> {
        let cells = self.new.cells(new)?;
        codec::put_row(&mut self.later.packed, Op::Create, self.new.table.id, self.new.logged_rowid(new)?, cells.into_iter());
        self.later.count += 1;
        self.changes.created += 1;
        Ok(())
    }
}
