//! What one connection has of the cold tier: the objects in its temp schema, and plans for its statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use relstore_model::{Error, Result, Value};

use super::cold_table::{Link, register};
use super::plan::Plan;
use super::tier::{Cold, Tier, text};
use super::{objects, set_last_insert_rowid, writing};
use crate::capture::Suspender;
use crate::sqlite::{Connection, from_sqlite};

/// How many plans are kept.
const PLANS_KEPT: usize = 256;

/// The cold tier of one connection.
pub(crate) struct Shadow {
    link: Arc<Link>,
    /// Only the connection that writes has the triggers too, and they stop the capture.
    capture: Option<Suspender>,
    has_functions: Cell<bool>,
    /// What the statements are planned with, and the temp objects show.
    cold: RefCell<Arc<Cold>>,
    is_made: Cell<bool>,
    plans: RefCell<HashMap<String, Arc<Plan>>>,
}

impl Shadow {
    /// The shadow of `connection`, empty.
    pub(crate) fn install(connection: &Connection, tier: Arc<Tier>, capture: Option<Suspender>) -> Result<Self> {
        let link = Arc::new(Link::new(tier));
        register(&connection.inner, Arc::clone(&link)).map_err(|e| from_sqlite(&e, ""))?;
        let has_functions = Cell::new(false);
        Ok(Self { link, capture, has_functions, cold: RefCell::default(), is_made: Cell::new(true), plans: RefCell::default() })
    }

    pub(crate) fn tier(&self) -> &Tier {
        &self.link.tier
    }

    /// What the connection takes for cold.
    pub(crate) fn cold(&self) -> Arc<Cold> {
        Arc::clone(&self.cold.borrow())
    }

    /// Whether no table has cold rows. Once one had, the answer stays no: the functions of the triggers are there to be guarded.
    pub(crate) fn is_empty(&self) -> bool {
        self.cold.borrow().is_empty() && !self.has_functions.get()
    }

    /// Whether there are no temp objects.
    pub(crate) fn shows_nothing(&self) -> bool {
        self.is_made.get() && self.cold.borrow().is_empty()
    }

    /// Whether the temp objects show exactly this.
    pub(crate) fn shows(&self, cold: &Arc<Cold>) -> bool {
        self.is_made.get() && Arc::ptr_eq(&self.cold.borrow(), cold)
    }

    /// Makes the temp objects show `cold`. The caller allows everything to the connection meanwhile.
    pub(crate) fn show(&self, connection: &Connection, cold: &Arc<Cold>) -> Result<()> {
        self.hide(connection)?;
        *self.cold.borrow_mut() = Arc::clone(cold);
        *self.link.cold.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(cold);
        self.plans.borrow_mut().clear();
        if !cold.is_empty() {
            connection.execute_batch(objects::MOVING)?;
        }
        for table in &cold.tables {
            for sql in objects::for_reading(table) {
                connection.execute_batch(&sql)?;
            }
        }
        if let Some(capture) = self.capture
            && !cold.is_empty()
            && !self.has_functions.replace(true)
        {
            writing::register(connection, capture)?;
        }
        for table in cold.tables.iter().filter(|_| self.capture.is_some()) {
            for sql in objects::for_writing(table) {
                connection.execute_batch(&sql)?;
            }
        }
        self.is_made.set(true);
        Ok(())
    }

    /// Takes the temp objects away, so that names mean the hot tables alone.
    pub(crate) fn hide(&self, connection: &Connection) -> Result<()> {
        self.is_made.set(false);
        for row in connection.query(&format!("/*rs*/ {}", objects::list()), &[])? {
            connection.execute_batch(&objects::drop_object(&text(&row, 0)?, &text(&row, 1)?))?;
        }
        Ok(())
    }

    /// Makes them again where they were hidden.
    pub(crate) fn unhide(&self, connection: &Connection) -> Result<()> {
        if self.is_made.get() {
            return Ok(());
        }
        let cold = self.cold();
        self.show(connection, &cold)
    }

    /// The temp objects may be others than were made: a rollback takes back what the transaction made or dropped.
    pub(crate) fn doubt(&self) {
        self.is_made.set(false);
    }

    /// How to run `sql`.
    pub(crate) fn plan(&self, sql: &str) -> Arc<Plan> {
        let mut plans = self.plans.borrow_mut();
        if let Some(plan) = plans.get(sql) {
            return Arc::clone(plan);
        }
        if plans.len() >= PLANS_KEPT {
            plans.clear();
        }
        let plan = Arc::new(Plan::new(sql, &self.cold.borrow()));
        plans.insert(sql.to_owned(), Arc::clone(&plan));
        plan
    }

    /// The error of the cold source behind a statement's error, if there is one.
    pub(crate) fn explain(&self, error: Error) -> Error {
        self.link.take_failure().unwrap_or(error)
    }

    /// Brings back the cold rows that `touched` selects; false if it could not be asked of them.
    pub(crate) fn bring_back(&self, connection: &Connection, plan: &super::plan::Touched, params: &[Value]) -> Result<bool> {
        let cold = self.cold();
        let Some(table) = cold.tables.iter().find(|t| t.id == plan.table) else { return Ok(true) };
        let last_insert_rowid = connection.inner.last_insert_rowid();
        let select = || {
            let mut statement = connection.inner.prepare_cached(&plan.sql)?;
            let given = params.len().min(statement.parameter_count());
            statement.execute(rusqlite::params_from_iter(params[..given].iter().map(crate::sqlite::Bound)))
        };
        let result = match select() {
            Ok(0) => Ok(true),
            Ok(_) => objects::bring_back(table)
                .iter()
                .try_for_each(|sql| connection.execute(&format!("/*rs*/ {sql}"), &[]).map(|_| ()))
                .map(|()| true),
            Err(_) => {
                // What is wrong with it the statement itself will say.
                drop(self.link.take_failure());
                Ok(false)
            }
        };
        set_last_insert_rowid(&connection.inner, last_insert_rowid);
        result
    }
}
