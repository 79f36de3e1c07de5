//! The commits of a store as events, taken one at a time: JavaScript asks for the next when it has handled the last, so nothing piles up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use napi_derive::napi;
use relstore_cdc::Follower;
use relstore_model::event::{Images, Selection};
use relstore_model::{Error, Lsn, Result};
use serde_json::json;

use crate::failure::shielded;
use crate::jobs::{Done, Lane};
use crate::store::{Shared, Store, lock};

/// The commits after a position. `None` once it has ended.
type Open = Arc<Mutex<Option<Follower>>>;

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
            let shared = Arc::clone(&self.shared);
            Ok(Feed { shared, open: Arc::new(Mutex::new(Some(Follower::new(database, self.shared.ns.clone(), after, selection)))) })
        })
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

    /// Ends it.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        drop(lock(&self.open).take());
    }
}

fn next(open: &Open) -> Result<Option<String>> {
    let mut open = lock(open);
    let Some(follower) = open.as_mut() else { return Ok(None) };
    let Some(delivery) = follower.next(Duration::ZERO)? else { return Ok(None) };
    let json = serde_json::to_string(&json!({"lsn": delivery.lsn.get(), "events": delivery.events}));
    json.map(Some).map_err(|e| Error::internal("events are no JSON").with("lsn", delivery.lsn).with_source(e))
}
