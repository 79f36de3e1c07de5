//! Wall time and the thread's CPU time together: the second is the steadier one on a machine that others use.

use std::time::Instant;

/// Operations a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// By the clock on the wall.
    pub(crate) wall: f64,
    /// By the time that the thread was on a CPU.
    pub(crate) cpu: f64,
}

/// Both times since it was started. The CPU time is the calling thread's.
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu_ns: u64,
}

/// Nanoseconds that the calling thread has been on a CPU; 0 where the system does not say.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { cpu_ns: cpu_ns(), wall: Instant::now() }
    }

    /// The rate of `operations` since the start.
    pub(crate) fn rate(&self, operations: usize) -> Rate {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = (cpu_ns() - self.cpu_ns) as f64 / 1e9;
        Rate { wall: operations as f64 / wall, cpu: operations as f64 / cpu }
    }
}
