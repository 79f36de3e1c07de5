//! What a statement gave, on its way into JavaScript: chunk by chunk.
//!
//! A chunk's header is eight floats: the state, its rows, its columns, how many chunks follow, and of the statement how many rows it changed and
//! the rowid of the last row it inserted (as a float, and as an integer in the next slot), and how large the buffer would have to be.

use std::collections::VecDeque;
use std::time::Duration;

use napi::{Env, JsString};
use napi_derive::napi;
use relstore_engine::Outcome;
use relstore_model::{Result, Value, ValueRef};

use crate::cells::{Chunk, HEADER, Text};
use crate::failure::shielded;

/// The state in a header.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// There is a chunk.
    Given = 0,
    /// The query would take long, and did not run to its end.
    Late = 1,
    /// It is no query.
    Writes = 2,
    /// The buffer is too small for the chunk, which waits for a larger one.
    TooSmall = 3,
}

/// What a statement gave.
#[derive(Default)]
pub(crate) struct Gathered {
    chunks: VecDeque<Chunk>,
    pub(crate) columns: Vec<String>,
    changes: u64,
    last_insert_rowid: i64,
    /// How long the statement ran.
    pub(crate) elapsed: Duration,
}

impl Gathered {
    /// One chunk of many.
    pub(crate) fn one(chunk: Chunk, columns: Vec<String>) -> Self {
        Self { chunks: VecDeque::from([chunk]), columns, ..Self::default() }
    }

    pub(crate) fn push(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        if self.chunks.back().is_none_or(Chunk::is_full) {
            self.chunks.push_back(Chunk::default());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(row);
        }
        Ok(())
    }

    /// The statement is done.
    pub(crate) fn done(mut self, outcome: Outcome) -> Self {
        for row in &outcome.rows {
            let cells: Vec<ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
            // It only appends.
            let _ = self.push(&cells);
        }
        (self.columns, self.changes, self.last_insert_rowid) = (outcome.columns, outcome.changes, outcome.last_insert_rowid);
        self
    }

    /// Puts the next chunk into `out` and gives its string; a header alone if there is none.
    pub(crate) fn give<'env>(&mut self, env: &'env Env, out: &mut [u8]) -> napi::Result<Option<JsString<'env>>> {
        let chunk = self.chunks.pop_front().unwrap_or_default();
        if chunk.size_bytes() > out.len() {
            let size_bytes = chunk.size_bytes();
            self.chunks.push_front(chunk);
            header(out, State::TooSmall, [0, 0, self.chunks.len()], self, size_bytes)?;
            return Ok(None);
        }
        header(out, State::Given, [chunk.rows, chunk.columns, self.chunks.len()], self, 0)?;
        chunk.write(out);
        match &chunk.text {
            text if text.len() == 0 => Ok(None),
            Text::Ascii(bytes) => env.create_string_latin1(bytes).map(Some),
            Text::Wide(units) => env.create_string_utf16(units).map(Some),
        }
    }
}

fn header(out: &mut [u8], state: State, counts: [usize; 3], of: &Gathered, size_bytes: usize) -> napi::Result<()> {
    let rowid = of.last_insert_rowid;
    let [rows, columns, left] = counts.map(|n| n as f64);
    let floats = [
        f64::from(state as u8),
        rows,
        columns,
        left,
        of.changes as f64,
        rowid as f64,
        f64::from_bits(rowid.cast_unsigned()),
        size_bytes as f64,
    ];
    let Some(place) = out.get_mut(..HEADER) else { return Err(napi::Error::from_reason("a buffer without room for a header")) };
    for (to, float) in place.as_chunks_mut::<8>().0.iter_mut().zip(floats) {
        *to = float.to_ne_bytes();
    }
    Ok(())
}

/// Says in the header why there is no chunk.
pub(crate) fn refuse(out: &mut [u8], state: State) -> napi::Result<()> {
    header(out, state, [0; 3], &Gathered::default(), 0)
}

/// What a statement gave, held by JavaScript until it has taken all chunks.
#[napi]
pub struct Answer {
    gathered: Gathered,
}

impl Answer {
    pub(crate) fn new(gathered: Gathered) -> Self {
        Self { gathered }
    }
}

#[napi]
impl Answer {
    /// Puts the next chunk into the buffer and gives its string.
    #[napi(catch_unwind)]
    pub fn next<'env>(&mut self, env: &'env Env, mut io: napi::bindgen_prelude::BufferSlice<'_>) -> napi::Result<Option<JsString<'env>>> {
        self.gathered.give(env, &mut io)
    }

    /// The names of the columns.
    #[napi(catch_unwind)]
    pub fn names(&self) -> napi::Result<Vec<String>> {
        shielded(|| Ok(self.gathered.columns.clone()))
    }

    /// How long the statement ran, in milliseconds.
    #[napi(catch_unwind)]
    pub fn elapsed_ms(&self) -> f64 {
        self.gathered.elapsed.as_secs_f64() * 1000.0
    }
}
