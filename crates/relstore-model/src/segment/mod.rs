//! The byte format of a segment: an immutable file that holds an LSN range of one store's log. Pure encode and decode.
//!
//! ```text
//! "RSEG" · format u8 = 1 · codec u8 (0 none, 1 zstd) · header length u32 · header JSON · body length u32 · body · crc32 u32
//! body, after the codec:  per commit: count · timestamp Δ zigzag · schema version · packed length · packed changes
//! ```
//! Fixed numbers are little-endian, the others varints. The header names the store, the range, and every schema version that a change in
//! the body is read with, so a segment can be read alone. The checksum (CRC-32, IEEE) covers everything before it. docs/format.md gives
//! every byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::codec::{self, ChangeRef};
use crate::{Change, Commit, Error, Lsn, Namespace, Result, Schema, Timestamp, TxId};

const MAGIC: &[u8; 4] = b"RSEG";
const FORMAT: u8 = 1;
const CODEC_ZSTD: u8 = 1;
const CODEC_NONE: u8 = 0;
/// zstd's own default.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 3;

#[derive(Serialize, Deserialize)]
struct Header {
    ns: Namespace,
    epoch: u64,
    lsn_first: Lsn,
    lsn_last: Lsn,
    commits: u64,
    timestamp_first: i64,
    body_bytes: u64,
    schemas: Vec<Schema>,
}

/// A decoded segment: whole commits of one store, and the schemas they are read with.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The store.
    pub namespace: Namespace,
    /// The writer's epoch.
    pub epoch: u64,
    /// The commits, in order, contiguous, at least one.
    pub commits: Vec<Commit>,
    /// The schemas in force at the first change of some commit, by version. Those that begin inside the segment are in its changes.
    pub schemas: BTreeMap<u32, Schema>,
}

impl Segment {
    /// The position of the first change.
    #[must_use]
    pub fn lsn_first(&self) -> Lsn {
        self.commits.first().map_or(Lsn::ZERO, |c| c.lsn_first)
    }

    /// The position of the last change.
    #[must_use]
    pub fn lsn_last(&self) -> Lsn {
        self.commits.last().map_or(Lsn::ZERO, Commit::lsn_last)
    }

