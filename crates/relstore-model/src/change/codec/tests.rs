use super::*;
use crate::Value;

/// xorshift64*: enough to vary the cases, and a seed replays them.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn cell(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => Value::Integer(self.below(2) as i64),
            2 => Value::Integer(self.next() as i64 >> self.below(64)),
            3 => Value::Real(f64::from_bits(self.next() >> 2)),
            4 => Value::Text("é".repeat(self.below(200) as usize)),
            _ => Value::Blob(vec![self.next() as u8; self.below(300) as usize]),
        }
    }

    fn change(&mut self) -> RowChange {
        let n = self.below(20) as usize;
        let before: Row = (0..n).map(|_| self.cell()).collect();
        let after: Row = before.iter().map(|c| if self.below(3) == 0 { self.cell() } else { c.clone() }).collect();
        let op = [Op::Create, Op::Update, Op::Delete, Op::Read][self.below(4) as usize];
        RowChange {
            table: TableId(self.below(1000) as u32),
            op,
            rowid: (self.below(2) == 0).then(|| self.next() as i64),
            before: matches!(op, Op::Update | Op::Delete).then_some(before),
            after: (op != Op::Delete).then_some(after),
        }
    }
}

fn put(out: &mut Vec<u8>, c: &RowChange) {
    fn refs(row: &Option<Row>) -> Vec<ValueRef<'_>> {
        row.iter().flatten().map(Value::as_ref).collect()
    }
    match c.op {
        Op::Update => put_update(out, c.table, c.rowid, &refs(&c.before), &refs(&c.after)),
        op => put_row(out, op, c.table, c.rowid, c.image().iter().map(Value::as_ref)),
    }
}

#[test]
fn what_is_packed_is_unpacked() {
    for seed in 1..200u64 {
        let mut rng = Rng(seed);
        let changes: Vec<RowChange> = (0..rng.below(30)).map(|_| rng.change()).collect();
        let mut packed = Vec::new();
        for change in &changes {
            put(&mut packed, change);
        }
        let back: Vec<Change> = unpack(&packed).unwrap();
        assert_eq!(back, changes.into_iter().map(Change::Row).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    for seed in 1..400u64 {
        let mut rng = Rng(seed);
        let mut packed = Vec::new();
        for _ in 0..5 {
            let change = rng.change();
            put(&mut packed, &change);
        }
        let cut = rng.below(packed.len() as u64 + 1) as usize;
        let _ = unpack(&packed[..cut]);
        let at = rng.below(packed.len() as u64) as usize;
        packed[at] ^= 1 << rng.below(8);
        let _ = unpack(&packed);
    }
    assert!(unpack(&[b'I', 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "a huge count is refused before it is allocated");
    assert!(unpack(b"X").is_err());
}
