//! Trying again what may succeed the next time.

use std::time::Duration;

use relstore_model::{Error, ErrorKind};

/// How often, and how long apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is tried in all, at least once.
    pub attempts_max: u32,
    /// The longest pause before the second attempt; it doubles with each further one. The pause is drawn at random up to it, so that those who
    /// failed together do not meet again.
    pub pause: Duration,
    /// The longest pause at all.
    pub pause_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 5, pause: Duration::from_millis(10), pause_max: Duration::from_secs(1) }
    }
}

impl Retry {
    /// Runs `body` until it succeeds, fails for good, or was tried often enough; gives what it gave last. `Conflict` and `Unavailable` are
    /// tried again, whatever else is not. The body must be one that may run again: a whole transaction, with its reads. One that must not
    /// be applied twice has an id of its own: [`crate::Database::transaction_once`]. So must one of a store of durability `remote`, whose
    /// commit stands even where `Unavailable` says that the bucket does not have it yet.
    ///
    /// # Errors
    /// What `body` gave last.
    pub fn run<T, E: AsRef<Error>>(&self, mut body: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        let mut attempt = 1;
        loop {
            match body() {
                Err(e) if attempt < self.attempts_max && is_passing(e.as_ref()) => std::thread::sleep(self.pause_before(attempt + 1)),
                result => return result,
            }
            attempt += 1;
        }
    }

    fn pause_before(&self, attempt: u32) -> Duration {
        let longest = self.pause.saturating_mul(1 << (attempt - 2).min(16)).min(self.pause_max);
        longest.mul_f64(random())
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unavailable)
}

/// From 0 to 1, otherwise with each call.
fn random() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let retry = Retry { attempts_max: 3, pause: Duration::ZERO, pause_max: Duration::ZERO };
        let attempts = |kind: ErrorKind, succeeds_at: u32| {
            let mut attempts = 0;
            let result = retry.run(|| {
                attempts += 1;
                if attempts == succeeds_at { Ok(attempts) } else { Err(Error::new(kind, "not yet")) }
            });
            (attempts, result.is_ok())
        };
        assert_eq!(attempts(ErrorKind::Conflict, 2), (2, true));
        assert_eq!(attempts(ErrorKind::Unavailable, 3), (3, true));
        assert_eq!(attempts(ErrorKind::Conflict, 9), (3, false));
        assert_eq!(attempts(ErrorKind::Constraint, 2), (1, false));
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retry = Retry { attempts_max: 40, pause: Duration::from_millis(10), pause_max: Duration::from_millis(50) };
        for attempt in 2..40 {
            assert!(retry.pause_before(attempt) <= Duration::from_millis(if attempt == 2 { 10 } else { 50 }));
        }
    }
}
