//! The packed form of changes: what the log's blob and a segment's body hold.
//!
//! A change is a tag byte and its fields; numbers are LEB128 varints. docs/format.md gives every byte.
//!
//! ```text
//! row change:    tag  table  [rowid zigzag]  n  body
//!   I, R         n cells                      (create; read)
//!   D            n cells                      (delete)
//!   U            bitmap of ⌈n/8⌉ bytes, the before-cells of the set bits, n after-cells
//! schema change: S  length  JSON of {"schema": …, "sql": …}
//! cell:          1 integer zigzag · 2 real, 8 bytes LE · 3 text · 4 blob (length, bytes) · 5 NULL · 6 the integer 0 · 7 the integer 1
//! ```
//! The tag's high bit says that a rowid follows the table.

use serde::{Deserialize, Serialize};

use super::{Change, Op, RowChange, SchemaChange};
use crate::{Error, Result, Row, Schema, TableId, ValueRef};

const CREATE: u8 = b'I';
const UPDATE: u8 = b'U';
const DELETE: u8 = b'D';
const READ: u8 = b'R';
const SCHEMA: u8 = b'S';
const WITH_ROWID: u8 = 0x80;

/// Appends `n` as a varint: seven bits a byte, the lowest first, the high bit set on all but the last.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends `n` as a zigzag varint, so that small negative numbers are short too.
#[inline]
pub fn put_zigzag(out: &mut Vec<u8>, n: i64) {
    put_varint(out, ((n << 1) ^ (n >> 63)) as u64);
}

/// Takes a varint off the front of `bytes`; `None` if they do not begin with one.
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        n |= u64::from(byte & 0x7f).checked_shl(i as u32 * 7)?;
        if *byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(n);
        }
    }
    None
}

/// Appends one cell.
#[inline]
pub fn put_cell(out: &mut Vec<u8>, cell: ValueRef<'_>) {
    match cell {
        ValueRef::Integer(i @ (0 | 1)) => out.push(6 + i as u8),
        ValueRef::Integer(i) => {
            out.push(1);
            put_zigzag(out, i);
        }
        ValueRef::Real(r) => {
            out.push(2);
            out.extend_from_slice(&r.to_bits().to_le_bytes());
        }
        ValueRef::Text(t) => put_bytes(out, 3, t),
        ValueRef::Blob(b) => put_bytes(out, 4, b),
        ValueRef::Null => out.push(5),
    }
}

#[inline]
fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[inline]
fn put_head(out: &mut Vec<u8>, tag: u8, table: TableId, rowid: Option<i64>, cells: usize) {
    match rowid {
        Some(rowid) => {
            out.push(tag | WITH_ROWID);
            put_varint(out, u64::from(table.0));
            put_zigzag(out, rowid);
        }
        None => {
            out.push(tag);
            put_varint(out, u64::from(table.0));
        }
    }
    put_varint(out, cells as u64);
}

/// Appends a row that came into being (`Create`) or was there already (`Read`), or that went (`Delete`).
#[inline]
pub fn put_row<'a>(out: &mut Vec<u8>, op: Op, table: TableId, rowid: Option<i64>, cells: impl ExactSizeIterator<Item = ValueRef<'a>>) {
    put_row_head(out, op, table, rowid, cells.len());
    for cell in cells {
        put_cell(out, cell);
    }
}

/// Appends what stands before the `count` cells of [`put_row`]; the caller puts the cells.
#[inline]
pub fn put_row_head(out: &mut Vec<u8>, op: Op, table: TableId, rowid: Option<i64>, count: usize) {
    let tag = match op {
        Op::Create => CREATE,
        Op::Delete => DELETE,
        Op::Read => READ,
        Op::Update => UPDATE,
    };
    debug_assert!(tag != UPDATE, "an update has two images: put_update");
    put_head(out, tag, table, rowid, count);
}