    /// Calls `f` with each change, its LSN, its commit, and the schema it is read with, in order.
    ///
    /// # Errors
    /// `Corrupt` if a commit names a schema that the segment lacks or its bytes are no changes; and whatever `f` gives.
    pub fn each_change(&self, mut f: impl FnMut(&Commit, Lsn, &Schema, &ChangeRef<'_>) -> Result<()>) -> Result<()> {
        let mut inside: Option<Schema> = None;
        for commit in &self.commits {
            let in_force = inside.take().filter(|s| s.version == commit.schema_version);
            let mut schema = match in_force {
                Some(schema) => std::borrow::Cow::Owned(schema),
                None => std::borrow::Cow::Borrowed(self.schemas.get(&commit.schema_version).ok_or_else(|| {
                    Error::corrupt("a segment lacks a schema that its commits are read with")
                        .with("ns", &self.namespace)
                        .with("lsn", commit.lsn_first)
                        .with("schema_version", commit.schema_version)
                })?),
            };
            let mut reader = codec::Reader::new(&commit.packed);
            let mut lsn = commit.lsn_first;
            while let Some(change) = reader.next()? {
                if let ChangeRef::Schema(_) = change
                    && let Change::Schema(new) = change.to_change()?
                {
                    schema = std::borrow::Cow::Owned(new.schema);
                }
                f(commit, lsn, &schema, &change)?;
                lsn = lsn.next();
            }
            if lsn != commit.lsn_last().next() {
                return Err(Error::corrupt("a commit holds another number of changes than it says")
                    .with("ns", &self.namespace)
                    .with("lsn", commit.lsn_first));
            }
            if let std::borrow::Cow::Owned(schema) = schema {
                inside = Some(schema);
            }
        }
        Ok(())
    }

    /// The segment as bytes.
    ///
    /// # Panics
    /// If there is no commit, or the commits are not contiguous: a caller's bug that must not reach the bucket.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(!self.commits.is_empty(), "a segment holds at least one commit");
        let mut body = Vec::new();
        let timestamp_first = self.commits[0].timestamp;
        let (mut expected, mut last) = (self.commits[0].lsn_first, timestamp_first);
        for c in &self.commits {
            assert_eq!(c.lsn_first, expected, "the commits of a segment are contiguous");
            codec::put_varint(&mut body, c.count);
            codec::put_zigzag(&mut body, c.timestamp.micros() - last.micros());
            codec::put_varint(&mut body, u64::from(c.schema_version));
            let txid = c.txid.as_ref().map_or("", TxId::as_str);
            codec::put_varint(&mut body, txid.len() as u64);
            body.extend_from_slice(txid.as_bytes());
            codec::put_varint(&mut body, c.packed.len() as u64);
            body.extend_from_slice(&c.packed);
            (expected, last) = (c.lsn_last().next(), c.timestamp);
        }
        let header = Header {
            ns: self.namespace.clone(),
            epoch: self.epoch,
            lsn_first: self.lsn_first(),
            lsn_last: self.lsn_last(),
            commits: self.commits.len() as u64,
            timestamp_first: timestamp_first.micros(),
            body_bytes: body.len() as u64,
            schemas: self.schemas.values().cloned().collect(),
        };
        let header = serde_json::to_vec(&header).expect("a header is plain data");
        let (codec, packed) = compress(body);
        let mut out = Vec::with_capacity(header.len() + packed.len() + 18);
        out.extend_from_slice(MAGIC);
        out.push(FORMAT);
        out.push(codec);
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads what [`Segment::encode`] wrote. `name` is said in errors.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not a whole segment, or its checksum differs. `Unsupported` if a newer format or an unknown codec wrote it.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        Self::read(bytes).map_err(|e| e.with("segment", name))
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let short = || Error::corrupt("a segment is cut short");
        let (content, crc) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
        if content.get(..4) != Some(MAGIC) {
            return Err(Error::corrupt("not a segment: its first bytes are not RSEG"));
        }
        let computed = crc32fast::hash(content);
        let stored = u32::from_le_bytes(*crc);
        if computed != stored {
            return Err(Error::corrupt("the checksum of a segment differs from its bytes")
                .with("stored", format!("{stored:08x}"))
                .with("computed", format!("{computed:08x}")));
        }
        let (&format, &codec) = (content.get(4).ok_or_else(short)?, content.get(5).ok_or_else(short)?);
        if format != FORMAT {
            return Err(Error::unsupported("a segment of another format").with("format", format).with_hint("use a newer relstore"));
        }
        let (header, rest) = sized(&content[6..]).ok_or_else(short)?;
        let header: Header =
            serde_json::from_slice(header).map_err(|e| Error::corrupt("the header of a segment cannot be read").with_source(e))?;
        let (packed, rest) = sized(rest).ok_or_else(short)?;
        if !rest.is_empty() {
            return Err(Error::corrupt("a segment has bytes after its body"));
        }
        let body = decompress(codec, packed, header.body_bytes)?;
        let commits = commits_of(&body, &header)?;
        let schemas = header.schemas.into_iter().map(|s| s.checked().map(|s| (s.version, s))).collect::<Result<_>>()?;
        Ok(Self { namespace: header.ns, epoch: header.epoch, commits, schemas })
    }
}

fn commits_of(body: &[u8], header: &Header) -> Result<Vec<Commit>> {
    let bad = || Error::corrupt("the body of a segment cannot be read");
    let mut at = body;
    let (mut lsn, mut micros) = (header.lsn_first.get(), header.timestamp_first);
    let mut commits = Vec::new();
    // A commit takes five bytes at least: a count that the body cannot hold ends in an error, not in an allocation.
    for _ in 0..header.commits {
        let count = codec::take_varint(&mut at).filter(|count| *count > 0).ok_or_else(bad)?;
        let delta = codec::take_varint(&mut at).ok_or_else(bad)?;
        micros = micros.checked_add((delta >> 1) as i64 ^ -((delta & 1) as i64)).ok_or_else(bad)?;
        let schema_version = codec::take_varint(&mut at).and_then(|v| u32::try_from(v).ok()).ok_or_else(bad)?;
        let mut sized = || {
            let length = codec::take_varint(&mut at).and_then(|n| usize::try_from(n).ok())?;
            let (bytes, rest) = at.split_at_checked(length)?;
            at = rest;
            Some(bytes)
        };
        let txid = match sized().ok_or_else(bad)? {
            [] => None,
            bytes => Some(std::str::from_utf8(bytes).ok().and_then(|t| TxId::new(t).ok()).ok_or_else(bad)?),
        };
        let packed = sized().ok_or_else(bad)?;
        let (lsn_first, timestamp) = (Lsn::new(lsn), Timestamp::from_micros(micros));
        commits.push(Commit { lsn_first, count, timestamp, schema_version, txid, packed: packed.to_vec() });
        lsn = lsn.checked_add(count).filter(|next| *next <= Lsn::MAX.get()).ok_or_else(bad)?;
    }
    if !at.is_empty() || commits.is_empty() || header.lsn_first == Lsn::ZERO || lsn - 1 != header.lsn_last.get() {
        return Err(bad());
    }
    Ok(commits)
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(feature = "zstd")]
fn compress(body: Vec<u8>) -> (u8, Vec<u8>) {
    let packed = zstd::bulk::compress(&body, ZSTD_LEVEL).expect("compression into memory has no failure but exhaustion");
    if packed.len() < body.len() { (CODEC_ZSTD, packed) } else { (CODEC_NONE, body) }
}

