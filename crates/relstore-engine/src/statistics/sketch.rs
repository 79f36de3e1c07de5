//! How many different values a column has had, in four kilobytes: a HyperLogLog.
//!
//! 4096 registers, so the standard error is 1.04/√4096 = 1.6 %. The estimate is Ertl's (<https://arxiv.org/abs/1702.01284>, algorithm 6),
//! which needs no tables of corrections and is as good for ten values as for a billion. Small enough to read whole, which the crates for it
//! are not, and its bytes are ours: they stay in the store.

use relstore_model::{Error, Result};

/// Bits of the hash that choose a register.
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;
/// Bits of the hash that are left.
const REST: u32 = 64 - PRECISION;

/// The sketch. It only grows: a value that went is still counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sketch {
    /// The registers; empty until there is a value, as most columns of most tables of a fleet are.
    registers: Vec<u8>,
}

impl Sketch {
    /// Counts a value by its hash.
    pub(crate) fn add(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.registers = vec![0; REGISTERS];
        }
        let register = &mut self.registers[(hash >> REST) as usize];
        let rank = ((hash << PRECISION).leading_zeros().min(REST) + 1) as u8;
        *register = (*register).max(rank);
    }

    /// About how many different values were counted.
    pub(crate) fn estimate(&self) -> u64 {
        if self.registers.is_empty() {
            return 0;
        }
        let mut counts = [0u32; REST as usize + 2];
        for register in &self.registers {
            counts[usize::from(*register)] += 1;
        }
        let m = REGISTERS as f64;
        let mut z = m * tau(1.0 - f64::from(counts[REST as usize + 1]) / m);
        for k in (1..=REST as usize).rev() {
            z = 0.5 * (z + f64::from(counts[k]));
        }
        z += m * sigma(f64::from(counts[0]) / m);
        (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
    }

    /// The bytes that are kept: pairs of a register (two bytes, little-endian) and its value while that is shorter, all registers otherwise.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let used = self.registers.iter().filter(|r| **r > 0).count();
        if used * 3 >= REGISTERS {
            return self.registers.clone();
        }
        let pairs = self.registers.iter().enumerate().filter(|(_, r)| **r > 0);
        pairs.flat_map(|(i, r)| [(i & 0xff) as u8, (i >> 8) as u8, *r]).collect()
    }

    /// Reads what [`Sketch::to_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::corrupt("a sketch of distinct values cannot be read").with_hint("run analyze on the table");
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut registers = vec![0; REGISTERS];
        if bytes.len() == REGISTERS {
            registers.copy_from_slice(bytes);
        } else {
            let (pairs, rest) = bytes.as_chunks::<3>();
            if !rest.is_empty() {
                return Err(corrupt());
            }
            for [low, high, value] in pairs {
                let at = usize::from(*low) | usize::from(*high) << 8;
                *registers.get_mut(at).ok_or_else(corrupt)? = *value;
            }
        }
        if registers.iter().any(|r| u32::from(*r) > REST + 1) {
            return Err(corrupt());
        }
        Ok(Self { registers })
    }
}

/// Σ x^(2^k) 2^(k-1) + x.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn estimates_are_near_from_one_value_to_a_million() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.estimate(), 0);
        let mut n = 0u64;
        for wanted in [1u64, 2, 10, 100, 1_000, 5_000, 20_000, 100_000, 1_000_000] {
            while n < wanted {
                sketch.add(xxh3_64(&n.to_le_bytes()));
                n += 1;
            }
            let error = (sketch.estimate() as f64 - wanted as f64).abs() / wanted as f64;
            // Three standard errors.
            assert!(error < 0.05, "{wanted} values are estimated as {}", sketch.estimate());
        }
    }

    #[test]
    fn bytes_give_the_sketch_back_and_damage_is_refused() {
        let mut sketch = Sketch::default();
        for n in 0..4_000u64 {
            if n == 0 || n == 7 || n == 900 || n == 3_999 {
                assert_eq!(Sketch::from_bytes(&sketch.to_bytes()).unwrap(), sketch);
            }
            sketch.add(xxh3_64(&n.to_le_bytes()));
        }
        assert!(
            Sketch::from_bytes(&[1, 2]).is_err() && Sketch::from_bytes(&[0, 0xff, 1]).is_err() && Sketch::from_bytes(&[0, 0, 99]).is_err()
        );
    }
}
