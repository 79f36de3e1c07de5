//! How long to wait before a delivery is tried again: exponential, with full jitter, so that many consumers of one destination that
//! failed together do not come back together.

use std::time::Duration;

/// Delays between tries. The same seed gives the same delays.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    state: u64,
}

impl Backoff {
    /// The delay before retry `n`, counted from 0, is drawn evenly from zero to `base · 2ⁿ`, and never exceeds `max`.
    #[must_use]
    pub const fn new(base: Duration, max: Duration, seed: u64) -> Self {
        Self { base, max, state: seed }
    }

    /// From a fifth of a second up to a minute.
    #[must_use]
    pub const fn standard(seed: u64) -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(60), seed)
    }

    /// The delay before retry `retry`.
    pub fn delay(&mut self, retry: u32) -> Duration {
        let most = self.base.saturating_mul(1 << retry.min(20)).min(self.max);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        // The high half of a product: even enough, and without a division.
        Duration::from_nanos(((u128::from(self.draw()) * u128::from(nanos)) >> 64) as u64)
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_are_spread_and_have_an_end() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 7);
        for retry in 0..40 {
            let most = Duration::from_millis(100).saturating_mul(1 << retry.min(20)).min(Duration::from_secs(5));
            let delays: Vec<Duration> = (0..200).map(|_| backoff.delay(retry)).collect();
            assert!(delays.iter().all(|d| *d <= most), "retry {retry}");
            let mean = delays.iter().sum::<Duration>() / 200;
            assert!(mean > most.mul_f64(0.4) && mean < most.mul_f64(0.6), "retry {retry}: {mean:?} of {most:?}");
        }
        let (mut a, mut b) = (Backoff::standard(1), Backoff::standard(1));
        assert_eq!(a.delay(3), b.delay(3));
    }
}
