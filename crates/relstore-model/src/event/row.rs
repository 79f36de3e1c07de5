//! The part of an event that is its row's: kind, table, key and images.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::virtual_cells::VirtualCells;
use super::{Images, UnifiedEvent, key_text};
use crate::change::codec::RowRef;
use crate::types::json::to_json;
use crate::{Op, Result, Row, Table, Value, ValueRef};

pub(super) fn fill_row(
    event: &mut UnifiedEvent,
    row: &RowRef<'_>,
    table: &Table,
    images: Images,
    computed: &dyn VirtualCells,
) -> Result<()> {
    event.event_type = Cow::Borrowed(match row.op {
        Op::Create => "cdc.insert",
        Op::Update => "cdc.update",
        Op::Delete => "cdc.delete",
        Op::Read => "cdc.read",
    });
    event.op = Some(row.op.letter());
    event.table = Some(table.name.clone());
    event.key = Some(key_text(table, row.rowid, row.image()));
    let has_virtual = table.columns.iter().any(|c| c.is_virtual);
    let cells_of = |cells: &[ValueRef<'_>]| if has_virtual { computed.virtual_cells(table, cells) } else { Ok(None) };
    let has_before = matches!(row.op, Op::Update | Op::Delete);
    let has_after = row.op != Op::Delete;
    let before = if has_before { cells_of(row.before)? } else { None };
    let after = if has_after { cells_of(row.after)? } else { None };
    let shows_all = row.op != Op::Update || images == Images::Full;
    let object = |cells: &[ValueRef<'_>], computed: Option<&Row>| -> Map<String, Json> {
        let mut out = Map::new();
        let (mut stored, mut virtuals) = (0, 0);
        for column in &table.columns {
            let (cell, is_wanted) = if column.is_virtual {
                virtuals += 1;
                let cell = |row: Option<&Row>| row.and_then(|r| r.get(virtuals - 1)).cloned();
                let is_changed = cell(before.as_ref()) != cell(after.as_ref());
                (computed.and_then(|r| r.get(virtuals - 1)).map(Value::as_ref), shows_all || is_changed)
            } else {
                stored += 1;
                (cells.get(stored - 1).copied(), shows_all || row.is_changed(stored - 1))
            };
            if let Some(cell) = cell.filter(|_| is_wanted) {
                out.insert(column.name.clone(), to_json(column.logical, cell));
            }
        }
        out
    };
    if has_before {
        event.before = Some(object(row.before, before.as_ref()));
    }
    if has_after {
        event.after = Some(object(row.after, after.as_ref()));
    }
    Ok(())
}
