//! The virtual table over a table's cold rows: `temp._rs_cold_<table id>`.
//!
//! It has the table's own `CREATE TABLE` text, so its columns have the types and collations of the table's. It looks at constraints on the
//! rowid alone, and only to read less: SQLite checks every row again (`omit` stays 0), because values come here without affinity.
//!
//! Beside the capture this is the one place with `unsafe`: rusqlite's traits for virtual tables are unsafe to implement, because SQLite
//! casts between the base structures and ours, and rusqlite has no call that sets the last inserted rowid.

#![expect(unsafe_code, reason = "rusqlite's virtual table traits are unsafe to implement; each block says why it is sound")]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use relstore_model::{Error, ValueRef};
use rusqlite::ffi::{sqlite3_vtab, sqlite3_vtab_cursor};
use rusqlite::types::{Null, ToSqlOutput, ValueRef as SqliteRef};
use rusqlite::vtab::{Context, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection, VTabCursor, VTabKind};

use super::definition::ColdTable;
use super::tier::{Cold, Tier};
use super::walk::{Bounds, Walk};

/// What a connection's virtual tables share with the connection.
pub(super) struct Link {
    pub(super) tier: Arc<Tier>,
    pub(super) cold: Mutex<Arc<Cold>>,
    failure: Mutex<Option<Error>>,
}

impl Link {
    pub(super) fn new(tier: Arc<Tier>) -> Self {
        Self { tier, cold: Mutex::default(), failure: Mutex::default() }
    }

    /// Why the last read of cold rows failed.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn table(&self, id: u32) -> Option<Arc<ColdTable>> {
        self.cold.lock().unwrap_or_else(PoisonError::into_inner).tables.iter().find(|t| t.id.0 == id).cloned()
    }
}

/// Registers the module on `connection`.
pub(super) fn register(connection: &rusqlite::Connection, link: Arc<Link>) -> rusqlite::Result<()> {
    connection.create_module(c"_rs_cold", const { &Module::<ColdVtab>::read_only_module() }, Some(link))
}

/// Makes `last_insert_rowid()` answer as if rows that came back had not been inserted.
pub(crate) fn set_last_insert_rowid(connection: &rusqlite::Connection, rowid: i64) {
    // SAFETY: the handle is open for the length of the call.
    unsafe { rusqlite::ffi::sqlite3_set_last_insert_rowid(connection.handle(), rowid) };
}

#[repr(C)]
struct ColdVtab {
    /// SQLite's part, which must be first.
    base: sqlite3_vtab,
    link: Arc<Link>,
    /// `None`: the object is left over from a transaction that was rolled back, and is about to be dropped.
    table: Option<Arc<ColdTable>>,
}

const ASCENDING: c_int = 1;
const DESCENDING: c_int = 2;

// SAFETY: the structure is `repr(C)` and begins with SQLite's base.
unsafe impl<'v> VTab<'v> for ColdVtab {
    type Aux = Arc<Link>;
    type Cursor = ColdCursor<'v>;

