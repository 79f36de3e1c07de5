//! Cells as bytes, both ways, in a buffer that JavaScript owns: crossing the boundary once a statement, not once a cell.
//!
//! A slot is 8 bytes in the machine's order, a tag is one byte. Parameters: `count` slots, `count` tags, then the bytes of texts (UTF-8) and blobs
//! one after another, whose lengths are in their slots. A chunk of rows: the header ([`crate::answer`]), then a slot for each cell, a tag for
//! each cell, the bytes of blobs. The texts of a chunk are one string, which crosses beside the buffer; the slot of a text or blob says where
//! it ends in it, counted in UTF-16 units or bytes, and it begins where the one before ends.

use relstore_model::{Error, Result, ValueRef};

/// How many bytes the header of a chunk has.
pub(crate) const HEADER: usize = 80;

const NULL: u8 = 0;
/// The slot is a float, which JavaScript's numbers are.
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
/// The slot is a 64-bit integer that a float does not hold.
const INTEGER: u8 = 3;
const BLOB: u8 = 4;

/// From here on floats do not hold every integer.
const EXACT: u64 = 1 << 53;

/// How much a chunk holds before the next one is begun. A string stays in memory as long as a part of it does, so they are not large.
const CELLS_MAX: usize = 8192;
const BYTES_MAX: usize = 128 << 10;

/// The parameters that `packed` begins with.
///
/// # Errors
/// `Internal` if they do not fit into it.
pub(crate) fn parameters(packed: &[u8], count: usize) -> Result<Vec<ValueRef<'_>>> {
    let broken = || Error::internal("packed parameters that do not fit their buffer");
    let (slots, rest) = packed.split_at_checked(count * 8).ok_or_else(broken)?;
    let (tags, mut bytes) = rest.split_at_checked(count).ok_or_else(broken)?;
    let mut out = Vec::with_capacity(count);
    for (slot, tag) in slots.as_chunks::<8>().0.iter().zip(tags) {
        let mut take = || {
            let length = f64::from_ne_bytes(*slot) as usize;
            let (taken, left) = bytes.split_at_checked(length).ok_or_else(broken)?;
            bytes = left;
            Ok::<_, Error>(taken)
        };
        out.push(match *tag {
            NULL => ValueRef::Null,
            NUMBER => number(f64::from_ne_bytes(*slot)),
            TEXT => ValueRef::Text(take()?),
            INTEGER => ValueRef::Integer(i64::from_ne_bytes(*slot)),
            BLOB => ValueRef::Blob(take()?),
            _ => return Err(broken()),
        });
    }
    Ok(out)
}

/// A whole number is an integer: JavaScript has no other way to write one.
fn number<'a>(float: f64) -> ValueRef<'a> {
    let is_integer = float.trunc() == float && float.abs() <= EXACT as f64 && !(float == 0.0 && float.is_sign_negative());
    if is_integer {
        ValueRef::Integer(float as i64)
    } else if float.is_nan() {
        ValueRef::Null
    } else {
        ValueRef::Real(float)
    }
}

/// Rows that are given at once.
#[derive(Default)]
pub(crate) struct Chunk {
    slots: Vec<u64>,
    tags: Vec<u8>,
    pub(crate) text: Text,
    blobs: Vec<u8>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The texts of a chunk, one after another. While they are ASCII they are handed over as bytes, which is fifteen times quicker than UTF-8.
pub(crate) enum Text {
    Ascii(Vec<u8>),
    Wide(Vec<u16>),
}

impl Default for Text {
    fn default() -> Self {
        Self::Ascii(Vec::new())
    }
}

impl Text {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ascii(bytes) => bytes.len(),
            Self::Wide(units) => units.len(),
        }
    }

    fn push(&mut self, text: &[u8]) {
        if let Self::Ascii(bytes) = self {
            if text.is_ascii() {
                bytes.extend_from_slice(text);
                return;
            }
            *self = Self::Wide(bytes.iter().map(|b| u16::from(*b)).collect());
        }
        if let Self::Wide(units) = self {
            // What is not UTF-8 is replaced, as everywhere where text leaves the store.
            units.extend(String::from_utf8_lossy(text).encode_utf16());
        }
    }
}