/// Appends an update: `before` and `after` have one length and order. Equal cells are kept once.
#[inline]
pub fn put_update(out: &mut Vec<u8>, table: TableId, rowid: Option<i64>, before: &[ValueRef<'_>], after: &[ValueRef<'_>]) {
    debug_assert_eq!(before.len(), after.len());
    put_head(out, UPDATE, table, rowid, after.len());
    let at = out.len();
    out.resize(at + after.len().div_ceil(8), 0);
    for (i, (old, new)) in before.iter().zip(after).enumerate() {
        if !old.same(*new) {
            out[at + i / 8] |= 1 << (i % 8);
            put_cell(out, *old);
        }
    }
    for new in after {
        put_cell(out, *new);
    }
}

#[derive(Serialize, Deserialize)]
struct SchemaBody {
    schema: Schema,
    sql: String,
}

/// The same, borrowed.
#[derive(Serialize)]
struct SchemaBodyRef<'a> {
    schema: &'a Schema,
    sql: &'a str,
}

/// Appends a change of shape.
pub fn put_schema(out: &mut Vec<u8>, schema: &Schema, sql: &str) {
    let json = serde_json::to_vec(&SchemaBodyRef { schema, sql }).expect("a schema is plain data with string keys");
    put_bytes(out, SCHEMA, &json);
}

/// One change, borrowed from the packed bytes and from the reader's scratch space.
#[derive(Debug)]
pub enum ChangeRef<'a> {
    /// A row changed.
    Row(RowRef<'a>),
    /// The schema changed; the bytes are for [`ChangeRef::to_change`].
    Schema(&'a [u8]),
}

/// A row change whose cells are borrowed.
#[derive(Debug)]
pub struct RowRef<'a> {
    /// The table.
    pub table: TableId,
    /// What happened.
    pub op: Op,
    /// The rowid, where the row has no other key.
    pub rowid: Option<i64>,
    /// The row before; empty on create and read.
    pub before: &'a [ValueRef<'a>],
    /// The row after; empty on delete.
    pub after: &'a [ValueRef<'a>],
    /// On update, a bit a column: whether it changed, the lowest bit of the first byte first. Empty otherwise.
    pub changed: &'a [u8],
}

impl<'a> RowRef<'a> {
    /// The row as it is after the change, or as it last was.
    #[must_use]
    pub fn image(&self) -> &'a [ValueRef<'a>] {
        if self.op == Op::Delete { self.before } else { self.after }
    }

    /// Whether the update changed the column at `position`.
    #[must_use]
    pub fn is_changed(&self, position: usize) -> bool {
        self.changed.get(position / 8).is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }
}

impl ChangeRef<'_> {
    /// The change, owned.
    ///
    /// # Errors
    /// `Corrupt` if a schema change is not what [`put_schema`] wrote, or its schema contradicts itself.
    pub fn to_change(&self) -> Result<Change> {
        match self {
            Self::Row(row) => {
                let own = |cells: &[ValueRef<'_>]| -> Row { cells.iter().map(|c| c.to_value()).collect() };
                Ok(Change::Row(RowChange {
                    table: row.table,
                    op: row.op,
                    rowid: row.rowid,
                    before: matches!(row.op, Op::Update | Op::Delete).then(|| own(row.before)),
                    after: (row.op != Op::Delete).then(|| own(row.after)),
                }))
            }
            Self::Schema(json) => {
                let body: SchemaBody =
                    serde_json::from_slice(json).map_err(|e| Error::corrupt("a schema change in the log cannot be read").with_source(e))?;
                Ok(Change::Schema(Box::new(SchemaChange { schema: body.schema.checked()?, sql: body.sql })))
            }
        }
    }
}