    fn connect(
        _: &mut VTabConnection,
        link: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _name: &[u8],
        arguments: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        let link = link.ok_or_else(|| rusqlite::Error::ModuleError("the cold tier is not linked".into()))?;
        let id = arguments.first().and_then(|a| std::str::from_utf8(a).ok()).and_then(|a| a.trim().parse().ok());
        let table = id.and_then(|id| link.table(id));
        let sql = table.as_ref().map_or("CREATE TABLE x(gone)", |t| t.sql.as_str());
        Ok((Cow::Owned(CString::new(sql)?), Self { base: sqlite3_vtab::default(), link: Arc::clone(link), table }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        let Some(table) = &self.table else { return Ok(true) };
        let is_rowid = |column: c_int| column < 0 || usize::try_from(column).is_ok_and(|c| c == table.alias);
        let mut operators = String::new();
        let mut wanted = Vec::new();
        for (i, constraint) in info.constraints().enumerate() {
            if !constraint.is_usable() || !is_rowid(constraint.column()) {
                continue;
            }
            operators.push(match constraint.operator() {
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => '=',
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE => '>',
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE => '<',
                _ => continue,
            });
            wanted.push(i);
        }
        for (argument, i) in wanted.iter().enumerate() {
            info.constraint_usage(*i).set_argv_index(argument as c_int + 1);
        }
        let rows_all = table.rows().max(1) as f64;
        let rows = if operators.contains('=') { 1.0 } else { (rows_all / 4f64.powi(wanted.len() as i32)).max(1.0) };
        let order: Vec<(c_int, bool)> = info.order_bys().map(|o| (o.column(), o.is_order_by_desc())).collect();
        let mut direction = 0;
        if let [(column, is_descending)] = order.as_slice()
            && is_rowid(*column)
        {
            info.set_order_by_consumed(true);
            direction = if *is_descending { DESCENDING } else { ASCENDING };
        }
        // Never SCAN_UNIQUE: an argument that is no whole number makes the walk a wider one.
        info.set_estimated_cost(10.0 + rows * 3.0);
        info.set_estimated_rows(rows as i64);
        info.set_idx_num(direction);
        info.set_idx_str(&operators);
        Ok(true)
    }

    fn open(&'v mut self) -> rusqlite::Result<ColdCursor<'v>> {
        let walk = Walk::new(&[], Bounds::ALL, false);
        Ok(ColdCursor {
            base: sqlite3_vtab_cursor::default(),
            link: Arc::clone(&self.link),
            table: self.table.clone(),
            walk,
            vtab: PhantomData,
        })
    }
}

impl CreateVTab<'_> for ColdVtab {
    const KIND: VTabKind = VTabKind::Default;
}

#[repr(C)]
struct ColdCursor<'v> {
    /// SQLite's part, which must be first.
    base: sqlite3_vtab_cursor,
    link: Arc<Link>,
    table: Option<Arc<ColdTable>>,
    walk: Walk,
    vtab: PhantomData<&'v ColdVtab>,
}

impl ColdCursor<'_> {
    fn advance(&mut self) -> rusqlite::Result<()> {
        match self.walk.advance(&self.link.tier) {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = error.to_string();
                *self.link.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(rusqlite::Error::ModuleError(message))
            }
        }
    }
}

// SAFETY: the structure is `repr(C)` and begins with SQLite's base.
unsafe impl VTabCursor for ColdCursor<'_> {
    fn filter(&mut self, direction: c_int, operators: Option<&str>, arguments: &Filters<'_>) -> rusqlite::Result<()> {
        let mut bounds = Bounds::ALL;
        for (operator, value) in operators.unwrap_or("").chars().zip(arguments.iter()) {
            narrow(&mut bounds, operator, value);
        }
        let files = self.table.as_ref().map_or(&[][..], |t| t.files.as_slice());
        self.walk = Walk::new(files, bounds, direction == DESCENDING);
        self.advance()
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        self.advance()
    }

    fn eof(&self) -> bool {
        self.walk.rowid().is_none()
    }

    fn column(&self, context: &mut Context, column: c_int) -> rusqlite::Result<()> {
        let column = column as usize;
        if self.table.as_ref().is_some_and(|t| t.alias == column) {
            return context.set_result(self.rowid()?);
        }
        let borrowed = match self.walk.cell(column) {
            ValueRef::Null => return context.set_result(Null),
            ValueRef::Integer(i) => SqliteRef::Integer(i),
            ValueRef::Real(r) => SqliteRef::Real(r),
            ValueRef::Text(t) => SqliteRef::Text(t),
            ValueRef::Blob(b) => SqliteRef::Blob(b),
        };
        context.set_result(ToSqlOutput::Borrowed(borrowed))
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(self.walk.rowid().unwrap_or_default())
    }
}

/// Narrows the bounds by a constraint on the rowid. NULL leaves no row, other values that are no number narrow nothing.
fn narrow(bounds: &mut Bounds, operator: char, value: SqliteRef<'_>) {
    let (low, high) = match value {
        SqliteRef::Integer(i) => (i, i),
        // The cast saturates, so that what is beyond all rowids narrows to the last of them and no further.
        SqliteRef::Real(r) if !r.is_nan() => (r.floor() as i64, r.ceil() as i64),
        SqliteRef::Null => return *bounds = Bounds::NONE,
        _ => return,
    };
    if operator != '<' {
        bounds.low = bounds.low.max(low);
    }
    if operator != '>' {
        bounds.high = bounds.high.min(high);
    }
}
