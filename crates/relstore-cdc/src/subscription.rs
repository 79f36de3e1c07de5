//! Subscriptions with a handler: a thread that gives it each commit's events in order, and does not swallow what goes wrong.
//!
//! In-process ([`Subscription::start`]): each commit exactly once while it runs, from where the program says. Durable
//! ([`crate::Subscribe::each`]): at least once over restarts, from its cursor. A slow handler holds up neither the writer nor another
//! subscription.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use relstore_engine::Database;
use relstore_model::event::Selection;
use relstore_model::{Error, ErrorKind, Lsn, Namespace, Result, UnifiedEvent};

use crate::backoff::Backoff;
use crate::delivery::{ConsumerStatus, Delivery};
use crate::follower::Follower;
use crate::subscriber::Subscriber;
use crate::wake::{Alarm, Woken};

/// What a handler may give: nothing, or a result. An `Unavailable` error is tried again; any other parks.
pub trait Handled {
    /// As a result.
    ///
    /// # Errors
    /// What the handler gave.
    fn into_result(self) -> Result<()>;
}

impl Handled for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Handled for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// A running subscription. It ends when it is dropped, after the delivery in hand.
pub struct Subscription {
    shared: Arc<Shared>,
    alarm: Alarm,
    db: Arc<Database>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    /// Everything up to here was handled or passed over.
    handled: Lsn,
    parked: Option<(ErrorKind, String)>,
    last_error: Option<String>,
    retries: u32,
    has_ended: bool,
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

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscription {
    /// Calls `handler` with the events of each commit after `after` of which something is chosen. It has no cursor: nothing holds the
    /// log for it, and after a restart it begins where the program says.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub fn start<R: Handled>(
        db: Arc<Database>,
        ns: Namespace,
        after: Lsn,
        selection: impl Into<Selection>,
        mut handler: impl FnMut(&[UnifiedEvent]) -> R + Send + 'static,
    ) -> Result<Self> {
        let follower = Follower::new(db, ns, after, selection.into());
        Self::spawn(Feed::Follower(follower), after, move |d: &Delivery| handler(&d.events).into_result())
    }

    pub(crate) fn of_subscriber<R: Handled>(
        subscriber: Subscriber,
        mut handler: impl FnMut(&Delivery) -> R + Send + 'static,
    ) -> Result<Self> {
        let at = if subscriber.is_in_snapshot() { Lsn::ZERO } else { subscriber.acknowledged() };
        Self::spawn(Feed::Subscriber(Box::new(subscriber), None, Instant::now()), at, move |d| handler(d).into_result())
    }

    fn spawn(feed: Feed, at: Lsn, handler: impl FnMut(&Delivery) -> Result<()> + Send + 'static) -> Result<Self> {
        let parked = if let Feed::Subscriber(s, ..) = &feed { s.parked().map(|p| (ErrorKind::Internal, p.to_owned())) } else { None };
        let shared = Arc::new(Shared { state: Mutex::new(State { handled: at, parked, ..State::default() }), moved: Condvar::new() });
        let (alarm, db) = (feed.follower().alarm(), Arc::clone(feed.follower().database()));
        let ns = feed.follower().namespace().clone();
        let backoff = Backoff::standard(ns.hash() ^ at.get());
        let work = Worker { feed, handler, shared: Arc::clone(&shared), backoff };
        let thread = std::thread::Builder::new()
            .name(format!("relstore-subscription-{ns}"))
            .spawn(move || work.run())
            .map_err(|e| Error::unavailable("a subscription's thread cannot be started").with("ns", &ns).with_source(e))?;
        Ok(Self { shared, alarm, db, thread: Some(thread) })
    }

    /// Waits until everything up to `lsn` was handled.
    ///
    /// # Errors
    /// What parked the subscription, as its kind: the handler's error, `Internal` if it panicked, `NotFound` if the log had been trimmed
    /// past it, `Corrupt` by the disk.
    pub fn wait_for(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.handled >= lsn {
                return Ok(());
            }
            if let Some((kind, reason)) = &state.parked {
                return Err(Error::new(*kind, "the subscription is parked")
                    .with("reason", reason)
                    .with("handled_lsn", state.handled)
                    .with_hint("mend the cause and unpark it: it goes on with the commit that failed"));
            }
            if state.has_ended {
                return Err(Error::new(ErrorKind::Closed, "the subscription has ended").with("handled_lsn", state.handled));
            }
            state = self.shared.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> ConsumerStatus {
        let high_water = self.db.high_water();
        self.shared.look(|s| ConsumerStatus {
            watermark: s.handled,
            lag: high_water.get().saturating_sub(s.handled.get()),
            parked: s.parked.as_ref().map(|(_, reason)| reason.clone()),
            last_error: s.last_error.clone(),
            retries: s.retries,
        })
    }

    /// Lets a parked subscription go on with the delivery that failed; one that waits to try again does so now.
    pub fn unpark(&self) {
        self.shared.update(|s| s.parked = None);
        self.alarm.nudge();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.alarm.close();
        if let Some(thread) = self.thread.take() {
            // Its failure, a panic included, is in the state already.
            let _ = thread.join();
        }
    }
}

/// Where the deliveries come from.
enum Feed {
    Follower(Follower),
    /// With what was handled and is not yet acknowledged in the hot file, and when that was last done.
    Subscriber(Box<Subscriber>, Option<Lsn>, Instant),
}

impl Feed {
    /// A quick handler need not pay for a transaction each; a slow one is acknowledged each time.
    const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(20);
    /// How long is waited for a commit before the cursor is looked after.
    const WAIT: Duration = Duration::from_secs(1);
    /// How long is waited for a part of a snapshot before it is looked whether the subscription ends.
    const SNAPSHOT_WAIT: Duration = Duration::from_millis(100);