impl Chunk {
    pub(crate) fn push(&mut self, row: &[ValueRef<'_>]) {
        for cell in row {
            let (tag, slot) = match *cell {
                ValueRef::Null => (NULL, 0),
                ValueRef::Integer(i) if i.unsigned_abs() <= EXACT => (NUMBER, (i as f64).to_bits()),
                ValueRef::Integer(i) => (INTEGER, i.cast_unsigned()),
                ValueRef::Real(r) => (NUMBER, r.to_bits()),
                ValueRef::Text(t) => {
                    self.text.push(t);
                    (TEXT, (self.text.len() as f64).to_bits())
                }
                ValueRef::Blob(b) => {
                    self.blobs.extend_from_slice(b);
                    (BLOB, (self.blobs.len() as f64).to_bits())
                }
            };
            self.slots.push(slot);
            self.tags.push(tag);
        }
        (self.rows, self.columns) = (self.rows + 1, row.len());
    }

    /// Takes out what is in it, and says whether the memory that it has is worth keeping.
    pub(crate) fn empty(&mut self) -> bool {
        (self.rows, self.columns) = (0, 0);
        self.slots.clear();
        self.tags.clear();
        self.blobs.clear();
        match &mut self.text {
            Text::Ascii(bytes) => bytes.clear(),
            wide => *wide = Text::default(),
        }
        self.size_bytes_reserved() <= BYTES_MAX
    }

    fn size_bytes_reserved(&self) -> usize {
        let text = if let Text::Ascii(bytes) = &self.text { bytes.capacity() } else { 0 };
        self.slots.capacity() * 9 + self.blobs.capacity() + text
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tags.len() >= CELLS_MAX || self.text.len() >= BYTES_MAX || self.blobs.len() >= BYTES_MAX
    }

    /// How many bytes it takes in the buffer.
    pub(crate) fn size_bytes(&self) -> usize {
        HEADER + self.slots.len() * 9 + self.blobs.len()
    }

    /// Puts the cells after the header of `out`, which has room for them.
    pub(crate) fn write(&self, out: &mut [u8]) {
        let (slots, rest) = out[HEADER..].split_at_mut(self.slots.len() * 8);
        for (to, slot) in slots.as_chunks_mut::<8>().0.iter_mut().zip(&self.slots) {
            *to = slot.to_ne_bytes();
        }
        let (tags, rest) = rest.split_at_mut(self.tags.len());
        tags.copy_from_slice(&self.tags);
        rest[..self.blobs.len()].copy_from_slice(&self.blobs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(cells: &[(u8, [u8; 8])], bytes: &[u8]) -> Vec<u8> {
        let slots = cells.iter().flat_map(|(_, slot)| *slot);
        slots.chain(cells.iter().map(|(tag, _)| *tag)).chain(bytes.iter().copied()).collect()
    }

    #[test]
    fn parameters_are_read_as_they_were_packed() {
        let float = |f: f64| f.to_ne_bytes();
        let cells = [
            (NUMBER, float(7.0)),
            (TEXT, float(2.0)),
            (INTEGER, i64::MIN.to_ne_bytes()),
            (BLOB, float(1.0)),
            (NULL, float(0.0)),
            (NUMBER, float(0.5)),
        ];
        let found: Vec<_> = parameters(&packed(&cells, b"ab\xff"), 6).unwrap().iter().map(|c| format!("{:?}", c.to_value())).collect();
        assert_eq!(found, ["Integer(7)", "Text(\"ab\")", "Integer(-9223372036854775808)", "Blob([255])", "Null", "Real(0.5)"]);
    }

    #[test]
    fn broken_parameters_are_an_error() {
        for (bytes, count) in [(vec![0; 8], 1), (packed(&[(TEXT, 9f64.to_ne_bytes())], b"ab"), 1), (packed(&[(9, [0; 8])], b""), 1)] {
            assert!(parameters(&bytes, count).is_err());
        }
    }

    #[test]
    fn numbers_are_integers_where_they_are_whole() {
        let of = |f: f64| format!("{:?}", number(f).to_value());
        assert_eq!([of(-3.0), of(1e15), of(1e300), of(-0.0)], ["Integer(-3)", "Integer(1000000000000000)", "Real(1e300)", "Real(-0.0)"]);
        assert_eq!(of(f64::NAN), "Null");
    }

    #[test]
    fn text_that_is_not_ascii_turns_the_chunk_wide() {
        let mut chunk = Chunk::default();
        chunk.push(&[ValueRef::Text(b"ab"), ValueRef::Text("é𝄞".as_bytes())]);
        assert_eq!((chunk.text.len(), chunk.slots.clone()), (5, vec![2f64.to_bits(), 5f64.to_bits()]));
        assert!(matches!(&chunk.text, Text::Wide(units) if String::from_utf16(units).unwrap() == "abé𝄞"));
    }
}
