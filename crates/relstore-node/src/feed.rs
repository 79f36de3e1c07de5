//! The commits of a store as events, taken one at a time: JavaScript asks for the next when it has handled the last, so nothing piles up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use napi_derive::napi;
use relstore_cdc::{Follower, Subscribe, Subscriber};
use relstore_engine::Start;
use relstore_model::event::{Images, Selection};
use relstore_model::{Error, Lsn, Result};
use serde_json::json;

use crate::failure::shielded;
use crate::jobs::{Done, Lane};
use crate::store::{Shared, Store, lock};

/// The longest that a part of a snapshot is waited for at a time.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(1);

/// Where the commits come from.
pub(crate) enum Source {
    /// From a position that the program knows.
    Follower(Box<Follower>),
    /// From a cursor in the store.
    Subscriber(Box<Subscriber>),
}

/// `None` once it has ended.
type Open = Arc<Mutex<Option<Source>>>;

/// The commits of a store after a position, as events.
#[napi]
pub struct Feed {
    shared: Arc<Shared>,
    open: Open,
}

#[napi]
impl Store {
    /// The commits after `after`, or after the last one; of `tables` alone, unless there are none; with the whole row of an update, or what
    /// changed of it.
    #[napi(catch_unwind)]
    pub fn follow(&self, after: Option<f64>, tables: Vec<String>, is_full: bool) -> napi::Result<Feed> {
        shielded(|| {
            let database = self.shared.database()?;
            let images = if is_full { Images::Full } else { Images::Changed };
            let after = after.map_or_else(|| database.high_water(), |after| Lsn::new(after as u64));
            let selection = Selection { images, tables, ops: Vec::new() };
            Ok(Feed::new(&self.shared, Source::Follower(Box::new(Follower::new(database, self.shared.ns.clone(), after, selection)))))
        })
    }

    /// As `follow`, from the durable cursor `name`. A new one begins after `after`, or with every row that is there, or with the next commit.
    #[napi(catch_unwind)]
    pub fn subscribe(
        &self,
        name: String,
        after: Option<f64>,
        is_with_snapshot: bool,
        tables: Vec<String>,
        is_full: bool,
    ) -> napi::Result<u32> {
        let ns = self.shared.ns.clone();
        self.shared.start(Lane::Write, move |database| {
            let mut subscribe = Subscribe::new(Arc::clone(database), ns, name).tables(tables);
            if is_full {
                subscribe = subscribe.images(Images::Full);
            }
            subscribe = match after {
                _ if is_with_snapshot => subscribe.with_snapshot(),
                Some(after) => subscribe.start(Start::After(Lsn::new(after as u64))),
                None => subscribe,
            };
            Ok(Done::Feed(Source::Subscriber(Box::new(subscribe.open()?))))
        })
    }
}

impl Feed {
    pub(crate) fn new(shared: &Arc<Shared>, source: Source) -> Self {
        Self { shared: Arc::clone(shared), open: Arc::new(Mutex::new(Some(source))) }
    }
}

#[napi]
impl Feed {
    /// The next commit that is there, as JSON: its position and its events. It does not wait for one.
    #[napi(catch_unwind)]
    pub fn next(&self) -> napi::Result<u32> {
        let open = Arc::clone(&self.open);
        self.shared.start(Lane::Read, move |_| next(&open).map(Done::Text))
    }

    /// Says that everything up to `lsn` is done and is not to be given again. Not inside a transaction: it takes the writer.
    #[napi(catch_unwind)]
    pub fn acknowledge(&self, lsn: f64) -> napi::Result<u32> {
        let open = Arc::clone(&self.open);
        self.shared.start(Lane::Write, move |_| {
            if let Some(Source::Subscriber(subscriber)) = lock(&open).as_mut() {
                subscriber.acknowledge(Lsn::new(lsn as u64))?;
            }
            Ok(Done::Nothing)
        })
    }

    /// Ends it.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        drop(lock(&self.open).take());
    }
}

fn next(open: &Open) -> Result<Option<String>> {
    let mut open = lock(open);
    let delivery = match open.as_mut() {
        None => return Ok(None),
        Some(Source::Follower(follower)) => follower.next(Duration::ZERO)?,
        Some(Source::Subscriber(subscriber)) => loop {
            // The parts of a snapshot are read by a thread of its own: they are not there at once.
            let is_in_snapshot = subscriber.is_in_snapshot();
            let delivery = subscriber.next(if is_in_snapshot { SNAPSHOT_WAIT } else { Duration::ZERO })?;
            if delivery.is_some() || !is_in_snapshot {
                break delivery;
            }
        },
    };
    let Some(delivery) = delivery else { return Ok(None) };
    let part = delivery.snapshot.map(|part| json!({"isFirst": part.is_first, "isLast": part.is_last}));
    let json = serde_json::to_string(&json!({"lsn": delivery.lsn.get(), "events": delivery.events, "snapshot": part}));
    json.map(Some).map_err(|e| Error::internal("events are no JSON").with("lsn", delivery.lsn).with_source(e))
}
