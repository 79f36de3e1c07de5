//! The commits of a store as events, taken one at a time: JavaScript asks for the next when it has handled the last, so nothing piles up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{AsyncTask, Task};
use napi_derive::napi;
use relstore_cdc::Follower;
use relstore_model::event::{Images, Selection};
use relstore_model::{Error, Lsn};
use serde_json::json;

use crate::failure::shielded;
use crate::store::{Store, lock};

/// The commits after a position. `None` once it has ended.
type Open = Arc<Mutex<Option<Follower>>>;

/// The commits of a store after a position, as events.
#[napi]
pub struct Feed {
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
            Ok(Feed { open: Arc::new(Mutex::new(Some(Follower::new(database, self.shared.ns.clone(), after, selection)))) })
        })
    }
}

#[napi]
impl Feed {
    /// The next commit that is there, as JSON: its position and its events. It does not wait for one.
    #[napi(catch_unwind)]
    pub fn next(&self) -> AsyncTask<Next> {
        AsyncTask::new(Next(Arc::clone(&self.open)))
    }

    /// Ends it.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        drop(lock(&self.open).take());
    }
}

/// The next commit.
pub struct Next(Open);

impl Task for Next {
    type Output = Option<String>;
    type JsValue = Option<String>;

    fn compute(&mut self) -> napi::Result<Option<String>> {
        shielded(|| {
            let mut open = lock(&self.0);
            let Some(follower) = open.as_mut() else { return Ok(None) };
            let Some(delivery) = follower.next(Duration::ZERO)? else { return Ok(None) };
            let json = serde_json::to_string(&json!({"lsn": delivery.lsn.get(), "events": delivery.events}));
            json.map(Some).map_err(|e| Error::internal("events are no JSON").with("lsn", delivery.lsn).with_source(e))
        })
    }

    fn resolve(&mut self, _env: Env, next: Option<String>) -> napi::Result<Option<String>> {
        Ok(next)
    }
}
