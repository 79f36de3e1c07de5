//! In-process subscriptions: a handler that gets each commit's events exactly once, in order, while it runs.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use relstore_engine::{Computed, Database};
use relstore_model::event::{Images, events_of};
use relstore_model::{Error, Lsn, Namespace, Result, UnifiedEvent};

/// A running subscription. It ends when it is dropped, after the commit in hand.
pub struct Subscription {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    /// The last change that was committed.
    committed: Lsn,
    /// The last change that was handled.
    handled: Lsn,
    is_closing: bool,
    failure: Option<Error>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    /// Waits until `ready` gives something.
    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(value) = ready(&mut state) {
                return value;
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Subscription {
    /// How many bytes of changes are read at a time.
    const READ_BYTES: usize = 1 << 20;

    /// Calls `handler` with the events of each commit after `after`, on a thread of its own: a slow handler holds nobody up but itself.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub fn start(
        db: Arc<Database>,
        ns: Namespace,
        after: Lsn,
        images: Images,
        handler: impl FnMut(&[UnifiedEvent]) + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let told = Arc::downgrade(&shared);
        db.on_commit(move |lsn| {
            if let Some(shared) = told.upgrade() {
                shared.update(|s| s.committed = s.committed.max(lsn));
            }
        });
        // After the listener is in place: a commit in between is seen by one or the other.
        shared.update(|s| (s.committed, s.handled) = (s.committed.max(db.high_water()), after));
        let follow = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("relstore-subscription-{ns}"))
            .spawn(move || follow_log(&follow, &db, &ns, images, handler))
            .map_err(|e| Error::unavailable("a subscription's thread cannot be started").with_source(e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Waits until the handler has been given everything up to `lsn`.
    ///
    /// # Errors
    /// What stopped the subscription: `NotFound` if the log had been trimmed past it, `Corrupt` or `Unavailable` by the disk, `Internal`
    /// if the handler panicked.
    pub fn wait_for(&self, lsn: Lsn) -> Result<()> {
        self.shared.wait(|s| match s.failure.take() {
            Some(error) => Some(Err(error)),
            None => (s.handled >= lsn).then_some(Ok(())),
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.update(|s| s.is_closing = true);
        if let Some(thread) = self.thread.take() {
            // Its failure, a panic included, is in the state already.
            let _ = thread.join();
        }
    }
}

fn follow_log(shared: &Shared, db: &Database, ns: &Namespace, images: Images, mut handler: impl FnMut(&[UnifiedEvent])) {
    let computed = Computed::default();
    let mut run = || -> Result<()> {
        while let Some(after) =
            shared.wait(|s| if s.is_closing { Some(None) } else { (s.committed > s.handled).then_some(Some(s.handled)) })
        {
            for commit in db.commits_after(after, Subscription::READ_BYTES)? {
                let mut schema = db.schema_at(commit.schema_version)?;
                let events = events_of(ns, &commit, &mut schema, images, &computed)?;
                handler(&events);
                shared.update(|s| s.handled = commit.lsn_last());
            }
        }
        Ok(())
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut run));
    let failure = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.with("ns", ns),
        Err(_) => Error::internal("a subscription's handler panicked").with("ns", ns),
    };
    shared.update(|s| s.failure = Some(failure));
}