/// Reads packed changes one after another without copying cells.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    before: Vec<ValueRef<'a>>,
    after: Vec<ValueRef<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader at the first change of `packed`.
    #[must_use]
    pub fn new(packed: &'a [u8]) -> Self {
        Self { bytes: packed, at: 0, before: Vec::new(), after: Vec::new() }
    }

    /// How many bytes the changes took that were read so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next change; `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no change: cut short, an unknown tag, a count that the rest cannot hold.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself, which Iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<ChangeRef<'_>>> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let tag = self.byte()?;
        if tag == SCHEMA {
            return Ok(Some(ChangeRef::Schema(self.sized()?)));
        }
        let op = match tag & !WITH_ROWID {
            CREATE => Op::Create,
            UPDATE => Op::Update,
            DELETE => Op::Delete,
            READ => Op::Read,
            _ => return Err(self.corrupt("an unknown tag")),
        };
        let table = TableId(u32::try_from(self.varint()?).map_err(|_| self.corrupt("a table id out of range"))?);
        let rowid = if tag & WITH_ROWID == 0 { None } else { Some(self.zigzag()?) };
        let cells = self.varint()? as usize;
        // Every cell takes a byte at least: a larger count is damage, and must not become an allocation.
        if cells > self.bytes.len() - self.at {
            return Err(self.corrupt("a row of more cells than bytes"));
        }
        self.before.clear();
        self.after.clear();
        let mut changed: &'a [u8] = &[];
        match op {
            Op::Create | Op::Read => {
                for _ in 0..cells {
                    let cell = self.cell()?;
                    self.after.push(cell);
                }
            }
            Op::Delete => {
                for _ in 0..cells {
                    let cell = self.cell()?;
                    self.before.push(cell);
                }
            }
            Op::Update => {
                changed = self.take(cells.div_ceil(8))?;
                let mut old = Vec::new();
                for i in 0..cells {
                    if changed[i / 8] >> (i % 8) & 1 == 1 {
                        old.push(self.cell()?);
                    }
                }
                let mut old = old.into_iter();
                for i in 0..cells {
                    let cell = self.cell()?;
                    self.after.push(cell);
                    let was_changed = changed[i / 8] >> (i % 8) & 1 == 1;
                    self.before.push(if was_changed { old.next().expect("one old cell a set bit") } else { cell });
                }
            }
        }
        Ok(Some(ChangeRef::Row(RowRef { table, op, rowid, before: &self.before, after: &self.after, changed })))
    }

    fn corrupt(&self, what: &str) -> Error {
        Error::corrupt(format!("packed changes hold {what}")).with("offset", self.at)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.corrupt("too few bytes"))?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len()).ok_or_else(|| self.corrupt("too few bytes"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        let mut rest = &self.bytes[self.at..];
        let n = take_varint(&mut rest).ok_or_else(|| self.corrupt("no whole number where one should be"))?;
        self.at = self.bytes.len() - rest.len();
        Ok(n)
    }

    #[inline]
    fn zigzag(&mut self) -> Result<i64> {
        let n = self.varint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    #[inline]
    fn sized(&mut self) -> Result<&'a [u8]> {
        let n = usize::try_from(self.varint()?).map_err(|_| self.corrupt("a length out of range"))?;
        self.take(n)
    }

    #[inline]
    fn cell(&mut self) -> Result<ValueRef<'a>> {
        Ok(match self.byte()? {
            1 => ValueRef::Integer(self.zigzag()?),
            2 => {
                let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
                ValueRef::Real(f64::from_bits(u64::from_le_bytes(bytes)))
            }
            3 => ValueRef::Text(self.sized()?),
            4 => ValueRef::Blob(self.sized()?),
            5 => ValueRef::Null,
            6 => ValueRef::Integer(0),
            7 => ValueRef::Integer(1),
            _ => return Err(self.corrupt("an unknown cell tag")),
        })
    }
}

/// All changes of `packed`, owned.
///
/// # Errors
/// `Corrupt`, as [`Reader::next`].
pub fn unpack(packed: &[u8]) -> Result<Vec<Change>> {
    let mut reader = Reader::new(packed);
    let mut out = Vec::new();
    while let Some(change) = reader.next()? {
        out.push(change.to_change()?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