#[cfg(not(feature = "zstd"))]
fn compress(body: Vec<u8>) -> (u8, Vec<u8>) {
    (CODEC_NONE, body)
}

fn decompress(codec: u8, packed: &[u8], body_bytes: u64) -> Result<Vec<u8>> {
    let body = match codec {
        CODEC_NONE => packed.to_vec(),
        #[cfg(feature = "zstd")]
        CODEC_ZSTD => inflate(packed, body_bytes)
            .map_err(|e| Error::corrupt("the body of a segment cannot be decompressed").with("body_bytes", body_bytes).with_source(e))?,
        _ => return Err(Error::unsupported("a segment of an unknown codec").with("codec", codec).with_hint("use a newer relstore")),
    };
    if body.len() as u64 != body_bytes {
        return Err(Error::corrupt("the body of a segment has another length than its header says").with("body_bytes", body_bytes));
    }
    Ok(body)
}

/// Takes memory as the bytes come, and no more than one byte beyond what the header says: the header may lie, and so may the frame.
#[cfg(feature = "zstd")]
fn inflate(packed: &[u8], body_bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    const BELIEVED_MAX: u64 = 1 << 20;
    let mut body = Vec::with_capacity(body_bytes.min(BELIEVED_MAX) as usize);
    zstd::stream::read::Decoder::with_buffer(packed)?.single_frame().take(body_bytes.saturating_add(1)).read_to_end(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Op, TableId, ValueRef};

    fn segment() -> Segment {
        let schema = Schema { version: 3, ..Schema::default() };
        let commits = (0..50u64)
            .map(|i| {
                let mut packed = Vec::new();
                for n in 0..=i % 3 {
                    let cells = [ValueRef::Integer((i * 10 + n) as i64), ValueRef::Text(b"some text that repeats")];
                    codec::put_row(&mut packed, Op::Create, TableId(1), None, cells.into_iter());
                }
                let before: u64 = (0..i).map(|j| j % 3 + 1).sum();
                Commit {
                    lsn_first: Lsn::new(100 + before),
                    count: i % 3 + 1,
                    timestamp: Timestamp::from_micros(1_000 + i as i64),
                    schema_version: 3,
                    txid: (i % 4 == 0).then(|| TxId::new(format!("order-{i}")).unwrap()),
                    packed,
                }
            })
            .collect();
        Segment { namespace: Namespace::new("acme").unwrap(), epoch: 2, commits, schemas: BTreeMap::from([(3, schema)]) }
    }

    #[test]
    fn a_segment_reads_back_and_gives_every_change_its_lsn() {
        let written = segment();
        let read = Segment::decode("s", &written.encode()).unwrap();
        assert_eq!(read, written);
        let mut lsns = Vec::new();
        read.each_change(|_, lsn, schema, change| {
            assert_eq!(schema.version, 3);
            assert!(matches!(change, ChangeRef::Row(row) if row.after.len() == 2));
            lsns.push(lsn.get());
            Ok(())
        })
        .unwrap();
        assert_eq!(lsns, (100..=read.lsn_last().get()).collect::<Vec<_>>());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused_by_name() {
        let bytes = segment().encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            let error = Segment::decode("log/1/x.seg", &bad).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
            assert!(error.to_string().contains("log/1/x.seg"), "{error}");
            assert!(Segment::decode("x", &bytes[..at]).is_err());
        }
    }
}