    fn follower(&self) -> &Follower {
        match self {
            Self::Follower(follower) => follower,
            Self::Subscriber(subscriber, ..) => subscriber.follower(),
        }
    }

    /// The next delivery, if there is one now.
    fn next(&mut self) -> Result<Option<Delivery>> {
        match self {
            Self::Follower(follower) => follower.next(Duration::ZERO),
            // The parts of a snapshot are not told of like commits: it is waited for them there.
            Self::Subscriber(subscriber, ..) if subscriber.is_in_snapshot() => subscriber.next(Self::SNAPSHOT_WAIT),
            Self::Subscriber(subscriber, ..) => subscriber.next(Duration::ZERO),
        }
    }

    /// Everything up to here was given or passed over; nothing while a snapshot is under way.
    fn passed(&self) -> Lsn {
        match self {
            Self::Subscriber(subscriber, ..) if subscriber.is_in_snapshot() => Lsn::ZERO,
            _ => self.follower().position(),
        }
    }

    /// There is nothing to do: acknowledges what is not yet, and waits for a commit.
    fn rest(&mut self) -> Result<()> {
        self.acknowledge()?;
        if let Self::Subscriber(subscriber, ..) = self
            && subscriber.is_in_snapshot()
        {
            return Ok(());
        }
        self.follower().wait(Self::WAIT).map(|_| ())
    }

    fn acknowledge(&mut self) -> Result<()> {
        if let Self::Subscriber(subscriber, handled, since) = self
            && let Some(lsn) = *handled
        {
            subscriber.acknowledge(lsn)?;
            (*handled, *since) = (None, Instant::now());
        }
        Ok(())
    }

    fn handled(&mut self, lsn: Lsn) -> Result<()> {
        let Self::Subscriber(_, handled, since) = self else { return Ok(()) };
        *handled = Some(lsn);
        if since.elapsed() >= Self::ACKNOWLEDGE_EVERY { self.acknowledge() } else { Ok(()) }
    }

    fn park(&mut self, reason: Option<&str>) -> Result<()> {
        match self {
            Self::Subscriber(subscriber, ..) if subscriber.parked() != reason => {}
            _ => return Ok(()),
        }
        self.acknowledge()?;
        if let Self::Subscriber(subscriber, ..) = self { subscriber.park(reason) } else { Ok(()) }
    }
}

struct Worker<H> {
    feed: Feed,
    handler: H,
    shared: Arc<Shared>,
    backoff: Backoff,
}

impl<H: FnMut(&Delivery) -> Result<()>> Worker<H> {
    fn run(mut self) {
        let mut in_hand: Option<Delivery> = None;
        let mut retries = 0;
        while !self.feed.follower().wake().is_closing() {
            if self.shared.look(|s| s.parked.is_some()) {
                self.feed.follower().wake().pause(Duration::MAX);
                if self.shared.look(|s| s.parked.is_none()) {
                    retries = 0;
                }
                continue;
            }
            match self.turn(&mut in_hand, retries) {
                Ok(()) => {
                    if retries > 0 {
                        self.shared.update(|s| s.retries = 0);
                    }
                    retries = 0;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    let delay = self.backoff.delay(retries);
                    retries += 1;
                    self.shared.update(|s| (s.last_error, s.retries) = (Some(error.to_string()), retries));
                    if self.feed.follower().wake().pause(delay) == Woken::Closing {
                        break;
                    }
                }
                Err(error) => self.park(&error),
            }
        }
        // If the disk refuses, it is given again: delivery is at least once.
        let _ = self.feed.acknowledge();
        self.shared.update(|s| s.has_ended = true);
    }

    /// Takes the next delivery, unless one is in hand from a try before, and has it handled.
    fn turn(&mut self, in_hand: &mut Option<Delivery>, retries: u32) -> Result<()> {
        self.feed.park(None)?;
        if in_hand.is_none() {
            *in_hand = self.feed.next()?;
        }
        let Some(delivery) = in_hand else {
            let at = self.feed.passed();
            if self.shared.look(|s| s.handled < at) {
                self.shared.update(|s| s.handled = at);
            }
            return self.feed.rest();
        };
        for event in &mut delivery.events {
            event.meta.retries = retries;
        }
        let handle = || (self.handler)(delivery);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(handle)).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Error::internal("the handler panicked").with("panic", said.unwrap_or_default()).with("lsn", delivery.lsn))
        })?;
        let (lsn, is_whole) = (delivery.lsn, delivery.snapshot.is_none_or(|part| part.is_last));
        *in_hand = None;
        self.feed.handled(lsn)?;
        if is_whole {
            self.shared.update(|s| s.handled = s.handled.max(lsn));
        }
        Ok(())
    }

    fn park(&mut self, error: &Error) {
        let reason = error.to_string();
        // If the disk refuses that too, it is parked in memory.
        let _ = self.feed.park(Some(&reason));
        self.shared.update(|s| (s.last_error, s.parked) = (Some(reason.clone()), Some((error.kind(), reason))));
    }
}
