//! Who is told of each commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use relstore_model::Lsn;

/// Told after each commit that changed something: the position of its last change.
type Listener = Box<dyn Fn(Lsn) + Send + Sync>;
type List = RwLock<Vec<(u64, Listener)>>;

/// The listeners of one database.
#[derive(Default)]
pub(crate) struct Listeners {
    list: Arc<List>,
    next: AtomicU64,
}

/// A listener is told of commits as long as this lives. It must not be dropped by the listener itself.
#[must_use = "the listener goes when this is dropped"]
pub struct Listening {
    list: Weak<List>,
    number: u64,
}

impl Listeners {
    pub(crate) fn add(&self, listener: impl Fn(Lsn) + Send + Sync + 'static) -> Listening {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.list.write().unwrap_or_else(PoisonError::into_inner).push((number, Box::new(listener)));
        Listening { list: Arc::downgrade(&self.list), number }
    }

    pub(crate) fn tell(&self, lsn: Lsn) {
        for (_, listener) in self.list.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(lsn);
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(list) = self.list.upgrade() {
            list.write().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != self.number);
        }
    }
}
